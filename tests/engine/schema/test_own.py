"""Bridge's own tables are added beside Oban's, and change nothing of these."""

import asyncpg
import pytest

from bridge.engine.schema import OWN_TABLES, inspect, install, install_own, install_sql, own_sql, uninstall
from bridge.engine.schema.own import _CREATE
from bridge.errors import SchemaError

from .catalog_dump import dump

PREFIX = 'my-app "x" {y}'


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def own(conn, prefix="public"):
    return [name for name in (await inspect(conn, prefix)).objects if name.startswith("bridge_")]


async def test_they_are_made_once_in_any_schema(conn):
    await install(conn, PREFIX)
    assert await install_own(conn, PREFIX) == ["bridge_producers", "bridge_crons", "bridge_enqueue()"]
    assert await install_own(conn, PREFIX) == []
    assert await own(conn, PREFIX) == ["bridge_crons", "bridge_enqueue()", "bridge_producers"]
    assert await own(conn) == []


async def test_leases_have_a_table_of_their_own_where_oban_has_none(conn):
    await install(conn)
    await conn.execute("drop table oban_peers; comment on table oban_jobs is '10'")
    assert await install_own(conn) == ["bridge_producers", "bridge_crons", "bridge_peers", "bridge_enqueue()"]


async def test_nothing_of_obans_is_touched(conn):
    await install(conn)
    before = await dump(conn, "public")
    await install_own(conn)
    after = await dump(conn, "public")
    assert [line for line in after if "bridge_" not in line] == before
    assert len(after) > len(before)


async def test_without_obans_tables_they_are_not_made(conn):
    with pytest.raises(SchemaError):
        await install_own(conn)


async def test_the_sql_for_other_tools_makes_the_same(conn):
    await conn.execute(install_sql(PREFIX) + own_sql(PREFIX))
    assert await install_own(conn, PREFIX) == []


async def test_uninstall_takes_them_too(conn):
    await install(conn)
    await install_own(conn)
    await uninstall(conn)
    assert (await inspect(conn)).objects == ()


def test_all_that_can_be_made_are_known_to_uninstall():
    assert set(_CREATE) == set(OWN_TABLES)
