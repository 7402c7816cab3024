"""What a person changes about a job, and with exactly which columns."""

from datetime import UTC, datetime

import pytest

from bridge.errors import InvalidJob

from .rig import COLUMNS, STATES, changes, put, row, without

UPDATES = {
    "args": ({"b": [1]}, {"b": [1]}),
    "max_attempts": (7, 7),
    "meta": ({"new": 1}, {"kept": True, "new": 1}),
    "priority": (9, 9),
    "queue": ("beta", "beta"),
    "tags": ([" B", "a", "b"], ["b", "a"]),
    "worker": ("V", "V"),
}


@pytest.mark.parametrize("state", STATES)
async def test_update_of_any(engine, conn, ear, state):
    job_id = await put(conn, state)

    wanted = {column: value for column, (value, _) in UPDATES.items()}
    [job], changed = await changes(conn, job_id, engine.update({"id": job_id}, wanted))

    assert changed == {column: stored for column, (_, stored) in UPDATES.items()}
    assert {column: getattr(job, column) for column in UPDATES} == changed
    assert job.state == state
    assert await ear.heard() == []


@pytest.mark.parametrize("column", UPDATES)
async def test_update_of_one_column_leaves_the_others(engine, conn, column):
    job_id = await put(conn, "retryable")
    value, stored = UPDATES[column]

    _, changed = await changes(conn, job_id, engine.update({"id": job_id}, {column: value}))

    assert changed == {column: stored}


@pytest.mark.parametrize("moment", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)], ids=str)
@pytest.mark.parametrize("state", without("executing"))
async def test_update_of_the_time_to_scheduled(engine, conn, state, moment):
    job_id = await put(conn, state)

    [job], changed = await changes(conn, job_id, engine.update({"id": job_id}, {"scheduled_at": moment}))

    expected = {"state": "scheduled", "scheduled_at": moment.replace(tzinfo=None)}
    if state == "scheduled":
        del expected["state"]
    assert changed == expected
    assert (job.state, job.scheduled_at) == ("scheduled", moment)


@pytest.mark.parametrize("state", STATES)
async def test_update_to_the_same_time_changes_nothing(engine, conn, state):
    """Oban's changeset only sees a time that differs."""
    job_id = await put(conn, state)
    same = (await engine.get(job_id)).scheduled_at

    _, changed = await changes(conn, job_id, engine.update({"id": job_id}, {"scheduled_at": same}))

    assert changed == {}


async def test_update_does_not_take_a_running_job_from_its_producer(engine, conn):
    job_id = await put(conn, "executing")
    before = await row(conn, job_id)

    with pytest.raises(InvalidJob, match=r"scheduled_at: expected a job that is not running, got .*; cancel it first"):
        await engine.update({"id": job_id}, {"scheduled_at": datetime(2030, 1, 1, tzinfo=UTC)})

    assert await row(conn, job_id) == before


async def test_update_by_a_function_of_the_locked_job(engine, conn):
    first, second = await put(conn, priority=1), await put(conn, priority=5)

    jobs = await engine.update({"id": [first, second]}, lambda job: {"priority": job.priority + 1})

    assert [(job.id, job.priority) for job in jobs] == [(first, 2), (second, 6)]
    assert await conn.fetchval("select array_agg(priority order by id) from oban_jobs") == [2, 6]


def test_the_table_above_has_all_columns_that_may_be_changed():
    assert {*UPDATES, "scheduled_at"} < set(COLUMNS)
