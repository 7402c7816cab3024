import re

import asyncpg
import pytest

from bridge.engine.schema import inspect, install

from .catalog_dump import dump, expected
from .oban_databases import FRESH, GROWN, OBAN_PY, make

FETCH = "index of (state, queue, priority, scheduled_at, id)"
TAGS = "tags of any length"
ATTEMPTS = "checks attempt_range and positive_max_attempts"
ARGS, META = "index of args", "index of meta"
PEERS = "table oban_peers"
PRIORITIES, ONCE = "priorities from 4 to 9", "inserts announced once"
CANCELLED, DISCARDED = "index of (state, cancelled_at)", "index of (state, discarded_at)"
SUSPENDED = "state suspended"
VERSION = "version in the comment of oban_jobs"


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def lacks_of(conn, prefix="public"):
    return [lack.name for lack in (await inspect(conn, prefix)).lacks]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("V9", [ATTEMPTS, ARGS, META, PEERS, ONCE, CANCELLED, DISCARDED]),
        ("V10", [PEERS, PRIORITIES, ONCE, CANCELLED, DISCARDED]),
        ("V11", [PRIORITIES, ONCE, CANCELLED, DISCARDED]),
        ("V12", [CANCELLED, DISCARDED]),
        ("V13", []),
        ("V14", []),
        ("V10 grown by 2.10.1", [TAGS, PEERS, PRIORITIES, ONCE, CANCELLED, DISCARDED, SUSPENDED]),
        ("V11 grown by 2.11.0", [TAGS, PRIORITIES, ONCE, CANCELLED, DISCARDED, SUSPENDED]),
        ("V12 grown by 2.17.12", [TAGS, CANCELLED, DISCARDED, SUSPENDED]),
        ("V14 grown by 2.20.3 and 2.21.0", [FETCH, CANCELLED, DISCARDED]),
        (OBAN_PY, [ARGS, META, PEERS]),
    ],
)
async def test_what_a_database_lacks_is_named(conn, kind, names):
    await make(conn, kind)

    lacks = (await inspect(conn)).lacks

    assert [lack.name for lack in lacks] == names
    assert all(lack.consequence for lack in lacks)


@pytest.mark.parametrize(
    ("kind", "by_upgrade"),
    [
        ("V11 grown by 2.11.0", {PRIORITIES, ONCE, CANCELLED, DISCARDED, SUSPENDED}),
        ("V14 grown by 2.20.3 and 2.21.0", set()),
        (OBAN_PY, set()),
    ],
)
async def test_what_a_later_version_brings_is_left_to_the_upgrade(conn, kind, by_upgrade):
    await make(conn, kind)

    assert {lack.name for lack in (await inspect(conn)).lacks if lack.by_upgrade} == by_upgrade


@pytest.mark.parametrize("kind", [*FRESH, *GROWN, OBAN_PY])
async def test_the_sql_of_each_lack_mends_it(conn, kind):
    prefix = 'my-app "x"'
    await make(conn, kind, prefix)
    for lack in sorted((await inspect(conn, prefix)).lacks, key=lambda lack: lack.by_upgrade):
        if lack.name in await lacks_of(conn, prefix):  # a step may have mended two
            await conn.execute(lack.mend)

    assert await lacks_of(conn, prefix) == []


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("drop index oban_jobs_state_queue_priority_scheduled_at_id_index", FETCH),
        ("alter table oban_jobs drop constraint attempt_range", ATTEMPTS),
        ("alter table oban_jobs drop constraint positive_max_attempts", ATTEMPTS),
        ("drop index oban_jobs_args_index", ARGS),
        ("drop index oban_jobs_meta_index", META),
        ("drop table oban_peers", PEERS),
        ("drop index oban_jobs_state_cancelled_at_index", CANCELLED),
        ("drop index oban_jobs_state_discarded_at_index", DISCARDED),
    ],
)
async def test_a_loss_at_version_14_is_mended_to_the_same_catalog(conn, damage, name):
    await install(conn)
    await conn.execute(damage)

    [lack] = (await inspect(conn)).lacks
    assert (lack.name, lack.by_upgrade) == (name, False)
    await conn.execute(lack.mend)

    assert await dump(conn, "public") == expected("V14")


async def test_an_index_counts_by_its_shape_and_not_by_its_name(conn):
    await install(conn)
    await conn.execute(
        """
        alter index oban_jobs_args_index rename to other;
        drop index oban_jobs_meta_index;
        create index oban_jobs_meta_index on oban_jobs (meta);
        drop index oban_jobs_state_cancelled_at_index;
        create index partly on oban_jobs (state, cancelled_at) where queue = 'default';
        """
    )

    assert await lacks_of(conn) == [META, CANCELLED]


async def test_an_index_that_a_failed_build_left_is_rebuilt(database, conn):
    await make(conn, "V14 grown by 2.20.3 and 2.21.0")
    [lack, *_] = (await inspect(conn)).lacks
    writer = await asyncpg.connect(database)
    async with writer.transaction():
        await writer.execute("update oban_jobs set queue = 'other'")
        await conn.execute("set lock_timeout to '20ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):  # it waits for every writer, and leaves a ruin
            await conn.execute(lack.mend)
        await conn.execute("reset lock_timeout")
    await writer.close()

    [broken, *_] = (await inspect(conn)).lacks
    assert broken.name == FETCH
    assert re.match("reindex index concurrently ", broken.mend)
    await conn.execute(broken.mend)

    assert FETCH not in await lacks_of(conn)


@pytest.mark.parametrize("kind", FRESH)
async def test_a_lost_version_is_told_by_the_shape_of_the_table(conn, kind):
    await make(conn, kind)
    before = await dump(conn, "public")
    await conn.execute("comment on table oban_jobs is null")

    [lack, *others] = (await inspect(conn)).lacks
    assert (lack.name, lack.by_hand) == (VERSION, True)
    assert "take the table for version 0" in lack.consequence
    await conn.execute(lack.mend)

    version = "14" if kind == "V13" else kind[1:]  # with the state suspended these two are the same
    assert await dump(conn, "public") == [line.replace(f"comment {kind[1:]}", f"comment {version}") for line in before]
    assert tuple(others) == (await inspect(conn)).lacks


async def test_a_comment_that_is_no_number_is_named(conn):
    await install(conn)
    await conn.execute("comment on table oban_jobs is 'The jobs of our shop'")

    catalog = await inspect(conn)

    assert (catalog.version, catalog.origin, catalog.supported) == (0, "unknown", True)
    [lack] = catalog.lacks
    assert "crash on the comment 'The jobs of our shop'" in lack.consequence
    assert lack.mend == "comment on table \"public\".oban_jobs is '14';"
