"""Outcomes reach their own attempt's row and no other, once, however they are batched."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from bridge.engine import Ack
from bridge.engine.acks import split
from bridge.jobs import Job

from .rig import (
    AT,
    ERROR,
    LATER,
    NODE,
    OTHER_UUID,
    PATIENCE,
    UUID,
    ack,
    changed_columns,
    fetch,
    insert_and_fetch,
    put,
    row,
)

OUTCOMES = {
    "completed": {},
    "completed with meta": {"meta": '{"recorded": true}'},
    "retryable": {"scheduled_at": LATER, "error": ERROR},
    "discarded": {"error": ERROR},
    "cancelled": {"error": ERROR},
    "scheduled": {"scheduled_at": LATER},
}
each_outcome = pytest.mark.parametrize(("name", "columns"), OUTCOMES.items(), ids=OUTCOMES.keys())


def outcome(job, name, columns):
    return ack(job, name.split()[0], **columns)


# The guard


@each_outcome
@pytest.mark.parametrize(
    "wrong",
    [{"uuid": OTHER_UUID}, {"attempt": 1}, {"attempt": 3}, {"id": 999_999}],
    ids=["another producer", "an earlier attempt", "a later attempt", "no such job"],
)
async def test_another_attempts_row_is_left_alone(engine, conn, name, columns, wrong):
    job_id = await put(conn, "executing", attempt=2)
    before = await row(conn, job_id)
    late = outcome(await engine.get(job_id), name, columns)

    written = await engine.ack(
        wrong.get("uuid", UUID),
        [replace(late, **{field: value for field, value in wrong.items() if field != "uuid"})],
    )

    assert written == set()
    assert await row(conn, job_id) == before


@each_outcome
async def test_a_job_that_was_fetched_again_is_left_alone(engine, conn, name, columns):
    """Rescued and taken by another node, while the first one was cut off: Elixir's late ack would overwrite it."""
    first = await insert_and_fetch(engine)
    await conn.execute("update oban_jobs set state = 'available'")
    [second] = await fetch(engine, uuid=OTHER_UUID)
    before = await row(conn, first.id)

    assert await engine.ack(UUID, [outcome(first, name, columns)]) == set()
    assert await row(conn, first.id) == before
    assert await engine.ack(OTHER_UUID, [outcome(second, name, columns)]) == {(second.id, 2)}


@each_outcome
async def test_a_job_that_the_same_producer_fetched_again_is_left_alone(engine, conn, name, columns):
    first = await insert_and_fetch(engine)
    await conn.execute("update oban_jobs set state = 'available'")
    await fetch(engine)
    before = await row(conn, first.id)

    assert await engine.ack(UUID, [outcome(first, name, columns)]) == set()
    assert await row(conn, first.id) == before


@each_outcome
async def test_a_job_that_was_deleted_is_left_out(engine, conn, name, columns):
    job = await insert_and_fetch(engine)
    await conn.execute("delete from oban_jobs")

    assert await engine.ack(UUID, [outcome(job, name, columns)]) == set()
    assert await conn.fetchval("select count(*) from oban_jobs") == 0


@each_outcome
@pytest.mark.parametrize("state", ["available", "suspended"])
async def test_a_job_that_somebody_put_back_is_left_alone(engine, conn, name, columns, state):
    job_id = await put(conn, state)
    before = await row(conn, job_id)

    assert await engine.ack(UUID, [outcome(await engine.get(job_id), name, columns)]) == set()
    assert await row(conn, job_id) == before


async def test_a_row_without_owner_is_left_alone(engine, conn):
    job_id = await put(conn, "executing", attempted_by=None)
    other_id = await put(conn, "executing", attempted_by=[NODE])

    acks = [Ack(job_id, 1, "completed", AT), Ack(other_id, 1, "discarded", AT, error=ERROR)]

    assert await engine.ack(UUID, acks) == set()


# Cancelled meanwhile


@pytest.mark.parametrize("name", ["completed", "completed with meta", "scheduled"])
async def test_a_cancelled_job_that_went_well_stays_as_it_is(engine, conn, name):
    job = await insert_and_fetch(engine)
    await engine.cancel({"id": job.id})
    before = await row(conn, job.id)

    assert await engine.ack(UUID, [outcome(job, name, OUTCOMES[name])]) == set()
    assert await row(conn, job.id) == before


@pytest.mark.parametrize("name", ["retryable", "discarded"])
async def test_a_cancelled_job_that_failed_only_gains_the_error(engine, conn, name):
    job = await insert_and_fetch(engine)
    await engine.cancel({"id": job.id})
    before = await row(conn, job.id)

    assert await engine.ack(UUID, [outcome(job, name, OUTCOMES[name])]) == {(job.id, 1)}
    assert changed_columns(before, await row(conn, job.id)) == {"errors": [json.loads(ERROR)]}


@pytest.mark.parametrize("name", ["retryable", "discarded", "cancelled"])
async def test_another_attempts_error_does_not_reach_a_cancelled_job(engine, conn, name):
    job_id = await put(conn, "cancelled", attempt=2)
    before = await row(conn, job_id)
    late = replace(outcome(await engine.get(job_id), name, OUTCOMES[name]), attempt=1)

    assert await engine.ack(UUID, [late]) == set()
    assert await engine.ack(OTHER_UUID, [replace(late, attempt=2)]) == set()
    assert await row(conn, job_id) == before


# Twice


@each_outcome
async def test_a_second_write_changes_nothing_and_says_the_same(engine, conn, name, columns):
    """The answer to the first one may be lost with its connection."""
    job = await insert_and_fetch(engine, meta={"kept": 1})
    first = await engine.ack(UUID, [outcome(job, name, columns)])
    before = await row(conn, job.id)

    # Alone, an outcome has its own time, in a batch perhaps that of its group.
    again = replace(outcome(job, name, columns), at=AT if name != "completed" else LATER)
    second = await engine.ack(UUID, [again])

    assert first == second == {(job.id, 1)}
    assert await row(conn, job.id) == before


@pytest.mark.parametrize("name", ["retryable", "discarded", "cancelled"])
async def test_a_second_write_to_a_cancelled_job_adds_no_second_error(engine, conn, name):
    job = await insert_and_fetch(engine)
    await engine.cancel({"id": job.id})

    first = await engine.ack(UUID, [outcome(job, name, OUTCOMES[name])])
    before = await row(conn, job.id)
    second = await engine.ack(UUID, [outcome(job, name, OUTCOMES[name])])

    assert first == second == {(job.id, 1)}
    assert before["errors"] == [json.loads(ERROR)]
    assert await row(conn, job.id) == before


@each_outcome
async def test_the_same_outcome_twice_in_a_batch(engine, conn, name, columns):
    job = await insert_and_fetch(engine)
    one = outcome(job, name, columns)

    assert await engine.ack(UUID, [one, one]) == {(job.id, 1)}
    found = await row(conn, job.id)
    assert found["state"] == name.split()[0]
    assert len(found["errors"]) == ("error" in columns)


# Batches


@each_outcome
@pytest.mark.parametrize("number", [0, -5])
async def test_a_job_whose_id_somebody_chose(engine, conn, name, columns, number):
    await put(conn, "available", id=number)
    [job] = await fetch(engine)

    assert await engine.ack(UUID, [outcome(job, name, columns)]) == {(number, job.attempt)}


async def test_nothing_to_write(engine):
    assert await engine.ack(UUID, []) == set()


async def test_a_mixed_batch(engine, conn):
    ids = {name: await put(conn, "executing", attempt=n % 3, errors=[]) for n, name in enumerate(OUTCOMES)}
    gone = await put(conn, "executing")
    await conn.execute("delete from oban_jobs where id = $1", gone)
    acks = [outcome(await engine.get(ids[name]), name, columns) for name, columns in OUTCOMES.items()]

    written = await engine.ack(UUID, [*acks, Ack(gone, 1, "completed", AT)])

    assert written == {(found.id, found.attempt) for found in acks}
    assert {name: (await row(conn, ids[name]))["state"] for name in OUTCOMES} == {
        name: name.split()[0] for name in OUTCOMES
    }


async def test_two_attempts_of_a_job_in_a_batch_are_told_apart(engine, conn):
    """The first was given up and goes on in its thread; both end at once."""
    job_id = await put(conn, "executing", attempt=2, errors=[])

    def failed(attempt):
        return Ack(job_id, attempt, "discarded", AT, error=ERROR)

    for batch in ([failed(1), failed(2)], [failed(2), failed(1)]):
        await conn.execute("update oban_jobs set state = 'executing', errors = '{}'")
        assert await engine.ack(UUID, batch) == {(job_id, 2)}


async def test_a_thousand_of_each_kind(engine, conn):
    await engine.insert_many(Job("W", queue="alpha", args={"n": n}) for n in range(3_000))
    jobs = await fetch(engine, 3_000)
    assert len(jobs) == 3_000

    acks = [outcome(job, *list(OUTCOMES.items())[n % 6]) for n, job in enumerate(jobs)]
    written = await engine.ack(UUID, acks)

    assert written == {(job.id, 1) for job in jobs}
    counts = await conn.fetch("select state::text, count(*) as jobs from oban_jobs group by 1")
    assert {found["state"]: found["jobs"] for found in counts} == {
        "completed": 1_000,
        "retryable": 500,
        "discarded": 500,
        "cancelled": 500,
        "scheduled": 500,
    }


async def test_what_was_written_of_a_batch_that_the_database_refuses_is_written_again_to_no_effect(engine, conn):
    """Its outcomes are written one by one then."""
    good, bad = await put(conn, "executing"), await put(conn, "executing")
    refused = Ack(bad, 1, "completed", AT, meta='{"no": json}')

    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await engine.ack(UUID, [Ack(good, 1, "completed", AT), refused])

    written = await row(conn, good)
    assert (written["state"], (await row(conn, bad))["state"]) == ("completed", "executing")
    assert await engine.ack(UUID, [Ack(good, 1, "completed", AT)]) == {(good, 1)}
    assert await row(conn, good) == written


@pytest.mark.parametrize("name", ["completed", "retryable"])
async def test_a_row_that_somebody_holds_is_put_off_and_holds_up_no_other(engine, installed, conn, name):
    held, free = await insert_and_fetch(engine), await insert_and_fetch(engine)
    acks = [ack(held, name, **OUTCOMES[name]), ack(free, name, **OUTCOMES[name])]
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select from oban_jobs where id = $1 for update", held.id)
            assert await engine.ack(UUID, acks) == {(free.id, 1)}
            assert await engine.put_off(UUID, acks[:1]) == {(held.id, 1)}
    finally:
        await other.close()

    assert await engine.ack(UUID, acks[:1]) == {(held.id, 1)}
    assert (await row(conn, held.id))["state"] == name


async def test_a_row_that_was_cancelled_meanwhile_is_put_off_only_for_an_error(engine, conn):
    job = await insert_and_fetch(engine)
    await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = $1", LATER)

    assert await engine.ack(UUID, [ack(job, "completed")]) == set()
    assert await engine.put_off(UUID, [ack(job, "completed")]) == set()
    assert await engine.put_off(UUID, [ack(job, "retryable", **OUTCOMES["retryable"])]) == {(job.id, 1)}
    found = await row(conn, job.id)
    assert (found["state"], found["cancelled_at"], found["completed_at"]) == ("cancelled", LATER, None)


# Meta and errors as others left them


@pytest.mark.parametrize("meta", [None, "[1]", "null", '"text"'])
@pytest.mark.parametrize("name", ["completed", "scheduled"])
async def test_meta_is_an_object_again_where_it_was_none(engine, conn, meta, name):
    job_id = await put(conn, "executing", meta=meta)

    columns = {**OUTCOMES[name], "meta": '{"m": 1}'}
    await engine.ack(UUID, [Ack(job_id, 1, name, AT, **columns)])

    assert (await row(conn, job_id))["meta"] == {"m": 1}


@pytest.mark.parametrize("name", ["completed", "retryable", "scheduled"])
async def test_meta_that_nobody_changes_stays(engine, conn, name):
    job_id = await put(conn, "executing", meta="[1]")

    await engine.ack(UUID, [Ack(job_id, 1, name, AT, **OUTCOMES[name])])

    assert (await row(conn, job_id))["meta"] == [1]


async def test_an_error_is_added_to_whatever_stands_there(engine, conn):
    job_id = await put(conn, "executing", errors=["1", '"text"', "[]", "null"])

    await engine.ack(UUID, [Ack(job_id, 1, "discarded", AT, error=ERROR)])

    assert (await row(conn, job_id))["errors"] == [1, "text", [], None, json.loads(ERROR)]


# Plain completions share a statement


def test_completions_of_a_moment_share_its_time():
    near, far = AT - timedelta(milliseconds=100), AT - timedelta(milliseconds=101)
    acks = [
        Ack(1, 1, "completed", near),
        Ack(2, 1, "completed", AT),
        Ack(3, 1, "completed", far),
        Ack(4, 2, "completed", far),
        Ack(5, 1, "completed", AT, meta="{}"),
        Ack(6, 1, "cancelled", AT, error=ERROR),
    ]

    groups, others = split(acks)

    assert groups == [(1, AT, [1, 2]), (2, far, [4])]
    assert {found.id for found in others} == {3, 5, 6}


async def test_completions_far_apart_keep_their_own_times(engine, conn):
    old, new = await put(conn, "executing"), await put(conn, "executing")

    written = await engine.ack(UUID, [Ack(old, 1, "completed", AT), Ack(new, 1, "completed", LATER)])

    assert written == {(old, 1), (new, 1)}
    assert (await row(conn, old))["completed_at"] == AT
    assert (await row(conn, new))["completed_at"] == LATER


# Transactions


async def test_an_outcome_is_written_for_good_before_one_of_another_kind(engine, conn, installed):
    await conn.execute("""
        create function wait_here() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock(4711); return new; end $$;
        create trigger wait_here before update on oban_jobs for each row
        when (new.state = 'retryable') execute function wait_here();
    """)
    first, second = await insert_and_fetch(engine), await insert_and_fetch(engine)
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select pg_advisory_xact_lock(4711)")
            mixed = [ack(first, "completed"), outcome(second, "retryable", OUTCOMES["retryable"])]
            writing = asyncio.create_task(engine.ack(UUID, mixed))
            async with asyncio.timeout(PATIENCE):
                while (await row(conn, first.id))["state"] != "completed":  # noqa: ASYNC110 - a row tells nobody
                    await asyncio.sleep(0.02)
            assert (await row(conn, second.id))["state"] == "executing"
        assert await writing == {(first.id, first.attempt), (second.id, second.attempt)}
    finally:
        await other.close()
