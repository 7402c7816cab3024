"""Kinds of jobs, each of which notes in the ledger when it begins and ends; nodes import this as `faults.workers`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from typing import Any, Final, NamedTuple

from bridge import Cancel, Discard, Job, Snooze, Worker, worker

from .ledger import note

QUEUE: Final = "work"
LONG: Final = "long"


class Noted(Worker):
    """The base of all kinds: override `work`; what comes of it is noted, and returned.

    A kind that was interrupted, because its node stops or its job was cancelled, is noted as `interrupted`.
    """

    async def process(self, job: Job[Any]) -> Any:
        note("S", job.id or 0, job.attempt)
        outcome = "failed"
        try:
            result = await self.work(job)
            outcome = _outcome(result)
        except asyncio.CancelledError:
            outcome = "interrupted"
            raise
        finally:
            note("E", job.id or 0, job.attempt, outcome)
        return result

    async def work(self, job: Job[Any]) -> Any:
        raise NotImplementedError

    def backoff(self, job: Job[Any]) -> float:
        return 0.5 + job.attempt / 2


class NotedThread(Worker):
    """The same for work that runs in a thread."""

    def process(self, job: Job[Any]) -> Any:
        note("S", job.id or 0, job.attempt)
        outcome = "failed"
        try:
            result = self.work(job)
            outcome = _outcome(result)
        finally:
            note("E", job.id or 0, job.attempt, outcome)
        return result

    def work(self, job: Job[Any]) -> Any:
        raise NotImplementedError

    def backoff(self, job: Job[Any]) -> float:
        return 0.5 + job.attempt / 2


def _outcome(result: Any) -> str:
    match result:
        case Snooze():
            return "snoozed"
        case Cancel():
            return "cancelled"
        case Discard():
            return "discarded"
    return "completed"


@worker(name="Faults.Quick", queue=QUEUE)
class Quick(Noted):
    """Does nothing."""

    async def work(self, job: Job[Any]) -> None:
        return None


@worker(name="Faults.Steady", queue=QUEUE)
class Steady(Noted):
    """Takes `seconds`; where it is not said 5 to 195 ms, so that something is always in flight."""

    async def work(self, job: Job[Any]) -> None:
        await asyncio.sleep(job.args.get("seconds", 0.005 + (job.id or 0) % 20 / 100))


@worker(name="Faults.Long", queue=LONG)
class Long(Noted):
    """Takes `seconds`, 8 s where it is not said: longer than a silence after which a node counts as dead."""

    async def work(self, job: Job[Any]) -> None:
        await asyncio.sleep(job.args.get("seconds", 8.0))


@worker(name="Faults.Flaky", queue=QUEUE)
class Flaky(Noted):
    """Fails in its first attempts, `fails` of them."""

    async def work(self, job: Job[Any]) -> None:
        if job.attempt <= job.args.get("fails", 1):
            raise RuntimeError(f"attempt {job.attempt} fails, as it was told")


@worker(name="Faults.Doomed", queue=QUEUE, max_attempts=2)
class Doomed(Noted):
    """Fails in every attempt, until none is left."""

    async def work(self, job: Job[Any]) -> None:
        raise RuntimeError("every attempt fails")


@worker(name="Faults.Snoozing", queue=QUEUE)
class Snoozing(Noted):
    """Puts itself off in its first attempts, `snoozes` of them."""

    async def work(self, job: Job[Any]) -> Snooze | None:
        return Snooze(0.5) if job.attempt <= job.args.get("snoozes", 1) else None


@worker(name="Faults.Cancelled", queue=QUEUE)
class Cancelled(Noted):
    """Cancels itself."""

    async def work(self, job: Job[Any]) -> Cancel:
        return Cancel("it was told to")


@worker(name="Faults.Discarded", queue=QUEUE)
class Discarded(Noted):
    """Discards itself."""

    async def work(self, job: Job[Any]) -> Discard:
        return Discard("it was told to")


@worker(name="Faults.Busy", queue=QUEUE)
class Busy(NotedThread):
    """Keeps a processor busy for a moment, in a thread."""

    def work(self, job: Job[Any]) -> None:
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", job.args.get("rounds", 20_000))


@worker(name="Faults.Threaded", queue=QUEUE)
class Threaded(NotedThread):
    """Waits in a thread, which nobody can stop, for `seconds`."""

    def work(self, job: Job[Any]) -> None:
        time.sleep(job.args.get("seconds", 0.05))


@worker(name="Faults.Blocking", queue=LONG)
class Blocking(Noted):
    """Blocks the event loop for `seconds`, as nobody should."""

    async def work(self, job: Job[Any]) -> None:
        time.sleep(job.args.get("seconds", 1.0))  # noqa: ASYNC251 - this is what it is for


@worker(name="Faults.Hungry", queue=LONG)
class Hungry(NotedThread):
    """Takes `megabytes` of memory, and holds them for `seconds`."""

    def work(self, job: Job[Any]) -> None:
        held = []
        for _ in range(job.args.get("megabytes", 16)):
            held.append(os.urandom(4096) * 256)  # pages that are really there
        time.sleep(job.args.get("seconds", 0.1))


@worker(name="Faults.Changing", queue=QUEUE)
class Changing(Noted):
    """Completes in its first attempt, and cancels itself in a later one: a late ack of the first one would show."""

    async def work(self, job: Job[Any]) -> Cancel | None:
        await asyncio.sleep(job.args.get("seconds", 0.3))
        return None if job.attempt == 1 else Cancel("this is not its first attempt")


@worker(name="Faults.Probe", queue="nowhere")
class Probe(Noted):
    """Shows that a node works; its queue is that node's own."""

    async def work(self, job: Job[Any]) -> None:
        return None


class Kind(NamedTuple):
    """What the load has of a worker: how often it comes among a thousand jobs, and how its jobs may end."""

    worker: type[Worker]
    share: int
    ends: frozenset[str]


#: The load's kinds. A job whose attempts are used up by those that kill it is discarded, but 20 are enough here.
KINDS: Final = tuple(
    Kind(cls, share, frozenset(ends.split()))
    for cls, share, ends in (
        (Quick, 620, "completed"),
        (Steady, 250, "completed"),
        (Busy, 20, "completed"),
        (Threaded, 20, "completed"),
        (Changing, 20, "completed cancelled"),
        (Flaky, 20, "completed"),
        (Snoozing, 20, "completed"),
        (Cancelled, 10, "cancelled"),
        (Discarded, 10, "discarded"),
        (Doomed, 9, "discarded"),
        (Long, 1, "completed"),
    )
)

ENDS: Final = {kind.worker.options.name: kind.ends for kind in KINDS}
