"""`bridge start` as a process: a node of its own, and what it runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg

from bridge import Job, Oban

from .rig import PATIENCE

WORKERS = """
import asyncio
from pathlib import Path
from bridge import Worker, worker
from bridge.maintenance import Service

class Sweep(Service):
    def __init__(self):
        super().__init__("sweep", 60)

    async def run_once(self):
        print('{"event": "swept"}', flush=True)

@worker(queue="default", name="Tests.Greet")
class Greet(Worker):
    async def process(self, job):
        return job.args

@worker(queue="default", name="Tests.Held")
class Held(Worker):
    async def process(self, job):
        while not Path("released").exists():
            await asyncio.sleep(0.02)

@worker(queue="default", name="Tests.Slow")
class Slow(Worker):
    async def process(self, job):
        await asyncio.sleep(job.args["seconds"])

@worker(queue="default", name="Tests.Stubborn")
class Stubborn(Worker):
    async def process(self, job):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
"""


class Node:
    """`bridge start` as a process, its output line by line.

    Its log holds what it does in order: who awaits one line must have caused it, or it may be over already.
    """

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        (folder / "work_here.py").write_text(WORKERS)
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "start", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line: dict[str, Any] = json.loads(text)
            if line["event"] == event and fields.items() <= line.items():
                return line
        raise AssertionError(f"the node ended without {event}: {self.process.communicate()[1]}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def release(self) -> None:
        """Let jobs of `Tests.Held` end."""
        (self.folder / "released").touch()

    def ends(self) -> int:
        """Wait until it has ended; return its exit status."""
        return self.process.wait(PATIENCE)


def options(dsn: str) -> tuple[str, ...]:
    return ("--dsn", dsn, "--import", "work_here", "--queues", "default:5", "--node", "here")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


async def enqueue(dsn: str, *jobs: Job) -> list[Job]:
    async with Oban(dsn=dsn) as oban:
        return await oban.enqueue_many(jobs)


async def state_of(dsn: str, job_id: int | None) -> str:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval("select state::text from oban_jobs where id = $1", job_id)
    finally:
        await conn.close()
