"""Unique jobs: what the caller gets where one is there already, and what is announced."""

import asyncpg
import pytest

from bridge.errors import InvalidJob
from bridge.jobs import Unique

from .rig import ALL, NODE, engine_on
from .rig import make as make_tables
from .unique_jobs import ONCE, count, make

# What the caller gets


async def test_a_conflict_is_the_stored_job(engine, conn):
    first = await engine.insert(make(priority=3, meta={"kept": True}))
    await conn.execute("update oban_jobs set state = 'executing', attempt = 1")
    given = make(priority=5)

    job = await engine.insert(given)

    assert (job.id, job.state, job.conflict, job.priority, job.attempt) == (first.id, "executing", True, 3, 1)
    assert (job.args, job.meta) == ({"id": 1}, {"kept": True})
    assert (first.conflict, given.conflict, given.id) == (False, False, None)


async def test_a_conflict_that_is_inserted_again_is_a_new_job(engine):
    await engine.insert(make())
    conflict = await engine.insert(make())

    job = await engine.insert(conflict)

    assert (conflict.conflict, job.conflict, job.id != conflict.id) == (True, False, True)


async def test_a_job_that_was_deleted_meanwhile_is_inserted_again(engine, conn):
    await engine.insert(make())
    await conn.execute("delete from oban_jobs")

    assert (await engine.insert(make())).conflict is False


async def test_without_unique_nothing_is_compared(engine, conn):
    await engine.insert(make())

    assert not (await engine.insert(make(unique=None))).conflict
    assert await count(conn) == 2


async def test_a_rule_that_was_set_on_the_job_counts_and_a_wrong_one_is_refused(engine, conn):
    await engine.insert(make())
    job = make(unique=None)
    job.unique = {"keys": ["id"]}

    assert (await engine.insert(job)).conflict
    job.unique = {"key": ["id"]}
    with pytest.raises(InvalidJob, match="did you mean 'keys'"):
        await engine.insert(job)


async def test_the_period_ends(engine, conn):
    job = make(unique={"period": 60})
    await engine.insert(job)
    await conn.execute("update oban_jobs set inserted_at = inserted_at - interval '30 seconds'")
    assert (await engine.insert(job.again())).conflict
    await conn.execute("update oban_jobs set inserted_at = inserted_at - interval '31 seconds'")

    assert not (await engine.insert(job.again())).conflict


@pytest.mark.parametrize("kind", ALL)
async def test_on_every_database_of_obans(database, kind):
    """Those before V14 are never asked for `suspended`, which they don't know."""
    conn = await asyncpg.connect(database)
    await make_tables(conn, kind)
    await conn.execute("delete from oban_jobs")
    async with engine_on(database) as engine:
        first = await engine.insert(make(replace=["priority"]))
        again = await engine.insert(make(replace=["priority"], priority=2))
        batch = await engine.insert_many([make({"id": n % 30}) for n in range(60)])

        assert (again.id, again.conflict, again.priority) == (first.id, True, 2)
        assert [job.conflict for job in batch] == [n == 1 or n >= 30 for n in range(60)]
        assert (await engine.insert(make(unique={**ONCE, "states": ["suspended"]}))).conflict is False
    await conn.close()


async def test_a_rule_object_and_a_dict_are_the_same(engine):
    await engine.insert(make(unique=Unique(keys=["id"])))

    assert (await engine.insert(make(unique={"keys": ["id"]}))).conflict


async def test_a_conflict_is_run_once(engine, conn):
    await engine.insert_many([make(), make(), make()])

    assert len(await engine.fetch("alpha", 10, NODE, "6f2f9f0c-5d1e-4d0a-9a55-0d6c6b1c3a02", None)) == 1


# Announcing


async def test_a_conflict_is_announced_where_the_stored_job_is_available(engine, conn, ear):
    """Oban 2.23 does so."""
    await engine.insert(make())
    await engine.insert(make())
    assert await ear.queues() == ["alpha", "alpha"]
    await conn.execute("update oban_jobs set state = 'executing'")

    await engine.insert(make())

    assert await ear.queues() == []


async def test_a_batch_announces_each_queue_once(engine, ear):
    await engine.insert_many([make(), make(), make(queue="beta"), make({"id": 2})])

    assert sorted(await ear.queues()) == ["alpha", "beta"]
