"""A node that waits: five queues, a worker, and never a job. `bench/idle.py` starts it and looks at it from outside."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from bridge import Job, Oban, Worker, worker
from bridge.queues.loop import loop_factory

QUEUES = {f"idle_{number}": 10 for number in range(1, 6)}


@worker(name="Nothing", queue="idle_1")
class Nothing(Worker):
    """A worker that has nothing to do."""

    async def process(self, job: Job[Any]) -> None:
        """Do nothing."""


async def wait(dsn: str, node: str) -> None:
    """Run the node until it is told to end."""
    async with Oban(dsn=dsn, node=node, queues=QUEUES):
        await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(wait(*sys.argv[1:]))
