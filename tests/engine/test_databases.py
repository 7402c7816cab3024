"""The whole life of jobs on every database that a release of Oban, for either language, has left behind."""

import json

import asyncpg
import pytest

from bridge.engine import Ack
from bridge.errors import InvalidJob
from bridge.jobs import Job
from bridge.jobs.checks import MAX_ATTEMPTS

from .rig import ALL, AT, ERROR, LATER, OBAN_PY, UUID, Ear, ack, engine_on, fetch, make

ENTRY = json.loads(ERROR)


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture(params=ALL)
async def kind(request, conn):
    """A database of each kind, without the jobs that its builder left there."""
    await make(conn, request.param)
    await conn.execute("delete from oban_jobs")
    return request.param


@pytest.fixture
async def engine(kind, database):
    async with engine_on(database) as found:
        yield found


@pytest.fixture
async def ear(kind, database):
    async with Ear.on(database) as found:
        yield found


async def state_of(engine, job):
    return (await engine.get(job.id)).state


async def test_a_job_is_inserted_with_all_that_it_has_and_announced_once(engine, ear):
    one = Job("W", queue="alpha", args={"é": [1.5, None]}, meta={"m": 1}, tags=["b", "a"], priority=3, max_attempts=9)
    many = [Job("W", queue="beta", tags=["x", "y", "z"][:n], args={"n": n}) for n in range(3)]

    await engine.insert(one)
    await engine.insert_many(many)

    assert sorted(await ear.queues()) == ["alpha", "beta"]
    found = await engine.get(one.id)
    assert (found.args, found.meta, found.tags) == ({"é": [1.5, None]}, {"m": 1}, ["b", "a"])
    assert (found.priority, found.max_attempts, found.attempt) == (3, 9, 0)
    assert (found.state, found.errors, found.attempted_by) == ("available", [], [])
    assert found.inserted_at == found.scheduled_at == one.inserted_at
    assert [job.args["n"] for job in await engine.select({"queue": "beta"}, 10)] == [2, 1, 0]
    assert [job.tags for job in await engine.select({"tags": ["x"]}, 10)] == [["x"]]


async def test_a_scheduled_job_is_staged_run_and_retried_until_it_completes(engine):
    job = await engine.insert(Job("W", queue="alpha", schedule_in=-1, max_attempts=2))

    assert await engine.stage(["alpha"], allowed=True) == (1, {"alpha"})
    [first] = await fetch(engine)
    failed = ack(first, "retryable", scheduled_at=AT, error=ERROR)
    assert await engine.ack(UUID, [failed]) == {(job.id, 1)}
    assert (await engine.get(job.id)).errors == [ENTRY]

    assert await engine.stage(["alpha"], allowed=True) == (1, {"alpha"})
    [second] = await fetch(engine, workers=["W"])
    assert (second.attempt, second.errors) == (2, [ENTRY])
    assert await engine.ack(UUID, [ack(second, "completed")]) == {(job.id, 2)}
    assert await state_of(engine, job) == "completed"


async def test_every_outcome_is_written(engine):
    jobs = await engine.insert_many(Job("W", queue="alpha", meta={"kept": n}) for n in range(6))
    await fetch(engine)
    one, two, three, four, five, six = (job.id for job in jobs)

    outcomes = [
        Ack(one, 1, "completed", AT),
        Ack(two, 1, "completed", AT, meta='{"recorded": true}'),
        Ack(three, 1, "retryable", AT, scheduled_at=LATER, error=ERROR),
        Ack(four, 1, "discarded", AT, error=ERROR),
        Ack(five, 1, "cancelled", AT, error=ERROR),
        Ack(six, 1, "scheduled", AT, scheduled_at=LATER),
    ]
    written = await engine.ack(UUID, outcomes)

    assert written == {(job.id, 1) for job in jobs} == await engine.ack(UUID, outcomes)
    found = {job.id: job for job in await engine.select({}, 10)}
    assert [found[job.id].state for job in jobs] == [outcome.state for outcome in outcomes]
    assert [len(found[job.id].errors) for job in jobs] == [0, 0, 1, 1, 1, 0]
    assert found[two].meta == {"kept": 1, "recorded": True}
    assert found[six].max_attempts == 21


async def test_jobs_are_managed(engine, ear):
    job = await engine.insert(Job("W", queue="alpha", tags=["old"]))
    [running] = await fetch(engine)
    await ear.heard()

    assert await engine.cancel({"state": ["executing", "suspended"]}) == [job.id]
    assert await ear.heard() == [("signal", {"action": "pkill", "job_id": job.id})]
    assert await engine.ack(UUID, [ack(running, "cancelled", error=ERROR)]) == {(job.id, 1)}
    assert (await engine.get(job.id)).errors == [ENTRY]
    assert await engine.retry({"state": "cancelled"}) == [job.id]
    assert await ear.queues() == ["alpha"]

    changes = {"args": {"b": 1}, "meta": {"m": 2}, "priority": 1, "tags": ["new"], "queue": "beta", "max_attempts": 5}
    [changed] = await engine.update({"id": job.id}, {**changes, "worker": "V"})
    assert {column: getattr(changed, column) for column in changes} == changes
    assert (changed.worker, changed.state, changed.errors) == ("V", "available", [ENTRY])

    rows = await engine.count({"queue": "beta"}, ["state"])
    assert [tuple(row) for row in rows] == [("available", 1)]
    assert await engine.delete({"worker": "V"}) == [job.id]
    assert await engine.get(job.id) is None


async def test_a_job_is_handed_back(engine):
    job = await engine.insert(Job("W", queue="alpha"))
    last = await engine.insert(Job("W", queue="alpha", max_attempts=1))
    await fetch(engine)

    assert await engine.release(UUID, [(job.id, 1), (last.id, 1)]) == {job.id: "available", last.id: "discarded"}


async def test_a_suspended_job_where_there_is_such_a_state(engine):
    if engine.catalog.has_suspended:
        job = await engine.insert(Job("W", queue="alpha", state="suspended"))
        assert await engine.cancel({"state": "suspended"}) == [job.id]
    else:
        with pytest.raises(InvalidJob, match="state: expected a state that this database has, got 'suspended'"):
            await engine.insert(Job("W", state="suspended"))
    assert await engine.select({"state": "suspended"}, 10) == []


async def test_the_limits_of_its_columns(engine):
    catalog = engine.catalog
    long_tag = "t" * (catalog.max_tag_length or 1_000)
    most = min(catalog.max_attempts_limit, MAX_ATTEMPTS)

    job = await engine.insert(Job("W", priority=catalog.max_priority, max_attempts=most, tags=[long_tag]))

    [found] = await engine.update({"id": job.id}, {"priority": 0, "tags": [long_tag, "a"], "max_attempts": 1})
    assert found.tags == [long_tag, "a"]
    for option in ({"priority": catalog.max_priority + 1}, {"max_attempts": most + 1}):
        with pytest.raises(InvalidJob):
            await engine.insert(Job("W", **option))


async def test_a_snooze_of_a_job_with_all_attempts_that_the_column_holds(engine):
    job = await engine.insert(Job("W", queue="alpha"))
    limit = engine.catalog.max_attempts_limit
    # Another program's: Bridge leaves room for the snoozes of Elixir.
    await engine._connections.fetch("update oban_jobs set max_attempts = $1", limit)
    [running] = await fetch(engine)

    assert await engine.ack(UUID, [ack(running, "scheduled", scheduled_at=LATER)]) == {(job.id, 1)}
    assert (await engine.get(job.id)).max_attempts == limit


async def test_who_leads(engine, kind):
    """Where there is no table of leases nobody can tell, and an older Elixir node may lead."""
    in_doubt = not engine.catalog.has_peers and engine.catalog.origin != "oban-py"
    assert await engine.elixir_leads() is in_doubt
    assert await engine.live_peers() == []
    assert engine.catalog.has_peers is not (kind in (OBAN_PY, "V9", "V10", "V10 grown by 2.10.1"))


async def test_a_row_of_defaults_is_readable(engine, conn):
    """As little as an insert by hand must give."""
    await conn.execute("insert into oban_jobs (queue, worker, args) values ('alpha', 'W', '{}')")

    [job] = await fetch(engine)

    assert (job.args, job.meta, job.tags, job.errors, job.attempt) == ({}, {}, [], [], 1)
    assert await engine.ack(UUID, [ack(job, "completed")]) == {(job.id, 1)}


@pytest.mark.parametrize("kind", ["V9"], indirect=True)
async def test_a_row_without_priority(engine, conn):
    await conn.execute("insert into oban_jobs (queue, worker, args, priority) values ('alpha', 'W', '{}', null)")
    await engine.insert(Job("First", queue="alpha", priority=9))

    assert [job.worker for job in await fetch(engine, 1)] == ["First"]
    assert [(job.worker, job.priority) for job in await fetch(engine, 1)] == [("W", 0)]
