"""What applications set on their connections changes nothing of what is inserted."""

import io
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import pytest
import sqlalchemy as sa
from engine.rig import row
from psycopg import rows
from psycopg.adapt import Dumper, Loader
from psycopg.types.string import StrDumper
from sqlalchemy.ext.asyncio import create_async_engine

from bridge.adapters import adapt
from bridge.engine.schema import inspect
from bridge.jobs import Job

from .kinds import settled, url

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def refuse(*_values):
    raise AssertionError("a statement sends or reads this type as itself")


class Refusing(Loader):
    def load(self, data):
        refuse(data)


class RefusingDumper(Dumper):
    def dump(self, obj):
        refuse(obj)


@asynccontextmanager
async def asyncpg_with_codecs(dsn):
    conn = await asyncpg.connect(dsn, statement_cache_size=0)
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=refuse, decoder=refuse, schema="pg_catalog")
    yield conn
    await conn.close()


def settle_oddly(conn):
    conn.row_factory = rows.dict_row
    conn.prepare_threshold = 0
    conn.adapters.register_dumper(str, StrDumper)  # sent as text, no longer as what fits
    conn.adapters.register_dumper(int, RefusingDumper)
    conn.adapters.register_dumper(list, RefusingDumper)
    conn.adapters.register_dumper(datetime, RefusingDumper)
    for name in ("int4", "int8", "text", "bool", "timestamp", "json", "jsonb"):
        conn.adapters.register_loader(name, Refusing)
    return conn


@asynccontextmanager
async def psycopg_with_factories(dsn):
    with psycopg.connect(dsn, cursor_factory=psycopg.ClientCursor) as conn:
        yield settle_oddly(conn)


@asynccontextmanager
async def async_psycopg_with_factories(dsn):
    async with await psycopg.AsyncConnection.connect(dsn, cursor_factory=psycopg.AsyncClientCursor) as conn:
        yield settle_oddly(conn)


@asynccontextmanager
async def psycopg_in_a_pipeline(dsn):
    with psycopg.connect(dsn) as conn, conn.pipeline():
        yield conn


@asynccontextmanager
async def psycopg_in_latin1(dsn):
    with psycopg.connect(dsn, client_encoding="latin1") as conn:
        yield conn


@asynccontextmanager
async def psycopg2_with_factories(dsn):
    conn = psycopg2.connect(dsn, cursor_factory=psycopg2.extras.RealDictCursor)
    kinds = (20, 23, 25, 16, 114, 1114, 3802)  # int8, int4, text, bool, json, timestamp, jsonb
    psycopg2.extensions.register_type(psycopg2.extensions.new_type(kinds, "ODD", refuse), conn)
    with closing(conn):
        yield conn


@asynccontextmanager
async def psycopg2_that_logs(dsn):
    conn = psycopg2.connect(dsn, connection_factory=psycopg2.extras.MinTimeLoggingConnection)
    conn.initialize(io.StringIO())
    with closing(conn):
        yield conn


def sqlalchemy_with_json(driver):
    @asynccontextmanager
    async def made(dsn):
        engine = sa.create_engine(url(dsn, driver), json_serializer=refuse, json_deserializer=refuse, echo=False)
        if driver == "psycopg":
            sa.event.listen(engine, "connect", lambda conn, _: conn.adapters.register_dumper(str, StrDumper))
        with engine.connect() as conn:
            yield conn
        engine.dispose()

    return made


@asynccontextmanager
async def async_sqlalchemy_with_json(dsn):
    options = {"json_serializer": refuse, "json_deserializer": refuse}
    engine = create_async_engine(url(dsn, "asyncpg"), connect_args={"prepared_statement_cache_size": 0}, **options)
    async with engine.connect() as conn:
        yield conn
    await engine.dispose()


ODD = {
    "asyncpg with codecs": asyncpg_with_codecs,
    "psycopg with factories": psycopg_with_factories,
    "psycopg, async, with factories": async_psycopg_with_factories,
    "psycopg in a pipeline": psycopg_in_a_pipeline,
    "psycopg in latin1": psycopg_in_latin1,
    "psycopg2 with factories": psycopg2_with_factories,
    "psycopg2 that logs": psycopg2_that_logs,
    "sqlalchemy with json, psycopg": sqlalchemy_with_json("psycopg"),
    "sqlalchemy with json, psycopg2": sqlalchemy_with_json("psycopg2"),
    "sqlalchemy with json, asyncpg": async_sqlalchemy_with_json,
}


@pytest.mark.parametrize("kind", ODD)
async def test_settings_of_the_application_change_nothing(engine, installed, conn, kind):
    expected = await inspect(conn)
    jobs = [Job("W", args={"é": 1.5}, meta={"m": [None]}, tags=["é", "b"], scheduled_at=AT), Job("W")]
    async with ODD[kind](installed) as odd:
        assert await inspect(odd) == expected
        one = await engine.insert(jobs[0], odd)
        found = await engine.insert_many(jobs, odd)
        if "sqlalchemy" not in kind:  # there a statement needs its casts
            assert len(await adapt(odd).fetch("select id from oban_jobs where id = $1 limit $2", [one.id, 5])) == 1
        if hasattr(odd, "commit"):
            await settled(odd.commit())
    scheduled = await row(conn, one.id)
    assert scheduled["args"] == {"é": 1.5}
    assert scheduled["meta"] == {"m": [None]}
    assert scheduled["tags"] == ["é", "b"]
    assert scheduled["scheduled_at"] == AT.replace(tzinfo=None)
    again = await row(conn, found[0].id)
    assert again | {"id": 0, "inserted_at": 0} == scheduled | {"id": 0, "inserted_at": 0}
    assert (await row(conn, found[1].id))["state"] == "available"
