"""Procrastinate, with a pool of twenty connections; history is kept, as it is by default."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, ClassVar

import procrastinate
from driver import Tally, main
from psycopg_peer import PsycopgPeer

# Tasks belong to an app, and an app to its connector: so the DSN is needed here already.
APP = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=sys.argv[1], min_size=5, max_size=20))
TALLY: list[Tally] = []
CHUNK = 5_000  # jobs of one statement


@APP.task(name="noop", queue="bench")
async def noop(n: int) -> None:
    """Count."""
    TALLY[0].note()


@APP.task(name="sleep", queue="bench")
async def sleep(n: int) -> None:
    """Take ten milliseconds."""
    await asyncio.sleep(0.01)
    TALLY[0].note()


@APP.task(name="stamp", queue="bench")
async def stamp(t: float) -> None:
    """Tell how late it begins."""
    TALLY[0].stamp(t)


KINDS: dict[str, Any] = {"noop": noop, "sleep": sleep}

_ROWS = """
insert into procrastinate_jobs (queue_name, task_name, args, status, scheduled_at, attempts)
select '{queue}', 'noop', jsonb_build_object('n', i), '{status}', {due}, {attempts}
from generate_series(1, {{count}}) as i
"""


def rows(status: str, queue: str, due: str = "null", attempts: int = 1) -> str:
    """Return the SQL that writes such rows; the triggers write their events."""
    return _ROWS.format(status=status, queue=queue, due=due, attempts=attempts)


class ProcrastinatePeer(PsycopgPeer):
    """Procrastinate."""

    packages = ("procrastinate", "psycopg", "uvloop")
    fills: ClassVar = {
        "finished": rows("succeeded", "bench"),
        "waiting": rows("todo", "other", attempts=0),
        "seen": ";".join(
            [
                *(rows(status, "other") for status in ("succeeded", "doing", "failed", "cancelled")),
                rows("todo", "other", "now() + interval '1 day'"),
            ]
        ),
    }
    waiting = """
        select count(*)
        from procrastinate_jobs
        where status in ('todo', 'doing')
          and queue_name = 'bench'
    """
    _running: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Apply its schema."""
        await APP.open_async()
        await APP.schema_manager.apply_schema_async()

    async def open(self) -> None:
        """Open its pool."""
        TALLY[:] = [self.tally]
        await APP.open_async()

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert by its batches."""
        task = APP.tasks[kind]
        for begin in range(0, count, CHUNK):
            await task.batch_defer_async(*({"n": n} for n in range(begin, min(begin + CHUNK, count))))

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job."""
        when = None if at is None else datetime.fromtimestamp(at, UTC)
        await APP.tasks["stamp"].configure(schedule_at=when).defer_async(**args)

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start a worker; it has one limit for all queues.

        One with jobs asks every second, for scheduled jobs are found by that alone; one that only waits keeps the
        default.
        """
        best: dict[str, Any] = {"fetch_job_polling_interval": 1.0} if "bench" in queues else {}
        self._running = asyncio.create_task(
            APP.run_worker_async(
                queues=list(queues),
                concurrency=sum(queues.values()),
                install_signal_handlers=False,
                **best,
                **options,
            )
        )

    async def stop(self) -> None:
        """Cancel it, which lets it end what runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def close(self) -> None:
        """Close its pool."""
        await APP.close_async()


if __name__ == "__main__":
    main(ProcrastinatePeer)
