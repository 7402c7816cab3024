"""Unique jobs by the hundred: duplicates of stored ones and of each other, in a handful of statements."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.engine import inserts

from .unique_jobs import ONCE, count, make


@pytest.mark.parametrize("unique", [True, {**ONCE, "keys": ["id"]}], ids=["all args", "a key"])
async def test_duplicates_of_stored_jobs_and_of_each_other_in_order(engine, conn, unique):
    stored = await engine.insert_many(make({"id": n}, unique=None) for n in range(0, 300, 3))

    found = await engine.insert_many(make({"id": n // 2}, unique=unique) for n in range(600))

    assert [job.args["id"] for job in found] == [n // 2 for n in range(600)]
    assert [job.conflict for job in found] == [n % 2 == 1 or n // 2 % 3 == 0 for n in range(600)]
    by_number = {job.args["id"]: job.id for job in stored}
    new = [job.id for job in found if not job.conflict]
    assert new == sorted(new)
    by_number |= {job.args["id"]: job.id for job in found if not job.conflict}
    assert [job.id for job in found] == [by_number[n // 2] for n in range(600)]
    assert await count(conn) == 300


async def test_duplicates_across_the_statements_of_one_call(engine, conn):
    size = inserts.CHUNK + 100

    found = await engine.insert_many(make({"id": n % inserts.CHUNK}) for n in range(size))

    assert [job.conflict for job in found] == [n >= inserts.CHUNK for n in range(size)]
    assert [job.id for job in found[inserts.CHUNK :]] == [job.id for job in found[:100]]
    assert await count(conn) == inserts.CHUNK


async def test_unique_jobs_and_others_in_one_call(engine, conn):
    found = await engine.insert_many([make(unique=None), make(), make(unique=None), make({"id": 2}), make()])

    assert [job.conflict for job in found] == [False, True, False, False, True]
    assert found[1].id == found[4].id == found[0].id
    assert await count(conn) == 3


async def test_a_job_that_is_no_duplicate_in_its_state_is_inserted(engine):
    waiting = {"unique": {**ONCE, "states": "scheduled"}}

    found = await engine.insert_many([
        make(**waiting), make(**waiting), make(schedule_in=9, unique=None), make(**waiting)
    ])  # fmt: skip

    assert [job.conflict for job in found] == [False, False, False, True]
    assert found[3].id == found[2].id


async def test_the_period_of_a_scheduled_time_counts_within_a_batch(engine):
    now = datetime.now(UTC)
    rule = {"period": 60, "timestamp": "scheduled_at"}

    found = await engine.insert_many([
        make({"id": 1}, scheduled_at=now - timedelta(seconds=90), unique=None),
        make({"id": 1}, unique=rule),
        make({"id": 2}, scheduled_at=now - timedelta(seconds=30), unique=None),
        make({"id": 2}, unique=rule),
    ])  # fmt: skip

    assert [job.conflict for job in found] == [False, False, False, True]


async def counted(conn, act):
    """Return how many of the engine's statements `act` sent; each begins with a comment that says why."""
    sent = []
    conn.add_query_logger(sent.append)
    async with conn.transaction():
        await act
    conn.remove_query_logger(sent.append)
    return sum(record.query.startswith("-- ") for record in sent)


async def test_the_number_of_statements_does_not_grow_with_the_jobs(engine, conn):
    small = await counted(conn, engine.insert_many([make({"id": n}) for n in range(100)], conn))
    large = await counted(conn, engine.insert_many([make({"id": n}) for n in range(2_000)], conn))

    assert (small, large) == (4, 4)  # locks, duplicates, insert, announcement


async def test_jobs_that_are_not_unique_cost_no_statement_more(engine, conn):
    assert await counted(conn, engine.insert_many([make(unique=None) for _ in range(200)], conn)) == 2
    assert await counted(conn, engine.insert(make(unique=None), conn)) == 1
