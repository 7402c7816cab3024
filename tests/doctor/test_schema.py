"""Tables and indexes."""

import asyncpg
import pytest
from engine.rig import ALL, OBAN_PY, make

from bridge.doctor import Level
from bridge.engine import Connections, Engine, Retention, utc_now
from bridge.engine.schema import inspect, install_own, install_unique_index, repair, upgrade
from bridge.errors import SchemaError

from .rig import examined, found, put


@pytest.fixture
async def empty(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_no_tables_is_a_problem_that_install_mends(database, empty):
    findings = await examined(database)
    assert findings["schema"].level is Level.PROBLEM
    assert "bridge install" in findings["schema"].mend
    assert "poison-rows" not in findings

    await make(empty, "V14")
    await found(database, "schema", "ok")


async def test_a_table_that_is_not_oban_s_is_a_problem(database, empty):
    await empty.execute("create table oban_jobs (id int)")

    finding = await found(database, "schema", "problem")

    assert "of no use to Bridge: it lacks the column args" in finding.seen


@pytest.mark.parametrize("kind", ALL)
async def test_every_version_is_looked_at_from_end_to_end(database, empty, kind):
    await make(empty, kind)
    await install_own(empty)

    findings = await examined(database)

    assert all(finding.looked for finding in findings.values()), findings
    problems = {name for name, finding in findings.items() if finding.level is Level.PROBLEM}
    fetch_index_is_gone = kind in ("V14 grown by 2.20.3 and 2.21.0", OBAN_PY)
    assert problems <= ({"missing-indexes"} if fetch_index_is_gone else set())
    assert findings["poison-rows"].figures["looked_at"] == 3


async def test_an_older_version_is_a_note_and_upgrade_mends_it(database, empty):
    await make(empty, "V11")
    findings = await examined(database)
    assert "version 11 of 14" in findings["schema"].seen
    assert "bridge upgrade" in findings["schema"].mend
    assert findings["schema"].level is findings["schema-lacks"].level is Level.NOTE
    assert "priorities from 4 to 9" in findings["schema-lacks"].figures["lacks"]

    await upgrade(empty)
    findings = await examined(database)
    assert findings["schema"].level is findings["schema-lacks"].level is Level.OK


async def test_what_the_migration_of_2_21_0_dropped_is_named_as_that_and_repair_mends_it(database, empty):
    await make(empty, "V14 grown by 2.20.3 and 2.21.0")
    finding = await found(database, "missing-indexes", "problem")
    assert len(finding.figures["missing"]) == 3
    assert "as Oban 2.21.0's migration to 14 leaves it" in finding.seen
    assert "bridge upgrade --repair" in finding.mend

    await repair(empty)
    await found(database, "missing-indexes", "ok")


async def test_an_index_that_serves_no_fetch_is_a_warning(installed, conn):
    await conn.execute("drop index oban_jobs_args_index")

    finding = await found(installed, "missing-indexes", "warning")

    assert "a unique insert that compares args reads all jobs" in finding.details[0]


async def test_an_index_whose_build_was_broken_off_is_told_with_the_statement_that_drops_it(installed, conn):
    await put(conn)
    await put(conn)
    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute("create unique index concurrently half_built on oban_jobs (worker)")
    finding = await found(installed, "invalid-indexes", "warning")
    assert finding.figures == {"invalid": ["half_built"]}

    await conn.execute(finding.mend.partition(";")[0])
    await found(installed, "invalid-indexes", "ok")


async def test_indexes_that_would_help_a_large_table_are_used_once_they_are_there(installed, conn):
    await conn.execute(
        """
        insert into oban_jobs (worker, queue, state, scheduled_at, completed_at)
        select 'W', 'alpha', (case when n % 2 = 0 then 'scheduled' else 'completed' end)::oban_job_state,
          now() + interval '1 day' * (n % 20 + 1), case when n % 2 = 1 then timezone('UTC', now()) end
        from generate_series(1, 240000) as n
        """
    )
    await conn.execute("analyze oban_jobs")
    finding = await found(installed, "optional-indexes", "note")
    assert "bridge_jobs_ended_index" in finding.mend
    assert len(finding.figures["helpful"]) == 1  # staging has the index of fetches

    await conn.execute("drop index oban_jobs_state_queue_priority_scheduled_at_id_index")
    finding = await found(installed, "optional-indexes", "note")
    assert len(finding.figures["helpful"]) == 2

    for sql in finding.figures["helpful"]:
        await conn.execute(sql)
    await conn.execute("analyze oban_jobs")
    await found(installed, "optional-indexes", "ok")
    assert await uses(installed, "bridge_jobs_due_index", stage)
    assert await uses(installed, "bridge_jobs_ended_index", prune)


async def stage(engine):
    await engine.stage([], allowed=True)


async def prune(engine):
    age = 2 * 86_400.0
    await engine.prune(Retention("completed", max_age=age), utc_now(), 100)


async def uses(dsn, index, act):
    """Tell whether an engine's call reads by the index, from the server's own count."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn)
        await act(Engine(Connections(pool), "public", catalog))
        async with pool.acquire() as conn:
            await conn.execute("select pg_stat_force_next_flush()")
            return await conn.fetchval("select idx_scan > 0 from pg_stat_user_indexes where indexrelname = $1", index)


async def test_bridges_own_tables_that_are_missing_are_named_with_their_cost(installed, conn):
    finding = await found(installed, "own-tables", "note")
    assert finding.figures == {"missing": ["bridge_producers", "bridge_crons"]}
    assert "jobs of Python nodes that die stay executing" in finding.details[0]
    assert "bridge install" in finding.mend

    await install_own(conn)
    await found(installed, "own-tables", "ok")


async def test_the_unique_index_is_told_to_be_there_or_broken_and_built_anew(installed, conn):
    assert (await found(installed, "unique-index", "ok")).figures == {"unique": None}
    for _ in range(2):
        job = await put(conn, meta="""'{"bridge_unique": true}'""")
    with pytest.raises(SchemaError):
        await install_unique_index(conn)
    finding = await found(installed, "unique-index", "problem")
    assert "bridge install --unique-index" in finding.mend
    await found(installed, "invalid-indexes", "ok")

    await conn.execute("delete from oban_jobs where id = $1", job)
    await install_unique_index(conn)
    assert (await found(installed, "unique-index", "ok")).figures == {"unique": "valid"}


async def test_sql_to_be_run_by_hand_stands_in_one_line(database, empty):
    await make(empty, "V14")
    await empty.execute("alter table oban_jobs alter column tags drop default")
    await empty.execute("alter table oban_jobs alter column tags type varchar(255)[]")

    finding = (await examined(database))["schema-lacks"]

    assert "alter column tags drop default, alter column tags type text[]" in finding.mend
    assert "\n" not in finding.mend
    assert ";;" not in finding.mend
    await empty.execute(finding.mend.partition("; bridge")[0])
    await found(database, "schema-lacks", "ok")
