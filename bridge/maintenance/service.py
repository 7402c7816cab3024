"""The shape of a background service: a loop that survives a database that is away."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from bridge import telemetry
from bridge.engine import is_unavailable
from bridge.errors import SchemaError
from bridge.maintenance.log import logger
from bridge.telemetry import events
from bridge.telemetry.events import NOBODY, Instance

#: Seconds that a cancelled round gets to come to an end.
UNWIND = 1.0


class Service(ABC):
    """Calls `run_once` every `interval` seconds, 10 % more or less, each within a span `oban.plugin`.

    An error is logged, once and then every tenth time in a row, and so is the row's end; meanwhile rounds come later,
    up to ten intervals or 5 seconds, whichever is less far. `rounds` counts the rounds that succeeded; `wait_for_round`
    awaits the next one.
    """

    def __init__(self, name: str, interval: float, oban: Instance = NOBODY) -> None:
        self.name = name
        self.interval = interval
        self.oban = oban
        #: The span of the round that is under way: what it did is told by `self.span.set(…)`.
        self.span = telemetry.NO_SPAN
        self.rounds = 0
        self._leads: Callable[[], bool] = bool  # nobody has told: False
        self._failures = 0
        self._failing_since = 0.0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def attach(self, oban: Instance, leads: Callable[[], bool]) -> None:
        """Tell a service of the application whose it is, and how to ask whether that node leads."""
        self.oban, self._leads = oban, leads

    @property
    def is_leader(self) -> bool:
        """Whether this node leads its instance's Python nodes, for services given to `Oban(services=…)`.

        Where no lease can be had every node does, as with Bridge's own services: two rounds at once must do no harm.
        """
        return self._leads()

    @abstractmethod
    async def run_once(self) -> None:
        """Do the service's work once."""

    def start(self) -> None:
        """Begin with a round at once."""
        if telemetry.wanted(events.PLUGIN_INIT):
            telemetry.emit(events.PLUGIN_INIT, events.PluginInit(self.name, self.oban))
        self._task = asyncio.create_task(self._run(), name=f"bridge-{self.name}")

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._task is not None

    async def stop(self) -> None:
        """End the loop; a round that is under way is cancelled, and left behind where its database doesn't answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=UNWIND)
            self._task = None

    async def wait_for_round(self) -> None:
        """Return when a round that begins after this call has succeeded."""
        async with self._changed:
            # The round that is under way may have begun before.
            wanted = self.rounds + 2
            await self._changed.wait_for(lambda: self.rounds >= wanted)

    async def _run(self) -> None:
        while True:
            try:
                with telemetry.span(events.PLUGIN, events.Plugin, self.oban, self.name) as self.span:
                    await self._count_failures()
            except Exception as error:
                self._report(error)
            else:
                self._report_recovery()
                async with self._changed:
                    self.rounds += 1
                    self._changed.notify_all()
            await self._pause()

    async def _count_failures(self) -> None:
        try:
            await self.run_once()
        except Exception:
            if not self._failures:
                self._failing_since = time.monotonic()
            self.span.set(failures=self._failures + 1)
            raise

    async def _pause(self) -> None:
        await asyncio.sleep(self._delay())

    def _delay(self) -> float:
        longest = max(self.interval, min(self.interval * 10, 5.0))
        delay: float = min(self.interval * 2.0 ** min(self._failures, 10), longest)
        return delay * random.uniform(0.9, 1.1)  # noqa: S311 - jitter is no secret

    def _report(self, error: Exception) -> None:
        if self._failures % 10 == 0:
            known = is_unavailable(error) or isinstance(error, SchemaError)  # which says what to do by itself
            logger.warning("%s failed: %s", self.name, error, exc_info=not known)
        self._failures += 1

    def _report_recovery(self) -> None:
        if self._failures:
            rounds = "1 round" if self._failures == 1 else f"{self._failures} rounds"
            seconds = time.monotonic() - self._failing_since
            logger.info("%s works again, after %s that failed in %.1f s", self.name, rounds, seconds)
        self._failures = 0
