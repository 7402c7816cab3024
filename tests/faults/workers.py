"""Kinds of jobs, each of which notes in the ledger when it begins and ends; nodes import this as `faults.workers`."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from bridge import Cancel, Discard, Job, Record, Snooze, Worker, worker

from .ledger import NODE, note

QUEUE: Final = "work"
LONG: Final = "long"

#: Seconds for which a job of the kind that does so puts itself off.
SNOOZE: Final = 0.5

#: Seconds by which a timeout, which counts from a little earlier, may seem to come too soon.
_TICK: Final = 0.05


class Noted(Worker):
    """The base of all kinds: override `work`; what comes of it is noted, and returned.

    A kind that was interrupted, because its node stops or its job was cancelled, is noted as `interrupted`, and as
    `timeout` where its time was over.
    """

    async def process(self, job: Job[Any]) -> Any:
        note("S", job.id or 0, job.attempt, job.queue)
        begun, outcome = time.monotonic(), "failed"
        try:
            result = await self.work(job)
            outcome = _outcome(result)
        except asyncio.CancelledError:
            limit = self.timeout(job)
            over = isinstance(limit, int | float) and time.monotonic() > begun + limit - _TICK
            outcome = "timeout" if over else "interrupted"
            raise
        finally:
            note("E", job.id or 0, job.attempt, outcome)
        return result

    async def work(self, job: Job[Any]) -> Any:
        raise NotImplementedError

    def backoff(self, job: Job[Any]) -> float:
        return backoff_after(job.attempt)


class NotedThread(Worker):
    """The same for work that runs in a thread."""

    def process(self, job: Job[Any]) -> Any:
        note("S", job.id or 0, job.attempt, job.queue)
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
        return backoff_after(job.attempt)


def backoff_after(attempt: int) -> float:
    """Return the seconds that a job of any kind waits after an attempt that failed."""
    return 0.5 + attempt / 2


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
        return Snooze(SNOOZE) if job.attempt <= job.args.get("snoozes", 1) else None


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
    """Completes in its first attempt, and cancels itself in a later one: a late ack of the first one would show.

    An attempt takes `seconds`, and a later one `later` where it is said. Where they are `mixed`, `later` counts for
    every second one by the id, and of both sorts every second one fails in its first attempt: see `mix_of`. Where it is
    said `at` which node, a first attempt takes no time at others.
    """

    async def work(self, job: Job[Any]) -> Cancel | None:
        seconds, mix = job.args.get("seconds", 0.3), mix_of(job.id or 0) if "mixed" in job.args else Mix(True, False)
        if job.attempt > 1:
            await asyncio.sleep(job.args.get("later", seconds) if mix.lasts else seconds)
            return Cancel("this is not its first attempt")
        await asyncio.sleep(seconds if job.args.get("at", os.environ[NODE]) == os.environ[NODE] else 0)
        if mix.fails:
            raise RuntimeError("its first attempt fails")
        return None


class Mix(NamedTuple):
    """What a job of a mixed lot does: last longer in its later attempts, or fail in its first one."""

    lasts: bool
    fails: bool


def mix_of(job: int) -> Mix:
    """Return what the job of an id does in a mixed lot; four in a row are all there is."""
    return Mix(bool(job & 1), bool(job & 2))


@worker(name="Faults.Scarred", queue=QUEUE)
class Scarred(Noted):
    """Fails in its first attempt, takes `seconds` in its second one, and no time in a later one."""

    async def work(self, job: Job[Any]) -> None:
        if job.attempt == 1:
            raise RuntimeError("its first attempt fails")
        if job.attempt == 2:
            await asyncio.sleep(job.args["seconds"])


@worker(name="Faults.Recording", queue=QUEUE)
class Recording(Noted):
    """Records what `recorded` says."""

    async def work(self, job: Job[Any]) -> Record:
        return Record(recorded(job.args["n"], job.attempt))


def recorded(number: int, attempt: int) -> dict[str, Any]:
    """Return what an order's job records in an attempt."""
    return {"order": number, "attempt": attempt, "rest": ["é\U0001f980", 1.5, -(2**40), None, True, {}, []]}


@worker(name="Faults.Tagged", queue=QUEUE, meta={"of": "worker", "kept": [1, {"a": None}]}, tags=["unused"])
class Tagged(Noted):
    """Has tags, a priority, and more in its args and meta, and does nothing."""

    async def work(self, job: Job[Any]) -> None:
        return None


_Variants = tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]

_PLAIN: Final[_Variants] = (({}, {}),)

#: Tags before they are made normal, and priorities that tables of every version take.
_TAGGED: Final[_Variants] = (
    ({"text": '"quoted" \\ é\U0001f980 \u2028'}, {"tags": [" Two ", "words of one", "TWO"], "priority": 1}),
    ({"list": [1, 2, 1, [], {}], "big": 2**70}, {"meta": {"of": "insert", "deep": {"a": [[1.5]]}}, "priority": 2}),
    ({"": "", "nothing": None}, {"tags": ["", "É", "z-9"], "meta": {"kept": "over"}, "priority": 3}),
    ({"float": 0.1, "no": False}, {"tags": []}),
)


@worker(name="Faults.TimesOut", queue=QUEUE, timeout=2.0)
class TimesOut(Noted):
    """Takes longer than it may in its first attempt; where it runs in a child, it fails.

    A child that is stopped, or blocked, for longer than a job of it may take is rightly ended by its parent, with all
    else that runs there: what faults that do this to a child promise of the others would not hold.
    """

    def timeout(self, job: Job[Any]) -> float | None:
        return None if _is_child() else float(job.args.get("limit", self.options.timeout))

    async def work(self, job: Job[Any]) -> None:
        if job.attempt > 1:
            return
        if _is_child():
            raise RuntimeError("it has no limit here that it could reach")
        await asyncio.sleep(3600)


def _is_child() -> bool:
    return os.environ.get("BRIDGE_PROCESSES", "1") != "1"


@worker(name="Faults.Unique", queue=QUEUE, unique={"period": 86_400})
class Unique(Noted):
    """Is there once for the same args, however often it is inserted; a day is longer than any clock is off here."""

    async def work(self, job: Job[Any]) -> None:
        await asyncio.sleep(0.05)


@worker(name="Faults.Probe", queue="nowhere")
class Probe(Noted):
    """Shows that a node works; its queue is that node's own."""

    async def work(self, job: Job[Any]) -> None:
        return None


class Kind(NamedTuple):
    """What the load has of a worker.

    Attributes:
        worker: Runs it.
        share: How often it comes among a thousand jobs; some come one by one beside those.
        ends: How its jobs may end.
        variants: Args and options of the insert, which are taken in turn.
    """

    worker: type[Worker]
    share: int
    ends: frozenset[str]
    variants: _Variants


#: The load's kinds. A job whose attempts are used up by those that kill it is discarded, but 20 are enough here.
KINDS: Final = tuple(
    Kind(cls, share, frozenset(ends.split()), _TAGGED if cls is Tagged else _PLAIN)
    for cls, share, ends in (
        (Quick, 597, "completed"),
        (Steady, 230, "completed"),
        (Busy, 20, "completed"),
        (Threaded, 20, "completed"),
        (Changing, 20, "completed cancelled"),
        (Flaky, 20, "completed"),
        (Snoozing, 20, "completed"),
        (Recording, 20, "completed"),
        (Tagged, 20, "completed"),
        (Cancelled, 10, "cancelled"),
        (Discarded, 10, "discarded"),
        (Doomed, 9, "discarded"),
        (TimesOut, 3, "completed"),
        (Long, 1, "completed"),
        (Unique, 0, "completed"),
    )
)

ENDS: Final = {kind.worker.options.name: kind.ends for kind in KINDS}

#: Workers whose jobs nobody can end, because they run in a thread.
THREADS: Final = frozenset(cls.options.name for cls in NotedThread.__subclasses__())
