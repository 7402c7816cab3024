"""Workers of a node under test. Their names in rows are `workers.Echo` and so on."""

import asyncio
from ast import literal_eval

from lines import tell
from oban import Cancel, Record, Snooze, worker

#: Set by the driver to let `Hold` and `Deaf` end.
released = asyncio.Event()

_FIELDS = ("id", "queue", "worker", "attempt", "max_attempts", "priority", "args", "meta", "tags", "errors")
_TIMES = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")


def shown(job):
    """A job as this side sees it, for the pipe."""
    times = {name: found and found.isoformat() for name in _TIMES if (found := getattr(job, name)) or True}
    fields = {name: getattr(job, name) for name in _FIELDS}
    return {**fields, **times, "state": str(job.state), "attempted_by": job.attempted_by}


@worker(queue="shared")
class Echo:
    """Tells what it got."""

    async def process(self, job):
        tell("ran", job=shown(job))


@worker(queue="shared", max_attempts=3)
class Act:
    """Ends as `args["act"]` says."""

    async def process(self, job):
        tell("ran", job=shown(job))
        value = job.args.get("value")
        match job.args["act"]:
            case "raise":
                raise ValueError(value)
            case "cancel":
                return Cancel(value)
            case "snooze":
                return Snooze(value)
            case "record":
                return Record(value)
            case "record literal":  # what JSON can't say
                return Record(literal_eval(value))
            case "record nan":
                return Record(float("nan"))
            case "overrun":
                await asyncio.sleep(60)
        return None

    def timeout(self, job):
        return 0.05 if job.args["act"] == "overrun" else None


@worker(queue="shared")
class Hold:
    """Runs until it is released, or cancelled; looks for either as its guide says."""

    async def process(self, job):
        tell("ran", job=shown(job))
        while not released.is_set():
            if job.cancelled():
                tell("stopped", id=job.id)
                return Cancel("asked to stop")
            await asyncio.sleep(0.01)
        tell("ended", id=job.id)
        return None


@worker(queue="shared")
class Deaf:
    """Runs until it is released, whoever cancels it."""

    async def process(self, job):
        tell("ran", job=shown(job))
        await released.wait()
        tell("ended", id=job.id)
