"""Jobs belong to the transaction of the connection that they are inserted by, whatever library it is of."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from engine.rig import row

from bridge.engine import inserts
from bridge.engine.schema import inspect
from bridge.jobs import Job

from .kinds import KINDS, entered, settled

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
ODD = 'a "quoted" \\ one, {with} %s %% $1 ? @> null \' é 漢 🎉 \n'


async def count(conn):
    return await conn.fetchval("select count(*) from oban_jobs")


def many(*queues):
    return (Job("W", queue=queue) for queue in queues)


async def test_a_commit_makes_jobs_seen_and_announced(engine, held, conn, ear):
    one = await engine.insert(Job("W", queue="alpha"), held.conn)
    more = await engine.insert_many(many("beta", "gamma", "beta"), held.conn)

    assert await count(conn) == 0
    assert await ear.queues() == []

    await settled(held.commit())

    assert await conn.fetch("select id, queue from oban_jobs order by id") == [
        (job.id, job.queue) for job in (one, *more)
    ]
    assert sorted(await ear.queues()) == ["alpha", "beta", "gamma"]


async def test_a_rollback_leaves_nothing(engine, held, conn, ear):
    await engine.insert_many(many("alpha", "beta"), held.conn)
    await engine.insert(Job("W", queue="alpha"), held.conn)

    await settled(held.rollback())

    assert await count(conn) == 0
    assert await ear.queues() == []


async def test_a_savepoint_of_the_caller_takes_its_jobs_with_it(engine, held, conn, ear):
    kept = await engine.insert(Job("W", queue="kept"), held.conn)
    with suppress(ZeroDivisionError):
        async with entered(held.nested()):
            await engine.insert(Job("W", queue="lost"), held.conn)
            await engine.insert_many(many("lost", "lost"), held.conn)
            raise ZeroDivisionError
    async with entered(held.nested()):
        [nested] = await engine.insert_many(many("nested"), held.conn)
    await settled(held.commit())

    assert [found["id"] for found in await conn.fetch("select id from oban_jobs order by id")] == [kept.id, nested.id]
    assert sorted(await ear.queues()) == ["kept", "nested"]


async def refuse_low_priorities(conn):
    await conn.execute("alter table oban_jobs add constraint test_priority check (priority < 5)")


async def accept_low_priorities(conn):
    await conn.execute("alter table oban_jobs drop constraint test_priority")


@pytest.fixture
async def choosy(conn):
    """The table refuses jobs whose priority is 5 or more."""
    await refuse_low_priorities(conn)
    yield
    await accept_low_priorities(conn)


@pytest.mark.usefixtures("choosy")
async def test_an_error_in_bulk_leaves_the_callers_transaction_alive(engine, held, conn, ear, monkeypatch):
    monkeypatch.setattr(inserts, "CHUNK", 2)
    kept = await engine.insert(Job("W", queue="kept"), held.conn)
    with pytest.raises(Exception, match="test_priority"):
        await engine.insert_many([Job("W", priority=n) for n in (0, 0, 7)], held.conn)
    more = await engine.insert(Job("W", queue="more"), held.conn)
    await settled(held.commit())

    assert [found["id"] for found in await conn.fetch("select id from oban_jobs order by id")] == [kept.id, more.id]
    assert sorted(await ear.queues()) == ["kept", "more"]


async def test_an_error_of_the_caller_in_bulk_leaves_its_transaction_alive(engine, held, conn, monkeypatch):
    def failing():
        yield from many("a", "b")
        raise ZeroDivisionError

    monkeypatch.setattr(inserts, "CHUNK", 1)
    with pytest.raises(ZeroDivisionError):
        await engine.insert_many(failing(), held.conn)
    kept = await engine.insert(Job("W"), held.conn)
    await settled(held.commit())

    assert [found["id"] for found in await conn.fetch("select id from oban_jobs")] == [kept.id]


async def test_in_autocommit_jobs_are_seen_at_once(engine, autocommitted, conn, ear):
    await engine.insert(Job("W", queue="alpha"), autocommitted.conn)
    assert await count(conn) == 1
    await engine.insert_many(many("beta", "gamma"), autocommitted.conn)
    assert await count(conn) == 3
    assert sorted(await ear.queues()) == ["alpha", "beta", "gamma"]


@pytest.mark.usefixtures("choosy")
async def test_in_autocommit_jobs_in_bulk_are_inserted_all_or_none(engine, autocommitted, conn, ear, monkeypatch):
    monkeypatch.setattr(inserts, "CHUNK", 2)
    with pytest.raises(Exception, match="test_priority"):
        await engine.insert_many([Job("W", priority=n) for n in (0, 0, 7)], autocommitted.conn)
    assert await count(conn) == 0
    assert await ear.queues() == []
    await engine.insert_many(many("alpha"), autocommitted.conn)
    assert await count(conn) == 1


def odd_job():
    return Job(
        "W",
        queue="größe, %s $1",
        args={ODD: [ODD, None, 1.5, 10**30, {}]},
        meta={"m": ODD},
        tags=[ODD, "null", "", "{}", "a,b", 'c"d'],
        max_attempts=7,
        priority=9,
        scheduled_at=AT,
    )


@pytest.mark.usefixtures("choosy")
async def test_a_transaction_of_asyncpg_that_was_begun_by_a_statement(engine, installed, conn):
    own = await asyncpg.connect(installed)
    try:
        await own.execute("begin")
        await engine.insert_many(many("alpha", "beta"), own)
        with pytest.raises(asyncpg.CheckViolationError):
            await engine.insert_many([Job("W"), Job("W", priority=7)], own)
        await engine.insert(Job("W", unique=True), own)
        assert await count(conn) == 0
        await own.execute("commit")
    finally:
        await own.close()
    assert await count(conn) == 3


async def test_rows_are_those_that_asyncpg_writes(engine, held, conn):
    expected = await row(conn, (await engine.insert(odd_job())).id)
    one = await engine.insert(odd_job(), held.conn)
    plain, odd = await engine.insert_many([Job("W"), odd_job()], held.conn)
    await settled(held.commit())

    for job in (one, odd):
        found = await row(conn, job.id)
        assert found | {"id": 0, "inserted_at": 0} == expected | {"id": 0, "inserted_at": 0}
        assert found["inserted_at"] == job.inserted_at.replace(tzinfo=None)
        assert job.scheduled_at == AT
    found = await row(conn, plain.id)
    assert (found["tags"], found["state"]) == ([], "available")
    assert abs(plain.scheduled_at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_catalog_is_read_by_any_library(held, conn):
    expected = await inspect(conn)

    assert await inspect(held.conn) == expected
    assert (await inspect(held.conn, 'no "such" %s $1')).schema_exists is False


@pytest.mark.parametrize("kind", ["asyncpg", "psycopg, async"])
async def test_one_that_is_cancelled_leaves_no_transaction_open(engine, installed, conn, kind):
    async with KINDS[kind](installed, autocommit=True) as held:
        for steps in range(6):
            task = asyncio.create_task(engine.insert(Job("W", unique=True, args={"n": steps}), held.conn))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await engine.insert(Job("After"), held.conn)
            assert await conn.fetchval("select count(*) from oban_jobs where worker = 'After'") == steps + 1
