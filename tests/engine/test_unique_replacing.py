"""What a unique job replaces in the stored one that it is the same as."""

from datetime import UTC, datetime

import pytest

from bridge.jobs import Job

from .rig import changed_columns, put, row
from .unique_jobs import ONCE, make


async def test_the_columns_of_the_stored_jobs_state_are_replaced_and_no_other(engine, conn):
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    first = await engine.insert(make(schedule_in=60))
    before = await row(conn, first.id)

    job = await engine.insert(
        make(
            {"id": 1, "new": 1},
            unique={**ONCE, "keys": ["id"]},
            scheduled_at=moment,
            priority=7,
            tags=["t"],
            replace={"scheduled": ["args", "scheduled_at", "tags"], "available": ["priority"]},
        )
    )

    assert changed_columns(before, await row(conn, first.id)) == {
        "args": {"id": 1, "new": 1},
        "scheduled_at": moment.replace(tzinfo=None),
        "tags": ["t"],
    }
    assert (job.id, job.conflict, job.args, job.scheduled_at) == (first.id, True, {"id": 1, "new": 1}, moment)


async def test_every_column_that_may_be_replaced_is(engine, conn):
    first = await engine.insert(make(schedule_in=60))
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    columns = ["args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker"]

    await engine.insert(
        Job(
            "V",
            queue="beta",
            args={"id": 1, "n": [0.10]},
            meta={"m": 1},
            max_attempts=3,
            priority=4,
            tags=["x", "y"],
            scheduled_at=moment,
            unique={**ONCE, "fields": ["args"], "keys": ["id"]},
            replace=columns,
        )
    )

    found = await row(conn, first.id)
    assert {name: found[name] for name in columns} == {
        "args": {"id": 1, "n": [0.1]},
        "max_attempts": 3,
        "meta": {"m": 1},
        "priority": 4,
        "queue": "beta",
        "scheduled_at": moment.replace(tzinfo=None),
        "tags": ["x", "y"],
        "worker": "V",
    }


async def test_what_the_new_job_leaves_at_obans_default_stays(engine, conn):
    """Oban 2.23 replaces what its changeset holds, in which defaults are no change."""
    first = await engine.insert(make(priority=3, tags=["t"], meta={"m": 1}, max_attempts=5))
    before = await row(conn, first.id)

    await engine.insert(make(replace=["priority", "tags", "meta", "max_attempts", "scheduled_at"]))

    assert changed_columns(before, await row(conn, first.id)) == {}


@pytest.mark.parametrize(("state", "left"), [("retryable", 4), ("executing", 3), ("completed", 3)])
async def test_fewer_attempts_than_were_made_never_leave_a_row_that_blocks_a_queue(engine, conn, state, left):
    job_id = await put(conn, state, attempt=3, max_attempts=5, args='{"id": 1}')

    await engine.insert(make(max_attempts=1, replace=["max_attempts"]))

    assert (await row(conn, job_id))["max_attempts"] == left


async def test_within_a_batch_the_last_one_wins(engine, conn):
    options = {"unique": {**ONCE, "keys": ["id"]}, "replace": ["args", "priority"]}
    jobs = [make({"id": 1, "n": n}, priority=n, **options) for n in range(4)]

    stored = await engine.insert_many(jobs)

    assert [(job.id, job.conflict) for job in stored] == [(stored[0].id, n > 0) for n in range(4)]
    found = await row(conn, stored[0].id)
    assert (found["args"], found["priority"]) == ({"id": 1, "n": 3}, 3)
    assert stored[3].args == {"id": 1, "n": 3}
