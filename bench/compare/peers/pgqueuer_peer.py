"""PgQueuer on asyncpg. Its cap on tasks must be twice its batch; finished rows move to its log."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import asyncpg
from asyncpg_peer import AsyncpgPeer
from driver import main
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

_QUEUED = """
insert into pgqueuer (priority, status, entrypoint, payload, execute_after)
select 0, '{status}', 'other', convert_to(jsonb_build_object('n', i)::text, 'utf8'), {due}
from generate_series(1, {{count}}) as i
"""
_LOGGED = """
insert into pgqueuer_log (job_id, status, priority, entrypoint, aggregated)
select -i, '{status}', 0, '{queue}', true
from generate_series(1, {{count}}) as i
"""


def queued(status: str, due: str = "now()") -> str:
    """Return the SQL that writes such rows of other entry points."""
    return _QUEUED.format(status=status, due=due)


def logged(status: str, queue: str) -> str:
    """Return the SQL that writes finished rows."""
    return _LOGGED.format(status=status, queue=queue)


class PgQueuerPeer(AsyncpgPeer):
    """PgQueuer; an entry point stands for a queue."""

    packages = ("pgqueuer", "asyncpg", "uvloop")
    fills: ClassVar = {
        "finished": logged("successful", "noop"),
        "waiting": queued("queued"),
        "seen": ";".join(
            [
                queued("picked"),
                queued("queued", "now() + interval '1 day'"),
                *(logged(status, "other") for status in ("successful", "exception", "canceled")),
            ]
        ),
    }
    waiting = "select count(*) from pgqueuer where entrypoint in ('noop', 'sleep', 'stamp')"
    _queries: Any = None
    _app: Any = None
    _running: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Install its tables."""
        connection = await asyncpg.connect(self.dsn)
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def open(self) -> None:
        """Connect."""
        self._queries = Queries(AsyncpgDriver(await asyncpg.connect(self.dsn)))
        self._worker_connection = await asyncpg.connect(self.dsn)

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert all in one call."""
        payloads = [b'{"n":%d}' % number for number in range(count)]
        await self._queries.enqueue([kind] * count, payloads, [0] * count)

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job; it takes the time from now until then."""
        after = None if at is None else datetime.fromtimestamp(at, UTC) - datetime.now(UTC)
        await self._queries.enqueue("stamp", json.dumps(args).encode(), 0, after)

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start a worker: the limit is its cap on tasks, unless `capped` says that there is none."""
        self._app = PgQueuer(AsyncpgDriver(self._worker_connection))
        if "bench" in queues:
            self._register()
        for queue in queues.keys() - {"bench"}:
            self._app.entrypoint(queue)(self._noop)
        limit, capped = sum(queues.values()), options.pop("capped", True)
        self._running = asyncio.create_task(
            self._app.run(
                batch_size=max(1, limit // 2) if capped else limit,
                max_concurrent_tasks=limit if capped else None,
                dequeue_timeout=timedelta(seconds=30),
            )
        )

    def _register(self) -> None:
        self._app.entrypoint("noop")(self._noop)

        @self._app.entrypoint("sleep")  # type: ignore[untyped-decorator, unused-ignore]
        async def sleep(_job: Any) -> None:
            await asyncio.sleep(0.01)
            self.tally.note()

        @self._app.entrypoint("stamp")  # type: ignore[untyped-decorator, unused-ignore]
        async def stamp(job: Any) -> None:
            self.tally.stamp(json.loads(job.payload)["t"])

    async def _noop(self, _job: Any) -> None:
        self.tally.note()

    async def stop(self) -> None:
        """Let it end what runs and write what it holds."""
        if self._running is not None:
            self._app.shutdown.set()
            await asyncio.gather(self._running, return_exceptions=True)


if __name__ == "__main__":
    main(PgQueuerPeer)
