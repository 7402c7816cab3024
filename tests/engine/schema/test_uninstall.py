import asyncpg
import pytest

from bridge.engine.schema import (
    OWN_TABLES,
    inspect,
    install,
    install_sql,
    quote_ident,
    uninstall,
    uninstall_sql,
)
from bridge.errors import SchemaError

from .catalog_dump import dump, expected
from .oban_databases import ALL, OBAN_PY, make, rows, stranger


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind != OBAN_PY])
async def test_nothing_is_left_but_the_schema(conn, kind):
    prefix = 'my-app "x"'
    await make(conn, kind, prefix)

    assert await uninstall(conn, prefix)

    assert await dump(conn, prefix) == []
    assert (await inspect(conn, prefix)).schema_exists


async def test_bridge_s_own_tables_and_met_s_function_go_too(conn):
    await install(conn)
    for table in OWN_TABLES:
        await conn.execute(f"create table {table} (id int)")
    await conn.execute("create function oban_count_estimate(text, text) returns integer language sql as 'select 1'")

    assert await uninstall(conn)

    assert await dump(conn, "public") == []


async def test_what_is_someone_else_s_stays(conn):
    await conn.execute(
        """
        create table bridge_tolls (id int);
        create table oban_notes (id int);
        create type oban_mood as enum ('good');
        create function oban_count_estimate(integer) returns integer language sql as 'select 1';
        create schema other;
        """
    )
    before = await dump(conn, "public")
    await install(conn, "other")
    await install(conn)

    assert await uninstall(conn)

    assert await dump(conn, "public") == before
    assert await dump(conn, "other") == expected("V14")


async def test_of_oban_py_s_tables_those_stay_that_oban_pro_may_own(conn):
    await make(conn, OBAN_PY)

    assert await uninstall(conn)

    tables = [line for line in await dump(conn, "public") if line.startswith("table")]
    assert tables == ["table oban_leaders: permanent", "table oban_producers: permanent"]


async def test_a_view_on_the_jobs_stops_it_and_nothing_is_lost(conn):
    await make(conn, "V14")
    await conn.execute("create view late_jobs as select * from oban_jobs; create table bridge_producers (id int)")
    before = await dump(conn, "public"), await rows(conn)

    with pytest.raises(SchemaError, match=r"other objects depend on it \(view late_jobs depends on table oban_jobs\)"):
        await uninstall(conn)

    assert (await dump(conn, "public"), await rows(conn)) == before


async def test_where_nothing_is_there_is_nothing_to_drop(conn):
    assert not await uninstall(conn)
    assert not await uninstall(conn, "missing")


async def test_what_half_a_removal_left_is_dropped(conn):
    await install(conn)
    await conn.execute("drop table oban_jobs")

    assert await uninstall(conn)

    assert await dump(conn, "public") == []


async def test_it_can_be_installed_again(conn):
    for _ in range(2):
        assert await install(conn, "jobs")
        assert await uninstall(conn, "jobs")


async def test_tables_managed_elsewhere_are_left_to_it(conn):
    await make(conn, "V14")
    await conn.execute("comment on table oban_jobs is '∞'")

    with pytest.raises(SchemaError, match="managed elsewhere"):
        await uninstall(conn)

    assert len(await rows(conn)) == 3


async def test_a_role_that_does_not_own_the_tables_is_told_so(conn):
    await make(conn, "V14", "jobs")

    async with stranger(conn) as role:
        with pytest.raises(SchemaError, match=f'role "{role}" lacks the ownership of "jobs".oban_jobs'):
            await uninstall(conn, "jobs")

    assert len(await rows(conn, "jobs")) == 3


@pytest.mark.parametrize("prefix", ["public", 'my-app "x"', "{table}", "a:b\n-- c"])
async def test_the_sql_for_other_tools_drops_the_same(conn, prefix):
    await conn.execute(install_sql(prefix))
    await conn.execute(f"create table {quote_ident(prefix)}.bridge_producers (id int)")

    await conn.execute(uninstall_sql(prefix))

    assert await dump(conn, prefix) == []
    await conn.execute(uninstall_sql(prefix))  # it passes over what is not there
