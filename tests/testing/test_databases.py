"""The databases and schemas of a run, and what is left of runs that were killed."""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from databases import SERVER, dsn_of

from bridge import Job, Oban
from bridge.errors import SchemaError
from bridge.testing.databases import Databases

HANGING = """
import sys, time
from bridge.testing.databases import Databases
with Databases(sys.argv[1]) as databases:
    print(databases.create(), databases.create_schema(), flush=True)
    time.sleep(600)
"""

LOCKS = """
select count(*)
from pg_locks
where locktype = 'advisory'
  and database = (select oid from pg_database where datname = current_database())
"""


async def names(dsn):
    """The databases and schemas of all runs."""
    conn = await asyncpg.connect(dsn)
    try:
        rows = await conn.fetch("select datname from pg_database union all select nspname from pg_namespace")
        return {row[0] for row in rows if row[0].startswith("bridge_test_")}
    finally:
        await conn.close()


async def enqueue(dsn, **options):
    async with Oban(dsn=dsn, name=f"test-{dsn}", **options) as oban:
        await oban.enqueue(Job("W"))
        return await oban.count_jobs()


def name_of(dsn):
    return dsn.partition("?")[0].rpartition("/")[2]


async def test_each_database_is_fresh_and_dropped_by_itself(database):
    with Databases(database) as databases:
        first, second = databases.create(), databases.create()
        assert await enqueue(first) == {"available": 1}
        assert await enqueue(second) == {"available": 1}
        kept = await asyncpg.connect(first)  # whoever is connected still
        databases.drop(first)
        assert name_of(first) not in await names(database)
        assert name_of(second) in await names(database)
        kept.terminate()


async def test_each_schema_is_fresh_and_dropped_by_itself(database):
    with Databases(database) as databases:
        first, second = databases.create_schema(), databases.create_schema()
        assert await enqueue(database, prefix=first) == {"available": 1}
        assert await enqueue(database, prefix=second) == {"available": 1}
        databases.drop_schema(first)
        assert {first, second} & await names(database) == {second}


async def test_the_shared_database_is_made_once(database):
    with Databases(database) as databases:
        assert databases.shared() == databases.shared()
        assert await enqueue(databases.shared()) == {"available": 1}


async def test_all_of_a_run_is_gone_at_its_end(database):
    with Databases(database) as databases:
        made = {name_of(databases.create()), databases.create_schema(), name_of(databases.shared())}
        made.add(f"{databases._base}template")
        assert made <= await names(database)
    assert not made & await names(database)


async def test_what_a_killed_run_left_is_dropped_by_the_next(database):
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", HANGING, database, stdout=subprocess.PIPE)
    dsn, schema = (await running.stdout.readline()).decode().split()
    left = {name_of(dsn), schema}
    with Databases(database):
        assert left <= await names(database), "a run that lives keeps its own"
    running.kill()
    await running.wait()
    conn = await asyncpg.connect(database)
    while await conn.fetchval(LOCKS):  # noqa: ASYNC110 - a lock that is gone sets no Event
        await asyncio.sleep(0.01)
    await conn.close()

    with Databases(database):
        assert not left & await names(database)


async def test_runs_on_other_databases_of_the_server_are_left_alone(database, installed):
    conn = await asyncpg.connect(os.environ[SERVER])
    other = f"{name_of(database)}_other"
    await conn.execute(f'create database "{other}"')
    with Databases(dsn_of(other)) as theirs:
        dsn = theirs.create()
        with Databases(database):
            assert name_of(dsn) in await names(database)
    await conn.execute(f'drop database "{other}"')
    await conn.close()


async def test_runs_side_by_side_do_not_meet(database):
    def run(_nth):
        with Databases(database) as databases:
            return [databases.create() for _ in range(3)]

    with ThreadPoolExecutor(4) as threads:
        made = [dsn for dsns in threads.map(run, range(4)) for dsn in dsns]
    assert len(set(made)) == 12


async def test_the_prefix_is_that_of_the_tables(database):
    with Databases(database, 'od"d') as databases:
        assert await enqueue(databases.create(), prefix='od"d') == {"available": 1}


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_the_applications_tables_are_in_every_database(database, asynchronous):
    async def prepare(dsn):
        conn = await asyncpg.connect(dsn)
        await conn.execute("create table notes (text text)")
        await conn.close()

    with Databases(database, prepare=prepare if asynchronous else lambda dsn: asyncio.run(prepare(dsn))) as databases:
        made = await asyncio.to_thread(databases.create)
        conn = await asyncpg.connect(made)
        assert await conn.fetchval("select count(*) from notes") == 0
        await conn.close()


async def test_connections_that_stay_open_to_the_template_are_told_of(database):
    kept = []

    async def prepare(dsn):
        kept.append(await asyncpg.connect(dsn))

    with Databases(database, prepare=prepare) as databases:
        with pytest.raises(SchemaError, match="bridge_prepare must close every connection"):
            databases.create()
        databases._thread.run(kept[0].close())


async def test_a_role_that_may_not_create_databases_is_told_what_to_do(database):
    conn = await asyncpg.connect(database)
    await conn.execute("drop role if exists bridge_poor")
    await conn.execute("create role bridge_poor login")
    await conn.execute(f'grant create on database "{name_of(database)}" to bridge_poor')
    poor = database.replace("://postgres@", "://bridge_poor@")
    assert poor != database
    with Databases(poor) as databases:
        with pytest.raises(SchemaError, match="bridge_schema"):
            databases.create()
        assert await enqueue(poor, prefix=databases.create_schema()) == {"available": 1}
    await conn.execute(f'revoke create on database "{name_of(database)}" from bridge_poor')
    await conn.execute("drop role bridge_poor")
    await conn.close()
