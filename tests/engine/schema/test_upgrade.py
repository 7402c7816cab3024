import asyncio

import asyncpg
import pytest

from bridge.engine.schema import inspect, quote_ident, repair, upgrade, upgrade_sql
from bridge.errors import InvalidSetting, SchemaError

from .catalog_dump import dump, expected
from .oban_databases import FRESH, GROWN, OBAN_PY, make, rows, stranger

STEPS = [
    "V10: checks of attempts and priorities, indexes of args and meta",
    "V11: table oban_peers",
    "V12: no trigger, priorities up to 9",
    "V13: indexes of cancelled_at and discarded_at",
    "V14: state suspended",
]


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("kind", FRESH)
async def test_every_version_comes_to_14_and_keeps_its_jobs(conn, kind):
    prefix = 'my-app "x"'
    await make(conn, kind, prefix)
    before = await rows(conn, prefix)

    assert await upgrade(conn, prefix) == STEPS[int(kind[1:]) - 9 :]

    assert await dump(conn, prefix) == expected("V14")
    assert await rows(conn, prefix) == before


@pytest.mark.parametrize("kind", GROWN[:-1])
async def test_what_an_old_release_made_otherwise_stays_but_for_the_enum(conn, kind):
    """Tags stay short, and the main index of 2.10.1 keeps its name and order."""
    await make(conn, kind)
    own, base = set(expected(kind)), set(expected(kind.split()[0]))

    await upgrade(conn)

    kept = {line for line in own - base if not line.startswith("enum")}
    replaced = {line for line in base - own if not line.startswith("enum")}
    assert await dump(conn, "public") == sorted((set(expected("V14")) - replaced) | kept)
    catalog = await inspect(conn)
    assert (catalog.version, catalog.has_suspended) == (14, True)
    assert [lack.name for lack in catalog.lacks] == ["tags of any length"]


@pytest.mark.parametrize("kind", ["V14", "V14 grown by 2.20.3 and 2.21.0"])
async def test_version_14_stays_as_it_is(conn, kind):
    await make(conn, kind)

    assert await upgrade(conn) == []

    assert await dump(conn, "public") == expected(kind)


async def test_a_newer_version_stays_as_it_is(conn):
    await make(conn, "V14")
    await conn.execute("comment on table oban_jobs is '15'")

    assert await upgrade(conn) == []
    assert (await inspect(conn)).version == 15


async def test_a_priority_that_is_null_becomes_0(conn):
    await make(conn, "V9")
    await conn.execute("update oban_jobs set priority = null where worker = 'A'")

    await upgrade(conn)

    assert [row["priority"] for row in await rows(conn)] == [0, 0, 0]


async def test_a_row_that_breaks_a_check_stops_it_and_nothing_has_changed(conn):
    await make(conn, "V9")
    await conn.execute("update oban_jobs set attempt = 21 where worker = 'A'")

    with pytest.raises(SchemaError, match=r'check constraint "attempt_range".* is violated by some row'):
        await upgrade(conn)

    assert await dump(conn, "public") == expected("V9")


async def test_of_two_at_the_same_time_one_takes_the_steps(database, conn):
    await make(conn, "V9")
    other = await asyncpg.connect(database)

    taken = await asyncio.gather(upgrade(conn), upgrade(other))

    assert sorted(taken) == [[], STEPS]
    assert await dump(conn, "public") == expected("V14")
    await other.close()


async def test_without_tables_there_is_nothing_to_upgrade(conn):
    for change in (upgrade, repair):
        with pytest.raises(SchemaError, match='schema "public" has no table oban_jobs; run `bridge install`'):
            await change(conn)


async def test_tables_of_oban_py_have_no_versions(conn):
    await make(conn, OBAN_PY)
    before = await dump(conn, "public")

    with pytest.raises(SchemaError, match="made by oban-py, which has no versions; Bridge runs on them as they are"):
        await upgrade(conn)

    assert await dump(conn, "public") == before


async def test_tables_managed_elsewhere_are_left_to_it(conn):
    await make(conn, "V11")
    await conn.execute("comment on table oban_jobs is '∞'")

    with pytest.raises(SchemaError, match="managed elsewhere"):
        await upgrade(conn)


async def test_a_lost_version_has_to_be_restored_first(conn):
    await make(conn, "V11")
    await conn.execute("comment on table oban_jobs is null")

    with pytest.raises(SchemaError, match=r"restore it first: comment on table .* is '11';"):
        await upgrade(conn)


async def test_a_role_that_does_not_own_the_tables_is_told_whose_they_are(conn):
    prefix = 'my-app "x"'
    await make(conn, "V13", prefix)
    owner = await conn.fetchval("select current_user")
    await conn.execute(f"grant usage, create on schema {quote_ident(prefix)} to public")

    async with stranger(conn) as role:
        with pytest.raises(SchemaError) as refusal:
            await upgrade(conn, prefix)

    table = f"{quote_ident(prefix)}.oban_jobs"
    assert str(refusal.value) == (
        f'role "{role}" lacks the ownership of {table}, which is "{owner}"\'s; '
        f'let an administrator run: grant "{owner}" to "{role}"'
    )
    assert await dump(conn, prefix) == expected("V13")


async def test_repair_puts_back_what_2_21_0_lost(conn):
    prefix = 'my-app "x"'
    kind = "V14 grown by 2.20.3 and 2.21.0"
    await make(conn, kind, prefix)

    assert await repair(conn, prefix) == [
        "index of (state, queue, priority, scheduled_at, id)",
        "index of (state, cancelled_at)",
        "index of (state, discarded_at)",
    ]

    moved = {line for line in expected(kind) if line.startswith("columns oban_jobs")}
    first = {line for line in expected("V14") if line.startswith("columns oban_jobs")}
    assert await dump(conn, prefix) == sorted(set(expected("V14")) - first | moved)
    assert (await inspect(conn, prefix)).lacks == ()


async def test_repair_leaves_later_versions_and_rewrites_alone(conn):
    await make(conn, "V11 grown by 2.11.0")
    await conn.execute("drop index oban_jobs_args_index")

    assert await repair(conn) == ["index of args"]

    assert await dump(conn, "public") == expected("V11 grown by 2.11.0")


async def test_repair_leaves_a_guessed_version_alone(conn):
    await make(conn, "V14")
    await conn.execute("comment on table oban_jobs is null")

    assert await repair(conn) == []

    assert (await inspect(conn)).version == 0


async def test_repair_gives_tables_of_oban_py_what_elixir_needs(conn):
    await make(conn, OBAN_PY)

    assert await repair(conn) == ["index of args", "index of meta", "table oban_peers"]

    assert (await inspect(conn)).has_peers


async def test_repair_says_that_it_can_t_run_in_a_transaction(conn):
    await make(conn, "V14 grown by 2.20.3 and 2.21.0")

    async with conn.transaction():
        with pytest.raises(SchemaError, match="concurrently in a transaction"):
            await repair(conn)


async def test_repair_lets_others_write_meanwhile(database, conn):
    await make(conn, "V14 grown by 2.20.3 and 2.21.0")
    writer, watcher = await asyncpg.connect(database), await asyncpg.connect(database)
    async with writer.transaction():
        await writer.execute("update oban_jobs set queue = 'one'")
        repairing = asyncio.create_task(repair(conn))
        while not await watcher.fetchval(
            """
            select exists (
              select from pg_stat_activity
              where datname = current_database() and wait_event_type = 'Lock' and query like 'create index%'
            )
            """
        ):
            assert not repairing.done()
        await writer.execute("update oban_jobs set queue = 'two'")  # a plain build would let it wait for ever

    assert len(await repairing) == 3
    await writer.close()
    await watcher.close()


@pytest.mark.parametrize("kind", FRESH)
async def test_the_sql_for_other_tools_does_the_same(conn, kind):
    prefix = 'my-app "x"'
    await make(conn, kind, prefix)
    before = await rows(conn, prefix)

    async with conn.transaction():
        await conn.execute(upgrade_sql(prefix, from_version=int(kind[1:])) or "select")

    assert await dump(conn, prefix) == expected("V14")
    assert await rows(conn, prefix) == before


async def test_the_sql_ends_at_the_version_that_is_said(conn):
    await make(conn, "V10")

    await conn.execute(upgrade_sql(from_version=10, to_version=12))

    assert await dump(conn, "public") == expected("V12")


@pytest.mark.parametrize(("first", "last"), [(8, 14), (15, 15), (13, 15), (13, 12)])
def test_steps_that_there_are_not_are_refused(first, last):
    with pytest.raises(InvalidSetting):
        upgrade_sql(from_version=first, to_version=last)
