"""The load: a client that goes on enqueueing through every fault, and changes its mind about some jobs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from bridge import Job, Oban

from .orders import Deed, Orders
from .workers import KINDS, Cancelled, Discarded, Doomed, Long, Unique

if TYPE_CHECKING:
    from bridge import Worker

    from .workers import Kind

#: Jobs in one insert.
BATCH: Final = 250

#: After every so many inserts a job is ordered that is cancelled later, and one that has ended is retried.
_MEDDLING: Final = 4

#: Seconds that a job takes that is to be cancelled, and within which it is.
_LONG: Final = 4.0
_CHANGED: Final = 3.0

#: Jobs that end by themselves without being completed.
_ENDING: Final = (Cancelled, Discarded, Doomed)


class Load:
    """Enqueues jobs of all kinds, and keeps the book.

    Beside its inserts of many it inserts some jobs that must be there once, each more than once; cancels some that wait
    or run; and retries some that have ended.

    Args:
        client: Inserts; it must stand whatever happens to the database.
        random: Chooses the kinds.
        kinds: Of which it chooses; default all.
    """

    def __init__(self, client: Oban, random: Random, kinds: Sequence[Kind] = KINDS) -> None:
        self.orders = Orders()
        #: What was refused, and how often, by the error's name.
        self.refusals: dict[str, int] = {}
        self._client = client
        self._random = random
        self._kinds = kinds
        self._whims = Random(random.random())  # of its own, so that no answer changes what the load holds
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._unique: deque[int] = deque(maxlen=50)
        self._ending: deque[int] = deque(maxlen=50)
        self._unwanted: deque[tuple[float, int]] = deque()

    async def order(self, worker: type[Worker], args: dict[str, Any] | None = None, **options: Any) -> Job[Any]:
        """Enqueue one job of a kind for a fault's own purpose, booked like all others; errors are raised."""
        number = self.orders.add(worker, args, options)
        job = await self._client.enqueue(worker.new({**(args or {}), "n": number}, **options))
        self.orders.confirm(number, job.id or 0)
        return job

    async def order_many(
        self, worker: type[Worker], count: int, args: dict[str, Any] | None = None, **options: Any
    ) -> list[Job[Any]]:
        """Enqueue many jobs of a kind in one insert, such as with one `scheduled_at`; errors are raised."""
        numbers = [self.orders.add(worker, args, options) for _ in range(count)]
        doubt = (numbers[0], count)
        self.orders.doubts.append(doubt)
        jobs = await self._client.enqueue_many(
            worker.new({**(args or {}), "n": number}, **options) for number in numbers
        )
        self.orders.doubts.remove(doubt)
        for number, job in zip(numbers, jobs, strict=True):
            self.orders.confirm(number, job.id or 0)
        return jobs

    def start(self, *, jobs: int, rate: float) -> None:
        """Enqueue so many jobs more, at so many a second, until all are confirmed or `stop` is called."""
        self._task = asyncio.create_task(self._run(jobs, rate), name="faults-load")

    async def finished(self) -> None:
        """Wait until all are confirmed."""
        if self._task is not None:
            await self._task

    @property
    def running(self) -> bool:
        """Whether jobs are being enqueued."""
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Enqueue no more; a batch that is under way is waited for."""
        self._stopping = True
        await self.finished()

    async def _run(self, jobs: int, rate: float) -> None:
        self._stopping = False
        begun, done, turn = time.monotonic(), 0, 0
        while done < jobs and not self._stopping:
            done += await self._insert(min(BATCH, jobs - done))
            await self._meddle(turn)
            turn += 1
            await asyncio.sleep(max(0.0, begun + done / rate - time.monotonic()))

    async def _insert(self, count: int) -> int:
        """Enqueue so many, and return how many were confirmed: all or none."""
        kinds = self._random.choices(self._kinds, [kind.share for kind in self._kinds], k=count)
        first, jobs = len(self.orders), []
        for number, kind in enumerate(kinds, first):
            args, options = kind.variants[number % len(kind.variants)]
            self.orders.add(kind.worker, args, options)
            jobs.append(kind.worker.new({**args, "n": number}, **options))
        inserted: Sequence[Job[Any]] | None = await self._try(self._client.enqueue_many, jobs)
        if inserted is None:
            self.orders.doubts.append((first, count))
            await asyncio.sleep(0.2)
            return 0
        for number, (job, kind) in enumerate(zip(inserted, kinds, strict=True), first):
            self.orders.confirm(number, job.id or 0)
            if kind.worker in _ENDING:
                self._ending.append(number)
        return count

    async def _try(self, what: Callable[..., Awaitable[Any]], *values: Any) -> Any:
        """Return the answer, or None where there is none, whatever a fault makes of it."""
        try:
            return await what(*values)
        except Exception as error:
            name = type(error).__name__
            self.refusals[name] = self.refusals.get(name, 0) + 1
            return None

    # What is done to single jobs

    async def _meddle(self, turn: int) -> None:
        await self._insert_unique()
        if turn % _MEDDLING == 0:
            await self._order_unwanted()
        if turn % _MEDDLING == _MEDDLING // 2 and self._ending:
            number = self._whims.choice(self._ending)
            await self._do("retry", number, self._client.retry_job)
        while self._unwanted and self._unwanted[0][0] <= time.monotonic():
            await self._do("cancel", self._unwanted.popleft()[1], self._client.cancel_job)

    async def _insert_unique(self) -> None:
        """Insert a job twice at once, and again while no answer comes; in its turn one that was inserted long ago."""
        if self._unique and self._whims.random() < 1 / 2:
            number = self._whims.choice(self._unique)
        else:
            number = self.orders.add(Unique)
            self._unique.append(number)
        while not self._stopping:
            twins = (self._try(self._client.enqueue, Unique.new({"n": number})) for _ in range(2))
            answers = await asyncio.gather(*twins)
            for job in filter(None, answers):
                self._confirm_unique(number, job.id or 0)
            if any(answers):
                return
            await asyncio.sleep(0.2)

    def _confirm_unique(self, number: int, job: int) -> None:
        known = self.orders.id_of(number)
        if not job or known not in (0, job):
            self.orders.wrong.append(f"order {number} is job {job}, and was job {known}")
        self.orders.confirm(number, job)

    async def _order_unwanted(self) -> None:
        number = self.orders.add(Long, {"seconds": _LONG})
        job = await self._try(self._client.enqueue, Long.new({"seconds": _LONG, "n": number}))
        if job is not None:
            self.orders.confirm(number, job.id or 0)
            self._unwanted.append((time.monotonic() + self._whims.uniform(0, _CHANGED), number))

    async def _do(self, what: str, number: int, how: Callable[[int], Awaitable[bool]]) -> None:
        deed = self.orders.deed(number, Deed(what, time.monotonic()))
        deed.done = await self._try(how, self.orders.id_of(number))
        if deed.done is not None:
            deed.answered = time.monotonic()


__all__ = ["BATCH", "Load", "Orders"]
