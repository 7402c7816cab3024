"""The servers and what they carry: failover to a replica and back, a server that vanishes, a storm of junk messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final

import asyncpg

from bridge.pubsub import Notifier
from bridge.queues.census import Census, census
from bridge.testing.interop.gate import Gate
from faults import junk
from faults.chatter import Chatter
from faults.edge import edge_node, keep_busy, works_again
from faults.machine import Limit
from faults.site import DATABASE, USER
from faults.workers import QUEUE

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground

#: Seconds that nodes may take until they work on another server.
_FAILOVER: Final = 15.0

#: Seconds that a host may be silent, at a node whose server may vanish: until a statement is given up, or a connection.
_PATIENCE: Final = 1


class _OfServers(Fault):
    """Lets the standby, which has all that was confirmed, take the place of the primary: nothing is lost or run again.

    Nodes know both hosts, and use the one that takes writes.
    """

    bound = _FAILOVER
    needs: ClassVar[dict[str, object]] = {"standby": True}

    def lack(self, ground: Ground) -> str | None:
        return "the ground has no standby" if ground.standby is None else None

    async def check(self, ground: Ground, hit: Hit) -> None:
        """The server that died comes back as the standby of the other one."""
        await ground.rebuild_standby()

    async def _fail_over(self, ground: Ground) -> None:
        if ground.standby is not None and ground.standby.pid is None:
            await ground.rebuild_standby()  # an earlier fault has left it down
        await ground.in_flight(frozenset[int]().union(*(node.pids() for node in ground.nodes)), 5)
        await ground.fail_over()


class FailedOver(_OfServers):
    """The primary server is killed under load, and the standby promoted."""

    name = "failed-over"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        began = time.monotonic()
        await self._fail_over(ground)
        return Hit(self.name, began, time.monotonic())


class FailedBack(_OfServers):
    """After a failover the first server becomes the standby of the second, which is killed in its turn."""

    name = "failed-back"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        began = time.monotonic()
        await self._fail_over(ground)
        there = await works_again(ground, Hit(self.name, began, time.monotonic(), note="first"), self.bound)
        await ground.rebuild_standby()
        await asyncio.sleep(random.uniform(0.3, 0.8))
        await self._fail_over(ground)
        return Hit(self.name, began, time.monotonic(), note=there.note)


class ServerVanished(_OfServers):
    """The primary vanishes from the network of one node, which is told nothing: it has to give its connections up.

    The others see it die. New connections to its address are not answered either, so the node must go on to the next.
    """

    name = "server-vanished"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        assert ground.standby is not None
        with Gate(ground.site.dsn) as first, Gate(ground.standby.dsn) as second:
            hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
            dsn = f"postgresql://{USER}@{hosts}/{DATABASE}?target_session_attrs=read-write&connect_timeout={_PATIENCE}"
            environment = {"BRIDGE_POOL_TIMEOUT": str(_PATIENCE)}
            async with edge_node(ground, dsn, environment=environment) as node:
                await keep_busy(ground, node)
                self._chatter = Chatter(node)
                pids = node.pids()
                began = time.monotonic()
                first.freeze()
                await self._fail_over(ground)
                hit = Hit(self.name, began, time.monotonic(), pids=pids, overlaps=True, note=node.name)
                return await works_again(ground, hit, self.bound)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """The node at the edge has not filled its log, too."""
        await super().check(ground, hit)
        self._chatter.check()


class JunkStorm(Fault):
    """Thousands of messages on all of Oban's channels that nobody should send, some of them for other instances.

    None ends a listener, changes a queue, or fills the log; messages that are for this instance still arrive. A fault
    before it may have ended listeners: they are waited for, because nobody keeps messages for who does not listen.
    """

    name = "junk-storm"

    #: Messages in one statement, and seconds for which statements are sent.
    _batch: ClassVar[int] = 100
    _seconds: ClassVar[float] = 2.5

    async def strike(self, ground: Ground, random: Random) -> Hit:
        async with _asking(ground) as asking:
            await _await_queues(ground, asking, paused=False)
        messages = junk.messages(random)
        conn = await asyncpg.connect(ground.dsn)
        began = time.monotonic()
        sent = 0
        try:
            while time.monotonic() < began + self._seconds:
                await self._send(conn, random.choices(messages, k=self._batch))
                sent += self._batch
                await asyncio.sleep(0.03)
        finally:
            await conn.close()
        return Hit(self.name, began, time.monotonic(), note=f"{sent:,} messages")

    async def _send(self, conn: Any, messages: Sequence[tuple[str, str]]) -> None:
        channels, texts = zip(*messages, strict=True)
        await conn.execute(
            "select pg_notify(channel, text) from unnest($1::text[], $2::text[]) as m (channel, text)", channels, texts
        )

    async def check(self, ground: Ground, hit: Hit) -> None:
        """The queues are as they were, and a message for this instance still has its effect at every node."""
        await _check_control(ground)


async def _check_control(ground: Ground) -> None:
    """Pause a queue at every node, and resume it, by messages."""
    async with _asking(ground) as asking:
        await ground.client.pause_queue(QUEUE)
        try:
            await _await_queues(ground, asking, paused=True)
        finally:
            await ground.client.resume_queue(QUEUE)
        await _await_queues(ground, asking, paused=False)


def _asking(ground: Ground) -> AbstractAsyncContextManager[Census]:
    async def publish(channel: str, texts: list[str]) -> None:
        for text in texts:
            await ground.sql("select pg_notify($1, $2)", channel, text)

    notifier = Notifier(
        connect=lambda: asyncpg.connect(ground.dsn), publish=publish, prefix="public", ident="Oban.elsewhere"
    )
    return census(notifier)


async def _await_queues(ground: Ground, asking: Census, *, paused: bool) -> None:
    nodes = {node.name for node in ground.nodes if node.alive}
    limit = Limit("queues to hear a message", 5)
    while True:
        states = await asking.ask((), timeout=1.0)
        heard = {state.node for state in states if state.queue == QUEUE and state.paused is paused}
        if heard >= nodes:
            return
        if limit.is_over():
            raise AssertionError(f"nodes {nodes - heard} were not heard to have {QUEUE} {paused=}: {states}")


FAULTS: Final = (FailedOver(), FailedBack(), ServerVanished(), JunkStorm())
