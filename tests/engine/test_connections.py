"""Connections as applications set them up, and which errors of theirs mean that the database is away."""

import asyncio
import json
import socket

import asyncpg
import pytest

from bridge import Oban, Record, Worker
from bridge.engine import Connections, Engine, create_pool, is_doubtful, is_unavailable
from bridge.engine.schema import install
from bridge.errors import SchemaError
from bridge.jobs import Job
from bridge.jobs.worker import build_options

from .rig import ERROR, PATIENCE, UUID, Ear, ack, engine_on, fetch, row, stranger


@pytest.mark.parametrize(
    ("dsn", "kind", "told"),
    [
        (
            "postgresql://u:pw@/a?host=/nowhere&port=7",
            FileNotFoundError,
            "at /nowhere:7/a did not answer: No such",
        ),
        ("postgresql://u:pw@127.0.0.1:1/a", ConnectionRefusedError, "at 127.0.0.1:1/a did not answer: Connect call"),
        ("postgresql://u:pw@127.0.0.1:1,127.0.0.1:2/a", ConnectionRefusedError, "at 127.0.0.1:[12]/a did not answer"),
        ("postgresql://u:pw@nobody.invalid", socket.gaierror, "at nobody.invalid did not answer"),
    ],
    ids=["a socket", "a port", "one of several", "a name"],
)
async def test_a_database_that_is_away_is_named_by_an_error_of_the_same_kind(dsn, kind, told):
    with pytest.raises(kind, match=f"the database {told}") as found:
        await create_pool(dsn)
    assert type(found.value) is kind
    assert found.value.errno
    assert "pw" not in str(found.value)


class Broken:
    """A pool whose statements fail as asyncpg's do where a connection breaks between two steps of one."""

    def __init__(self, text):
        self.text = text

    async def fetch(self, *_statement, timeout):
        raise asyncpg.InternalClientError(self.text)


async def test_a_connection_that_breaks_within_a_statement_is_told_as_lost():
    broken = Broken("cannot switch to state 12; another operation (2) is in progress")
    with pytest.raises(asyncpg.ConnectionDoesNotExistError, match="the connection was lost") as found:
        await Connections(broken).fetch("select 1")
    assert is_unavailable(found.value)
    with pytest.raises(asyncpg.InternalClientError, match="another one"):
        await Connections(Broken("another one")).fetch("select 1")


async def with_codecs(conn):
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def with_strange_codecs(conn):
    def refuse(_value):
        raise AssertionError("a statement sends or reads this type as itself")

    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=refuse, decoder=refuse, schema="pg_catalog")
    await conn.set_type_codec("oban_job_state", encoder=refuse, decoder=refuse, schema="public")


@pytest.mark.parametrize("init", [with_codecs, with_strange_codecs])
async def test_a_pool_with_codecs_of_its_own(installed, conn, init):
    async with engine_on(installed, init=init) as engine:
        one = await engine.insert(Job("W", queue="alpha", args={"a": [1, "é"]}, meta={"m": 1}))
        [many] = await engine.insert_many([Job("W", queue="alpha", args={"a": {}}, tags=["x"])])
        assert [job.args for job in await fetch(engine)] == [{"a": [1, "é"]}, {"a": {}}]

        entry = '{"attempt": 1, "at": "2026-03-01T12:30:15.123456Z", "error": "no"}'
        one, many = await engine.get(one.id), await engine.get(many.id)
        await engine.ack(
            one.attempted_by[1], [ack(one, "completed", meta='{"r": 1}'), ack(many, "discarded", error=entry)]
        )
        await engine.update({"id": one.id}, {"args": {"b": None}, "meta": {"n": 2}})

        [found] = await engine.select({"args": {"b": None}, "meta": {"r": 1}, "state": "completed"}, 10)
        assert (found.id, found.args, found.meta) == (one.id, {"b": None}, {"m": 1, "r": 1, "n": 2})
        assert (await engine.get(many.id)).errors == [json.loads(entry)]
        assert await engine.retry({"tags": ["x"]}) == [many.id]
        assert await engine.cancel({"id": many.id}) == [many.id]
        assert await engine.stage(["alpha"], allowed=True) == (0, set())
    assert (await row(conn, one.id))["meta"] == {"m": 1, "r": 1, "n": 2}


@pytest.mark.parametrize("init", [with_codecs, with_strange_codecs])
async def test_a_callers_connection_with_codecs_of_its_own(engine, installed, conn, init):
    theirs = await asyncpg.connect(installed)
    await init(theirs)

    one = await engine.insert(Job("W", args={"a": 1}, meta={"m": [None]}), theirs)
    [many] = await engine.insert_many([Job("W", args={"a": 2}, tags=["x", "y"])], theirs)
    await theirs.close()

    assert [(found["args"], found["meta"]) for found in [await row(conn, one.id), await row(conn, many.id)]] == [
        ({"a": 1}, {"m": [None]}),
        ({"a": 2}, {}),
    ]


@pytest.mark.parametrize("init", [None, with_codecs, with_strange_codecs])
async def test_an_instance_on_the_applications_pool(installed, registry, init):
    class Double(Worker):
        async def process(self, job):
            return Record(job.args["n"] * 2)

    Double.options = build_options("Double", {})
    registry.register(Double, ["Double"])
    async with asyncpg.create_pool(installed, min_size=1, max_size=5, init=init) as pool:
        async with Oban(pool=pool, queues={"alpha": 2}, registry=registry) as oban:
            one = await oban.enqueue(Job("Double", queue="alpha", args={"n": 2}))
            [other] = await oban.enqueue_many([Job("Double", queue="alpha", args={"n": 4})])

            async with asyncio.timeout(PATIENCE):
                while await oban.count_jobs() != {"completed": 2}:
                    pass
            assert [await oban.fetch_result(job) for job in (one, other)] == [4, 8]
        assert await pool.fetchval("select count(*) from oban_jobs") == 2  # it is not closed


async def test_a_pool_without_prepared_statements(engine, installed, conn):
    """As behind a pooler that hands each transaction another connection."""
    async with asyncpg.create_pool(installed, min_size=1, max_size=2, statement_cache_size=0) as pool:
        pooled = Engine(Connections(pool), "public", engine.catalog)
        await pooled.insert(Job("W", queue="alpha"))
        await pooled.insert_many(Job("W", queue="alpha") for _ in range(3))
        jobs = await fetch(pooled)
        assert len(await pooled.ack(UUID, [ack(job, "completed") for job in jobs])) == 4
    assert await conn.fetchval("select count(*) from oban_jobs where state = 'completed'") == 4


# Sessions that can't write


@pytest.fixture
async def stale(installed, engine):
    """An engine whose sessions began while its database was read-only, which it is no more."""
    pool = await create_pool(installed, min_size=2, max_size=2)
    async with pool.acquire() as one, pool.acquire() as other:
        for session in (one, other):
            await session.execute("set default_transaction_read_only = on")
    yield Engine(Connections(pool), "public", engine.catalog)
    await pool.close()


async def test_a_session_that_began_read_only_is_replaced(stale, conn):
    await stale.insert(Job("W"))
    assert await conn.fetchval("select count(*) from oban_jobs") == 1


async def test_a_transaction_that_began_read_only_fails_and_the_next_one_does_not(stale, conn):
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await stale.insert_many([Job("W"), Job("V")])
    await stale.insert_many([Job("W"), Job("V")])
    assert await conn.fetchval("select count(*) from oban_jobs") == 2


async def test_a_database_that_stays_read_only_says_so(installed, engine):
    pool = await create_pool(f"{installed}{'&' if '?' in installed else '?'}default_transaction_read_only=on")
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as caught:
            await Engine(Connections(pool), "public", engine.catalog).insert(Job("W"))
    finally:
        await pool.close()
    assert is_unavailable(caught.value)


# Errors

AWAY = [
    ConnectionRefusedError(),
    ConnectionResetError(),
    OSError("no route"),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ConnectionFailureError(),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.AdminShutdownError(),
    asyncpg.CrashShutdownError(),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.TooManyConnectionsError(),
    asyncpg.DiskFullError(),
    asyncpg.OutOfMemoryError(),
    asyncpg.InvalidPasswordError(),
    asyncpg.InvalidAuthorizationSpecificationError(),
    asyncpg.ReadOnlySQLTransactionError(),
    asyncpg.SerializationError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.LockNotAvailableError(),
    asyncpg.ObjectInUseError("database is being accessed by other users"),
    asyncpg.ObjectNotInPrerequisiteStateError("database is not currently accepting connections"),
    asyncpg.InvalidCatalogNameError("database does not exist"),
    asyncpg.IdleInTransactionSessionTimeoutError(),
    asyncpg.TransactionTimeoutError(),
    asyncpg.PostgresIOError("could not read block"),
    asyncpg.UndefinedFileError(),
    asyncpg.InternalServerError("cache lookup failed"),
    asyncpg.DataCorruptedError(),
    asyncpg.IndexCorruptedError(),
    asyncpg.SnapshotTooOldError(),
    asyncpg.ConfigFileError(),
]
WRONG = [
    asyncpg.DataError("invalid input for query argument $1"),
    asyncpg.UndefinedTableError(),
    asyncpg.UndefinedColumnError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.CheckViolationError(),
    asyncpg.UniqueViolationError(),
    asyncpg.UntranslatableCharacterError(),
    asyncpg.ProgramLimitExceededError(),
    asyncpg.PostgresSyntaxError(),
    SchemaError("no tables"),
    ValueError(),
    AttributeError(),
]


#: Of what is away, what a statement may have brought about by itself.
DOUBTFUL = (
    TimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.TransactionTimeoutError,
    asyncpg.OutOfMemoryError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)


def name_of(error):
    return type(error).__name__


@pytest.mark.parametrize("error", AWAY, ids=name_of)
def test_the_database_is_away(error):
    assert is_unavailable(error)


@pytest.mark.parametrize("error", [*AWAY, *WRONG], ids=name_of)
def test_what_the_statement_may_have_brought_about_itself(error):
    assert is_doubtful(error) is isinstance(error, DOUBTFUL)


def test_a_code_of_a_later_server_is_known_by_its_class():
    error = asyncpg.PostgresError("file name too long")
    error.sqlstate = "58P03"
    assert is_unavailable(error)
    assert is_doubtful(error)


@pytest.mark.parametrize("error", WRONG, ids=name_of)
def test_the_statement_or_value_is_wrong(error):
    assert not is_unavailable(error)


async def test_a_value_that_the_driver_cannot_encode_is_no_outage(conn):
    with pytest.raises(asyncpg.DataError) as refusal:
        await conn.fetch("select $1::integer", "text")

    assert not is_unavailable(refusal.value)


async def test_a_table_that_is_not_there(database, engine):
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        elsewhere = Engine(Connections(pool), "public", engine.catalog)
        with pytest.raises(SchemaError, match=r'"public.oban_jobs" does not exist; .*: run bridge install'):
            await elsewhere.get(1)
        with pytest.raises(SchemaError, match="expected Oban's tables here: run bridge install"):
            await elsewhere.insert(Job("W"))


async def test_a_table_that_the_role_may_not_use(engine, installed):
    conn = await asyncpg.connect(installed)
    async with stranger(conn):
        with pytest.raises(SchemaError, match=r"permission denied .*; grant the role what it needs"):
            await engine.insert(Job("W"), conn)
    await conn.close()


# Schemas' names


@pytest.mark.parametrize("prefix", ["private", "größe", 'a "quoted" one', "{columns} {where} {prefix}", "$1 %s ' --"])
async def test_a_schema_of_any_name(database, prefix):
    conn = await asyncpg.connect(database)
    await install(conn, prefix)
    async with engine_on(database, prefix) as engine, Ear.on(database, prefix) as ear:
        job = await engine.insert(Job("W", queue="alpha"))
        await engine.insert_many([Job("W", queue="alpha", schedule_in=-1)])
        assert await engine.stage(["alpha"], allowed=True) == (1, {"alpha"})
        second, first = await fetch(engine)
        assert first.id == job.id
        assert await engine.ack(UUID, [ack(first, "discarded", error=ERROR)]) == {(job.id, 1)}
        assert await engine.cancel({"state": "executing"}) == [second.id]
        assert await engine.retry({"id": job.id}) == [job.id]
        [changed] = await engine.update({"state": "available"}, {"queue": "beta"})
        assert changed.errors == [json.loads(ERROR)]
        assert await engine.delete({"queue": ["alpha", "beta"]}) == [job.id, second.id]
        assert await engine.elixir_leads() is False
        assert {channel for channel, _ in await ear.heard()} == {"insert", "signal"}
    await conn.close()


async def test_the_tables_of_another_schema_are_not_touched(engine, conn, installed):
    await install(conn, "other")
    try:
        async with engine_on(installed, "other") as other:
            await other.insert(Job("W", queue="alpha"))
            assert await fetch(engine) == []
            assert len(await fetch(other)) == 1
    finally:
        await conn.execute("drop schema other cascade")
