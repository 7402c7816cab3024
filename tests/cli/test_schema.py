import asyncio
import json
import sys

import asyncpg
import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.engine.schema import inspect, install, install_sql, own_sql, uninstall_sql, upgrade_sql
from bridge.errors import SchemaError

from .rig import PATIENCE

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
def bridge(database):
    """A function that runs a command on the test's database and returns its result."""

    async def run(*arguments, dsn=database, **options):
        command = [*arguments, "--dsn", dsn]
        return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, command, **options)

    return run


async def test_install_says_what_it_made_and_then_that_it_was_there(bridge, conn):
    first, second = await bridge("install"), await bridge("install")

    assert first.output.splitlines() == [
        'made Oban\'s tables, version 14, in schema "public"',
        "made Bridge's own: bridge_producers, bridge_crons, bridge_enqueue()",
    ]
    assert second.output == 'nothing was changed: schema "public" has Oban\'s tables already, version 14 of 14\n'
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert (await inspect(conn)).version == 14


async def test_install_adds_bridges_own_tables_to_those_of_elixirs(bridge, conn):
    await install(conn)

    assert (await bridge("install")).output.splitlines() == [
        "Oban's tables were left as they are: schema \"public\" has Oban's tables already, version 14 of 14",
        "made Bridge's own: bridge_producers, bridge_crons, bridge_enqueue()",
    ]


async def test_install_says_why_a_role_gets_no_tables_of_bridges_own(bridge, database, conn):
    await install(conn)
    tenant = f"tenant_{await conn.fetchval('select current_database()')}"  # roles are the whole server's
    await conn.execute(f"create role {tenant}; grant all on all tables in schema public to {tenant}")
    try:
        result = await bridge("install", dsn=f"{database}{'&' if '?' in database else '?'}role={tenant}")
    finally:
        await conn.execute(f"drop owned by {tenant}; drop role {tenant}")

    assert result.exit_code == 0
    assert f'Bridge\'s own tables were not made, and nodes do with less: role "{tenant}" lacks CREATE' in result.output
    assert "nothing was changed" in result.output


async def test_install_counts_what_the_tables_that_are_there_lack(bridge, conn):
    await install(conn)
    await conn.execute("drop index oban_jobs_args_index")

    assert (await bridge("install")).output.splitlines()[0].endswith("; it lacks one thing: see `bridge status`")


def both_sql(prefix):
    return install_sql(prefix) + own_sql(prefix)


@pytest.mark.parametrize(("command", "sql"), [("install", both_sql), ("uninstall", uninstall_sql)])
async def test_sql_is_printed_without_a_database(bridge, command, sql):
    result = await bridge(command, "--sql", "--prefix", 'my-app "x"', dsn=NOWHERE)

    assert result.output == sql('my-app "x"')


async def test_install_leaves_the_schema_to_others_where_told_to(bridge):
    result = await bridge("install", "--prefix", "jobs", "--no-create-schema")

    assert isinstance(result.exception, SchemaError)
    assert "there is no schema" in str(result.exception)


async def test_upgrade_tells_its_steps_and_what_they_mean_for_old_nodes(bridge, conn):
    await as_version_11(conn)

    first, second = await bridge("upgrade"), await bridge("upgrade")

    assert first.output.splitlines() == [
        "took step V12: no trigger, priorities up to 9",
        "took step V13: indexes of cancelled_at and discarded_at",
        "took step V14: state suspended",
        "made Bridge's own: bridge_producers, bridge_crons, bridge_enqueue()",
        'schema "public": version 14 of 14',
        "no trigger announces inserts any more: Elixir nodes of Oban before 2.17 wait for the next staging",
    ]
    assert second.output.splitlines() == ["nothing to upgrade", 'schema "public": version 14 of 14']


async def test_upgrade_prints_the_sql_from_the_databases_version_and_does_nothing(bridge, conn):
    await as_version_11(conn)

    result = await bridge("upgrade", "--sql")

    assert result.output == upgrade_sql(from_version=11) + own_sql()
    assert (await inspect(conn)).version == 11
    await conn.execute(result.output)
    assert (await inspect(conn)).version == 14
    assert (await bridge("upgrade")).output.splitlines()[0] == "nothing to upgrade"


async def test_upgrade_prints_the_sql_between_two_versions_without_a_database(bridge):
    result = await bridge("upgrade", "--sql", "--from", "9", "--to", "11", "--prefix", "jobs", dsn=NOWHERE)

    assert result.output == upgrade_sql("jobs", from_version=9, to_version=11) + own_sql("jobs")


@pytest.mark.parametrize("arguments", [("--from", "9"), ("--to", "12"), ("--sql", "--repair")])
async def test_upgrade_refuses_options_that_do_not_go_together(bridge, conn, arguments):
    await as_version_11(conn)

    assert (await bridge("upgrade", *arguments)).exit_code == 2
    assert (await inspect(conn)).version == 11


async def test_repair_tells_what_it_put_back_and_takes_no_steps(bridge, conn):
    await as_version_11(conn)
    await conn.execute("drop index oban_jobs_args_index")

    first, second = await bridge("upgrade", "--repair"), await bridge("upgrade", "--repair")

    assert first.output.splitlines() == [
        "put back index of args",
        'schema "public": version 11 of 14; it lacks 4 things: see `bridge status`',
    ]
    assert second.output.splitlines()[0] == "nothing to put back"


async def test_upgrade_without_tables_is_an_error(bridge):
    result = await bridge("upgrade")

    assert isinstance(result.exception, SchemaError)
    assert "run `bridge install`" in str(result.exception)


async def test_uninstall_asks_with_the_number_of_jobs_and_takes_no_for_an_answer(bridge, conn):
    await install(conn)
    await conn.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 1234)")

    result = await bridge("uninstall", input="n\n")

    assert 'Drop oban_job_state, oban_jobs, oban_peers from schema "public", with 1,234 jobs? [y/N]' in result.output
    assert result.exit_code == 1
    assert await conn.fetchval("select count(*) from oban_jobs") == 1234


@pytest.mark.parametrize(("arguments", "answer"), [(["--yes"], None), ([], "y\n")])
async def test_uninstall_drops_all_and_says_so(bridge, conn, arguments, answer):
    await install(conn)

    result = await bridge("uninstall", *arguments, input=answer)

    assert result.output.endswith('dropped oban_job_state, oban_jobs, oban_peers from schema "public", with 0 jobs\n')
    assert (await inspect(conn)).objects == ()


async def test_uninstall_asks_nothing_where_nothing_is(bridge):
    result = await bridge("uninstall")

    assert result.output == 'nothing was dropped: schema "public" has nothing of Oban\'s\n'
    assert result.exit_code == 0


async def test_status_fails_where_nothing_is_installed(bridge):
    result = await bridge("status", "--prefix", "missing")

    assert lines(result) == ["schema missing (there is none)", "version no table oban_jobs; `bridge install` makes it"]
    assert result.exit_code == 1


async def test_status_says_that_a_table_is_not_oban_s(bridge, conn):
    await conn.execute("create table oban_jobs (id int)")

    result = await bridge("status")

    assert lines(result)[1].startswith("version none: this oban_jobs is not Oban's table, it lacks the column args, ")
    assert "jobs the table is not one that Bridge knows" in lines(result)
    assert (result.exit_code, result.exception.code) == (1, 1)


@pytest.mark.parametrize("arguments", [(), ("--yes",)])
async def test_uninstall_refuses_a_table_that_is_not_oban_s_and_asks_nothing(bridge, conn, arguments):
    await conn.execute("create table oban_jobs (id int)")

    result = await bridge("uninstall", *arguments, input="y\n")

    assert isinstance(result.exception, SchemaError)
    assert 'oban_jobs in schema "public" is not Oban\'s table' in str(result.exception)
    assert result.output == ""
    assert await conn.fetchval("select count(*) from oban_jobs") == 0


async def test_uninstall_takes_tables_of_oban_s_that_lost_their_version(bridge, conn):
    await install(conn)
    await conn.execute("comment on table oban_jobs is null")

    assert (await bridge("uninstall", "--yes")).output.startswith("dropped ")


@pytest.mark.parametrize("tables", [(), ("bridge_peers",)])
async def test_status_says_where_python_leads_on_tables_older_than_the_leases(bridge, conn, tables):
    await install(conn)
    await conn.execute("drop table oban_peers; comment on table oban_jobs is '10'")
    for table in tables:
        await conn.execute(f"create table {table} (name text)")

    [leases] = [line for line in lines(await bridge("status")) if line.startswith("leases ")]

    assert leases.startswith("leases in bridge_peers")
    assert "no node can lead" not in leases


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("create view oban_jobs as select 1 as id", "oban_jobs"),
        ("create type oban_job_state as enum ('available')", "oban_job_state"),
    ],
)
async def test_status_and_install_say_what_is_in_the_way(bridge, conn, statement, name):
    await conn.execute(statement)

    status, install_result = await bridge("status"), await bridge("install")

    assert lines(status)[1] == (
        f"version no table oban_jobs, and in its way: {name}; remove it, or choose another prefix"
    )
    assert f"has no table oban_jobs, but it has {name}; remove it" in str(install_result.exception)


async def test_of_two_uninstallers_one_says_that_it_dropped(database, conn):
    await install(conn)
    async with conn.transaction():
        await conn.execute("lock table oban_jobs in access share mode")
        both = asyncio.gather(uninstall_as_a_process(database), uninstall_as_a_process(database))
        async with asyncio.timeout(PATIENCE):
            while await waiting(conn) < 2:  # noqa: ASYNC110 - PostgreSQL announces no waiting
                await asyncio.sleep(0.01)
    results = await both

    assert sorted(output.split()[0] for output, _ in results) == ["dropped", "nothing"]
    assert [code for _, code in results] == [0, 0]


async def uninstall_as_a_process(dsn):
    """Return the output and the exit code; two of `CliRunner` at once would share one standard output."""
    command = [sys.executable, "-m", "bridge", "uninstall", "-y", "--dsn", dsn]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode(), process.returncode


async def waiting(conn):
    """How many other sessions of this database wait for a lock."""
    return await conn.fetchval(
        """
        select count(distinct pid)
        from pg_locks
        where not granted
          and database = (select oid from pg_database where datname = current_database())
        """
    )


async def test_status_shows_version_and_jobs(bridge, conn):
    await install(conn, "[red]:tada:")
    await conn.execute("""insert into "[red]:tada:".oban_jobs (worker) values ('W')""")

    result = await bridge("status", "--prefix", "[red]:tada:")

    assert lines(result)[:3] == [
        "schema [red]:tada:",
        "version 14 of 14",
        "made by Oban's migrations, or bridge install",
    ]
    assert lines(result)[-1] == (
        "jobs available 1, suspended 0, scheduled 0, executing 0, retryable 0, completed 0, discarded 0, cancelled 0; "
        "1 job in all"
    )
    assert result.exit_code == 0


async def test_status_shows_what_is_lacking_with_the_sql_to_copy(bridge, conn):
    await as_version_11(conn)
    await conn.execute("drop index oban_jobs_meta_index")

    result = await bridge("status")

    assert "a unique insert that compares meta reads all jobs" in result.output
    assert "│ bridge upgrade --repair, or the SQL below" in result.output
    assert "inserts announced once" in result.output
    assert result.output.endswith(
        'create index concurrently if not exists oban_jobs_meta_index\n  on "public".oban_jobs using gin (meta);\n'
    )
    assert result.exit_code == 0


async def test_status_shows_the_rest_to_a_role_that_may_not_read_jobs(bridge, conn, database):
    await install(conn)
    role = f"reader_{(await conn.fetchval('select current_database()'))}"
    await conn.execute(f'create role "{role}"')
    try:
        result = await bridge("status", dsn=f"{database}{'&' if '?' in database else '?'}role={role}")
    finally:
        await conn.execute(f'drop role "{role}"')

    assert lines(result)[1] == "version 14 of 14"
    refusal = f'jobs role "{role}" lacks SELECT on "public".oban_jobs; let an administrator'
    assert any(line.startswith(refusal) for line in lines(result))
    assert result.exit_code == 1


async def test_status_as_json_has_all_facts(bridge, conn):
    await as_version_11(conn)

    facts = json.loads((await bridge("status", "--json")).output)

    assert (facts["version"], facts["supported"], facts["origin"], facts["max_priority"]) == (11, True, "oban", 3)
    assert facts["jobs"]["available"] == 0
    assert {lack["name"]: lack["by_upgrade"] for lack in facts["lacks"]} == {
        "priorities from 4 to 9": True,
        "inserts announced once": True,
        "index of (state, cancelled_at)": True,
        "index of (state, discarded_at)": True,
    }


async def as_version_11(conn):
    """Make the tables as they were at version 11, whose trigger announces inserts."""
    await install(conn)
    await conn.execute(
        """
        drop index oban_jobs_state_cancelled_at_index, oban_jobs_state_discarded_at_index;
        alter table oban_jobs
          drop constraint non_negative_priority,
          add constraint priority_range check (priority between 0 and 3);
        create function oban_jobs_notify() returns trigger language plpgsql as 'begin return null; end';
        create trigger oban_notify after insert on oban_jobs for each row execute function oban_jobs_notify();
        comment on table oban_jobs is '11';
        """
    )


def lines(result):
    """Return the lines of a result, with one space where a table has several."""
    return [" ".join(line.split()) for line in result.output.splitlines()]
