"""Nodes, producers and rows for tests of the maintenance."""

import asyncio
import json
import os
import subprocess
import sys
import uuid as uuids
from contextlib import asynccontextmanager

import asyncpg

from bridge.engine import Connections, Engine
from bridge.engine.schema import inspect

#: What a node may be silent for in these tests: short, yet long enough for a machine that stands still for moments.
RESCUE_AFTER = 5.0

IMPORT = ("--import", "work_here")

NODE = """
import asyncio, json, os, sys, time
from bridge import Oban, Worker, worker

def say(**line):
    print(json.dumps(line), flush=True)

@worker(queue="default", name="Tests.Hold")
class Hold(Worker):
    async def process(self, job):
        say(event="held", job=job.id, attempt=job.attempt)
        await asyncio.Event().wait()

@worker(queue="default", name="Tests.Block")
class Block(Worker):
    async def process(self, job):
        say(event="held", job=job.id, attempt=job.attempt)
        time.sleep(job.args["seconds"])

@worker(queue="default", name="Tests.BlockOnce")
class BlockOnce(Worker):
    async def process(self, job):
        say(event="held", job=job.id, attempt=job.attempt)
        if job.attempt > 1:
            await asyncio.Event().wait()
        time.sleep(2)  # not so long that a thread has to beat meanwhile, and long enough to be stopped in

@worker(queue="default", name="Tests.Run")
class Run(Worker):
    async def process(self, job):
        say(event="ran", job=job.id, attempt=job.attempt)
"""


class NodeProcess:
    """`bridge start` as a process of its own, which can be killed."""

    def __init__(self, folder, dsn, *, node, queues="default:10", **settings):
        folder.mkdir(exist_ok=True)
        (folder / "work_here.py").write_text(NODE)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "start", f"--dsn={dsn}", f"--node={node}", f"--queues={queues}", *IMPORT],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                **{f"BRIDGE_{key}": str(value) for key, value in settings.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines = []

    async def until(self, event, **fields):
        """Wait until it tells of an event with these fields, and return its line."""
        return await self._read(event, lambda line: line["event"] == event and fields.items() <= line.items())

    async def says(self, words):
        """Wait until a message that begins with these words stands in its log, unless it does."""
        if not [text for text in self.messages if text.startswith(words)]:
            await self._read(words, lambda line: str(line.get("message")).startswith(words))

    @property
    def messages(self):
        """The log's messages that were read so far."""
        return [line["message"] for line in self.lines if line["event"] == "bridge.log"]

    async def _read(self, wanted, fits):
        return await asyncio.wait_for(asyncio.to_thread(self._read_until, wanted, fits), 40)

    def _read_until(self, wanted, fits):
        for text in self.process.stdout:
            line = json.loads(text)
            self.lines.append(line)
            if fits(line):
                return line
        raise AssertionError(f"it ended without {wanted}: {self.lines} {self.process.stderr.read()}")

    def kill(self):
        """End it as a crash does; nothing is tidied up."""
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@asynccontextmanager
async def engine_on(dsn, *, prefix="public"):
    """An engine with a pool of its own, as each node has one."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn, prefix)
        yield Engine(Connections(pool), prefix, catalog)


def a_uuid():
    return str(uuids.uuid4())


async def producer(conn, *, silent=0.0, rescue_after=60.0, node="py@gone", queue="default"):
    """List a producer that beat so many seconds ago; return its uuid."""
    found = a_uuid()
    await conn.execute(
        """
        insert into bridge_producers (uuid, name, node, queue, rescue_after, started_at, beat_at)
        values ($1, 'Oban', $2, $3, $4, timezone('UTC', now()), timezone('UTC', now()) - $5 * interval '1 second')
        """,
        found, node, queue, float(rescue_after), float(silent),
    )  # fmt: skip
    return found


async def plan_of(conn, statement, *values):
    """How PostgreSQL would run a statement, as text."""
    return "\n".join(row[0] for row in await conn.fetch(f"explain (costs off) {statement}", *values))
