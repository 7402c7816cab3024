"""Chancy with its asyncio executor, which asks for more after each job, and writes outcomes ten times a second."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any, ClassVar

from chancy import Chancy, Queue, Worker, job
from driver import Tally, main
from psycopg_peer import PsycopgPeer

TALLY: list[Tally] = []
LOG = logging.getLogger("bench.chancy")
LOG.setLevel(logging.ERROR)


@job(queue="bench")
async def noop(*, n: int) -> None:
    """Count."""
    TALLY[0].note()


@job(queue="bench")
async def sleep(*, n: int) -> None:
    """Take ten milliseconds."""
    await asyncio.sleep(0.01)
    TALLY[0].note()


@job(queue="bench")
async def stamp(*, t: float) -> None:
    """Tell how late it begins."""
    TALLY[0].stamp(t)


KINDS: dict[str, Any] = {"noop": noop, "sleep": sleep}

_ROWS = """
insert into chancy_jobs (id, queue, func, kwargs, state, attempts, max_attempts, priority, scheduled_at,
  started_at, completed_at)
select gen_random_uuid(), '{queue}', '__main__.noop', jsonb_build_object('n', i), '{state}', {attempts}, 1, 0, {due},
  {ran}, {ran}
from generate_series(1, {{count}}) as i
"""


def rows(state: str, queue: str, due: str = "now()", *, ran: bool = True) -> str:
    """Return the SQL that writes such rows."""
    return _ROWS.format(state=state, queue=queue, due=due, attempts=int(ran), ran="now()" if ran else "null")


class ChancyPeer(PsycopgPeer):
    """Chancy."""

    packages = ("chancy", "psycopg", "uvloop")
    fills: ClassVar = {
        "finished": rows("succeeded", "bench"),
        "waiting": rows("pending", "other", ran=False),
        "seen": ";".join(
            [
                *(rows(state, "other") for state in ("succeeded", "failed", "running")),
                rows("pending", "other", "now() + interval '1 day'", ran=False),
            ]
        ),
    }
    waiting = """
        select count(*)
        from chancy_jobs
        where queue = 'bench'
          and state in ('pending', 'running', 'retrying')
    """
    _app: Any = None
    _worker: Any = None

    async def prepare(self) -> None:
        """Run its migrations."""
        async with Chancy(self.dsn, log=LOG) as app:
            await app.migrate()

    async def open(self) -> None:
        """Open its pool."""
        TALLY[:] = [self.tally]
        self._app = Chancy(self.dsn, min_connection_pool_size=5, max_connection_pool_size=20, log=LOG)
        await self._app.__aenter__()

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert by its batches."""
        base = KINDS[kind].job
        jobs = [base.with_kwargs(n=number) for number in range(count)]
        async for _references in self._app.push_many(jobs, batch_size=5_000):
            pass

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job."""
        new = stamp.job.with_kwargs(**args)
        await self._app.push(new if at is None else new.with_scheduled_at(datetime.fromtimestamp(at, UTC)))

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Declare the queues and start a worker.

        Queues of jobs ask every second, the least that the table takes, for scheduled jobs are found by that alone;
        queues that only wait keep the defaults.
        """
        works = "bench" in queues
        best: dict[str, Any] = {"eager_polling": True, "polling_interval": 1} if works else {}
        for name, limit in queues.items():
            queue = Queue(name, concurrency=limit, executor=Chancy.Executor.Async, **best)
            await self._app.declare(queue, upsert=True)
        self._worker = Worker(self._app, register_signal_handlers=False, **options)
        if works:
            self._worker.send_outgoing_interval = 0.1
        await self._worker.start()

    async def stop(self) -> None:
        """Stop it."""
        if self._worker is not None:
            await self._worker.stop()

    async def close(self) -> None:
        """Close its pool."""
        await self._app.__aexit__(None, None, None)


if __name__ == "__main__":
    main(ChancyPeer)
