"""Unique jobs are found, kept and replaced by any library's connection."""

import pytest
from engine.rig import row

from bridge.jobs import Job

from .kinds import settled
from .test_conversions import ODD


def unique(n, **options):
    return Job("W", args={"n": n, "odd": "%s $1 ? é"}, unique=True, **options)


async def test_a_unique_job_is_inserted_once(engine, held, conn, ear):
    first = await engine.insert(unique(1), held.conn)
    second = await engine.insert(unique(1), held.conn)
    many = await engine.insert_many([unique(2), unique(1), unique(2), Job("V")], held.conn)
    await settled(held.commit())

    assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
    assert second.args == first.args
    assert [job.conflict for job in many] == [False, True, True, False]
    assert [job.id for job in many][1:3] == [first.id, many[0].id]
    assert await conn.fetchval("select count(*) from oban_jobs") == 3
    assert await ear.queues() == ["default"]


async def test_a_unique_job_replaces_what_it_says(engine, held, conn):
    first = await engine.insert(unique(1, schedule_in=60), held.conn)
    await engine.insert(unique(1, priority=3, replace=["priority"]), held.conn)
    await settled(held.commit())

    assert (await row(conn, first.id))["priority"] == 3


async def test_a_rollback_makes_room_again(engine, held, conn):
    await engine.insert(unique(1), held.conn)
    await settled(held.rollback())

    assert not (await engine.insert(unique(1))).conflict


async def test_in_autocommit_no_lock_is_left(engine, autocommitted, conn):
    await engine.insert(unique(1), autocommitted.conn)
    await engine.insert_many([unique(1), unique(2)], autocommitted.conn)

    assert (await engine.insert(unique(2))).conflict
    held = """
        select count(*)
        from pg_locks
        where locktype = 'advisory'
          and database = (select oid from pg_database where datname = current_database())
    """
    assert await conn.fetchval(held) == 0


@pytest.mark.parametrize("kind", ODD)
async def test_settings_of_the_application_change_nothing(engine, installed, conn, kind):
    async with ODD[kind](installed) as odd:
        first = await engine.insert(unique(1), odd)
        [second] = await engine.insert_many([unique(1)], odd)
        if hasattr(odd, "commit"):
            await settled(odd.commit())
    assert (second.conflict, second.id, second.args) == (True, first.id, first.args)
    assert await conn.fetchval("select count(*) from oban_jobs") == 1
