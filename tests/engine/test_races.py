"""Another transaction changes a row and has not committed when our statement comes.

Elixir's statements join the table with a sub-select of itself: after the wait only the id is checked again, and the
other's change is overwritten. What comes of it there is known; here nothing may get lost.
"""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bridge.engine import Ack

from .rig import AT, ERROR, UUID, blocked, changed_columns, fetch, put, row

START = "update oban_jobs set state = 'executing', attempt = attempt + 1, attempted_by = array['py', 'uuid']"
COMPLETE = "update oban_jobs set state = 'completed', completed_at = '2026-03-03'"
CANCEL = "update oban_jobs set state = 'cancelled', cancelled_at = '2026-03-03'"
RETRY = "update oban_jobs set state = 'available', scheduled_at = '2026-03-03'"
DELETE = "delete from oban_jobs"


@asynccontextmanager
async def another(installed):
    """A connection of somebody else, within a transaction that commits at the end of the block."""
    other = await asyncpg.connect(installed)
    async with other.transaction():
        yield other
    await other.close()


async def race(conn, installed, change, act):
    """Start `act` while `change` is done and not committed; return its result and the columns that it changed.

    Statements that don't wait have ended when the other one commits, the rest goes on then.
    """
    async with another(installed) as other:
        await other.execute(change)
        theirs = {job["id"]: await row(other, job["id"]) for job in await other.fetch("select id from oban_jobs")}
        acting = asyncio.create_task(act)
        waiting = asyncio.create_task(blocked(conn))
        await asyncio.wait([acting, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    found = await acting
    changes = {}
    for job_id, before in theirs.items():
        after = await row(conn, job_id)
        changes[job_id] = None if after is None else changed_columns(before, after)
    return found, changes


@pytest.mark.parametrize("change", [START, CANCEL], ids=["started", "cancelled"])
@pytest.mark.parametrize("state", ["scheduled", "retryable"])
async def test_stage_does_not_undo_what_another_node_did(engine, installed, conn, state, change):
    """Elixir: a job that runs is available again and runs twice, a cancelled one is resurrected."""
    job_id = await put(conn, state)

    (count, _), changes = await race(conn, installed, change, engine.stage([], allowed=True))

    assert count == 0
    assert changes == {job_id: {}}


async def test_cancel_does_not_reach_a_job_that_was_just_completed(engine, installed, conn, ear):
    """Elixir: the completed job becomes cancelled."""
    job_id = await put(conn, "executing")

    cancelled, changes = await race(conn, installed, COMPLETE, engine.cancel({"id": job_id}))

    assert cancelled == []
    assert changes == {job_id: {}}
    assert await ear.heard() == []


async def test_cancel_tells_the_owner_of_a_job_that_was_just_started(engine, installed, conn, ear):
    job_id = await put(conn, "available")

    cancelled, changes = await race(conn, installed, START, engine.cancel({"id": job_id}))

    assert cancelled == [job_id]
    assert changes[job_id].keys() == {"state", "cancelled_at"}
    assert await ear.heard() == [("signal", {"action": "pkill", "job_id": job_id})]


async def test_cancel_twice_counts_once(engine, installed, conn):
    job_id = await put(conn, "available")

    cancelled, changes = await race(conn, installed, CANCEL, engine.cancel({"id": job_id}))

    assert (cancelled, changes) == ([], {job_id: {}})


async def test_retry_does_not_reach_a_job_that_was_just_started(engine, installed, conn, ear):
    """Elixir: the running job is available again and runs twice."""
    job_id = await put(conn, "retryable")

    retried, changes = await race(conn, installed, START, engine.retry({"id": job_id}))

    assert retried == []
    assert changes == {job_id: {}}
    assert await ear.heard() == []


async def test_delete_does_not_reach_a_job_that_was_just_started(engine, installed, conn):
    """Elixir: the running job is deleted."""
    job_id = await put(conn, "available")

    deleted, changes = await race(conn, installed, START, engine.delete({"id": job_id}))

    assert deleted == []
    assert changes == {job_id: {}}


@pytest.mark.parametrize("act", ["cancel", "retry", "delete"])
async def test_what_no_longer_matches_the_filter_is_left_alone(engine, installed, conn, act):
    """The whole filter is checked again after the wait, not the id alone."""
    job_id = await put(conn, "scheduled", queue="alpha")
    moved = "update oban_jobs set queue = 'beta'"

    found, changes = await race(conn, installed, moved, getattr(engine, act)({"queue": "alpha"}))

    assert (found, changes) == ([], {job_id: {}})


@pytest.mark.parametrize("act", ["cancel", "retry", "delete"])
async def test_a_job_that_was_just_deleted_is_left_out(engine, installed, conn, act):
    await put(conn, "scheduled")

    found, changes = await race(conn, installed, DELETE, getattr(engine, act)({"queue": "alpha"}))

    assert (found, changes) == ([], {})


@pytest.mark.parametrize(
    "change",
    [
        CANCEL,
        RETRY,
        "update oban_jobs set attempt = attempt + 1",
        "update oban_jobs set attempted_by = array['ex', 'uuid']",
    ],
    ids=["cancelled", "retried", "fetched again", "rescued by another"],
)
async def test_an_ack_does_not_overwrite_what_another_node_did(engine, installed, conn, change):
    """Elixir: acks are by id only, and the newer attempt's row is overwritten."""
    job_id = await put(conn, "executing")

    written, changes = await race(conn, installed, change, engine.ack(UUID, [Ack(job_id, 1, "completed", AT)]))

    assert (written, changes) == (set(), {job_id: {}})


async def test_a_failure_ack_does_not_overwrite_a_cancellation(engine, installed, conn):
    job_id = await put(conn, "executing")
    failed = Ack(job_id, 1, "retryable", AT, scheduled_at=AT, error=ERROR)

    written, changes = await race(conn, installed, CANCEL, engine.ack(UUID, [failed]))
    assert (written, changes) == (set(), {job_id: {}})
    assert await engine.put_off(UUID, [failed]) == {(job_id, 1)}

    cancelled = await row(conn, job_id)
    assert await engine.ack(UUID, [failed]) == {(job_id, 1)}
    assert changed_columns(cancelled, await row(conn, job_id)).keys() == {"errors"}


async def test_release_does_not_overwrite_a_cancellation(engine, installed, conn):
    job_id = await put(conn, "executing")

    states, changes = await race(conn, installed, CANCEL, engine.release(UUID, [(job_id, 1)]))

    assert (states, changes) == ({}, {job_id: {}})


async def test_update_leaves_out_what_another_node_holds(engine, installed, conn):
    held, free = await put(conn, "scheduled"), await put(conn, "scheduled")

    jobs, changes = await race(
        conn,
        installed,
        f"{START} where id = {held}",
        engine.update({"id": [held, free]}, {"priority": 9}),
    )

    assert [job.id for job in jobs] == [free]
    assert changes == {held: {}, free: {"priority": 9}}


async def test_fetch_and_cancel_at_the_same_time_agree(engine, conn, ear):
    """Whoever comes first: the job is cancelled, and if it runs its owner was told."""
    for _ in range(20):
        job_id = await put(conn, "available")
        await ear.heard()

        jobs, cancelled = await asyncio.gather(fetch(engine), engine.cancel({"id": job_id}))

        assert cancelled == [job_id]
        assert (await row(conn, job_id))["state"] == "cancelled"
        assert (await ear.heard() != []) is bool(jobs)
