import asyncio

import asyncpg
import pytest

from bridge.engine.schema import inspect, install, install_sql, quote_ident
from bridge.errors import SchemaError

from .catalog_dump import dump, expected
from .oban_databases import ALL, make, rows, stranger

ODD_NAMES = [
    'my-app "x"',
    "Upper Case",
    "tests; drop schema public cascade; --",
    "O'Brien",
    "{prefix}",
    "$$body$$ $1",
    "a:b\\c%s",
    "two\nlines -- ",
    "прилада 漢字 ä",
    "select",
    "1st",
    '"',
    "x" * 63,
]


@pytest.fixture
async def conn(database):
    """A connection to the empty database."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def test_the_catalog_is_that_of_oban_s_version_14_under_any_name(conn):
    for prefix in ["public", *ODD_NAMES]:
        assert await install(conn, prefix)

    for prefix in ["public", *ODD_NAMES]:
        assert await dump(conn, prefix) == expected("V14"), prefix


async def test_the_sql_for_other_tools_makes_the_same_catalog(conn):
    for prefix in ["public", *ODD_NAMES]:
        await conn.execute(install_sql(prefix))

        assert await dump(conn, prefix) == expected("V14"), prefix


async def test_a_job_can_be_inserted_wherever_the_search_path_points(conn):
    await conn.execute("set search_path to ''")
    for prefix in ["public", *ODD_NAMES]:
        await install(conn, prefix)

        job = await conn.fetchrow(f"insert into {quote_ident(prefix)}.oban_jobs (worker) values ('W') returning *")

        assert (job["id"], job["state"], job["queue"]) == (1, "available", "default")
        assert (job["args"], job["errors"], job["attempted_by"]) == ("{}", [], None)


@pytest.mark.parametrize("kind", ALL)
async def test_nothing_is_altered_where_tables_are(conn, kind):
    prefix = 'my-app "x"'
    await make(conn, kind, prefix)
    before = await dump(conn, prefix), await rows(conn, prefix), await versions_of_catalog_rows(conn)

    assert not await install(conn, prefix)

    assert (
        await dump(conn, prefix),
        await rows(conn, prefix),
        await versions_of_catalog_rows(conn),
    ) == before


async def test_a_second_install_changes_nothing(conn):
    await install(conn)
    before = await versions_of_catalog_rows(conn)

    assert not await install(conn)

    assert await versions_of_catalog_rows(conn) == before


async def test_of_installers_at_the_same_time_one_installs_and_the_others_find_it_done(database):
    pool = [await asyncpg.connect(database) for _ in range(5)]

    made = await asyncio.gather(*(install(conn, 'my-app "x"') for conn in pool))

    assert sorted(made) == [False] * 4 + [True]
    assert await dump(pool[0], 'my-app "x"') == expected("V14")
    for conn in pool:
        await conn.close()


async def test_an_installer_waits_for_the_transaction_of_another(database, conn):
    other = await asyncpg.connect(database)
    async with conn.transaction():
        assert await install(conn)
        waiting = asyncio.create_task(install(other))
        while not await conn.fetchval(
            """
            select exists (
              select from pg_locks as l join pg_database as d on d.oid = l.database
              where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
            )
            """
        ):
            assert not waiting.done()

    assert await waiting is False
    await other.close()


async def test_it_is_a_part_of_the_caller_s_transaction(conn):
    transaction = conn.transaction()
    await transaction.start()
    await install(conn, "jobs")
    await transaction.rollback()

    assert not (await inspect(conn, "jobs")).schema_exists


async def test_tables_before_version_9_are_refused_and_stay(conn):
    await make(conn, "V9")
    await conn.execute("alter table oban_jobs drop column cancelled_at; comment on table oban_jobs is '8'")
    before = await dump(conn, "public")

    with pytest.raises(SchemaError, match="has version 8, Bridge runs on 9 and later"):
        await install(conn)

    assert await dump(conn, "public") == before


@pytest.mark.parametrize(
    "thing",
    [
        "create view oban_jobs as select 1 as id",
        "create table oban_peers (id int)",
        "create type oban_job_state as enum ('a')",
    ],
)
async def test_what_is_in_the_way_is_named_and_stays(conn, thing):
    await conn.execute(thing)
    before = await dump(conn, "public")

    with pytest.raises(SchemaError, match=f'schema "public" has no table oban_jobs, but it has {thing.split()[2]};'):
        await install(conn)

    assert await dump(conn, "public") == before


async def test_what_other_migrations_leave_behind_is_not_in_the_way(conn):
    await conn.execute(
        """
        create table bridge_producers (id int);
        create function oban_count_estimate(text, text) returns integer language sql as 'select 1';
        """
    )

    assert await install(conn)


async def test_the_schema_is_made_only_if_that_is_wanted(conn):
    with pytest.raises(SchemaError, match='there is no schema "jobs"; create it first, or let Bridge'):
        await install(conn, "jobs", create_schema=False)
    assert not (await inspect(conn, "jobs")).schema_exists

    await conn.execute("create schema jobs")

    assert await install(conn, "jobs", create_schema=False)


def test_the_sql_makes_a_schema_unless_that_is_public_or_unwanted():
    assert install_sql('my-app "x"').startswith('create schema if not exists "my-app ""x""";\n')
    assert "create schema" not in install_sql("public")
    assert "create schema" not in install_sql("jobs", create_schema=False)


def test_the_sql_leaves_transactions_to_the_tool_that_runs_it():
    assert not {"begin;", "commit;"} & set(install_sql("jobs").lower().split("\n"))


async def test_a_role_that_may_not_make_a_schema_is_told_so(conn):
    database = await conn.fetchval("select current_database()")

    async with stranger(conn) as role:
        with pytest.raises(SchemaError) as refusal:
            await install(conn, 'my-app "x"')

    assert str(refusal.value) == (
        f'role "{role}" lacks CREATE on database "{database}"; let an administrator run: '
        f'create schema "my-app ""x""" authorization "{role}"'
    )


async def test_the_statement_that_the_refusal_gives_is_enough(conn):
    async with stranger(conn):
        with pytest.raises(SchemaError) as refusal:
            await install(conn, 'my-app "x"')
        await as_administrator(conn, refusal)

        assert await install(conn, 'my-app "x"')


async def test_a_role_that_may_not_make_tables_is_told_so(conn):
    await conn.execute("create schema jobs")

    async with stranger(conn) as role:
        with pytest.raises(SchemaError) as refusal:
            await install(conn, "jobs")
        assert str(refusal.value) == (
            f'role "{role}" lacks USAGE on schema "jobs" and CREATE on schema "jobs"; '
            f"let an administrator run: "
            f'grant usage on schema "jobs" to "{role}"; grant create on schema "jobs" to "{role}"'
        )
        await as_administrator(conn, refusal)

        assert await install(conn, "jobs")


async def test_a_name_that_postgresql_keeps_for_itself_is_refused(conn):
    with pytest.raises(SchemaError, match='unacceptable schema name "pg_jobs"'):
        await install(conn, "pg_jobs")


async def test_a_standby_is_refused(conn):
    await conn.execute("set default_transaction_read_only to on")

    with pytest.raises(SchemaError, match=r"cannot execute CREATE .* in a read-only transaction"):
        await install(conn)


async def versions_of_catalog_rows(conn):
    """Return what any DDL on a table, type or comment changes: who wrote the rows of the catalog last."""
    return await conn.fetch(
        """
        select 'class' as what, oid, xmin::text from pg_class
        union all select 'type', oid, xmin::text from pg_type
        union all select 'attribute', attrelid, xmin::text from pg_attribute
        union all select 'constraint', oid, xmin::text from pg_constraint
        union all select 'index', indexrelid, xmin::text from pg_index
        union all select 'comment', objoid, xmin::text from pg_description
        order by 1, 2, 3
        """
    )


async def as_administrator(conn, refusal):
    """Run what a refusal proposes, as the one who may."""
    role = await conn.fetchval("select current_user")
    await conn.execute("reset role")
    await conn.execute(str(refusal.value).partition("run: ")[2])
    await conn.execute(f"set role {role}")
