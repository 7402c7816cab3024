"""How a case is measured: databases, drivers, the clock and the counters."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
from client import PATIENCE, Client, DriverError, driver
from entrants import Entrant
from server import Host

SEEN: Final = 2_000  # rows of each state that the planner has seen
_STALLED: Final = 60.0  # seconds without a job, after which a drain has failed
_SETTLED: Final = 100_000  # jobs, after which a worker's memory should grow no more
_POLL: Final = 0.005  # seconds between two looks for rows that are not written yet


@dataclass
class Bench:
    """The server, the interpreters and what has been prepared.

    Attributes:
        host: The server.
        interpreters: The interpreter of each entrant.
        logs: A folder for what drivers print.
        versions: What was measured, by entrant.
    """

    host: Host
    interpreters: dict[Entrant, Path]
    logs: Path
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    _templates: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def database(self, entrant: Entrant, *filling: tuple[str, int]) -> AsyncIterator[str]:
        """Make a fresh database with the entrant's tables, and rows that were written before."""
        template = await self._template(entrant, filling)
        async with self.host.copy(template, f"bench_{entrant.environment}") as name:
            yield name

    @asynccontextmanager
    async def driver(self, entrant: Entrant, database: str, application: str) -> AsyncIterator[Client]:
        """Start a driver of the entrant, connected."""
        log = self.logs / f"{entrant.key}.log"
        dsn = self.host.database(database, application)
        async with driver(self.interpreters[entrant], entrant.script, dsn, log) as client:
            await client.ask("open")
            if entrant.key not in self.versions:
                self.versions[entrant.key] = (await client.ask("versions"))["versions"]
            yield client

    async def workers(self, stack: AsyncExitStack, entrant: Entrant, database: str, count: int) -> list[Client]:
        """Start so many drivers that will be workers; they end with the stack."""
        names = [f"bench-worker-{number}" for number in range(1, count + 1)]
        return [await stack.enter_async_context(self.driver(entrant, database, name)) for name in names]

    async def drain(
        self, entrant: Entrant, *, jobs: int, limit: int, kind: str = "noop", workers: int = 1,
        filling: tuple[tuple[str, int], ...] = (("seen", SEEN),), analyze: bool = True, leave: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """Insert jobs, and let workers run them.

        The time is from the first job's start to when no row is left to write. `leave` are rows of the queue that
        nobody here may run.
        """
        jobs = max(1_000, round(jobs * entrant.share))
        async with self.database(entrant, *filling) as database:
            async with AsyncExitStack() as stack:
                clients = await self.workers(stack, entrant, database, workers)
                await self.host.run("checkpoint")
                await self._insert(entrant, database, jobs, kind, analyze=analyze)
                watcher = await asyncpg.connect(self.host.database(database, "bench-watcher"))
                stack.push_async_callback(watcher.close)
                before = await self.host.usage(database)
                await asyncio.gather(*(self._start(client, entrant, limit, jobs) for client in clients))
                await _all_ran(clients, jobs)
                polls = await _all_written(watcher, await _waiting_sql(clients[0]), leave)
                ended, after = time.time(), await self.host.usage(database)
                used = [await client.ask("usage") for client in clients]
                for client in clients:
                    await client.ask("stop")
            commits = (await self._flushed(database)) - before.commits - polls
        ran = sum(each["ran"] for each in used)
        if ran != jobs:
            raise DriverError(f"expected {jobs} jobs to run once each, and {ran} ran")
        seconds = ended - min(each["first"] for each in used if each["ran"])
        return {
            "jobs": jobs,
            "seconds": seconds,
            "rate": jobs / seconds,
            "worker_us": sum(each["cpu"] for each in used if each["ran"]) / jobs * 1e6,
            "server_us": None if after.cpu is None or before.cpu is None else (after.cpu - before.cpu) / jobs * 1e6,
            "wal": (after.wal - before.wal) / jobs,
            "commits": commits / jobs,
            "rss": max(each["rss"] for each in used),
        }

    async def insert(self, entrant: Entrant, jobs: int) -> dict[str, Any]:
        """Insert jobs in bulk into empty tables."""
        async with self.database(entrant) as database, self.driver(entrant, database, "bench-client") as client:
            await self.host.run("checkpoint")
            seconds = (await client.ask("enqueue", count=jobs))["seconds"]
            stored = (await client.ask("unfinished"))["count"]
        if stored != jobs:
            raise DriverError(f"expected {jobs} rows, and there are {stored}")
        return {"jobs": jobs, "seconds": seconds, "rate": jobs / seconds}

    async def delays(self, entrant: Entrant, act: str, count: int, **given: float) -> dict[str, Any]:
        """Insert jobs one by one while a worker waits, and tell how late each begins."""
        async with self.database(entrant, ("seen", SEEN)) as database, AsyncExitStack() as stack:
            worker, client = await self.workers(stack, entrant, database, 2)
            await self._start(worker, entrant, 100, count)
            await asyncio.sleep(1.5)
            await client.ask(act, count=count, **given)
            await _all_ran([worker], count)
            late = sorted((await worker.ask("usage"))["delays"])
            await worker.ask("stop")
        if len(late) != count:
            raise DriverError(f"expected {count} jobs to run once each, and {len(late)} ran")
        cuts = statistics.quantiles(late, n=100, method="inclusive")
        return {"jobs": count, "p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3, "max_ms": late[-1] * 1e3}

    async def idle(self, entrant: Entrant, seconds: float) -> dict[str, Any]:
        """Let two nodes with five queues each wait, and count what the second says to the server."""
        queues = {f"idle_{number}": 10 for number in range(1, 6)}
        async with self.database(entrant) as database, AsyncExitStack() as stack:
            await self.host.run(f"alter database \"{database}\" set log_statement = 'all'")
            workers = await self.workers(stack, entrant, database, 2)
            for worker in workers:
                await worker.ask("start", queues=queues, **dict(entrant.options))
                await asyncio.sleep(2)
            await asyncio.sleep(min(seconds, 10))
            before = self.host.statements("bench-worker-2")
            await asyncio.sleep(seconds)
            after = self.host.statements("bench-worker-2")
            rss = (await workers[1].ask("usage"))["rss"]
            for worker in workers:
                await worker.ask("stop")
        asked = None if before is None or after is None else (after - before) * 60 / seconds
        return {"statements": asked, "rss": rss}

    async def memory(self, entrant: Entrant, jobs: int, batch: int) -> dict[str, Any]:
        """Drain many jobs in one life, a batch after the other, and watch the resident memory.

        The rate is that of the whole life: the jobs of each batch are inserted while the worker runs, and it then waits
        for the next. What has grown is the largest size after the first 100,000 jobs, beyond that at 100,000.
        """
        batch = max(1, min(batch, jobs))
        async with self.database(entrant) as database, AsyncExitStack() as stack:
            worker, client = await self.workers(stack, entrant, database, 2)
            watcher = await asyncpg.connect(self.host.database(database, "bench-watcher"))
            stack.push_async_callback(watcher.close)
            waiting = await _waiting_sql(client)
            await self._start(worker, entrant, 1000, 0)
            sizes: list[int] = []
            for done in range(batch, jobs + 1, batch):
                await client.ask("enqueue", count=batch)
                await _all_ran([worker], done)
                await _all_written(watcher, waiting, 0)
                sizes.append((await worker.ask("usage"))["rss"])
            ended, used = time.time(), await worker.ask("usage")
            await worker.ask("stop")
        total = len(sizes) * batch
        if used["ran"] != total:
            raise DriverError(f"expected {total} jobs to run once each, and {used['ran']} ran")
        first = max(0, min(len(sizes) - 1, _SETTLED // batch - 1))
        seconds = ended - used["first"]
        return {
            "jobs": total,
            "seconds": seconds,
            "rate": total / seconds,
            "rss": sizes,
            "settled": sizes[first],
            "grown": max(sizes[first:]) - sizes[first],
        }

    async def _template(self, entrant: Entrant, filling: tuple[tuple[str, int], ...]) -> str:
        """Return a database to copy; it is made and filled when it is first asked for."""
        parts = [f"{what}_{count}" for what, count in filling]
        name = "_".join(["bench_template", entrant.key.replace("-", "_"), *parts])
        if name not in self._templates:
            await self.host.run(f'drop database if exists "{name}" (force)', f'create database "{name}"')
            dsn, log = self.host.database(name), self.logs / f"{entrant.key}.log"
            async with driver(self.interpreters[entrant], entrant.script, dsn, log) as client:
                await client.ask("prepare")
                for what, count in filling:
                    await client.ask("fill", what=what, count=count)
                await client.ask("analyze")
            self._templates.add(name)
        return name

    async def _insert(self, entrant: Entrant, database: str, jobs: int, kind: str, *, analyze: bool) -> None:
        """Insert by a driver that has ended afterwards, so that the server has counted its commits."""
        async with self.driver(entrant, database, "bench-client") as client:
            await client.ask("enqueue", count=jobs, kind=kind)
            if analyze:
                await client.ask("analyze")

    async def _start(self, client: Client, entrant: Entrant, limit: int, target: int) -> None:
        await client.ask("start", queues={"bench": limit}, target=target, **dict(entrant.options))

    async def _flushed(self, database: str) -> int:
        """Return the commits of the database once its sessions have ended and told of theirs."""
        await asyncio.sleep(0.3)
        return (await self.host.usage(database)).commits


async def _waiting_sql(client: Client) -> str:
    return str((await client.ask("waiting"))["sql"])


async def _all_ran(clients: list[Client], jobs: int) -> None:
    """Wait until the workers have told of so many jobs."""
    moved, deadline = 0, time.monotonic() + PATIENCE
    since = time.monotonic()
    while (ran := sum(client.progress for client in clients)) < jobs:
        if ran != moved:
            moved, since = ran, time.monotonic()
        if time.monotonic() > min(since + _STALLED, deadline):
            raise DriverError(f"expected {jobs} jobs to run, and after {ran} no more came")
        await asyncio.sleep(0.002)


async def _all_written(watcher: Any, sql: str, leave: int) -> int:
    """Wait until no more rows are unfinished than are left for others; return how often it had to look."""
    looks, deadline = 1, time.monotonic() + _STALLED
    while await watcher.fetchval(sql) > leave:
        if time.monotonic() > deadline:
            raise DriverError(f"all jobs ran, and rows stay unfinished: {await watcher.fetchval(sql)}")
        looks += 1
        await asyncio.sleep(_POLL)
    return looks
