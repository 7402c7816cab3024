"""The network between nodes and server: cut, silent, slow, or with connections that end in the midst of a statement."""

from __future__ import annotations

import asyncio
import signal
import time
from abc import abstractmethod
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from bridge.testing.interop.gate import Gate
from faults import promises
from faults.chatter import Chatter
from faults.edge import EDGE, edge_node, keep_busy, taken_over, works_again
from faults.machine import Limit, rest
from faults.node import BRIEF, RESCUE_AFTER, RESCUED, SILENCE
from faults.site import DATABASE, USER
from faults.tunnel import Tunnel
from faults.workers import Quick, Steady

from . import Fault, Hit

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.node import Node

#: Seconds that statements and answers are on their way, so that some are at any moment.
_ON_ITS_WAY: Final = 0.1

#: Of these jobs, the attempts that a node has claimed.
_CLAIMED: Final = "select id, attempt from oban_jobs where id = any($1::bigint[]) and attempt > 0"

#: Seconds after an outage for which a node may be silent yet.
_LATE: Final = RESCUE_AFTER / 2

#: Seconds that one statement may take at a node whose connections are forgotten.
_STATEMENT: Final = 1.0


class _OfAll(Fault):
    """Hits all nodes at once, in the midst of jobs that end while nobody can tell the database.

    Nobody is dead, however long it takes, and what ended is written once the network is back: nothing runs again.
    """

    async def strike(self, ground: Ground, random: Random) -> Hit:
        pids = frozenset[int]().union(*(node.pids() for node in ground.nodes))
        await ground.load.order_many(Steady, 20, {"seconds": 1.0})
        await ground.in_flight(pids, 10)
        began = time.monotonic()
        caught = len(ground.ledger.in_flight(pids))
        try:
            seconds = await self._break(ground.site.gate, random)
        finally:
            _mend(ground.site.gate)
        return Hit(self.name, began, time.monotonic(), note=f"{seconds:.1f} s, {caught} jobs in flight")

    @abstractmethod
    async def _break(self, gate: Gate, random: Random) -> float:
        """Break it for some seconds, and return how many; it is mended then."""


class NetworkCut(_OfAll):
    """Connections are reset, and new ones refused, for longer than a dead node's silence."""

    name = "network-cut"

    async def _break(self, gate: Gate, random: Random) -> float:
        gate.cut()
        return await _sleep(random.uniform(*SILENCE))


class NetworkFrozen(_OfAll):
    """Nothing arrives, neither bytes nor ends, for longer than a dead node's silence; then all of it does."""

    name = "network-frozen"

    async def _break(self, gate: Gate, random: Random) -> float:
        gate.freeze()
        return await _sleep(random.uniform(*SILENCE))


class NetworkLost(_OfAll):
    """Nothing arrives, and then the connections are reset: of what was under way, nobody knows how far it came.

    It lasts longer than a dead node's silence, and when it is over a node takes its time to be heard again: as long as
    a node may that was heard just before.
    """

    name = "network-lost"

    async def strike(self, ground: Ground, random: Random) -> Hit:
        leader = await ground.leader()
        self._late = random.choice([node for node in ground.nodes if node is not leader] or ground.nodes)
        try:
            hit = await super().strike(ground, random)
            await asyncio.sleep(_LATE)
        finally:
            self._late.signal(signal.SIGCONT)
        return replace(hit, ended=time.monotonic())

    async def _break(self, gate: Gate, random: Random) -> float:
        gate.freeze()
        seconds = await _sleep(random.uniform(*SILENCE))
        self._late.signal(signal.SIGSTOP)
        gate.drop()
        return seconds


class NetworkSlow(_OfAll):
    """Every round trip takes up to three seconds, a different time from one second to the next."""

    name = "network-slow"

    async def _break(self, gate: Gate, random: Random) -> float:
        seconds = 0.0
        for longest in (0.05, 0.5, 1.5, 0.25, 1.5):
            gate.delay(random.uniform(0.01, longest))
            seconds += await _sleep(0.8)
        return seconds


class ConnectionsReset(_OfAll):
    """All connections are reset again and again: of some statements the server never hears, of others nobody does."""

    name = "connections-reset"

    async def _break(self, gate: Gate, random: Random) -> float:
        gate.delay(0.05)  # so that statements and answers are on their way at any moment
        seconds = 0.0
        for _ in range(8):
            seconds += await _rest(random.uniform(0.1, 0.6))
            gate.drop()
        return seconds


class _OfOne(Fault):
    """Hits the way of one node, which the others don't share, in the midst of jobs.

    Its jobs come to another end in their second attempt, so that what it would overwrite shows.
    """

    #: Whether it lasts until the node's jobs have been rescued, and one of them has run elsewhere.
    rescued: ClassVar[bool] = False

    #: Seconds that the jobs take in whose midst it strikes.
    lasting: ClassVar[float] = 0.5

    async def strike(self, ground: Ground, random: Random) -> Hit:
        with Gate(ground.site.dsn) as gate:
            async with edge_node(ground, gate.url()) as node:
                caught = await keep_busy(ground, node, self.lasting)
                self._chatter = Chatter(node)
                pids = node.pids() if self.rescued else frozenset()
                began = time.monotonic()
                try:
                    await self._break(ground, gate, random)
                    if self.rescued:
                        await taken_over(ground, node, caught)
                finally:
                    _mend(gate)
                ended = time.monotonic()
                note = f"{ended - began:.1f} s, {len(caught)} jobs in flight"
                hit = Hit(self.name, began, ended, pids=pids, overlaps=True, note=note)
                return await works_again(ground, hit, self.bound)

    @abstractmethod
    async def _break(self, ground: Ground, gate: Gate, random: Random) -> None:
        """Break it for a while, or until its jobs have been rescued; it is mended then."""

    async def check(self, ground: Ground, hit: Hit) -> None:
        """It has not filled its log; whether its jobs ran again though nobody took them is the account's to tell."""
        self._chatter.check()


class NodeCutOff(_OfOne):
    """One node is cut off until its jobs have been rescued; it overwrites nothing when it comes back."""

    name = "node-cut-off"
    rescued = True

    async def _break(self, ground: Ground, gate: Gate, random: Random) -> None:
        gate.cut()


class NodeFrozen(_OfOne):
    """Nothing of one node arrives until its jobs have been rescued; then all of it does, and overwrites nothing.

    Among that is the answer to a fetch, whose jobs are others' by then.
    """

    name = "node-frozen"
    rescued = True

    lasting = 1.5

    def __init__(self) -> None:
        self._unheard: set[tuple[int, int]] = set()

    async def _break(self, ground: Ground, gate: Gate, random: Random) -> None:
        node = next(node for node in ground.nodes if node.name == EDGE)
        gate.delay(_ON_ITS_WAY)
        limit = Limit("claims to be unheard", 20)
        while not (unheard := await self._freeze(ground, gate, node)):
            limit.check()
            gate.thaw()
        self._unheard = unheard
        await promises.left(ground, unheard, RESCUED)

    async def _freeze(self, ground: Ground, gate: Gate, node: Node) -> set[tuple[int, int]]:
        """Let nothing arrive once jobs are claimed that only this node runs; return those of which it has not heard."""
        jobs = [job.id for job in await ground.load.order_many(Quick, 2, queue=node.probes)]
        while not (claimed := await ground.sql(_CLAIMED, jobs)):  # noqa: ASYNC110 - in rows
            await asyncio.sleep(0.01)
        gate.freeze()
        await asyncio.sleep(_ON_ITS_WAY)  # what has arrived begins
        return await promises.never_begun(ground, [(row["id"], row["attempt"]) for row in claimed])

    async def check(self, ground: Ground, hit: Hit) -> None:
        """It has begun nothing of what it heard too late."""
        await super().check(ground, hit)
        if begun := self._unheard - await promises.never_begun(ground, self._unheard):
            raise AssertionError(f"attempts that had been rescued when their node heard of them: {sorted(begun)[:5]}")


class NodeCutBriefly(_OfOne):
    """One node is cut off, or not answered, for a moment that is too short for a rescue: nothing runs twice."""

    name = "node-cut-briefly"

    async def _break(self, ground: Ground, gate: Gate, random: Random) -> None:
        random.choice((gate.cut, gate.freeze))()
        await _sleep(random.uniform(0.3, BRIEF))


class NodeSlow(_OfOne):
    """Every round trip of one node takes up to 0.8 s, and the others' are quick: nothing is taken from it.

    It lasts longer than a silence of the dead.
    """

    name = "node-slow"

    async def _break(self, ground: Ground, gate: Gate, random: Random) -> None:
        for _ in range(5):
            gate.delay(random.uniform(0.1, 0.4))
            await _sleep(SILENCE[1] / 5)


class _OfTunnel(Fault):
    """Hits single connections of one node, while it can make new ones: it lives, so nothing of it runs again."""

    #: More variables for its node.
    environment: ClassVar[dict[str, str]] = {}

    async def strike(self, ground: Ground, random: Random) -> Hit:
        async with Tunnel(ground.site.port) as tunnel:
            dsn = f"postgresql://{USER}@127.0.0.1:{tunnel.port}/{DATABASE}"
            async with edge_node(ground, dsn, environment=self.environment) as node:
                await keep_busy(ground, node)
                self._chatter = Chatter(node)
                began = time.monotonic()
                standing = tunnel.standing
                await self._break(tunnel, random)
                hit = Hit(self.name, began, time.monotonic(), note=f"{standing} connections")
                return await works_again(ground, hit, self.bound)

    async def check(self, ground: Ground, hit: Hit) -> None:
        """It has not filled its log."""
        self._chatter.check()

    @abstractmethod
    async def _break(self, tunnel: Tunnel, random: Random) -> None:
        """Break connections."""


class ConnectionsForgotten(_OfTunnel):
    """All connections of a node fall silent for good, as by a firewall that restarts, and new ones are carried.

    Only its patience with single statements tells it that they are dead: a statement's time, and as much again until
    its connection is given up.
    """

    name = "connections-forgotten"
    bound = 5.0 + 2 * _STATEMENT
    environment: ClassVar[dict[str, str]] = {"BRIDGE_POOL_TIMEOUT": str(_STATEMENT)}

    async def _break(self, tunnel: Tunnel, random: Random) -> None:
        tunnel.forget()


class AnswersLost(_OfTunnel):
    """Again and again answers get lost, and then their connections: the server has done what nobody was told of.

    In between its node has the time to connect and to be heard.
    """

    name = "answers-lost"

    async def _break(self, tunnel: Tunnel, random: Random) -> None:
        for _ in range(6):
            tunnel.mute()
            await _rest(random.uniform(0.02, 0.3))  # until something was asked
            tunnel.drop()
            await _rest(random.uniform(0.2, 0.5))


async def _sleep(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


async def _rest(seconds: float) -> float:
    await rest(seconds)
    return seconds


def _mend(gate: Gate) -> None:
    gate.delay(0)
    gate.thaw()
    gate.mend()


FAULTS: Final = (
    NetworkCut(),
    NetworkFrozen(),
    NetworkLost(),
    NetworkSlow(),
    ConnectionsReset(),
    NodeCutOff(),
    NodeFrozen(),
    NodeCutBriefly(),
    NodeSlow(),
    ConnectionsForgotten(),
    AnswersLost(),
)
