"""An instance within one open transaction, on every library's connection."""

import asyncio

import asyncpg
import psycopg
import pytest
import sqlalchemy
from queues.rig import returning
from sqlalchemy.ext.asyncio import create_async_engine

from bridge import Job, Oban
from bridge.errors import InvalidSetting
from bridge.testing import ANY, assert_enqueued, drain_queue, sandbox


async def count(dsn):
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval("select count(*) from oban_jobs")
    finally:
        await conn.close()


async def use(pool, registry, made):
    """Do what a test does, and tell how many jobs there are inside."""
    async with Oban(pool=pool, registry=registry, testing="manual") as oban:
        job = await oban.enqueue(made.new({"id": 1}, tags=["a"], meta={"k": None}))
        await oban.enqueue_many([made.new({"id": 2}), made.new({"id": 3}, schedule_in=60)])
        await assert_enqueued(worker=made, args={"id": ANY}, tags=["a"])
        assert (await oban.get_job(job.id)).args == {"id": 1}
        assert await drain_queue(queue="default", with_scheduled=True) == {
            "cancelled": 0, "discard": 0, "failure": 1, "snoozed": 0, "success": 2,
        }  # fmt: skip
        await oban.update_job(job, {"meta": {"more": 1}})
        await oban.retry_jobs(state="retryable")
        await oban.cancel_jobs(state="available")
        await oban.delete_jobs(state="cancelled")
        return await oban.count_jobs()


@pytest.fixture
def made(worker):
    def process(job):
        if job.args["id"] == 2:
            raise LookupError("gone")

    return worker(process)


async def test_all_that_an_instance_does_is_gone_after_the_block(installed, registry, made):
    async with sandbox(installed) as pool:
        assert await use(pool, registry, made) == {"completed": 2}
        assert await count(installed) == 0
        assert await pool.conn.fetchval("select count(*) from oban_jobs") == 2
    assert pool.conn.is_closed()
    assert await count(installed) == 0


async def test_a_transaction_of_the_tests_own_is_left_as_it_was(installed, registry, made, conn):
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("create table notes (text text)")
    async with sandbox(conn) as pool:
        await conn.execute("insert into notes values ('inside')")
        await use(pool, registry, made)
    assert await conn.fetchval("select count(*) from oban_jobs") == 0
    assert await conn.fetchval("select count(*) from notes") == 0
    await transaction.rollback()


async def test_a_connection_without_a_transaction_gets_one(installed, registry, made, conn):
    async with sandbox(conn) as pool:
        await use(pool, registry, made)
        assert conn.is_in_transaction()
    assert not conn.is_in_transaction()
    assert await count(installed) == 0


async def test_it_is_rolled_back_where_the_test_fails(installed, registry, made):
    async def fail():
        async with sandbox(installed) as pool, Oban(pool=pool, registry=registry, testing="manual") as oban:
            await oban.enqueue(made.new({"id": 1}))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await count(installed) == 0


async def test_psycopg(installed, registry, made):
    async with await psycopg.AsyncConnection.connect(installed) as conn:
        async with sandbox(conn) as pool:
            assert await use(pool, registry, made) == {"completed": 2}
        await conn.commit()
    assert await count(installed) == 0


async def test_blocking_psycopg(installed, registry, made):
    with psycopg.connect(installed) as conn:
        async with sandbox(conn) as pool:
            assert await use(pool, registry, made) == {"completed": 2}
        conn.commit()
    assert await count(installed) == 0


async def test_sqlalchemy(installed, registry, made):
    engine = create_async_engine(sqlalchemy.make_url(installed).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as conn, sandbox(conn) as pool:
        assert await use(pool, registry, made) == {"completed": 2}
    await engine.dispose()
    assert await count(installed) == 0


async def test_a_statement_that_fails_leaves_the_transaction_usable(manual, pool, worker):
    made = worker(returning(1))
    await manual.enqueue(made.new())
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.fetch("select from nowhere")
    async with pool.acquire() as conn:
        assert conn is pool.conn
    assert (await manual.drain_queue("default"))["success"] == 1


async def test_an_insert_that_fails_leaves_nothing_of_itself(manual, pool):
    await pool.conn.execute("alter table oban_jobs add constraint no_mail check (queue <> 'mail')")
    with pytest.raises(asyncpg.CheckViolationError):
        await manual.enqueue_many([Job("W"), Job("W", queue="mail")])
    assert await manual.count_jobs() == {}
    await manual.enqueue(Job("W"))
    assert await manual.count_jobs() == {"available": 1}


async def test_tasks_take_turns_on_the_connection(manual, worker):
    made = worker(returning(1))
    await asyncio.gather(*(manual.enqueue_many([made.new(), made.new()]) for _ in range(10)))
    assert await manual.count_jobs() == {"available": 20}


async def test_jobs_are_made_from_what_other_inserts_did_meanwhile(manual, worker):
    made = worker(returning(1))

    async def stream():
        for n in range(3):
            inner = await manual.enqueue(made.new())
            yield made.new({"after": inner.id, "n": n})

    assert len(await manual.enqueue_many(stream())) == 3
    assert await manual.count_jobs() == {"available": 6}


async def test_the_pool_is_lent_by_await_too(pool):
    conn = await pool.acquire()
    waiting = asyncio.create_task(pool.fetch("select 1"))
    await asyncio.sleep(0)
    assert not waiting.done()
    await pool.release(conn)
    assert (await waiting)[0][0] == 1


async def test_workers_enqueue_on_the_connection_of_the_test(manual, worker, conn, pool):
    made = worker(returning(1), "Second")

    async def process(_job):
        await manual.enqueue(made.new())
        await manual.enqueue(made.new(), conn=pool.conn)

    await manual.enqueue(worker(process, "First").new())
    counts = await manual.drain_queue("default", with_recursion=True)
    assert counts["success"] == 3
    assert await conn.fetchval("select count(*) from oban_jobs") == 0


async def test_unique_jobs_meet_those_of_their_own_test_and_wait_for_no_other(installed, registry, worker):
    made = worker(returning(1))
    async with sandbox(installed) as mine, sandbox(installed) as theirs:
        for pool in (mine, theirs):
            async with asyncio.timeout(60), Oban(pool=pool, registry=registry, testing="manual") as oban:
                first = await oban.enqueue(made.new({"id": 1}, unique=True))
                second = await oban.enqueue(made.new({"id": 1}, unique=True))
                assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
                assert await oban.count_jobs() == {"available": 1}


@pytest.mark.parametrize("what", [None, object()])
async def test_what_is_no_connection_is_refused(what):
    with pytest.raises(InvalidSetting, match="conn"):
        async with sandbox(what):
            pass
