"""The Python side's workers: what `support/interop.ex` is for Elixir."""

import asyncio

from queues.rig import make_worker

from bridge import Cancel, Discard, Record, Snooze


class Runs(asyncio.Queue):
    """The jobs that ran, in their order: `await ran.next()`."""

    async def next(self, patience=10):
        async with asyncio.timeout(patience):
            return await self.get()


def register(registry):
    """Register `interop.Ok` (queue `python`) and `interop.Outcome`; return the queue of the jobs that ran."""
    ran = Runs()

    async def ok(job):
        ran.put_nowait(job)

    async def outcome(job):
        ran.put_nowait(job)
        return await end(job.args["mode"], job.args.get("message", "boom"), job.args)

    make_worker(registry, ok, "interop.Ok", queue="python")
    make_worker(registry, outcome, "interop.Outcome", queue="python", max_attempts=3)
    return ran


async def end(mode, message, args):
    if mode == "raise":
        raise RuntimeError(message)
    if mode == "sleep":
        await asyncio.sleep(args["ms"] / 1000)
        return None
    return {
        "ok": lambda: None,
        "value": lambda: args["value"],
        "cancel": lambda: Cancel(message),
        "discard": lambda: Discard(message),
        "snooze": lambda: Snooze(args["seconds"]),
        "record": lambda: Record(args["value"]),
    }[mode]()
