"""Every kind of connection that can be passed, each with the few things that a test does on it."""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import psycopg
import psycopg2
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker


@dataclass
class Held:
    """What is passed as `conn`, and what the application that owns it does; each call may be awaited."""

    conn: Any
    execute: Any
    commit: Any
    rollback: Any
    nested: Any


async def settled(found):
    """Return what a call returned, awaited where it has to be."""
    return await found if hasattr(found, "__await__") else found


@asynccontextmanager
async def entered(block):
    """Enter a block of either kind."""
    if hasattr(block, "__aenter__"):
        async with block:
            yield
    else:
        with block:
            yield


@asynccontextmanager
async def by_asyncpg(dsn, *, autocommit=False):
    conn = await asyncpg.connect(dsn)
    try:
        transaction = conn.transaction()
        if not autocommit:
            await transaction.start()
        yield Held(conn, conn.execute, transaction.commit, transaction.rollback, conn.transaction)
    finally:
        await conn.close()


@asynccontextmanager
async def by_asyncpg_pool(dsn, *, autocommit=False):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, pool.acquire() as conn:
        transaction = conn.transaction()
        if not autocommit:
            await transaction.start()
        yield Held(conn, conn.execute, transaction.commit, transaction.rollback, conn.transaction)


@asynccontextmanager
async def by_psycopg(dsn, *, autocommit=False):
    conn = psycopg.connect(dsn, autocommit=autocommit)
    try:
        yield Held(conn, conn.execute, conn.commit, conn.rollback, conn.transaction)
    finally:
        conn.close()


@asynccontextmanager
async def by_async_psycopg(dsn, *, autocommit=False):
    conn = await psycopg.AsyncConnection.connect(dsn, autocommit=autocommit)
    try:
        yield Held(conn, conn.execute, conn.commit, conn.rollback, conn.transaction)
    finally:
        await conn.close()


@asynccontextmanager
async def by_psycopg2(dsn, *, autocommit=False):
    conn = psycopg2.connect(dsn)
    conn.autocommit = autocommit

    def execute(statement):
        with conn.cursor() as cursor:
            cursor.execute(statement)

    @asynccontextmanager
    async def nested():
        execute("savepoint own")
        try:
            yield
        except BaseException:
            execute("rollback to savepoint own")
            raise
        execute("release savepoint own")

    try:
        yield Held(conn, execute, conn.commit, conn.rollback, nested)
    finally:
        conn.close()


def by_sqlalchemy(driver, *, kind):
    @asynccontextmanager
    async def by(dsn, *, autocommit=False):
        level = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        engine = sa.create_engine(url(dsn, driver), **level)
        held = {
            "connection": engine.connect,
            "session": lambda: Session(engine),
            "scoped": lambda: scoped_session(sessionmaker(engine)),
        }[kind]()
        try:
            yield Held(held, lambda text: held.execute(sa.text(text)), held.commit, held.rollback, held.begin_nested)
        finally:
            held.close()
            engine.dispose()

    return by


def by_async_sqlalchemy(driver, *, kind):
    @asynccontextmanager
    async def by(dsn, *, autocommit=False):
        level = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
        engine = create_async_engine(url(dsn, driver), **level)
        if kind == "connection":
            held = await AsyncConnection(engine).start()
        elif kind == "session":
            held = AsyncSession(engine)
        else:
            held = async_scoped_session(async_sessionmaker(engine), scopefunc=lambda: None)
        try:
            yield Held(held, lambda text: held.execute(sa.text(text)), held.commit, held.rollback, held.begin_nested)
        finally:
            await held.close()
            await engine.dispose()

    return by


def url(dsn, driver):
    """The DSN as SQLAlchemy writes it."""
    return dsn.replace("postgresql://", f"postgresql+{driver}://", 1)


KINDS = {
    "asyncpg": by_asyncpg,
    "asyncpg, of a pool": by_asyncpg_pool,
    "psycopg": by_psycopg,
    "psycopg, async": by_async_psycopg,
    "psycopg2": by_psycopg2,
    "sqlalchemy connection, psycopg": by_sqlalchemy("psycopg", kind="connection"),
    "sqlalchemy connection, psycopg2": by_sqlalchemy("psycopg2", kind="connection"),
    "sqlalchemy session, psycopg": by_sqlalchemy("psycopg", kind="session"),
    "sqlalchemy session, psycopg2": by_sqlalchemy("psycopg2", kind="session"),
    "sqlalchemy scoped_session": by_sqlalchemy("psycopg", kind="scoped"),
    "sqlalchemy async connection, asyncpg": by_async_sqlalchemy("asyncpg", kind="connection"),
    "sqlalchemy async connection, psycopg": by_async_sqlalchemy("psycopg", kind="connection"),
    "sqlalchemy async session, asyncpg": by_async_sqlalchemy("asyncpg", kind="session"),
    "sqlalchemy async session, psycopg": by_async_sqlalchemy("psycopg", kind="session"),
    "sqlalchemy async_scoped_session": by_async_sqlalchemy("asyncpg", kind="scoped"),
}
