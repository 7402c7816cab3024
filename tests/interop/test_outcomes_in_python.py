"""Jobs that Elixir enqueued and Python ran: how each ended, and that Elixir reads it as Python does."""

import asyncio

import pytest
from queues.rig import make_worker

from bridge import Cancel, Discard, Record, Snooze, Worker
from bridge.codecs import etf

from .conftest import PYTHON
from .endings import DELAYS, check_ended, in_python, read_alike
from .rows import error

FAILED = r"\*\* \(RuntimeError\) kaboom é ✓\n"
HUGE = r"\*\* \(RuntimeError\) x{19900,}\n… \d+ characters more"
TRACE = r"Traceback \(most recent call last\):\n.*"
ITSELF = r"\*\* \(bridge\.errors\.{}\) interop\.Ending {} itself: 'boom ✓'\n"
NO_LIST = r"\*\* \(bridge\.errors\.EncodeError\) result\.a: expected a list.*"
TIMED_OUT = r"\*\* \(bridge\.errors\.JobTimeout\) interop\.Ending timed out after 50ms"


class Silent(Exception):
    def __str__(self):
        return str(1 / 0)


def raises(error):
    raise error


async def forever(_job):
    await asyncio.Event().wait()


ENDINGS = {
    "none": lambda _job: None,
    "value": lambda _job: {"dropped": True},
    "record": lambda _job: Record({"a": [1, "é"]}),
    "raise": lambda _job: raises(RuntimeError("kaboom é ✓")),
    "exit": lambda _job: raises(SystemExit(3)),
    "stop": lambda _job: raises(asyncio.CancelledError),
    "silent": lambda _job: raises(Silent),
    "nul": lambda _job: raises(ValueError("a\0b\ud800c")),
    "huge": lambda _job: raises(RuntimeError("x" * 50_000)),
    "unrecordable": lambda _job: Record({"a": {1, 2}}),
    "cancel": lambda _job: Cancel("boom ✓"),
    "discard": lambda _job: Discard("boom ✓"),
    "snooze": lambda _job: Snooze(600),
    "snooze with meta": lambda _job: Snooze(600, meta={"page": 2}),
    "sleep": forever,
}


def serve(py):
    """Have `interop.Ending` end as its args say, and `interop.Thread` too, in a thread."""

    async def process(job):
        found = ENDINGS[job.args["mode"]](job)
        return await found if asyncio.iscoroutine(found) else found

    def backoff(self, job):
        return job.args.get("backoff") or Worker.backoff(self, job)

    methods = {"timeout": lambda _self, job: job.args.get("timeout"), "backoff": backoff}
    make_worker(py.registry, process, "interop.Ending", methods=methods)
    make_worker(py.registry, lambda job: ENDINGS[job.args["mode"]](job), "interop.Thread")


def case(item, name, args, state, text=None, **columns):
    args = {"mode": name, **args}
    return pytest.param(args, state, text, columns, id=name, marks=pytest.mark.item(f"outcomes: {item}"))


LAST = {"max_attempts": 1}
DELAY = "retry after a delay of the worker's"
SLEEP = {"mode": "sleep", "timeout": 0.05}
RECORDED = {"recorded": True, "return": "g3QAAAABbQAAAAFhbAAAAAJhAW0AAAACw6lq"}


@pytest.mark.parametrize(
    ("args", "state", "text", "columns"),
    [
        case("success", "none", {}, "completed"),
        case("success", "value", {}, "completed"),
        case("success", "record", {}, "completed", meta=RECORDED),
        case("raise", "raise", {}, "retryable", FAILED + TRACE),
        case("raise", "silent", {}, "retryable", r".*\.Silent\) <no text: __str__ raised ZeroDivisionError>.*"),
        case("raise", "nul", {}, "retryable", r"\*\* \(ValueError\) a[^\0]+b[^\0]+c\n" + TRACE),
        case("raise", "huge", {}, "retryable", HUGE),
        case("raise", "unrecordable", {}, "retryable", NO_LIST),
        case("throw and exit", "exit", {}, "retryable", r"\*\* \(SystemExit\) 3\n" + TRACE),
        case("throw and exit", "stop", {}, "retryable", r"\*\* \(asyncio\.exceptions\.CancelledError\) \n" + TRACE),
        case("cancel", "cancel", {}, "cancelled", ITSELF.format("JobCancelled", "cancelled")),
        case("discard", "discard", {}, "discarded", ITSELF.format("JobError", "discarded")),
        case("snooze", "snooze", {}, "scheduled", delay=(600, 600), max_attempts=4),
        case("snooze", "snooze with meta", {}, "scheduled", delay=(600, 600), max_attempts=4, meta={"page": 2}),
        case("timeout", "timeout", SLEEP, "retryable", TIMED_OUT + ".*"),
        case(DELAY, "backoff", {"mode": "raise", "backoff": 99}, "retryable", FAILED + TRACE, delay=(99, 99)),
        case("exhaustion", "last raise", {"mode": "raise"}, "discarded", FAILED + TRACE, **LAST),
        case("exhaustion", "last exit", {"mode": "exit"}, "discarded", r"\*\* \(SystemExit\) 3\n" + TRACE, **LAST),
        case("exhaustion", "last timeout", SLEEP, "discarded", TIMED_OUT + ".*", **LAST),
    ],
)  # fmt: skip
async def test_a_job_from_elixir_that_python_ran(shared, python, args, state, text, columns):
    py = await python(shared.at)
    serve(py)
    columns = {"max_attempts": 3, **({"delay": DELAYS[1]} if state == "retryable" else {}), **columns}
    tries = 1 if columns["max_attempts"] == 1 else 3

    number = await shared.ex.rpc(
        'Interop.insert("interop.Ending", args, queue: "python", max_attempts: tries)', args=args, tries=tries
    )
    await in_python(shared.at, py, number)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, number),
        state,
        node=PYTHON,
        worker="interop.Ending",
        queue="python",
        args=args,
        errors=[error(1, text)] if text else [],
        **columns,
    )


@pytest.mark.item("outcomes: raise")
async def test_a_job_that_failed_in_a_thread_of_python(shared, python):
    py = await python(shared.at)
    serve(py)

    number = await shared.ex.rpc('Interop.insert("interop.Thread", %{mode: "exit"}, queue: "python")')
    await in_python(shared.at, py, number)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, number),
        "retryable",
        node=PYTHON,
        worker="interop.Thread",
        queue="python",
        args={"mode": "exit"},
        errors=[error(1, r"\*\* \(SystemExit\) 3\n" + TRACE)],
        delay=DELAYS[1],
    )


@pytest.mark.item("outcomes: exhaustion")
async def test_each_of_a_jobs_attempts_in_python_is_read_in_elixir(shared, python):
    py = await python(shared.at)
    serve(py)
    number = await shared.ex.rpc('Interop.insert("interop.Ending", %{mode: "raise"}, queue: "python", max_attempts: 3)')

    for attempt in (1, 2, 3):
        await in_python(shared.at, py, number, attempt)
        loaded = await shared.ex.rpc("Interop.Rows.read(id)", id=number)
        assert [each["attempt"] for each in loaded["errors"]] == list(range(1, attempt + 1))
        if attempt < 3:
            assert await shared.ex.rpc("Oban.retry_job(id)", id=number) == etf.Atom("ok")

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, number),
        "discarded",
        node=PYTHON,
        worker="interop.Ending",
        queue="python",
        args={"mode": "raise"},
        max_attempts=3,
        attempt=3,
        errors=[error(attempt, FAILED + TRACE) for attempt in (1, 2, 3)],
    )
