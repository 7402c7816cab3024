"""Bridge's workers in these tests, under any names, and what they were given."""

import asyncio

from bridge import Cancel, Discard, Record, Snooze, Worker
from bridge.jobs.worker import build_options

from .peer import PATIENCE


class Ours:
    """Workers in a registry of the test's own, which say what ran."""

    def __init__(self, registry):
        self._registry = registry
        self._grown = asyncio.Condition()
        self._let = asyncio.Event()
        self.values = []
        self.ran = []
        self.ended = []
        self.stopped = []

    def serve(self, name, **options):
        """Register a worker of that name, which does what the args ask for; return its class."""
        ours = self

        async def process(_self, job):
            await ours._note(ours.ran, job)
            try:
                return await ours._act(job)
            except asyncio.CancelledError:
                await ours._note(ours.stopped, job)
                raise
            finally:
                await ours._note(ours.ended, job)

        cls = type("Ours", (Worker,), {"process": process})
        cls.options = build_options(name, {"queue": "shared", **options})
        self._registry.register(cls, (name,))
        return cls

    def release(self):
        """Let the jobs that hold end."""
        self._let.set()

    async def run_of(self, job_id, attempt=None):
        """Wait until a job has been run, and return it as it was given."""
        return await self._one(self.ran, job_id, attempt)

    async def stop_of(self, job_id):
        """Wait until a job was told to stop."""
        return await self._one(self.stopped, job_id, None)

    async def runs(self, count):
        """Wait for that many runs in all."""
        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(lambda: len(self.ran) >= count)

    async def _one(self, where, job_id, attempt):
        def there():
            return [job for job in where if job.id == job_id and attempt in (None, job.attempt)]

        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(there)
        return there()[-1]

    async def _note(self, where, job):
        where.append(job)
        async with self._grown:
            self._grown.notify_all()

    async def _act(self, job):
        value = job.args.get("value")
        match job.args.get("act"):
            case "raise":
                raise ValueError(value)
            case "cancel":
                return Cancel(value)
            case "discard":
                return Discard(value)
            case "snooze":
                return Snooze(value)
            case "record":
                return Record(value)
            case "record nth":  # of values that args can't hold
                return Record(self.values[value])
            case "overrun":
                await asyncio.sleep(60)
            case "hold":
                await self._let.wait()
        return None
