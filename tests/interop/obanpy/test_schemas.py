"""Tables that one Python made and the other is installed on."""

import asyncpg
import pytest

from bridge import Oban
from bridge.engine.schema import inspect, install

from .peer import PeerError

pytestmark = pytest.mark.item("oban-py: schemas")


@pytest.fixture
async def conn(database):
    """A plain connection to the test's empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_what_installing_oban_py_changes_in_our_tables(conn, peer, database):
    """Columns, constraints and indexes stay; it adds its own, and settings of storage."""
    await install(conn, "public")
    before = await catalog(conn)
    await peer.call("install", dsn=database)
    after = await catalog(conn)
    assert {kind: found - before[kind] for kind, found in after.items()} == {
        "columns": set(),
        "constraints": set(),
        "indexes": {
            "oban_jobs_cancelled_at_index",
            "oban_jobs_completed_at_index",
            "oban_jobs_discarded_at_index",
            "oban_jobs_staging_index",
        },
        "tables": {"oban_leaders", "oban_producers"},
        "functions": {"oban_count_estimate"},
        "states": set(),
        "comments": set(),
        "storage": {
            "autovacuum_analyze_scale_factor=0.02",
            "autovacuum_analyze_threshold=100",
            "autovacuum_vacuum_cost_delay=1",
            "autovacuum_vacuum_cost_limit=2000",
            "autovacuum_vacuum_insert_scale_factor=0.02",
            "autovacuum_vacuum_insert_threshold=1000",
            "autovacuum_vacuum_scale_factor=0.02",
            "autovacuum_vacuum_threshold=50",
            "fillfactor=85",
        },
    }
    assert [name for kind, found in after.items() for name in before[kind] - found] == []
    found = await inspect(conn, "public")
    assert (found.origin, found.version, found.supported) == ("oban", 14, True)
    assert await Oban(dsn=database).install() is False
    assert theirs(await catalog(conn)) == after


async def test_installing_bridge_changes_nothing_of_oban_pys_tables(conn, peer, database):
    await peer.call("install", dsn=database)
    before = await catalog(conn)
    assert await Oban(dsn=database).install() is False
    assert theirs(await catalog(conn)) == before
    found = await inspect(conn, "public")
    assert (found.origin, found.version, found.supported) == ("oban-py", 0, True)


async def test_a_queue_of_oban_py_needs_its_own_tables_beside_ours(conn, peer, database):
    await install(conn, "public")
    with pytest.raises(PeerError, match="The 'oban_leaders' is missing, run schema installation first"):
        await peer.node(database, queues={"shared": 1})
    client = await peer.node(database)
    assert await client.enqueue("workers.Echo") == 1


@pytest.mark.parametrize(
    ("tables", "lacks"),
    [("elixir's", []), ("oban-py's", ["index of args", "index of meta", "table oban_peers"])],
    indirect=["tables"],
)
async def test_the_doctor_finds_the_tables_in_order_but_for_what_oban_pys_own_lack(obanpy, start, tables, lacks):
    bridge = await start(queues={"ours": 1})
    await obanpy({"theirs": 1})
    findings = {finding.id: finding for finding in await bridge.diagnose() if finding.level in ("warning", "problem")}
    assert sorted(what for found in findings.values() for what in found.figures.get("lacks", [])) == lacks[2:]
    assert sorted(what for found in findings.values() for what in found.figures.get("missing", [])) == lacks[:2]
    assert set(findings) == ({"schema-lacks", "missing-indexes"} if lacks else set())


def theirs(found):
    """A catalog without what is Bridge's alone."""
    return {kind: {name for name in names if not name.startswith("bridge_")} for kind, names in found.items()}


async def catalog(conn):
    """What the schema has, by kind."""
    statements = {
        "columns": """
            select attrelid::regclass::text || '.' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull
                || coalesce(pg_get_expr(adbin, adrelid), '')
            from pg_attribute left join pg_attrdef on (adrelid, adnum) = (attrelid, attnum)
            where attrelid in (to_regclass('oban_jobs'), to_regclass('oban_peers')) and attnum > 0""",
        "constraints": """
            select conname || pg_get_constraintdef(oid) from pg_constraint
            where conrelid in (to_regclass('oban_jobs'), to_regclass('oban_peers'))""",
        "indexes": "select indexname from pg_indexes where tablename in ('oban_jobs', 'oban_peers')",
        "tables": "select tablename from pg_tables where schemaname = 'public'",
        "functions": "select proname from pg_proc where pronamespace = 'public'::regnamespace",
        "states": "select unnest(enum_range(null::oban_job_state))::text",
        "comments": "select coalesce(obj_description(to_regclass('oban_jobs')), '')",
        "storage": "select unnest(reloptions) from pg_class where oid = to_regclass('oban_jobs')",
    }
    return {kind: {row[0] for row in await conn.fetch(text)} for kind, text in statements.items()}
