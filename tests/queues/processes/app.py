"""Workers that other processes import."""

import asyncio
import ctypes
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path

from bridge import Cancel, Discard, Job, Oban, Record, Snooze, Worker, current_job, worker
from bridge.errors import JobError
from queues.processes.weigh import Weigh, Weight

WORKERS = []


def here(cls):
    """Register a worker under its own name."""
    found = worker(name=f"Processes.{cls.__name__}")(cls)
    WORKERS.append(found)
    return found


@here
class Where(Worker):
    async def process(self, job):
        return Record(os.getpid())


@here
class Echo(Worker):
    async def process(self, job):
        return Record(job.args)


@here
class Count(Worker):
    def process(self, job):
        total = sum(range(job.args["to"]))
        return Record([os.getpid(), total])


def told(job):
    """Whether a job may end: its args name a file, and that is there."""
    return "until" in job.args and Path(job.args["until"]).exists()


_inside = defaultdict(asyncio.Event)
_met = 0


@here
class Meet(Worker):
    """Ends once so many are in this process at once."""

    async def process(self, job):
        global _met  # noqa: PLW0603 - the process is what is asked about
        _met += 1
        if _met == job.args["count"]:
            _inside["all"].set()
        await _inside["all"].wait()
        return Record(os.getpid())


_barrier = threading.Barrier(3)


@here
class MeetInThreads(Worker):
    def process(self, job):
        _barrier.wait(30)
        return Record(os.getpid())


class TooHeavy(Exception):
    pass


@here
class Fail(Worker):
    async def process(self, job):
        match job.args["how"]:
            case "own":
                raise TooHeavy("é\x00\ud800" + "x" * 50)
            case "caused":
                try:
                    _ = {}["a"]
                except KeyError as error:
                    raise ValueError("no\nsuch") from error
            case "exit":
                raise SystemExit(3)
            case "cancelled":
                raise asyncio.CancelledError
            case "awaitable":
                return asyncio.sleep(0)
            case "ours":
                raise JobError("ours")
            case "unreadable":
                raise Unreadable
        return None


ODD = {
    "odd": lambda: type("Odd", (Exception,), {"__module__": 5, "__qualname__": "\x00\ud800"})("odd"),
    "group": lambda: ExceptionGroup("some", [ValueError("first"), OSError(2, "second")]),
    "exit group": lambda: BaseExceptionGroup("all", [KeyboardInterrupt()]),
    "unpicklable": lambda: Unpicklable(threading.Lock(), lambda: None),
}


@here
class FailOddly(Worker):
    async def process(self, job):
        error = ODD[job.args["how"]]()
        raise error


class Unpicklable(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.args = (second,)

    def __str__(self):
        return "two that are none"


class Unreadable(Exception):
    def __str__(self):
        raise SystemExit("really")


@here
class FailInThread(Worker):
    def process(self, job):
        raise OSError(2, "gone", "/nowhere")

    def backoff(self, job):
        assert isinstance(job.unsaved_error.reason, FileNotFoundError)
        return 777


class Hostile:
    def __repr__(self):
        raise SystemExit("no")


@here
class Return(Worker):
    async def process(self, job):
        return {
            "cancel": Cancel("enough"),
            "discard": Discard(["a", 1]),
            "snooze": Snooze(60, meta={"step": 2}),
            "record": Record({"a": [1, 2.5, None]}),
            "bytes": b"\xff",
            "object": os.environ,
            "hostile": Hostile(),
            "huge": b"x" * 17 * 1_048_576,
            "none": None,
        }[job.args["what"]]


@here
class Slow(Worker):
    """Tells by the log that it has begun, for events are sent before a process has the job."""

    async def process(self, job):
        logging.getLogger("app").warning("begun %d", job.id)
        try:
            while not told(job):  # noqa: ASYNC110 - a file sets no Event
                await asyncio.sleep(0.01)
        finally:
            logging.getLogger("app").warning("cleaned %d", job.id)
        return Record(os.getpid())

    def timeout(self, job):
        return job.args.get("timeout")


@here
class Linger(Worker):
    """Takes its time to end."""

    async def process(self, job):
        logging.getLogger("app").warning("begun %d", job.id)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(job.args["seconds"])

    def timeout(self, job):
        return job.args["timeout"]


@here
class SlowThread(Worker):
    def process(self, job):
        logging.getLogger("app").warning("begun %d", job.id)
        while not (job.args.get("polite") and job.cancelled()):
            time.sleep(0.01)
        logging.getLogger("app").warning("cleaned %d", job.id)

    def timeout(self, job):
        return job.args.get("timeout")


@here
class Blocked(Worker):
    async def process(self, job):
        logging.getLogger("app").warning("begun %d", job.id)
        while not told(job):
            time.sleep(0.01)  # noqa: ASYNC251 - what must not be done
        logging.getLogger("app").warning("cleaned %d", job.id)

    def timeout(self, job):
        return job.args.get("timeout")


@here
class Hold(Worker):
    """Never lets other threads of its process run."""

    def process(self, job):
        logging.getLogger("app").warning("begun %d", job.id)
        re.match("(a+)+$", "a" * 64 + "b")

    def timeout(self, job):
        return job.args.get("timeout")


def double(number):
    for _ in range(5):
        logging.getLogger("app").warning("doubled %s", "x" * 500_000)
    return number * 2


def rest(pipe):
    pipe.send("begun")
    time.sleep(3600)


@here
class Fork(Worker):
    """Lets processes of its own compute, and ends them by a signal."""

    def process(self, job):
        context = multiprocessing.get_context(job.args["method"])
        with context.Pool(2) as pool:
            numbers = pool.map(double, range(4))
        ours, theirs = context.Pipe()
        process = context.Process(target=rest, args=(theirs,))
        process.start()
        ours.recv()
        process.terminate()
        process.join(20)
        return Record([*numbers, process.exitcode])


@here
class Spawn(Worker):
    """Starts a program, and does then what it is told."""

    async def process(self, job):
        program = subprocess.Popen(["sleep", "3600"])  # noqa: ASYNC220 - it takes no time
        logging.getLogger("app").warning("started %d", program.pid)
        if job.args["how"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(3600)  # noqa: ASYNC251 - what must not be done

    def timeout(self, job):
        return 0.1


@here
class Crash(Worker):
    async def process(self, job):
        logging.getLogger("app").warning("last words")
        match job.args["how"]:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "segfault":
                ctypes.string_at(0)

    def backoff(self, job):
        return 777


@here
class Parent(Worker):
    async def process(self, job):
        assert current_job() is job
        first = await Where.enqueue({"of": job.id})
        same = await Oban.get_instance().get_job(job.id)
        return Record([first.id, same.worker, same.state, Oban.get_instance().node])


@here
class Talk(Worker):
    def process(self, job):
        log = logging.getLogger("app.talk")
        log.info("hello %s", "there", extra={"order": 7, "what": self})
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            log.exception("100 %")


@worker(contract=Weigh)
class WeighParcel(Worker):
    async def process(self, job: Job[Weigh]) -> Weight:
        assert isinstance(job.args, Weigh)
        return Weight(kilograms=job.args.grams / 1000)


WORKERS.append(WeighParcel)
