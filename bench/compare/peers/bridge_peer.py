"""Bridge, with its own defaults and a telemetry handler attached."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from asyncpg_peer import AsyncpgPeer
from driver import Tally, main
from oban_rows import WAITING, fills

from bridge import Job, Oban, Worker, telemetry, worker
from bridge.engine.schema import worker_index_sql

TALLY: list[Tally] = []


@worker(name="Noop", queue="bench")
class Noop(Worker):
    """Counts."""

    async def process(self, job: Job[Any]) -> None:
        """Do nothing else."""
        TALLY[0].note()


@worker(name="Sleep", queue="bench")
class Sleep(Worker):
    """Takes ten milliseconds."""

    async def process(self, job: Job[Any]) -> None:
        """Wait."""
        await asyncio.sleep(0.01)
        TALLY[0].note()


@worker(name="Stamp", queue="bench")
class Stamp(Worker):
    """Tells how late it begins."""

    async def process(self, job: Job[Any]) -> None:
        """Compare the clock with the args."""
        TALLY[0].stamp(job.args["t"])


KINDS: dict[str, Any] = {"noop": Noop, "sleep": Sleep}


class BridgePeer(AsyncpgPeer):
    """Bridge."""

    packages = ("oban-bridge", "asyncpg", "uvloop")
    fills: ClassVar = {**fills("Noop"), "worker-index": worker_index_sql()}
    waiting = WAITING
    _client: Any = None
    _worker: Any = None

    async def prepare(self) -> None:
        """Install Oban's tables and Bridge's own."""
        await Oban(dsn=self.dsn).install()

    async def open(self) -> None:
        """Attach the handler; an instance connects as it starts, and one without queues is there to insert alone."""
        TALLY[:] = [self.tally]
        telemetry.attach("bench", "oban.job.*", lambda _name, _event: None)

    async def lend(self) -> None:
        """Start a client."""
        if self._client is None:
            self._client = await Oban(dsn=self.dsn, name="Client").start()

    async def enqueue(self, kind: str, count: int) -> None:
        """Insert all in one call."""
        new = KINDS[kind].new
        await self._client.enqueue_many(new({"n": number}) for number in range(count))

    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job."""
        when: dict[str, Any] = {} if at is None else {"scheduled_at": datetime.fromtimestamp(at, UTC)}
        await self._client.enqueue(Stamp.new(args, **when))

    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start an instance with queues."""
        self._worker = await Oban(dsn=self.dsn, queues=queues, **options).start()

    async def stop(self) -> None:
        """Stop it."""
        if self._worker is not None:
            await self._worker.stop()

    async def close(self) -> None:
        """Stop the client."""
        if self._client is not None:
            await self._client.stop()


if __name__ == "__main__":
    main(BridgePeer)
