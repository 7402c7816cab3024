"""The load: a client that goes on enqueueing through every fault, and its book of what was confirmed."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from bridge import Job, Oban

from .workers import KINDS

if TYPE_CHECKING:
    from bridge import Worker

#: Jobs in one insert.
BATCH: Final = 250

_WORKERS: Final = tuple(kind.worker.options.name for kind in KINDS)


class Orders:
    """What the client asked for: each job has a number, in its args as `n`, and the id that was confirmed for it.

    An order without an id is in doubt: the client saw an error, so the job may be there or not, but never twice.
    """

    def __init__(self) -> None:
        self._ids = array("Q")
        self._workers: list[str] = []  # interned names, so eight bytes each
        #: The first number of each insert whose answer was an error, and its jobs' count: all are there, or none is.
        self.doubts: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, worker: str) -> int:
        """Return the number of a new order, in doubt yet."""
        self._ids.append(0)
        self._workers.append(worker)
        return len(self._ids) - 1

    def confirm(self, number: int, job: int) -> None:
        """Note that a job was inserted for an order."""
        self._ids[number] = job

    def id_of(self, number: int) -> int:
        """Return the id of an order's job, 0 where it is in doubt."""
        return self._ids[number]

    def worker_of(self, number: int) -> str:
        """Return the worker's name of an order."""
        return self._workers[number]

    @property
    def confirmed(self) -> int:
        """How many were confirmed."""
        return len(self._ids) - self._ids.count(0)


class Load:
    """Enqueues jobs of all kinds, and keeps the book.

    Args:
        client: Inserts; it must stand whatever happens to the database.
        random: Chooses the kinds.
    """

    def __init__(self, client: Oban, random: Random) -> None:
        self.orders = Orders()
        #: Why inserts failed, and how many batches.
        self.refusals: dict[str, int] = {}
        self._client = client
        self._random = random
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def order(self, worker: type[Worker], args: dict[str, Any] | None = None, **options: Any) -> Job[Any]:
        """Enqueue one job of a kind for a fault's own purpose, booked like all others; errors are raised."""
        number = self.orders.add(worker.options.name)
        job = await self._client.enqueue(worker.new({**(args or {}), "n": number}, **options))
        self.orders.confirm(number, job.id or 0)
        return job

    async def order_many(
        self, worker: type[Worker], count: int, args: dict[str, Any] | None = None, **options: Any
    ) -> list[Job[Any]]:
        """Enqueue many jobs of a kind in one insert, such as with one `scheduled_at`; errors are raised."""
        numbers = [self.orders.add(worker.options.name) for _ in range(count)]
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
        begun, done = time.monotonic(), 0
        while done < jobs and not self._stopping:
            done += await self._insert(min(BATCH, jobs - done))
            await asyncio.sleep(max(0.0, begun + done / rate - time.monotonic()))

    async def _insert(self, count: int) -> int:
        """Enqueue so many, and return how many were confirmed: all or none."""
        kinds = self._random.choices(KINDS, [kind.share for kind in KINDS], k=count)
        numbers = [self.orders.add(kind.worker.options.name) for kind in kinds]
        jobs = [kind.worker.new({"n": number}) for kind, number in zip(kinds, numbers, strict=True)]
        try:
            inserted: Sequence[Job[Any]] = await self._client.enqueue_many(jobs)
        except Exception as error:  # whatever a fault makes of it
            name = type(error).__name__
            self.refusals[name] = self.refusals.get(name, 0) + 1
            self.orders.doubts.append((numbers[0], count))
            await asyncio.sleep(0.2)
            return 0
        for number, job in zip(numbers, inserted, strict=True):
            self.orders.confirm(number, job.id or 0)
        return count
