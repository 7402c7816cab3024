"""Connections that can't serve, and what is no connection."""

import subprocess
import sys

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import pytest
import sqlalchemy as sa
from engine.rig import stranger
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import sessionmaker

from bridge.adapters import adapt, sqlstate
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs import Job

from .kinds import KINDS, settled, url

ACCEPTED = "expected a connection of asyncpg, psycopg 3 or psycopg2, a session or connection of SQLAlchemy, or Django's"


@pytest.mark.parametrize("value", [1, "postgresql://me:secret@host/db", None, object(), sa.text("x"), [], dict])
async def test_what_is_no_connection_is_refused_and_not_shown(engine, value):
    with pytest.raises(InvalidSetting, match=ACCEPTED) as refusal:
        adapt(value)
    assert "secret" not in str(refusal.value)
    if value is not None:
        with pytest.raises(InvalidSetting, match=ACCEPTED):
            await engine.insert(Job("W"), value)
        with pytest.raises(InvalidSetting, match=ACCEPTED):
            await engine.insert_many([Job("W")], value)


async def test_what_hands_out_connections_is_refused_with_advice(installed):
    async with asyncpg.create_pool(installed, min_size=1, max_size=1) as pool:
        blocking = sa.create_engine(url(installed, "psycopg"))
        for source in (
            pool,
            blocking,
            create_async_engine(url(installed, "psycopg")),
            sessionmaker(blocking),
        ):
            with pytest.raises(InvalidSetting, match="take a connection of it"):
                adapt(source)


async def test_another_database_than_postgresql_is_refused(engine):
    sqlite = sa.create_engine("sqlite://")
    with sqlite.connect() as conn:
        with pytest.raises(InvalidSetting, match=r"expected PostgreSQL by one of .*, got 'sqlite\+pysqlite'"):
            await engine.insert(Job("W"), conn)
        with pytest.raises(InvalidSetting, match="expected PostgreSQL by one of"):
            await engine.insert_many([Job("W")], conn)
    sqlite.dispose()


async def test_an_asynchronous_connection_of_psycopg2_is_refused(installed):
    conn = psycopg2.connect(installed, async_=True)
    psycopg2.extras.wait_select(conn)
    with pytest.raises(InvalidSetting, match="a blocking connection of psycopg2"):
        adapt(conn)
    conn.close()


async def test_a_failed_transaction_is_told_by_the_database(engine, held):
    with pytest.raises(Exception, match="division by zero"):
        await settled(held.execute("select 1 / 0"))
    for insert in (engine.insert(Job("W"), held.conn), engine.insert_many([Job("W")], held.conn)):
        with pytest.raises(Exception, match="current transaction is aborted") as refusal:
            await insert
        assert sqlstate(refusal.value) == "25P02"
    await settled(held.rollback())
    if not isinstance(held.conn, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
        await engine.insert(Job("W"), held.conn)


CLOSED = {
    "asyncpg": "connection is closed",
    "psycopg": "the connection is closed",
    "psycopg, async": "the connection is closed",
    "psycopg2": "connection already closed",
    "sqlalchemy connection, psycopg": "This Connection is closed",
    "sqlalchemy async connection, asyncpg": "This Connection is closed",
}


@pytest.mark.parametrize("kind", CLOSED)
async def test_a_closed_connection_is_told_by_its_library(engine, installed, kind):
    async with KINDS[kind](installed) as held:
        await settled(held.conn.close())
        for insert in (engine.insert(Job("W"), held.conn), engine.insert_many([Job("W")], held.conn)):
            with pytest.raises(Exception, match=CLOSED[kind]):
                await insert


@pytest.mark.parametrize("kind", KINDS)
async def test_tables_that_are_not_there(database, engine, kind):
    async with KINDS[kind](database) as held:
        with pytest.raises(SchemaError, match=r"oban_job.* does not exist; expected Oban's tables here") as refusal:
            await engine.insert(Job("W", args={"secret": 1}), held.conn)
        assert "secret" not in str(refusal.value)
        await settled(held.rollback())


@pytest.mark.parametrize("kind", KINDS)
async def test_tables_that_the_role_may_not_use(installed, engine, conn, kind):
    async with stranger(conn) as role, KINDS[kind](installed) as held:
        await settled(held.execute(f'set role "{role}"'))
        with pytest.raises(SchemaError, match="permission denied for table oban_jobs; grant the role what it needs"):
            await engine.insert(Job("W"), held.conn)
        await settled(held.rollback())


def test_no_library_is_imported_that_the_application_does_not_use():
    code = """
import sys
import bridge, bridge.sync
from bridge.adapters import adapt
try:
    adapt(object())
except ValueError:
    pass
found = {"psycopg", "psycopg2", "sqlalchemy", "django"} & sys.modules.keys()
assert not found, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_old_psycopg_is_refused(installed, monkeypatch):
    with psycopg.connect(installed) as conn:
        monkeypatch.delattr(psycopg, "RawCursor")
        with pytest.raises(InvalidSetting, match=r"expected psycopg 3\.2 or later"):
            adapt(conn)
