"""`bridge maintain`: what it says it would do, and what it does."""

import asyncio
import json
from datetime import timedelta

import pytest
from maintenance.rig import engine_on, producer
from queues.rig import insert_row, states
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.engine import utc_now
from bridge.errors import InvalidSetting, SchemaError


@pytest.fixture
def maintain(installed, tmp_path, monkeypatch):
    """A function that runs a command in an empty folder, with the given settings, and returns its result."""
    monkeypatch.chdir(tmp_path)

    async def run(*arguments, toml=""):
        (tmp_path / "bridge.toml").write_text(toml)
        command = ["maintain", *arguments, "--dsn", installed]
        return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, command)

    return run


@pytest.fixture
async def producers(installed):
    async with engine_on(installed) as engine:
        await engine.prepare_producers()


async def ended(conn, count, *, state="completed", queue="default"):
    for _ in range(count):
        time = utc_now() - timedelta(days=2)
        columns = {"completed": "completed_at", "discarded": "discarded_at", "cancelled": "cancelled_at"}
        await insert_row(conn, state=state, queue=queue, scheduled_at=time, **{columns[state]: time})


async def elixir_leads(conn):
    await conn.execute("insert into oban_peers values ('Oban', 'ex@host', now(), now() + interval '1 day')")


# Pruning


async def test_a_dry_run_tells_what_each_rule_would_delete_and_deletes_nothing(maintain, conn):
    await ended(conn, 3)
    await ended(conn, 2, state="discarded")
    await ended(conn, 4, queue="badges")
    result = await maintain(
        "prune", "--dry-run", toml="[pruner.queues]\nbadges = { max_len = 1, max_age = 'infinity' }"
    )
    assert result.output.splitlines() == [
        "8 jobs would be deleted",
        "  3 completed: older than 86400 s",
        "  2 discarded: older than 86400 s",
        "  3 completed of queue badges: beyond the last 1",
    ]
    assert await states(conn) == {"completed": 7, "discarded": 2}


async def test_what_a_dry_run_counts_is_deleted(maintain, conn):
    await ended(conn, 3)
    await insert_row(conn, state="completed")
    planned = json.loads((await maintain("prune", "--dry-run", "--json")).output)
    done = json.loads((await maintain("prune", "--json")).output)
    assert planned["jobs"] == done["jobs"] == 3
    assert (planned["dry_run"], done["dry_run"]) == (True, False)
    assert planned["rules"] == [
        {"jobs": 3, "state": "completed", "queue": None, "worker": None, "max_age": 86400.0, "max_len": None}
    ]
    assert (await maintain("prune")).output == "0 jobs deleted\n"
    assert await states(conn) == {"completed": 1}


async def test_nothing_is_pruned_beside_an_elixir_leader_unless_it_is_forced(maintain, conn):
    await ended(conn, 1)
    await elixir_leads(conn)
    result = await maintain("prune")
    assert isinstance(result.exception, SchemaError)
    assert "--force" in str(result.exception)
    assert await states(conn) == {"completed": 1}
    assert (await maintain("prune", "--dry-run")).output.startswith("1 job would be deleted")
    assert (await maintain("prune", "--force")).output == "1 job deleted\n"
    await ended(conn, 1)
    assert (await maintain("prune", toml="[pruner]\nmode = 'on'")).output == "1 job deleted\n"


async def test_a_rule_that_is_none_is_refused_by_its_name(maintain):
    result = await maintain("prune", toml="[pruner.queues.badges]\nage = 5")
    assert isinstance(result.exception, InvalidSetting)
    assert result.exception.field == "pruner.queues.badges"


# Rescuing


@pytest.mark.usefixtures("producers")
async def test_a_rescue_does_what_its_dry_run_says(maintain, conn, monkeypatch):
    # The test's server has not been running for long enough to make anybody look dead by a minute's silence.
    monkeypatch.setenv("BRIDGE_LIFELINE_RESCUE_AFTER", "1")
    dead = await producer(conn, silent=3600, rescue_after=1, node="py@dead")
    alive = await producer(conn, node="py@alive")
    jobs = [await insert_row(conn, state="executing", attempt=1, attempted_by=["py@dead", dead]) for _ in range(2)]
    last = await insert_row(conn, state="executing", attempt=1, max_attempts=1, attempted_by=["py@dead", dead])
    await insert_row(conn, state="executing", attempt=1, attempted_by=["py@alive", alive])
    elixirs = await insert_row(
        conn, state="executing", attempt=1, attempted_by=["ex@host", "u"], attempted_at=utc_now() - timedelta(hours=1)
    )
    planned = await maintain("rescue", "--dry-run")
    assert planned.output.splitlines() == [
        "2 jobs would be made available again (2 of py@dead)",
        "1 job would be discarded, without attempts left (1 of py@dead)",
        "left alone: 1 job of ex@host, Elixir's or one without a heartbeat",
    ]
    assert await states(conn) == {"executing": 5}
    would = json.loads((await maintain("rescue", "--dry-run", "--json")).output)
    done = json.loads((await maintain("rescue", "--json")).output)
    assert {**would, "dry_run": False} == done
    assert [job["id"] for job in done["rescued"]] == jobs
    assert [job["id"] for job in done["discarded"]] == [last]
    assert done["left_alone"] == {"ex@host": 1}
    assert await states(conn) == {"available": 2, "discarded": 1, "executing": 2}
    assert await conn.fetchval("select state::text from oban_jobs where id = $1", elixirs) == "executing"


@pytest.mark.usefixtures("producers")
async def test_a_rescue_is_told_once(bridge, conn):
    dead = await producer(conn, silent=3600, rescue_after=1, node="py@dead")
    await insert_row(conn, state="executing", attempt=1, attempted_by=["py@dead", dead])
    # The server has to have been up for that long.
    done = await bridge.process("maintain", "rescue", BRIDGE_LIFELINE_RESCUE_AFTER="1")
    assert done.stdout.splitlines() == [
        "1 job made available again (1 of py@dead)",
        "0 jobs discarded, without attempts left",
    ]
    assert done.stderr == ""


async def test_without_heartbeats_it_says_what_makes_the_list(maintain):
    result = await maintain("rescue")
    assert isinstance(result.exception, SchemaError)
    assert "bridge install" in str(result.exception)


# Reindexing


async def test_a_rebuild_tells_of_each_index_and_its_size(maintain, conn):
    number = "select relfilenode from pg_class where relname = 'oban_jobs_args_index'"
    before = await conn.fetchval(number)
    planned = await maintain("reindex", "--dry-run")
    assert planned.output.splitlines()[0].startswith("oban_jobs_args_index (0.0 MiB) would be built anew")
    assert await conn.fetchval(number) == before
    done = await maintain("reindex")
    assert [line.split()[0] for line in done.output.splitlines()] == ["oban_jobs_args_index", "oban_jobs_meta_index"]
    assert await conn.fetchval(number) != before


async def test_a_rebuild_that_fails_exits_with_1_and_says_why(maintain, conn):
    await conn.execute("begin; lock table oban_jobs in share update exclusive mode")
    result = await maintain("reindex", "--json")
    assert result.exit_code == 1
    assert [name for name, _ in json.loads(result.output)["failed"]] == ["oban_jobs_args_index", "oban_jobs_meta_index"]
    await conn.execute("rollback")
