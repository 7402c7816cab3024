"""A job's `errors` keep the newest entries, however often it fails, on columns of either type."""

import json

import asyncpg
import pytest

from bridge.engine import Ack
from bridge.engine.statements import ERRORS_KEPT

from .rig import AT, LATER, OBAN_PY, UUID, engine_on, make, put, row

OUTCOMES = {
    "retryable": {"scheduled_at": LATER},
    "discarded": {},
    "cancelled": {},
    "available": {"meta": '{"quarantined_from": "alpha"}'},  # to the quarantine
}
each_outcome = pytest.mark.parametrize("state", OUTCOMES)


def entry(attempt):
    return {"attempt": attempt, "at": "2026-03-01T12:30:15.123456Z", "error": f"** (ValueError) {attempt}"}


def entries(first, last):
    return [entry(attempt) for attempt in range(first, last + 1)]


async def failing(conn, attempt, **columns):
    """Write a row that has failed at all attempts before this one, which runs."""
    errors = [json.dumps(entry) for entry in entries(1, attempt - 1)]
    return await put(conn, "executing", attempt=attempt, max_attempts=attempt + 5, errors=errors, **columns)


def failed(job_id, attempt, state="retryable"):
    return Ack(job_id, attempt, state, AT, error=json.dumps(entry(attempt)), **OUTCOMES[state])


async def errors_of(conn, job_id):
    return (await row(conn, job_id))["errors"]


@each_outcome
@pytest.mark.parametrize("before", [0, 1, ERRORS_KEPT - 2, ERRORS_KEPT - 1])
async def test_all_are_kept_up_to_the_limit(engine, conn, state, before):
    job_id = await failing(conn, before + 1)
    assert await engine.ack(UUID, [failed(job_id, before + 1, state)]) == {(job_id, before + 1)}
    assert await errors_of(conn, job_id) == entries(1, before + 1)


@each_outcome
@pytest.mark.parametrize("before", [ERRORS_KEPT, ERRORS_KEPT + 1, 3 * ERRORS_KEPT])
async def test_the_newest_are_kept_beyond_it(engine, conn, state, before):
    job_id = await failing(conn, before + 1)
    assert await engine.ack(UUID, [failed(job_id, before + 1, state)]) == {(job_id, before + 1)}
    assert await errors_of(conn, job_id) == entries(before + 2 - ERRORS_KEPT, before + 1)


async def test_jobs_of_one_batch_keep_their_own(engine, conn):
    attempts = [1, ERRORS_KEPT, ERRORS_KEPT + 1, ERRORS_KEPT + 50]
    ids = {await failing(conn, attempt): attempt for attempt in attempts}
    await engine.ack(UUID, [failed(job_id, attempt) for job_id, attempt in ids.items()])
    for job_id, attempt in ids.items():
        assert await errors_of(conn, job_id) == entries(max(1, attempt + 1 - ERRORS_KEPT), attempt)


@each_outcome
async def test_writing_twice_drops_no_other_entry(engine, conn, state):
    attempt = ERRORS_KEPT + 10
    job_id = await failing(conn, attempt)
    await engine.ack(UUID, [failed(job_id, attempt, state)])
    before = await row(conn, job_id)
    await engine.ack(UUID, [failed(job_id, attempt, state)])
    assert await row(conn, job_id) == before


async def test_a_job_that_was_cancelled_while_it_ran_keeps_as_many(engine, conn):
    attempt = ERRORS_KEPT + 1
    job_id = await failing(conn, attempt)
    await engine.cancel({"id": job_id})
    await engine.ack(UUID, [failed(job_id, attempt, "cancelled")])
    assert await errors_of(conn, job_id) == entries(2, attempt)


async def test_an_outcome_without_an_error_leaves_a_longer_history_of_somebody_else_s(engine, conn):
    attempt = 2 * ERRORS_KEPT
    done, snoozed = [await failing(conn, attempt) for _ in range(2)]
    acks = [Ack(done, attempt, "completed", AT), Ack(snoozed, attempt, "scheduled", AT, scheduled_at=LATER)]
    assert len(await engine.ack(UUID, acks)) == 2
    assert await errors_of(conn, done) == await errors_of(conn, snoozed) == entries(1, attempt - 1)


@pytest.mark.parametrize("bounds", ["[0:1]", "[-200:-199]", "[1000:1001]"])
async def test_an_array_may_begin_at_any_number(engine, conn, bounds):
    job_id = await failing(conn, 3)
    texts = ", ".join(json.dumps(json.dumps(entry)) for entry in entries(1, 2))
    await conn.execute("update oban_jobs set errors = $1::text::jsonb[]", f"{bounds}={{{texts}}}")
    await engine.ack(UUID, [failed(job_id, 3)])
    assert await errors_of(conn, job_id) == entries(1, 3)


async def test_a_column_of_oban_for_python_is_held_to_it_too(database):
    conn = await asyncpg.connect(database)
    await make(conn, OBAN_PY)
    async with engine_on(database) as engine:
        assert engine.catalog.errors_type == "jsonb"
        for before in (0, 1, ERRORS_KEPT - 1, ERRORS_KEPT, 3 * ERRORS_KEPT):
            for state in OUTCOMES:
                values = json.dumps(entries(1, before)), before + 1, ["py@host-a", UUID]
                job_id = await conn.fetchval(
                    """
                    insert into oban_jobs (worker, state, errors, attempt, max_attempts, attempted_by)
                    values ('W', 'executing', $1::text::jsonb, $2, 1000, $3)
                    returning id
                    """,
                    *values,
                )
                assert await engine.ack(UUID, [failed(job_id, before + 1, state)]) == {(job_id, before + 1)}
                kept = json.loads(await conn.fetchval("select errors::text from oban_jobs where id = $1", job_id))
                assert kept == entries(max(1, before + 2 - ERRORS_KEPT), before + 1)
    await conn.close()
