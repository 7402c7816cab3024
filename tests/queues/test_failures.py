"""Whatever a worker raises becomes the outcome of its job, and the queue goes on."""

import asyncio
import sys

import pytest

from bridge import telemetry
from bridge.queues.failures import TEXT_LIMIT, error_entry

from .rig import events_of, row_of, until

QUEUES = {"default": 5}


class Broken(Exception):
    """An exception that can't even tell what it is."""

    def __init__(self, raised):
        super().__init__()
        self.raised = raised

    def __str__(self):
        raise self.raised

    __repr__ = __str__


def overflow(depth=0):
    return overflow(depth + 1) + 1


async def cancel_oneself(_job):
    asyncio.current_task().cancel()
    await asyncio.sleep(0)


async def raise_group(_job):
    async with asyncio.TaskGroup() as group:
        group.create_task(raising(ValueError("first"))(None))
        group.create_task(raising(KeyError("second"))(None))


async def exit_a_thread(_job):
    await asyncio.to_thread(sys.exit, 4)


async def generator_exit_of_a_thread(job):
    await asyncio.to_thread(raising_in_thread(GeneratorExit()), job)


def raising(error):
    async def process(_job):
        raise error

    return process


def raising_in_thread(error):
    def process(_job):
        raise error

    return process


async def recursing(_job):
    overflow()


ODD = {
    "SystemExit": (raising(SystemExit(1)), "SystemExit"),
    "KeyboardInterrupt": (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    "GeneratorExit": (raising(GeneratorExit()), "GeneratorExit"),
    "CancelledError of its own": (raising(asyncio.CancelledError("mine")), "CancelledError"),
    "a task that cancels itself": (cancel_oneself, "CancelledError"),
    "StopIteration": (raising(StopIteration(1)), "StopIteration"),
    "StopAsyncIteration": (raising(StopAsyncIteration(1)), "StopAsyncIteration"),
    "a group": (raise_group, "ExceptionGroup"),
    "a group of exits": (raising(BaseExceptionGroup("all", [SystemExit(1), ValueError()])), "BaseExceptionGroup"),
    "SystemExit of a thread": (exit_a_thread, "SystemExit"),
    "GeneratorExit of a thread": (generator_exit_of_a_thread, "GeneratorExit"),
    "RecursionError": (recursing, "maximum recursion depth exceeded"),
    "NUL and surrogates": (raising(ValueError("a\x00b\ud800c")), r"a\x00b\ud800c"),
    "a text without end": (raising(ValueError("x" * 3_000_000)), "characters more"),
    "a broken text": (raising(Broken(RuntimeError("no"))), "__str__ raised RuntimeError"),
    "a text that exits": (raising(Broken(SystemExit(1))), "Broken) <no text: __str__ raised SystemExit>"),
    "a text that is cancelled": (raising(Broken(asyncio.CancelledError())), "<no text: __str__ raised CancelledError>"),
    "in a thread: SystemExit": (raising_in_thread(SystemExit(1)), "SystemExit"),
    "in a thread: KeyboardInterrupt": (raising_in_thread(KeyboardInterrupt()), "KeyboardInterrupt"),
    "in a thread: StopIteration": (raising_in_thread(StopIteration(1)), "the worker raised StopIteration"),
    "in a thread: CancelledError": (raising_in_thread(asyncio.CancelledError()), "CancelledError"),
    "in a thread: GeneratorExit": (raising_in_thread(GeneratorExit()), "the worker raised GeneratorExit"),
    "in a thread: RecursionError": (lambda _job: overflow(), "maximum recursion depth exceeded"),
}


@pytest.mark.parametrize("case", ODD)
async def test_whatever_is_raised_is_recorded_and_the_queue_goes_on(start, worker, ends, conn, case):
    process, told = ODD[case]
    odd, good = worker(process, "Odd"), worker(raising(ValueError("plain")), "Good")
    oban = await start(queues={"default": 1})
    bad = await oban.enqueue(odd.new())
    await ends.of(bad)
    row = await row_of(conn, bad)
    assert row["state"] == "retryable"
    [entry] = row["errors"]
    assert told in entry["error"]
    assert entry["error"].startswith("** (")
    assert len(entry["error"]) < 2 * TEXT_LIMIT
    await ends.of(await oban.enqueue(good.new()))
    assert oban.check_queue("default").running == ()


async def test_a_cause_is_told(start, worker, ends, conn):
    async def process(_job):
        try:
            raise KeyError("cause")
        except KeyError as error:
            raise ValueError("effect") from error

    oban = await start(queues=QUEUES)
    job = await oban.enqueue(worker(process).new())
    await ends.of(job)
    text = (await row_of(conn, job))["errors"][0]["error"]
    assert text.startswith("** (ValueError) effect\n")
    assert "KeyError: 'cause'" in text


async def test_a_job_that_raised_after_it_cancelled_itself_is_completed_by_its_result(start, worker, ends):
    async def process(_job):
        asyncio.current_task().cancel()
        return "done before the cancellation came"

    oban = await start(queues=QUEUES)
    event = await ends.of(await oban.enqueue(worker(process).new()))
    assert (event.state, event.result) == ("completed", "done before the cancellation came")


@pytest.mark.parametrize("length", [TEXT_LIMIT - 100, TEXT_LIMIT + 1, 10 * TEXT_LIMIT])
def test_an_error_of_any_length_is_cut(length):
    from datetime import datetime

    entry = error_entry(ValueError("x" * length), 1, datetime(2026, 1, 2, 3, 4, 5))  # noqa: DTZ001 - naive UTC
    assert len(entry) < TEXT_LIMIT + 300
    assert '"at":"2026-01-02T03:04:05.000000Z"' in entry


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("name", ["oban.job.start", "oban.job.stop"])
async def test_a_telemetry_handler_that_raises_stops_no_queue(start, worker, conn, caplog, name, error):
    def handler(_name, _event):
        raise error

    async def process(_job):
        return None

    cls = worker(process, methods={"backoff": lambda _self, _job: 0})
    oban = await start(queues=QUEUES, stager={"interval": 0.02})
    for _ in range(2):
        telemetry.attach("raising", [name], handler)
        try:
            job = await oban.enqueue(cls.new(max_attempts=1))
            await until(lambda job=job: ended(conn, job))
        finally:
            telemetry.detach("raising")
    with events_of("oban.job.stop") as stops:
        await stops.of(await oban.enqueue(cls.new()))


async def ended(conn, job):
    return (await row_of(conn, job))["state"] in ("completed", "discarded")
