import asyncpg
import pytest

from bridge.engine.schema import (
    MANAGED_ELSEWHERE,
    count_jobs,
    inspect,
    install,
    quote_ident,
    repair,
    uninstall,
    upgrade,
)
from bridge.errors import InvalidSetting, SchemaError

from .catalog_dump import dump, expected
from .oban_databases import ALL, FRESH, GROWN, OBAN_PY, make, stranger

ALL_STATES = (
    "available",
    "suspended",
    "scheduled",
    "executing",
    "retryable",
    "completed",
    "discarded",
    "cancelled",
)


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.mark.parametrize("kind", [*FRESH, *GROWN])
async def test_the_databases_of_these_tests_are_what_oban_makes(conn, kind):
    await make(conn, kind)

    assert await dump(conn, "public") == expected(kind)


@pytest.mark.parametrize("kind", [*FRESH, *GROWN])
async def test_each_version_of_oban_is_recognised(conn, kind):
    await make(conn, kind)

    catalog = await inspect(conn)

    assert catalog.version == int(kind.split()[0][1:])
    assert catalog.origin == "oban"
    assert catalog.supported
    assert catalog.require() is catalog
    assert catalog.errors_type == "jsonb[]"
    assert catalog.explicit_ids
    assert catalog.max_attempts_limit == 2_147_483_647


@pytest.mark.parametrize(
    ("kind", "announces", "peers", "priority"),
    [
        ("V9", True, False, 9),
        ("V10", True, False, 3),
        ("V11", True, True, 3),
        ("V12", False, True, 9),
        ("V14", False, True, 9),
    ],
)
async def test_what_the_runtime_adapts_to_is_told(conn, kind, announces, peers, priority):
    await make(conn, kind)

    catalog = await inspect(conn)

    assert (catalog.announces_inserts, catalog.has_peers, catalog.max_priority) == (
        announces,
        peers,
        priority,
    )


async def test_the_states_come_from_the_enum_and_not_from_the_version(conn):
    await make(conn, "V11")
    await make(conn, "V11 grown by 2.11.0", "grown")

    assert (await inspect(conn)).states == ALL_STATES
    grown = await inspect(conn, "grown")
    assert grown.states == tuple(state for state in ALL_STATES if state != "suspended")
    assert not grown.has_suspended


async def test_the_length_of_tags_is_told(conn):
    await make(conn, "V12 grown by 2.17.12")
    await make(conn, "V12", "fresh")

    assert (await inspect(conn)).max_tag_length == 255
    assert (await inspect(conn, "fresh")).max_tag_length is None


async def test_tables_of_oban_py_are_recognised(conn):
    await make(conn, OBAN_PY)

    catalog = await inspect(conn)

    assert (catalog.origin, catalog.version, catalog.supported) == ("oban-py", 0, True)
    assert (catalog.errors_type, catalog.explicit_ids, catalog.max_attempts_limit) == ("jsonb", False, 32_767)
    assert catalog.states[:3] == ("available", "scheduled", "suspended")


async def test_a_missing_table_and_a_missing_schema_are_answers(conn):
    await conn.execute("create schema bare")

    bare, missing = await inspect(conn, "bare"), await inspect(conn, "missing")

    assert (bare.version, bare.schema_exists) == (None, True)
    assert (missing.version, missing.schema_exists) == (None, False)
    with pytest.raises(SchemaError, match='schema "missing" has no table oban_jobs; run `bridge install`'):
        missing.require()


async def test_a_prefix_is_the_exact_name_of_a_schema(conn):
    await install(conn, "Jobs")

    assert (await inspect(conn, "jobs")).version is None
    assert (await inspect(conn, "Jobs")).version == 14


async def test_neither_search_path_nor_other_schemas_change_the_answer(conn):
    for prefix in ("one", "two"):
        await make(conn, "V14 grown by 2.20.3 and 2.21.0", prefix)
    plain = await inspect(conn, "one")

    await conn.execute("set search_path to two")

    assert await inspect(conn, "one") == plain


async def test_a_role_without_any_privilege_may_inspect(conn):
    await install(conn, "closed")

    async with stranger(conn):
        assert (await inspect(conn, "closed")).version == 14


async def test_version_8_is_refused_with_what_it_lacks(conn):
    await make(conn, "V9")
    await conn.execute("alter table oban_jobs drop column meta; comment on table oban_jobs is '8'")

    catalog = await inspect(conn)

    assert not catalog.supported
    with pytest.raises(SchemaError, match=r"has version 8, Bridge runs on 9 and later.*the column meta;"):
        catalog.require()


async def test_an_enum_without_cancelled_is_refused(conn):
    await make(conn, "V9")
    await conn.execute("alter type oban_job_state rename value 'cancelled' to 'other'")

    with pytest.raises(SchemaError, match="it lacks the state cancelled;"):
        (await inspect(conn)).require()


async def test_infinity_means_managed_elsewhere(conn):
    await make(conn, "V14")
    await conn.execute("comment on table oban_jobs is '∞'")

    catalog = await inspect(conn)

    assert (catalog.version, catalog.origin, catalog.lacks) == (MANAGED_ELSEWHERE, "elsewhere", ())
    assert catalog.supported


async def test_a_version_that_is_newer_than_bridge_is_told_as_it_is(conn):
    await make(conn, "V14")
    await conn.execute("comment on table oban_jobs is '15'")

    catalog = await inspect(conn)

    assert (catalog.version, catalog.origin, catalog.lacks) == (15, "oban", ())


async def test_a_disabled_trigger_announces_nothing(conn):
    await make(conn, "V11")
    await conn.execute("alter table oban_jobs disable trigger oban_notify")

    assert not (await inspect(conn)).announces_inserts


async def test_a_view_called_oban_jobs_is_no_installation(conn):
    await conn.execute("create view oban_jobs as select 1 as id")

    catalog = await inspect(conn)

    assert (catalog.version, catalog.objects) == (None, ("oban_jobs",))


async def test_objects_names_what_is_oban_s_or_ours_and_nothing_else(conn):
    await make(conn, "V11")
    await conn.execute(
        """
        create table bridge_producers (id int);
        create table bridge_tolls (id int);
        create function oban_count_estimate(text, text) returns integer language sql as 'select 1';
        create function oban_count_estimate(integer) returns integer language sql as 'select 1';
        """
    )

    assert (await inspect(conn)).objects == (
        "bridge_producers",
        "oban_count_estimate(text, text)",
        "oban_job_state",
        "oban_jobs",
        "oban_jobs_notify()",
        "oban_peers",
    )


@pytest.mark.parametrize("kind", ALL)
async def test_jobs_are_counted_by_state(conn, kind):
    await make(conn, kind, 'my-app "x"')

    assert await count_jobs(conn, 'my-app "x"') == {"available": 1, "completed": 1, "scheduled": 1}


async def test_counting_needs_a_table_and_the_privilege_to_read_it(conn):
    with pytest.raises(SchemaError, match=r'schema "public": relation "public\.oban_jobs" does not exist'):
        await count_jobs(conn)
    await install(conn, "closed")

    async with stranger(conn) as role, conn.transaction():
        with pytest.raises(SchemaError) as refusal:
            await count_jobs(conn, "closed")

    assert str(refusal.value) == (
        f'role "{role}" lacks SELECT on "closed".oban_jobs and USAGE on schema "closed"; '
        f"let an administrator run: "
        f'grant select on "closed".oban_jobs to "{role}"; grant usage on schema "closed" to "{role}"'
    )


@pytest.mark.parametrize("change", [inspect, install, upgrade, repair, uninstall, count_jobs])
async def test_a_name_that_postgresql_would_cut_or_refuse_is_refused_first(conn, change):
    for prefix in ("", "x" * 64, "ä" * 32, "a\0b", "\ud800", 7, None):
        with pytest.raises(InvalidSetting, match="prefix: expected the name of a PostgreSQL schema: 1 to 63 bytes"):
            await change(conn, prefix)


async def test_a_name_of_63_bytes_is_taken_whole(conn):
    prefix = "ä" * 31 + "x"
    await install(conn, prefix)

    assert (await inspect(conn, prefix)).version == 14
    assert quote_ident(prefix) == f'"{prefix}"'
