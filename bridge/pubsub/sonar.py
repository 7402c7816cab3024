"""Pings by which nodes find out whether messages arrive, and who else is there."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from bridge.pubsub.status import Status
from bridge.pubsub.throttle import Throttle

logger = logging.getLogger("bridge.pubsub")

#: How many nodes are told apart, and how long their names may be, so that junk can't fill the memory, nor make a node
#: greet newcomers without end.
MOST: Final = 1_000
LONGEST_NAME: Final = 1_000


class Pace(Struct, frozen=True):
    """How often a node pings, in seconds (Oban 2.23).

    Attributes:
        interval: Between the first pings, and between all while nothing comes back. Otherwise the distance doubles, up
            to as many intervals as there are nodes; for a node on its own, up to `longest`.
        longest: Where it ends in any case. Every distance is 10 % more or less, by chance.
        forgotten: A node that was not heard for so long is there no more.
        patience: How long a node waits for its own ping, until it holds itself to be isolated.
    """

    interval: float = 5.0
    longest: float = 60.0
    forgotten: float = 120.0
    patience: float = 2.0

    def next(self, last: float, nodes: int) -> float:
        """Return the distance that follows `last`, 0 at first, where `nodes` are heard."""
        most = self.longest if nodes < 2 else min(self.interval * nodes, self.longest)
        return min(last * 2 or self.interval, most) if nodes else self.interval


class Sonar:
    """Pings, and listens for pings.

    A node that doesn't hear its own ping hears nobody's. So it knows within `patience` that a pooler swallows what it
    listens for, without waiting until the others are forgotten, as Oban does.
    """

    def __init__(
        self,
        node: str,
        *,
        ping: Callable[[Mapping[str, Any]], Awaitable[None]],
        ready: Callable[[], Awaitable[None]],
        on_switch: Callable[[Status], None],
        pace: Pace | None = None,
    ) -> None:
        """Make a sonar that is not started.

        Args:
            node: This node's name.
            ping: Sends a message on the channel `sonar`.
            ready: Returns once that channel is being listened to.
            on_switch: Called whenever the status is another one.
            pace: How often it pings; the default is `Pace()`.
        """
        self.node = node
        self.status = Status.UNKNOWN
        self._ping = ping
        self._ready = ready
        self._on_switch = on_switch
        self._pace = pace or Pace()
        self._heard: dict[str, float] = {}
        self._hears: bool | None = None
        self._distance = 0.0
        self._echo = asyncio.Event()
        self._again = asyncio.Event()
        self._troubles = Throttle()
        self._task: asyncio.Task[None] | None = None

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes whose pings came in, this one's among them, less those that fell silent."""
        oldest = time.monotonic() - self._pace.forgotten
        return frozenset(node for node, at in self._heard.items() if at > oldest)

    def start(self) -> None:
        """Ping now, and then again and again."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bridge-sonar")

    async def stop(self) -> None:
        """Ping no more; whom this node hears is unknown from now on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=self._pace.patience)
            self._heard.clear()
            self._settle(None)

    def wake(self) -> None:
        """Ping now, because there is reason to doubt what is known."""
        self._distance = 0.0
        self._again.set()

    def deafen(self) -> None:
        """Hear that the connection was lost."""
        if self._task is not None:
            self._settle(False)
            self.wake()

    def hear(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Hear a ping, of this node or another one."""
        node = payload.get("node")
        if self._task is None or not isinstance(node, str) or not node:
            return
        if node == self.node:
            self._heard[node] = time.monotonic()
            self._echo.set()
            return
        if is_new := node not in (nodes := self.nodes):
            self._heard = {each: at for each, at in self._heard.items() if each in nodes}
            if len(node) > LONGEST_NAME or len(nodes) >= MOST:
                return
        self._heard[node] = time.monotonic()
        self._settle(self._hears)
        if is_new:
            self.wake()  # so that it hears of this node before this one's next turn

    async def _run(self) -> None:
        while True:
            self._again.clear()
            self._settle(await self._probe())
            self._distance = self._pace.next(self._distance, len(self.nodes) if self._hears else 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._distance * random.uniform(0.9, 1.1)):  # noqa: S311 - no secret
                    await self._again.wait()

    async def _probe(self) -> bool | None:
        """Tell whether this node hears its own ping; what was known before, where none could be sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.patience):
                await self._ready()
                self._echo.clear()
                if not await self._send():
                    return self._hears
                await self._echo.wait()
                return True
        return False

    async def _send(self) -> bool:
        try:
            await self._ping({"node": self.node, "ping": True})
        except TimeoutError:
            raise
        except Exception as error:  # whatever it was, another ping follows
            if (held_back := self._troubles.admit("ping")) is not None:
                logger.warning("can't ping, trying again: %s (%d more before)", type(error).__name__, held_back)
            return False
        return True

    def _settle(self, hears: bool | None) -> None:
        self._hears = hears
        status = self._judge()
        if status is not self.status:
            self.status = status
            self._on_switch(status)

    def _judge(self) -> Status:
        if self._hears is None:
            return Status.UNKNOWN
        if not self._hears:
            return Status.ISOLATED
        return Status.CLUSTERED if self.nodes - {self.node} else Status.SOLITARY
