"""A Python node as a process of its own, `bridge start`, which can be killed, frozen and cut off."""

import asyncio
import os
import signal
import subprocess
import sys

from bridge.testing.interop.gate import Gate

_WORKERS = """
from bridge import Worker, worker

@worker(queue="python", name="interop.Ok")
class Ok(Worker):
    async def process(self, job):
        pass
"""


class PythonNode:
    """Runs `interop.Ok`; its deeds are those of ElixirNode, so that a test can do the same to either."""

    def __init__(self, folder, place, *, node, queues="python:10", toml=""):
        self._folder, self._place, self.node, self._queues = folder / node, place, node, queues
        self._folder.mkdir()
        (self._folder / "interop_workers.py").write_text(_WORKERS)
        (self._folder / "bridge.toml").write_text(toml)
        self._gate = Gate(place.dsn)
        self._gate.open()
        self._process = None

    async def start(self):
        """Return once its queue is listed, by which it has begun to work."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - it takes milliseconds
                [
                    *(sys.executable, "-m", "bridge", "start", "--import", "interop_workers"),
                    *(f"--dsn={self._gate.url()}", f"--prefix={self._place.prefix}"),
                    *(f"--node={self.node}", f"--queues={self._queues}"),
                ],
                cwd=self._folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(30):
            while not await self._is_listed():
                assert self._process.poll() is None, self.logs()
                await asyncio.sleep(0.02)
        return self

    async def _is_listed(self):
        table = self._place.table.replace("oban_jobs", "bridge_producers")  # made by the first node
        if not await self._place.conn.fetchval("select to_regclass($1) is not null", table):
            return False
        beat = "node = $1 and beat_at > timezone('UTC', now()) - interval '1 second'"
        return await self._place.conn.fetchval(f"select exists (select from {table} where {beat})", self.node)

    async def kill(self):
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def stop(self):
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 20)

    async def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    async def resume(self):
        self._process.send_signal(signal.SIGCONT)

    async def disconnect(self):
        await asyncio.to_thread(self._gate.cut)

    async def reconnect(self):
        await asyncio.to_thread(self._gate.mend)

    def logs(self):
        return (self._folder / "log").read_text()

    def close(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._gate.close()
