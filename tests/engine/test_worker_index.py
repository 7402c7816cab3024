"""Fetching by the worker index: the same jobs in the same order, however many of others stand before them."""

import asyncio
import random
from datetime import timedelta

import asyncpg
import pytest

from bridge.engine.schema import inspect, install, install_worker_index, uninstall, worker_index_sql
from bridge.errors import SchemaError
from bridge.jobs import Job

from .rig import AT, NODE, OTHER_UUID, UUID, engine_on, fetch, put, row

KNOWN = ["V", "W"]


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    await install(connection)
    await install_worker_index(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def engine(conn, database):
    async with engine_on(database) as found:
        assert found.catalog.has_worker_index
        yield found


async def take_all(engine, limit, workers, queue="alpha"):
    taken = []
    while jobs := await fetch(engine, limit, workers=workers, queue=queue):
        taken.append([job.id for job in jobs])
    return taken


async def test_the_order_is_that_of_all_known_workers_jobs_together(engine, conn):
    chance = random.Random(7)
    for _ in range(300):
        await put(
            conn,
            worker=chance.choice([*KNOWN, "U", "Foreign", "w"]),
            queue=chance.choice(["alpha", "alpha", "beta"]),
            priority=chance.randrange(3),
            scheduled_at=AT + timedelta(seconds=chance.randrange(3)),
            attempt=chance.choice([0, 1, 5]),
            max_attempts=5,
        )
    wanted = await conn.fetchval(
        "select array_agg(id order by priority, scheduled_at, id) from oban_jobs "
        "where queue = 'alpha' and worker = any($1) and attempt < max_attempts",
        [*KNOWN, "U"],
    )

    taken = await take_all(engine, 7, ["W", "U", "V", "W", "Absent"])

    assert [job_id for batch in taken for job_id in batch] == wanted
    assert {len(batch) for batch in taken[:-1]} == {7}
    assert await engine.fetch("alpha", 10, NODE, UUID, []) == []


async def test_others_jobs_neither_block_nor_lose_an_attempt(engine, conn):
    await engine.insert_many(Job("Elixir.Worker", queue="alpha") for _ in range(2_000))
    mine = await engine.insert(Job("W", queue="alpha", priority=9))

    [job] = await fetch(engine, 1, workers=KNOWN)

    assert job.id == mine.id
    stored = await row(conn, job.id)
    assert (stored["state"], stored["attempt"], stored["attempted_by"]) == ("executing", 1, [NODE, UUID])
    untouched = "select count(*) from oban_jobs where state = 'available' and attempt = 0 and attempted_by is null"
    assert await conn.fetchval(untouched) == 2_000
    assert len(await fetch(engine, 3_000)) == 2_000  # where any worker may be taken


async def test_a_row_that_somebody_holds_is_passed_over(engine, database, conn):
    held, free, other_worker = await put(conn), await put(conn), await put(conn, worker="V")
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("select from oban_jobs where id = $1 for update", held)
        assert [job.id for job in await fetch(engine, 1, workers=KNOWN)] == [free]
        assert [job.id for job in await fetch(engine, 5, workers=KNOWN)] == [other_worker]
    await other.close()

    assert [job.id for job in await fetch(engine, 1, workers=KNOWN)] == [held]


async def test_rows_that_somebody_holds_keep_no_other_workers_jobs_waiting(engine, database, conn):
    held = [await put(conn, worker="W", priority=0) for _ in range(6)]
    free = [await put(conn, worker=worker, priority=1) for worker in "VUVU"]
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("select from oban_jobs where id = any($1::bigint[]) for update", held[:5])
        found = await fetch(engine, 4, workers=["U", "V", "W"])
        assert [job.id for job in found] == [held[5], *free[:3]]
        assert [job.id for job in await fetch(engine, 4, workers=["U", "V", "W"])] == free[3:]
    await other.close()

    assert len(await fetch(engine, 10, workers=["U", "V", "W"])) == 5


async def test_no_job_goes_to_two_producers(engine):
    await engine.insert_many(Job(KNOWN[n % 2], queue="alpha") for n in range(1_000))

    async def take(uuid):
        found = []
        while jobs := await fetch(engine, 7, uuid=uuid, workers=KNOWN):
            found += [job.id for job in jobs]
        return found

    taken = await asyncio.gather(*map(take, (UUID, OTHER_UUID, "third", "fourth")))

    assert sum(map(len, taken)) == len({job_id for ids in taken for job_id in ids}) == 1_000


# Installing


async def test_it_is_made_once_and_goes_with_the_tables(conn):
    assert await install_worker_index(conn) is False

    assert await uninstall(conn)

    assert await conn.fetch("select from pg_class where relname like 'bridge%'") == []


async def test_one_that_was_left_unfinished_is_made_anew(conn):
    await conn.execute("update pg_index set indisvalid = false where indexrelid = 'bridge_jobs_worker'::regclass")
    assert not (await inspect(conn)).has_worker_index

    assert await install_worker_index(conn) is True
    assert (await inspect(conn)).has_worker_index


async def test_in_a_transaction_it_is_refused(conn):
    async with conn.transaction():
        with pytest.raises(SchemaError, match="a connection that is in none"):
            await install_worker_index(conn)


@pytest.mark.parametrize("prefix", ["public", 'it\'s "odd"'])
async def test_by_sql_it_is_the_same(database, prefix):
    connection = await asyncpg.connect(database)
    await install(connection, prefix)
    await connection.execute(worker_index_sql(prefix))
    assert not await install_worker_index(connection, prefix)
    async with engine_on(database, prefix) as engine:
        inserted = await engine.insert(Job("W", queue="alpha"))
        assert [job.id for job in await fetch(engine, workers=KNOWN)] == [inserted.id]
    await connection.close()
