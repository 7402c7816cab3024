"""`bridge install --unique-index`, and what the other commands say of it."""

import asyncio
import json

import asyncpg
import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.engine.schema import inspect, install_sql, own_sql, unique_index_sql


@pytest.fixture
def bridge(database):
    """A function that runs a command on the test's database and returns its result."""

    async def run(*arguments):
        command = [*arguments, "--dsn", database]
        return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, command)

    return run


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_it_is_made_with_the_tables_or_later_and_once(bridge, conn):
    plain, indexed, again = (
        await bridge("install"),
        await bridge("install", "--unique-index"),
        await bridge("install", "--unique-index"),
    )

    assert "unique index" not in plain.output
    assert indexed.output.splitlines() == [
        "Oban's tables were left as they are: schema \"public\" has Oban's tables already, version 14 of 14",
        "made the unique index bridge_jobs_unique",
    ]
    assert again.output.startswith("nothing was changed")
    assert (await inspect(conn)).has_unique_index


async def test_status_tells_of_it(bridge):
    await bridge("install")
    without = await bridge("status")
    await bridge("install", "--unique-index")
    told, facts = await bridge("status"), await bridge("status", "--json")

    assert "unique index  none" in without.output
    assert "unique index  bridge_jobs_unique" in told.output
    assert json.loads(facts.output)["has_unique_index"] is True


async def test_uninstall_removes_it(bridge, conn):
    await bridge("install", "--unique-index")

    result = await bridge("uninstall", "--yes")

    assert result.exit_code == 0
    assert "bridge_unique_key()" in result.output
    assert await conn.fetch("select from pg_proc where proname like 'bridge%'") == []


async def test_its_sql_comes_behind_that_of_the_tables(bridge, conn):
    sql = (await bridge("install", "--sql", "--unique-index")).output

    assert sql == f"{install_sql()}{own_sql()}\n{unique_index_sql()}"
    await conn.execute(sql)
    assert (await inspect(conn)).has_unique_index
