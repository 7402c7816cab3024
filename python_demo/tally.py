"""How far a batch has come: counted in the table, and between two counts by what this process hears."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bridge import Oban

_ENDED = frozenset({"completed", "cancelled", "discarded"})
_ORDER = ("available", "scheduled", "executing", "retryable", "completed", "cancelled", "discarded")


class Tally:
    """The jobs of one batch, by queue and state.

    A batch is what has its id in `meta.batch`, so that jobs of other runs, whose rows are kept, are not
    counted.

    Attributes:
        counts: How many jobs, by queue and state.
        cost: Seconds that the last count in the table took.
    """

    def __init__(self, batch: str, jobs: int) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.cost = 0.0
        self._batch, self._jobs = batch, jobs
        self._moved = asyncio.Event()
        self._started = self._last_move = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the last movement."""
        return max(self._last_move - self._started, 0.001)

    @property
    def states(self) -> list[str]:
        """The states to show: those that jobs are in, and completed."""
        present = {state for (_, state), count in self.counts.items() if count} | {"completed"}
        return [*(state for state in _ORDER if state in present), *sorted(present.difference(_ORDER))]

    @property
    def ended(self) -> bool:
        """Whether every job came to an end; a badge's confirmation is there before the badge's job ends."""
        return bool(self.counts) and all(state in _ENDED for (_, state), count in self.counts.items() if count)

    @property
    def succeeded(self) -> bool:
        """Whether every badge was rendered and every confirmation was printed."""
        return self.ended and all(self.completed(queue) >= self._jobs for queue in ("badges", "printing"))

    @property
    def waiting(self) -> int:
        """How many jobs have not ended."""
        return sum(count for (_, state), count in self.counts.items() if state not in _ENDED)

    @property
    def idle(self) -> float:
        """Seconds since anything moved; 0 while a job runs."""
        running = any(state == "executing" for (_, state), count in self.counts.items() if count)
        return 0.0 if running else time.monotonic() - self._last_move

    def completed(self, queue: str) -> int:
        """How many of a queue's jobs completed."""
        return self.counts.get((queue, "completed"), 0)

    async def refresh(self, oban: Oban) -> None:
        """Count in the table."""
        started = time.monotonic()
        rows = await oban.count_jobs(by=("queue", "state"), meta={"batch": self._batch})
        self.cost = time.monotonic() - started
        counts = {(str(queue), str(state)): count for (queue, state), count in rows.items()}
        if counts != self.counts:
            self._last_move = time.monotonic()
        self.counts = counts

    def hear(self, event: Any) -> str | None:
        """Take in that an attempt ended in this process; return the job's queue if it is of the batch."""
        self._last_move = time.monotonic()
        if event.job.meta.get("batch") != self._batch:
            return None
        queue, ended = event.job.queue, str(event.state)
        self.counts[queue, ended] = self.counts.get((queue, ended), 0) + 1
        if all(self.completed(name) >= self._jobs for name in ("badges", "printing")):
            self._moved.set()
        return str(queue)

    async def news(self, seconds: float) -> None:
        """Wait until all seems done, and no longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return
        self._moved.clear()
