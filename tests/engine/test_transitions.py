"""Every transition of a job, with exactly the columns that it writes: the table of Oban's protocol, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.engine import utc_now
from bridge.jobs import Job

from .rig import (
    AT,
    ERROR,
    LATER,
    NODE,
    UUID,
    ack,
    between,
    changed_columns,
    changes,
    fetch,
    insert_and_fetch,
    put,
    row,
    without,
)

# Insert


async def test_insert_to_available(engine, conn):
    since = utc_now()

    job = await engine.insert(Job("My.Worker", queue="alpha", args={"a": 1}, meta={"m": None}, tags=["x"]))

    found = await row(conn, job.id)
    assert between(since, found["inserted_at"])
    assert found == {
        "id": job.id,
        "state": "available",
        "queue": "alpha",
        "worker": "My.Worker",
        "args": {"a": 1},
        "errors": [],
        "attempt": 0,
        "max_attempts": 20,
        "inserted_at": found["inserted_at"],
        "scheduled_at": found["inserted_at"],
        "attempted_at": None,
        "completed_at": None,
        "attempted_by": None,
        "discarded_at": None,
        "priority": 0,
        "tags": ["x"],
        "meta": {"m": None},
        "cancelled_at": None,
    }


async def test_insert_has_the_defaults_of_the_table(engine, conn):
    job = await engine.insert(Job("W"))

    by_hand = await conn.fetchval("insert into oban_jobs (worker) values ('W') returning id")
    assert changed_columns(await row(conn, by_hand), await row(conn, job.id)).keys() == {
        "id",
        "inserted_at",
        "scheduled_at",
    }


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(
    "time",
    [
        {"schedule_in": 60},
        {"schedule_in": 0},
        {"schedule_in": timedelta(days=-1)},
        {"scheduled_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=["later", "at once", "in the past", "at a past moment"],
)
async def test_insert_to_scheduled(engine, conn, time, many):
    built = Job("W", **time)
    wanted = built.scheduled_at

    [job] = await engine.insert_many([built]) if many else [await engine.insert(built)]

    plain = await row(conn, (await engine.insert(Job("W"))).id)
    found = await row(conn, job.id)
    assert changed_columns(plain, found) == {
        "id": job.id,
        "state": "scheduled",
        "scheduled_at": wanted.replace(tzinfo=None),
        "inserted_at": found["inserted_at"],
    }
    assert job.scheduled_at == wanted


async def test_insert_to_suspended(engine, conn):
    job = await engine.insert(Job("W", state="suspended"))

    plain = await row(conn, (await engine.insert(Job("W"))).id)
    assert changed_columns(plain, await row(conn, job.id)) == {
        "id": job.id,
        "state": "suspended",
        "inserted_at": job.inserted_at.replace(tzinfo=None),
        "scheduled_at": job.inserted_at.replace(tzinfo=None),
    }


async def test_insert_many_writes_the_same_row_as_insert(engine, conn):
    def build():
        return Job(
            "W", queue="q", args={"é": [1.5, None]}, meta={"m": {}}, tags=["b", "a,{}\"'"], priority=9, max_attempts=3
        )

    one = await engine.insert(build())
    [other] = await engine.insert_many([build()])

    assert changed_columns(await row(conn, one.id), await row(conn, other.id)).keys() == {
        "id",
        "inserted_at",
        "scheduled_at",
    }


# Stage


@pytest.mark.parametrize("state", ["scheduled", "retryable"])
async def test_due_to_available(engine, conn, state):
    job_id = await put(conn, state)

    (count, ready), changed = await changes(conn, job_id, engine.stage(["alpha"], allowed=True))

    assert changed == {"state": "available"}
    assert (count, ready) == (1, {"alpha"})


# Fetch


async def test_available_to_executing(engine, conn):
    job_id = await put(conn, "available", attempted_by=["ex@host-b", "old"])
    since = utc_now()

    [job], changed = await changes(conn, job_id, fetch(engine))

    assert between(since, changed.pop("attempted_at"))
    assert changed == {"state": "executing", "attempt": 2, "attempted_by": [NODE, UUID]}
    assert (job.id, job.state, job.attempt, job.attempted_by) == (job_id, "executing", 2, [NODE, UUID])


# Ack


async def test_executing_to_completed(engine, conn):
    job = await insert_and_fetch(engine)

    written, changed = await changes(conn, job.id, engine.ack(UUID, [ack(job, "completed")]))

    assert changed == {"state": "completed", "completed_at": AT}
    assert written == {(job.id, 1)}


async def test_executing_to_completed_with_a_recorded_result(engine, conn):
    job = await insert_and_fetch(engine, meta={"kept": 1, "recorded": False})

    outcome = ack(job, "completed", meta='{"recorded": true, "return": "g2EB"}')
    written, changed = await changes(conn, job.id, engine.ack(UUID, [outcome]))

    assert changed == {
        "state": "completed",
        "completed_at": AT,
        "meta": {"kept": 1, "recorded": True, "return": "g2EB"},
    }
    assert written == {(job.id, 1)}


async def test_executing_to_retryable(engine, conn):
    job = await insert_and_fetch(engine)

    outcome = ack(job, "retryable", scheduled_at=LATER, error=ERROR)
    written, changed = await changes(conn, job.id, engine.ack(UUID, [outcome]))

    assert changed == {
        "state": "retryable",
        "scheduled_at": LATER,
        "errors": [{"attempt": 1, "at": "2026-03-01T12:30:15.123456Z", "error": "** (ValueError) no"}],
    }
    assert written == {(job.id, 1)}


async def test_executing_to_retryable_keeps_the_earlier_errors(engine, conn):
    job_id = await put(conn, "executing")
    [earlier] = (await row(conn, job_id))["errors"]

    job = await engine.get(job_id)
    outcome = ack(job, "retryable", scheduled_at=LATER, error=ERROR)
    _, changed = await changes(conn, job_id, engine.ack(UUID, [outcome]))

    assert changed["errors"][0] == earlier
    assert [entry["error"] for entry in changed["errors"]] == ["** (KeyError) old", "** (ValueError) no"]


async def test_executing_to_discarded(engine, conn):
    job = await insert_and_fetch(engine, max_attempts=1)

    written, changed = await changes(conn, job.id, engine.ack(UUID, [ack(job, "discarded", error=ERROR)]))

    assert changed.pop("errors")[0]["error"] == "** (ValueError) no"
    assert changed == {"state": "discarded", "discarded_at": AT}
    assert written == {(job.id, 1)}


async def test_executing_to_cancelled(engine, conn):
    job = await insert_and_fetch(engine)

    written, changed = await changes(conn, job.id, engine.ack(UUID, [ack(job, "cancelled", error=ERROR)]))

    assert changed.pop("errors")[0]["error"] == "** (ValueError) no"
    assert changed == {"state": "cancelled", "cancelled_at": AT}
    assert written == {(job.id, 1)}


async def test_executing_to_cancelled_from_outside(engine, conn):
    """First the row, at once; then its owner adds the error, and the time at which the work really ended."""
    job = await insert_and_fetch(engine)
    since = utc_now()

    cancelled, first = await changes(conn, job.id, engine.cancel({"id": job.id}))
    written, then = await changes(conn, job.id, engine.ack(UUID, [ack(job, "cancelled", error=ERROR)]))

    assert between(since, first.pop("cancelled_at"))
    assert first == {"state": "cancelled"}
    assert cancelled == [job.id]
    assert then.pop("errors")[0]["error"] == "** (ValueError) no"
    assert then == {"cancelled_at": AT}
    assert written == {(job.id, 1)}


async def test_executing_to_scheduled(engine, conn):
    """A snooze: one more attempt is allowed, none is taken back."""
    job = await insert_and_fetch(engine, max_attempts=3, meta={"m": 1})

    written, changed = await changes(conn, job.id, engine.ack(UUID, [ack(job, "scheduled", scheduled_at=LATER)]))

    assert changed == {"state": "scheduled", "scheduled_at": LATER, "max_attempts": 4}
    assert written == {(job.id, 1)}


async def test_executing_to_scheduled_with_meta(engine, conn):
    job = await insert_and_fetch(engine, max_attempts=3, meta={"m": 1})

    outcome = ack(job, "scheduled", scheduled_at=LATER, meta='{"page": 7}')
    _, changed = await changes(conn, job.id, engine.ack(UUID, [outcome]))

    assert changed == {
        "state": "scheduled",
        "scheduled_at": LATER,
        "max_attempts": 4,
        "meta": {"m": 1, "page": 7},
    }


async def test_a_snooze_of_a_job_with_all_attempts_that_there_are(engine, conn):
    job = await insert_and_fetch(engine)
    # As another program may write it: Bridge leaves room for Elixir's snoozes.
    await conn.execute("update oban_jobs set max_attempts = 2147483647")
    job.max_attempts = 2_147_483_647

    _, changed = await changes(conn, job.id, engine.ack(UUID, [ack(job, "scheduled", scheduled_at=LATER)]))

    assert changed == {"state": "scheduled", "scheduled_at": LATER}


async def test_executing_to_available(engine, conn, ear):
    """A producer that stops hands its jobs back, and other nodes hear of it."""
    job = await insert_and_fetch(engine)
    await ear.heard()

    states, changed = await changes(conn, job.id, engine.release(UUID, [(job.id, 1)]))

    assert changed == {"state": "available"}
    assert states == {job.id: "available"}
    assert await ear.queues() == ["alpha"]


async def test_executing_to_discarded_where_no_attempt_is_left_to_hand_back(engine, conn, ear):
    job = await insert_and_fetch(engine, max_attempts=1)
    await ear.heard()
    since = utc_now()

    states, changed = await changes(conn, job.id, engine.release(UUID, [(job.id, 1)]))

    assert between(since, changed.pop("discarded_at"))
    assert changed == {"state": "discarded"}
    assert states == {job.id: "discarded"}
    assert await ear.heard() == []


@pytest.mark.parametrize("state", without("executing"))
async def test_a_job_that_is_not_running_is_not_handed_back(engine, conn, state):
    job_id = await put(conn, state)

    states, changed = await changes(conn, job_id, engine.release(UUID, [(job_id, 1)]))

    assert (states, changed) == ({}, {})


async def test_another_producers_job_is_not_handed_back(engine, conn):
    job_id = await put(conn, "executing", attempted_by=[NODE, "somebody else"])

    states, changed = await changes(conn, job_id, engine.release(UUID, [(job_id, 1)]))

    assert (states, changed) == ({}, {})


# Cancel


@pytest.mark.parametrize("state", without("completed", "discarded", "cancelled"))
async def test_to_cancelled(engine, conn, ear, state):
    job_id = await put(conn, state)
    since = utc_now()

    cancelled, changed = await changes(conn, job_id, engine.cancel({"id": job_id}))

    assert cancelled == [job_id]
    assert between(since, changed.pop("cancelled_at"))
    assert changed == {"state": "cancelled"}
    pkill = [("signal", {"action": "pkill", "job_id": job_id})]
    assert await ear.heard() == (pkill if state == "executing" else [])


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
async def test_what_has_ended_is_not_cancelled(engine, conn, ear, state):
    job_id = await put(conn, state)

    cancelled, changed = await changes(conn, job_id, engine.cancel({"id": job_id}))

    assert (cancelled, changed) == ([], {})
    assert await ear.heard() == []


# Retry


@pytest.mark.parametrize("state", without("available", "executing"))
async def test_to_available(engine, conn, ear, state):
    job_id = await put(conn, state)
    since = utc_now()

    retried, changed = await changes(conn, job_id, engine.retry({"id": job_id}))

    assert retried == [job_id]
    assert between(since, changed.pop("scheduled_at"))
    assert changed == {"state": "available", "completed_at": None, "cancelled_at": None, "discarded_at": None}
    assert await ear.queues() == ["alpha"]


@pytest.mark.parametrize(("attempt", "max_attempts", "then"), [(0, 1, 1), (4, 5, 5), (5, 5, 6), (1, 1, 2)], ids=str)
async def test_to_available_with_an_attempt_left(engine, conn, attempt, max_attempts, then):
    job_id = await put(conn, "discarded", attempt=attempt, max_attempts=max_attempts)

    await engine.retry({"id": job_id})

    found = await row(conn, job_id)
    assert (found["attempt"], found["max_attempts"]) == (attempt, then)


@pytest.mark.parametrize("state", ["available", "executing"])
async def test_what_runs_or_may_run_is_not_retried(engine, conn, ear, state):
    job_id = await put(conn, state)

    retried, changed = await changes(conn, job_id, engine.retry({"id": job_id}))

    assert (retried, changed) == ([], {})
    assert await ear.heard() == []


# Delete


@pytest.mark.parametrize("state", without("executing"))
async def test_to_deleted(engine, conn, state):
    job_id = await put(conn, state)

    assert await engine.delete({"id": job_id}) == [job_id]
    assert await row(conn, job_id) is None


async def test_what_runs_is_not_deleted(engine, conn):
    job_id = await put(conn, "executing")

    deleted, changed = await changes(conn, job_id, engine.delete({"id": job_id}))

    assert (deleted, changed) == ([], {})
