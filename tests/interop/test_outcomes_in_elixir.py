"""Jobs that Python enqueued and Elixir ran: how each ended, and that Python reads it as Elixir does."""

import pytest

from bridge import Job

from .conftest import ELIXIR
from .endings import DELAYS, all_done, check_ended, in_elixir, read_alike
from .rows import error

FAILED = r"\*\* \(Oban\.PerformError\) Interop\.Outcome failed with "
FRAMES = r"(    [^\n]+\n)+"
KILLED = r"\*\* \(EXIT from #PID<[\d.]+>\) killed"
RAISED = r"\*\* \(RuntimeError\) kaboom é ✓\n" + FRAMES
CRASHED = r'\*\* \(Oban\.CrashError\) \*\* \(%s\) "boom"\n' + FRAMES
RAISE = {"mode": "raise", "message": "kaboom é ✓"}
ERROR = FAILED + r'\{:error, "boom"\}'
DELAY = "retry after a delay of the worker's"
ONCE = {"max_attempts": 1}
SLEEP = {"mode": "sleep", "ms": 60_000, "timeout": 50}
TIMED_OUT = r"\*\* \(Oban\.TimeoutError\) Interop\.Outcome timed out after 50ms"


def case(item, name, args, state, text=None, **columns):
    return pytest.param(args, state, text, columns, id=name, marks=pytest.mark.item(f"outcomes: {item}"))


@pytest.mark.parametrize(
    ("args", "state", "text", "columns"),
    [
        case("success", "ok", {"mode": "ok"}, "completed"),
        case("success", "value", {"mode": "value", "value": [1]}, "completed"),
        case("error", "error", {"mode": "error", "message": "é ✓"}, "retryable", FAILED + r'\{:error, "é ✓"\}'),
        case("raise", "raise", RAISE, "retryable", RAISED),
        case("throw and exit", "throw", {"mode": "throw"}, "retryable", CRASHED % "throw"),
        case("throw and exit", "exit", {"mode": "exit"}, "retryable", CRASHED % "exit"),
        case("cancel", "cancel", {"mode": "cancel"}, "cancelled", FAILED + r'\{:cancel, "boom"\}'),
        case("discard", "discard", {"mode": "discard"}, "discarded", FAILED + r'\{:discard, "boom"\}'),
        case("snooze", "snooze", {"mode": "snooze", "seconds": 600}, "scheduled", delay=(600, 600), max_attempts=4),
        case("timeout", "timeout", SLEEP, "retryable", TIMED_OUT),
        case("kill of the job's process", "kill", {"mode": "kill"}, "retryable", KILLED),
        case(DELAY, "backoff", {**RAISE, "backoff": 99}, "retryable", RAISED, delay=(99, 99)),
        case("exhaustion", "last error", {"mode": "error"}, "discarded", ERROR, **ONCE),
        case("exhaustion", "last raise", RAISE, "discarded", RAISED, **ONCE),
        case("exhaustion", "last kill", {"mode": "kill"}, "discarded", KILLED, **ONCE),
        case("exhaustion", "last timeout", SLEEP, "discarded", TIMED_OUT, **ONCE),
    ],
)  # fmt: skip
async def test_a_job_from_python_that_elixir_ran(shared, python, args, state, text, columns):
    py = await python(shared.at, queues={})
    columns = {"max_attempts": 3, **({"delay": DELAYS[1]} if state == "retryable" else {}), **columns}
    tries = 1 if columns["max_attempts"] == 1 else 3

    job = await py.oban.enqueue(Job("Interop.Outcome", args=args, queue="elixir", max_attempts=tries))
    await in_elixir(shared.at, shared.ex, job.id)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, job.id),
        state,
        node=ELIXIR,
        worker="Interop.Outcome",
        queue="elixir",
        args=args,
        errors=[error(1, text)] if text else [],
        **columns,
    )


@pytest.mark.item("outcomes: unknown worker")
@pytest.mark.parametrize(
    ("worker", "text"),
    [
        ("No.Such.Worker", r"\*\* \(RuntimeError\) unknown worker: No\.Such\.Worker"),
        ("mailing.SendMail", r"\*\* \(RuntimeError\) unknown worker: mailing\.SendMail"),
        ("Enum", r"\*\* \(RuntimeError\) module is not a worker: Enum"),
    ],
)
async def test_elixir_fails_a_job_of_a_worker_that_it_does_not_know(shared, python, worker, text):
    py = await python(shared.at, queues={})

    job = await py.oban.enqueue(Job(worker, queue="elixir"))
    await in_elixir(shared.at, shared.ex, job.id)

    row = await read_alike(shared.at, shared.ex, py.oban, job.id)
    check_ended(row, "retryable", node=ELIXIR, worker=worker, queue="elixir", errors=[error(1, text)], delay=DELAYS[1])


@pytest.mark.item("outcomes: exhaustion")
async def test_each_of_a_jobs_attempts_in_elixir_is_read_in_python(shared, python):
    py = await python(shared.at, queues={})
    job = await py.oban.enqueue(Job("Interop.Outcome", args={"mode": "raise"}, queue="elixir", max_attempts=3))

    for attempt in (1, 2, 3):
        await all_done(shared.ex, [job.id])
        found = await py.oban.get_job(job.id)
        assert [each["attempt"] for each in found.errors] == list(range(1, attempt + 1))
        if attempt < 3:
            assert await py.oban.retry_job(job.id)

    text = r"\*\* \(RuntimeError\) boom\n" + FRAMES
    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, job.id),
        "discarded",
        node=ELIXIR,
        worker="Interop.Outcome",
        queue="elixir",
        args={"mode": "raise"},
        max_attempts=3,
        attempt=3,
        errors=[error(attempt, text) for attempt in (1, 2, 3)],
    )
