"""`bridge install --worker-index`, and what the other commands say of it."""

import asyncio
import json

import asyncpg
import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.engine.schema import inspect, install_sql, own_sql, worker_index_sql

MADE = "made the worker index bridge_jobs_worker; nodes fetch by it from their next start on"


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
        await bridge("install", "--worker-index"),
        await bridge("install", "--worker-index"),
    )

    assert "worker index" not in plain.output
    assert indexed.output.splitlines() == [
        "Oban's tables were left as they are: schema \"public\" has Oban's tables already, version 14 of 14",
        MADE,
    ]
    assert again.output.startswith("nothing was changed")
    assert (await inspect(conn)).has_worker_index


async def test_status_tells_of_it_and_uninstall_drops_it(bridge, conn):
    await bridge("install")
    without = await bridge("status")
    await bridge("install", "--worker-index")
    told, facts = await bridge("status"), await bridge("status", "--json")

    assert "worker index  none" in without.output
    assert "worker index  bridge_jobs_worker" in told.output
    assert json.loads(facts.output)["has_worker_index"] is True

    assert (await bridge("uninstall", "--yes")).exit_code == 0
    assert await conn.fetch("select from pg_class where relname like 'bridge%'") == []


async def test_its_sql_comes_behind_that_of_the_tables(bridge, conn):
    sql = (await bridge("install", "--sql", "--worker-index")).output

    assert sql == f"{install_sql()}{own_sql()}\n{worker_index_sql()}"
    await conn.execute(sql)
    assert (await inspect(conn)).has_worker_index
