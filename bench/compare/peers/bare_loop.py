"""No queue but its least: asyncpg, Elixir's tables, fetch, a task a job, and a guarded acknowledgement in bulk.

It has no registry, no telemetry, no retries, no cancelling and no leader: what a runtime adds is the distance to it.
The fetch runs on one connection while the last batch is acknowledged on another.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

import asyncpg
import msgspec
from asyncpg_peer import AsyncpgPeer
from driver import main
from oban_rows import WAITING, fills

from bridge import Oban

FETCH = """
update oban_jobs
set
  state = 'executing',
  attempt = attempt + 1,
  attempted_at = $3,
  attempted_by = array['bare', $4::text]
where id = any(array(
  select id
  from oban_jobs
  where state = 'available'
    and queue = $1
    and attempt < max_attempts
  order by priority, scheduled_at, id
  limit $2
  for update skip locked
))
returning id, worker, args::text, attempt
"""
ACK = """
update oban_jobs
set
  state = 'completed',
  completed_at = $3
where id = any($1::bigint[])
  and attempt = $4
  and attempted_by[2] = $2
  and (state = 'executing') is true
"""
INSERT = """
insert into oban_jobs (queue, worker, args)
select 'bench', $1, args::jsonb
from unnest($2::text[]) as args
returning id
"""
ONE = """
with job as (
  insert into oban_jobs (queue, worker, args, state, scheduled_at)
  values ('bench', 'stamp', $1::jsonb, 'available', timezone('utc', now()))
  returning id
)
select pg_notify('bench', id::text)
from job
"""


class BareLoop(AsyncpgPeer):
    """The bare loop."""

    packages = ("asyncpg", "uvloop")
    fills: ClassVar = fills("noop")
    waiting = WAITING
    _loop: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Install Elixir's tables."""
        await Oban(dsn=self.dsn).install()

    async def open(self) -> None:
        """Connect three times: to fetch, to acknowledge, to listen."""
        self._fetching, self._acking, self._listening = [await asyncpg.connect(self.dsn) for _ in range(3)]
        self._uuid = str(uuid.uuid4())

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert from arrays, 5,000 at a time in one transaction."""
        args = [f'{{"n":{number}}}' for number in range(count)]
        async with self._fetching.transaction():
            for begin in range(0, count, 5_000):
                await self._fetching.fetch(INSERT, kind, args[begin : begin + 5_000])

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one and tell of it; nothing here stages scheduled jobs."""
        await self._fetching.execute(ONE, msgspec.json.encode(args).decode())

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start the loop."""
        self._wake = asyncio.Event()
        await self._listening.add_listener("bench", lambda *_: self._wake.set())
        self._loop = asyncio.create_task(self._run(queues["bench"]))

    async def _run(self, limit: int) -> None:
        fetch, ack = await self._fetching.prepare(FETCH), await self._acking.prepare(ACK)
        writing: asyncio.Task[Any] | None = None
        while True:
            rows = await fetch.fetch("bench", limit, datetime.now(UTC).replace(tzinfo=None), self._uuid)
            done = await asyncio.gather(*(asyncio.create_task(self._job(row)) for row in rows))
            if writing is not None:
                await writing
                writing = None
            if done:
                at = datetime.now(UTC).replace(tzinfo=None)
                writing = asyncio.create_task(ack.fetch(done, self._uuid, at, 1))
            else:
                await self._wake.wait()
                self._wake.clear()

    async def _job(self, row: Any) -> int:
        args = msgspec.json.decode(row["args"])
        if row["worker"] == "stamp":
            self.tally.stamp(args["t"])
            return int(row["id"])
        if row["worker"] == "sleep":
            await asyncio.sleep(0.01)
        self.tally.note()
        return int(row["id"])

    async def stop(self) -> None:
        """Stop the loop."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)


if __name__ == "__main__":
    main(BareLoop)
