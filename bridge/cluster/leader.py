"""Leadership among the Python nodes of an instance, by a lease in the table where Elixir's leaders have theirs."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from bridge import telemetry
from bridge.clock import elapsed
from bridge.engine import Election, Engine, is_unavailable
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs.checks import seconds
from bridge.telemetry import events

logger = logging.getLogger("bridge.cluster")

#: Seconds that the lease's release gets when a node stops; without an answer, the lease runs out by itself.
RELEASE: Final = 1.0

#: Seconds from one election to the next at least, however many messages ask for one.
GAP: Final = 0.05


def check_leader(*, interval: Any = 30.0, enabled: Any = True) -> None:
    """Refuse options that a leader can't have.

    Raises:
        InvalidSetting: An interval that is not 0.1 to 3,600 seconds, or an `enabled` that is no boolean.
    """
    if not 0.1 <= seconds("leader.interval", interval, InvalidSetting) <= 3_600:
        raise InvalidSetting("leader.interval", interval, "0.1 to 3600 seconds")
    if not isinstance(enabled, bool):
        raise InvalidSetting("leader.enabled", enabled, "True or False")


class Leader:
    """Holds the lease `<instance>@python` for this node, or waits for it.

    The lease's name is not the instance's own: an Elixir node waits for no Python node, and leads beside it. It lasts
    for `interval` seconds; its holder renews it twice as often, less 0 to 10 %, and gives leadership up where that
    fails (Oban 2.23). Others try when it runs out, or when they hear that it was given up. In doubt a node doesn't
    lead: what a leader does must still be safe to do twice, because a database that crashes forgets all leases.

    Args:
        engine: Where the lease is.
        instance: The instance's name.
        node: This node's name. Nodes of the same name would lead together.
        interval: Seconds, default 30 (Oban 2.23).
    """

    def __init__(self, engine: Engine, *, instance: str, node: str, interval: float = 30.0) -> None:
        check_leader(interval=interval)
        self.lease = f"{instance}@python"
        self.node = node
        self.interval = interval
        #: Whether no lease can be had: there is no table for it, and the role may make none.
        self.leaseless = False
        #: Whether it was told to stop.
        self.stopped = False
        #: The node that won the last election that was held here; None where none was, or nobody did.
        self.holder: str | None = None
        self._engine = engine
        self._until = 0.0
        self._leads = False
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_leader(self) -> bool:
        """Whether this node leads: it holds the lease, which has not run out by this node's own clock."""
        return elapsed() < self._until

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._task is not None

    def start(self) -> None:
        """Begin with an election at once."""
        self.stopped = False
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="bridge-leader")

    async def stop(self) -> None:
        """Give the lease up and tell the others, so that one of them leads within moments."""
        self.stopped = True
        if self._task is None and not self._leads:
            return
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=RELEASE)
            self._task = None
        if self._leads:
            with self._span():
                await self._settle(0.0)
        if self.leaseless:
            return
        # Also where it doesn't lead: the election that was cancelled may have been won. A cancelled call waits on for a
        # server that says nothing, so it is left behind.
        releasing = asyncio.create_task(self._engine.release_lease(self.lease, self.node))
        await asyncio.wait([releasing], timeout=RELEASE)
        error = TimeoutError("no answer") if releasing.cancel() else releasing.exception()
        if error is not None:
            logger.warning("could not release the lease %s, which will run out: %s", self.lease, error)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback()` whenever this node has won an election or lost one, after it had not before."""
        self._watchers.append(callback)

    async def wait_for_leadership(self) -> None:
        """Return when this node leads."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_leader)

    async def find(self) -> str | None:
        """Return the node that holds the lease; None where none does."""
        return await self._engine.holder(self.lease)

    def hear(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Hold an election at once where a message tells that the lease was given up."""
        if payload.get("down") == self.lease:
            self.wake()

    def wake(self) -> None:
        """Hold an election at once, as after a lost connection: a database that crashed has forgotten the lease."""
        self._wake.set()

    async def run_once(self) -> Election:
        """Hold an election."""
        asked = elapsed()
        with self._span() as span:
            async with asyncio.timeout(self.interval / 2):
                election = await self._engine.elect(self.lease, self.node, self.interval)
            span.set(leader=election.won, peer=election.node)
        self.holder = election.node
        await self._settle(asked + self.interval if election.won else 0.0)
        return election

    @contextmanager
    def _span(self) -> Iterator[telemetry.Span]:
        leads = self._leads
        with telemetry.span(events.ELECTION, events.Election, self._engine.oban, self.lease, leads, leads) as span:
            span.set(leader=False)  # where it fails
            yield span

    async def _run(self) -> None:
        while True:
            begun = time.monotonic()
            self._wake.clear()
            try:
                election = await self.run_once()
            except Exception as error:
                self.leaseless, self.holder = isinstance(error, SchemaError), None
                await self._settle(0.0)
                delay = self._report(error)
            else:
                self.leaseless = False
                self._failures = 0
                delay = self._delay(election)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wake.wait()
                    await asyncio.sleep(max(begun + GAP - time.monotonic(), 0.0))

    def _delay(self, election: Election) -> float:
        jitter = random.uniform(0.9, 1.0)  # noqa: S311 - jitter is no secret
        if election.won:
            return self.interval / 2 * jitter
        # Oban's followers come by every 30 seconds; ours are there when the lease of a node that died runs out.
        return min(self.interval * jitter, election.remaining + self.interval * (1.0 - jitter) / 5 + 0.01)

    async def _settle(self, until: float) -> None:
        self._until = until
        if self.is_leader is not self._leads:
            self._leads = self.is_leader
            # The event of the election tells it at info.
            logger.debug("this node %s the lease %s", "holds" if self._leads else "no longer holds", self.lease)
            for watcher in self._watchers:
                watcher()
        async with self._changed:
            self._changed.notify_all()

    def _report(self, error: Exception) -> float:
        if self._failures % 10 == 0:
            told = error if str(error) else type(error).__name__
            known = is_unavailable(error) or isinstance(error, SchemaError)  # which says what to do by itself
            logger.warning("the election failed: %s", told, exc_info=not known)
        self._failures += 1
        delay: float = min(0.25 * 2.0 ** min(self._failures, 10), 5.0, self.interval / 2)
        return delay * random.uniform(0.9, 1.1)  # noqa: S311 - jitter is no secret
