"""The Python port of Oban, on its own schema, with orjson and a pool that is never short of connections."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from driver import Tally, main
from oban import Oban, worker
from oban.schema import install
from oban_rows import WAITING, fills
from psycopg_peer import PsycopgPeer

TALLY: list[Tally] = []


@worker(queue="bench")
class Noop:
    """Counts."""

    async def process(self, _job: Any) -> None:
        """Do nothing else."""
        TALLY[0].note()


@worker(queue="bench")
class Sleep:
    """Takes ten milliseconds."""

    async def process(self, _job: Any) -> None:
        """Wait."""
        await asyncio.sleep(0.01)
        TALLY[0].note()


@worker(queue="bench")
class Stamp:
    """Tells how late it begins."""

    async def process(self, job: Any) -> None:
        """Compare the clock with the args."""
        TALLY[0].stamp(job.args["t"])


KINDS: dict[str, Any] = {"noop": Noop, "sleep": Sleep, "stamp": Stamp}


class ObanPyPeer(PsycopgPeer):
    """The distribution `oban`."""

    packages = ("oban", "psycopg", "uvloop")
    fills: ClassVar = fills("__main__.Noop")
    waiting = WAITING
    _pool: Any = None
    _client: Any = None
    _worker: Any = None

    async def prepare(self) -> None:
        """Install its tables."""
        pool = await Oban.create_pool(self.dsn)
        await install(pool)
        await pool.close()

    async def open(self) -> None:
        """Open the pool."""
        TALLY[:] = [self.tally]
        self._pool = await Oban.create_pool(self.dsn, min_size=5, max_size=20)

    async def lend(self) -> None:
        """Start a client, which stages and refreshes too, and so has no place in a process that only works."""
        if self._client is None:
            self._client = await Oban(pool=self._pool, name="Client").start()

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert all in one call."""
        new = KINDS[kind].new
        await self._client.enqueue_many(new({"n": number}) for number in range(count))

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job."""
        when: dict[str, Any] = (
            {} if at is None else {"scheduled_at": datetime.fromtimestamp(at, UTC), "state": "scheduled"}
        )
        await self._client.enqueue(KINDS["stamp"].new(args, **when))

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start an instance with queues."""
        self._worker = await Oban(pool=self._pool, queues=queues, **options).start()

    async def stop(self) -> None:
        """Stop it."""
        if self._worker is not None:
            await self._worker.stop()

    async def close(self) -> None:
        """Stop the client and close the pool."""
        if self._client is not None:
            await self._client.stop()
        await self._pool.close()


if __name__ == "__main__":
    main(ObanPyPeer)
