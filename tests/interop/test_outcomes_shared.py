"""One row, run by both languages in turn: attempts, errors, snoozes and retries go on where the other left them."""

import asyncio

import pytest

from bridge import Job
from bridge.codecs.etf import Atom

from .conftest import ELIXIR, PYTHON, done
from .endings import SLACK, check_ended, in_elixir, in_python, job_of, read_alike, take_over
from .rows import RECENT, about, between, check, error, now, ran_by

OF_ELIXIR = r"\*\* \(RuntimeError\) boom\n    .*interop\.ex:\d+: Interop\.Outcome\.outcome/3\n.*"
OF_PYTHON = r"\*\* \(RuntimeError\) boom\nTraceback \(most recent call last\):\n.*"
OK = Atom("ok")
WORKER = "Interop.Outcome"
RAISE = {"mode": "raise", "backoff": 3600}


async def to_python(py, number):
    """Python takes the job, though its next attempt is due in Elixir, an hour from now."""
    moved = await py.oban.update_job(number, {"queue": "python"})
    assert (moved.queue, moved.scheduled_at > moved.attempted_at) == ("python", True)
    assert await py.oban.retry_job(number)


async def to_elixir(ex, number):
    assert await ex.rpc('Interop.Rows.move(id, "elixir")', id=number)
    assert await ex.rpc("Oban.retry_job(id)", id=number) == OK


@pytest.mark.item("outcomes: attempts of both languages")
async def test_python_goes_on_with_a_job_that_failed_in_elixir(shared, python):
    py = await python(shared.at)
    take_over(py)
    job = await py.oban.enqueue(Job(WORKER, args=RAISE, queue="elixir", max_attempts=3))
    first = await in_elixir(shared.at, shared.ex, job.id)
    assert first["attempted_by"] == ran_by(ELIXIR)

    await py.oban.update_job(job.id, {"args": {"mode": "ok"}})
    await to_python(py, job.id)
    row = await in_python(shared.at, py, job.id)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, job.id),
        "completed",
        node=PYTHON,
        worker=WORKER,
        queue="python",
        args={"mode": "ok"},
        attempt=2,
        max_attempts=3,
        errors=[error(1, OF_ELIXIR)],
    )
    assert row["attempted_at"] > first["attempted_at"]
    seen = await py.ran.next()
    assert (seen.attempt, [each["attempt"] for each in seen.errors]) == (2, [1])


@pytest.mark.item("outcomes: attempts of both languages")
async def test_elixir_goes_on_with_a_job_that_failed_in_python(shared, python):
    py = await python(shared.at)
    take_over(py)
    number = await shared.ex.rpc(
        "Interop.insert(worker, args, queue: :python, max_attempts: 3)", worker=WORKER, args=RAISE
    )
    first = await in_python(shared.at, py, number)
    assert first["attempted_by"] == ran_by(PYTHON)
    assert first["scheduled_at"] == about(now() + 3600 * SLACK)

    await py.oban.update_job(number, {"args": {"mode": "value", "value": 1}})
    await to_elixir(shared.ex, number)
    await in_elixir(shared.at, shared.ex, number)

    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, number),
        "completed",
        node=ELIXIR,
        worker=WORKER,
        queue="elixir",
        args={"mode": "value", "value": 1},
        attempt=2,
        max_attempts=3,
        errors=[error(1, OF_PYTHON)],
    )


@pytest.mark.item("outcomes: attempts of both languages")
@pytest.mark.parametrize("turns", [("elixir", "python", "elixir"), ("python", "elixir", "python")], ids="".join)
async def test_a_job_is_exhausted_by_attempts_of_both(shared, python, turns):
    py = await python(shared.at)
    take_over(py)
    job = await py.oban.enqueue(Job(WORKER, args=RAISE, queue=turns[0], max_attempts=3))

    for attempt, turn in enumerate(turns, 1):
        if attempt > 1:
            await (to_python(py, job.id) if turn == "python" else to_elixir(shared.ex, job.id))
        await (in_python(shared.at, py, job.id, attempt) if turn == "python" else done(shared.ex, job.id))

    texts = {"elixir": OF_ELIXIR, "python": OF_PYTHON}
    check_ended(
        await read_alike(shared.at, shared.ex, py.oban, job.id),
        "discarded",
        node=PYTHON if turns[-1] == "python" else ELIXIR,
        worker=WORKER,
        queue=turns[-1],
        args=RAISE,
        attempt=3,
        max_attempts=3,
        errors=[error(attempt, texts[turn]) for attempt, turn in enumerate(turns, 1)],
    )


@pytest.mark.item("outcomes: snooze")
@pytest.mark.parametrize("first", ["elixir", "python"])
async def test_a_job_that_one_snoozed_is_snoozed_again_by_the_other(shared, python, first):
    py = await python(shared.at)
    take_over(py)
    args = {"mode": "snooze", "seconds": 600}
    job = await py.oban.enqueue(Job(WORKER, args=args, queue=first, max_attempts=1))

    snoozed = {"worker": WORKER, "args": args, "delay": (600, 600)}

    if first == "elixir":
        row = await in_elixir(shared.at, shared.ex, job.id)
        check_ended(row, "scheduled", node=ELIXIR, queue="elixir", max_attempts=2, **snoozed)
        await to_python(py, job.id)
        await in_python(shared.at, py, job.id)
    else:
        row = await in_python(shared.at, py, job.id)
        check_ended(row, "scheduled", node=PYTHON, queue="python", max_attempts=2, **snoozed)
        await to_elixir(shared.ex, job.id)
        await in_elixir(shared.at, shared.ex, job.id)

    row = await read_alike(shared.at, shared.ex, py.oban, job.id)
    node, queue = (PYTHON, "python") if first == "elixir" else (ELIXIR, "elixir")
    check_ended(row, "scheduled", node=node, queue=queue, attempt=2, max_attempts=3, **snoozed)


ENDED = {
    "completed": ({"mode": "ok"}, 3),
    "cancelled": ({"mode": "cancel"}, 3),
    "discarded": ({"mode": "raise"}, 1),
    "retryable": ({"mode": "raise"}, 3),
}


@pytest.mark.item("outcomes: retry by the other side")
async def test_jobs_that_elixir_ran_run_there_again_when_python_retries_them(shared, python):
    py = await python(shared.at, queues={})
    jobs = {}
    for state, (args, tries) in ENDED.items():
        job = jobs[state] = await py.oban.enqueue(Job(WORKER, args=args, queue="elixir", max_attempts=tries))
        assert (await in_elixir(shared.at, shared.ex, job.id))["state"] == state
        await py.oban.update_job(job.id, {"args": {"mode": "ok"}})

    assert await py.oban.retry_jobs(list(jobs.values())) == 4
    for job in jobs.values():
        await shared.ex.rpc('Interop.await_state(id, "completed")', id=job.id)

    for state, job in jobs.items():
        row = await read_alike(shared.at, shared.ex, py.oban, job.id)
        check_again(row, ELIXIR, "elixir", state)


@pytest.mark.item("outcomes: retry by the other side")
async def test_jobs_that_python_ran_run_there_again_when_elixir_retries_them(shared, python):
    py = await python(shared.at)
    take_over(py)
    numbers = {}
    for state, (args, tries) in ENDED.items():
        insert = "Interop.insert(worker, args, queue: :python, max_attempts: tries)"
        number = numbers[state] = await shared.ex.rpc(insert, worker=WORKER, args=args, tries=tries)
        assert (await in_python(shared.at, py, number))["state"] == state
        await py.oban.update_job(number, {"args": {"mode": "ok"}})

    for number in numbers.values():
        assert await shared.ex.rpc("Oban.retry_job(id)", id=number) == OK
    for number in numbers.values():
        await in_python(shared.at, py, number, 2)

    for state, number in numbers.items():
        check_again(await read_alike(shared.at, shared.ex, py.oban, number), PYTHON, "python", state)


def check_again(row, node, queue, state):
    """A second attempt that completed; what the first one wrote is gone but for its errors."""
    texts = {"elixir": OF_ELIXIR, "python": OF_PYTHON}
    text = {"completed": None, "cancelled": r"\*\* .*boom.*"}.get(state, texts[queue])
    check_ended(
        row,
        "completed",
        node=node,
        worker=WORKER,
        queue=queue,
        args={"mode": "ok"},
        attempt=2,
        max_attempts=2 if state == "discarded" else 3,
        errors=[error(1, text)] if text else [],
    )


@pytest.mark.item("outcomes: retry by the other side")
@pytest.mark.parametrize("ran_in", ["elixir", "python"])
async def test_a_retry_by_the_other_side_keeps_the_history_and_clears_the_end(shared, python, ran_in):
    py = await python(shared.at)
    take_over(py)
    job = await py.oban.enqueue(
        Job(WORKER, args={"mode": "raise"}, queue=ran_in, max_attempts=1, tags=["a"], meta={"b": 1})
    )
    before = await (in_elixir(shared.at, shared.ex, job.id) if ran_in == "elixir" else in_python(shared.at, py, job.id))
    assert before["state"] == "discarded"
    await py.oban.update_job(job.id, {"queue": "nobody"})

    if ran_in == "elixir":
        assert await py.oban.retry_job(job.id)
    else:
        assert await shared.ex.rpc("Oban.retry_job(id)", id=job.id) == OK

    check(
        await read_alike(shared.at, shared.ex, py.oban, job.id),
        **{
            **before,
            "queue": "nobody",
            "state": "available",
            "scheduled_at": between(before["discarded_at"], now() + SLACK),
            "max_attempts": 2,
            "discarded_at": None,
        },
    )


@pytest.mark.item("outcomes: attempts of both languages")
async def test_an_attempt_that_python_lost_to_elixir_does_not_overwrite_elixirs(shared, python):
    py = await python(shared.at)
    go = asyncio.Event()
    running = take_over(py)

    async def late(_self, job):
        py.ran.put_nowait(job)
        await go.wait()
        raise RuntimeError("too late")

    running.process = late
    job = await py.oban.enqueue(Job(WORKER, args={"mode": "value", "value": 1}, queue="python", max_attempts=3))
    await py.ran.next()
    # What a rescue does to a job that its node seems to have lost.
    await shared.at.conn.execute(
        f"update {shared.at.table} set state = 'available', queue = 'elixir' where id = $1", job.id
    )
    await in_elixir(shared.at, shared.ex, job.id)
    theirs = await shared.at.row(job.id)
    go.set()
    await py.ends.of(job_of(job.id))

    assert await read_alike(shared.at, shared.ex, py.oban, job.id) == theirs
    check_ended(
        theirs, "completed", node=ELIXIR, worker=WORKER, queue="elixir", args=job.args, attempt=2, max_attempts=3
    )
    assert theirs["attempted_at"] == RECENT
