"""Unique jobs in transactions: who inserts the same waits, and nobody else."""

import asyncio

import pytest

from .rig import PATIENCE, blocked
from .unique_jobs import count, make


async def test_it_is_inserted_in_the_callers_transaction(engine, conn, ear):
    transaction = conn.transaction()
    await transaction.start()
    first = await engine.insert(make(), conn)
    second = await engine.insert(make(), conn)
    assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
    await transaction.rollback()

    assert await count(conn) == 0
    assert await ear.heard() == []
    assert not (await engine.insert(make())).conflict


@pytest.mark.parametrize("batch", [1, 250], ids=["alone", "in a batch"])
async def test_the_second_of_two_waits_and_finds_the_first(engine, conn, batch):
    jobs = [make({"id": n}) for n in range(batch)]
    async with conn.transaction():
        await engine.insert(make({"id": 0}), conn)
        waiting = asyncio.create_task(engine.insert_many(jobs))
        async with engine_on_same(engine) as watching:
            await blocked(watching)
        assert not waiting.done()

    stored = await waiting

    assert stored[0].conflict
    assert await count(conn) == batch


async def test_what_is_compared_as_the_same_waits_though_it_is_written_otherwise(engine, conn):
    async with conn.transaction():
        await engine.insert(make({"ids": [1, {"a": 2}], "n": 1}), conn)
        waiting = asyncio.create_task(engine.insert(make({"n": 1.0, "ids": [{"a": 2.0}, {}, 1, 1]})))
        async with engine_on_same(engine) as watching:
            await blocked(watching)

    assert (await waiting).conflict


async def test_another_job_does_not_wait(engine, conn):
    async with conn.transaction():
        await engine.insert(make({"id": 1}), conn)

        stored = await asyncio.wait_for(engine.insert(make({"id": 2})), PATIENCE)

    assert not stored.conflict


async def test_a_large_batch_takes_few_locks(engine, conn):
    """PostgreSQL has room for some thousands, for all connections together."""
    async with conn.transaction():
        await engine.insert_many([make({"id": n}) for n in range(2_000)], conn)
        held = await conn.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        )

    assert held == 1


def engine_on_same(engine):
    return engine._connections.pool.acquire()
