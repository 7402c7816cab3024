"""What an instance's queues are like at the moment when somebody collects metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily

from bridge.errors import NotRunning

logger = logging.getLogger("bridge.telemetry")

#: Seconds that a thread which collects waits for the database; then it shows what was there before.
PATIENCE: Final = 2.0


class Watcher:
    """A collector of one instance's queues, as `Metrics.watch` describes it.

    A thread that collects waits for the database. The event loop can't wait for itself: collecting there shows what
    was counted the last time, and has it counted anew.
    """

    def __init__(self, oban: Any, interval: float, states: Sequence[str]) -> None:
        self._oban = oban
        self._interval = interval
        self._states = tuple(states)
        self._loop = asyncio.get_running_loop()
        self._counted: dict[tuple[str, str], int] = {}
        self._counting: asyncio.Task[None] | None = None
        self._counted_at = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics as they are now; none once the instance has stopped."""
        try:
            infos = self._queues()
        except (NotRunning, TimeoutError):  # it has stopped, or its loop has not come round in time
            return
        yield from self._here(infos)
        if self._interval:
            self._count()
            depth = GaugeMetricFamily("oban_queue_jobs", "Jobs in the table", labels=("oban", "queue", "state"))
            for (queue, state), jobs in self._counted.items():
                depth.add_metric((self._oban.name, queue, state), jobs)
            yield depth

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Yield nothing, so that nothing is collected when this is registered."""
        return iter(())

    def _queues(self) -> Any:
        if self._is_loops():
            return self._oban.check_all_queues()

        async def check() -> Any:
            return self._oban.check_all_queues()

        if not self._loop.is_running():
            raise NotRunning("the event loop of the instance has ended")
        return asyncio.run_coroutine_threadsafe(check(), self._loop).result(PATIENCE)

    def _here(self, infos: Any) -> Iterator[GaugeMetricFamily]:
        labels = ("oban", "node", "queue")
        limit = GaugeMetricFamily("oban_queue_limit", "How many jobs may run at once", labels=labels)
        running = GaugeMetricFamily("oban_queue_running", "How many jobs run", labels=labels)
        paused = GaugeMetricFamily("oban_queue_paused", "Whether the queue is paused", labels=labels)
        for info in infos:
            values = (info.name, info.node, info.queue)
            limit.add_metric(values, info.limit)
            running.add_metric(values, len(info.running))
            paused.add_metric(values, info.paused)
        yield from (limit, running, paused)

    # Counting

    def _count(self) -> None:
        if self._is_loops():
            self._begin()
            return
        try:
            asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result(PATIENCE)
        except TimeoutError:
            logger.debug("the jobs of %s were not counted in time", self._oban.name)

    def _is_loops(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    async def _wait(self) -> None:
        if (counting := self._begin()) is not None:
            await asyncio.wait([counting], timeout=PATIENCE)

    def _begin(self) -> asyncio.Task[None] | None:
        due = time.monotonic() - self._counted_at >= self._interval
        if due and (self._counting is None or self._counting.done()):
            self._counted_at = time.monotonic()
            self._counting = self._loop.create_task(self._ask(), name="bridge-metrics")
        return self._counting

    async def _ask(self) -> None:
        try:
            self._counted = await self._oban.count_jobs(("queue", "state"), state=list(self._states))
        except Exception as error:
            logger.warning("can't count the jobs of %s: %s", self._oban.name, error)
