"""A run's databases and schemas on a server: made from one template, and cleared away, those of killed runs too."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
import secrets
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bridge.engine import connect
from bridge.engine.schema import install, install_own, quote_ident
from bridge.errors import SchemaError

T = TypeVar("T")

#: The first half of the advisory locks by which a run shows that it lives.
_LOCKS: Final = 1_114_793_063

_NAME: Final = re.compile("bridge_test_(?:[0-9]+_)?([0-9]+)_[a-z0-9]+")


class Databases:
    """Makes databases and schemas with Oban's tables; each takes some 10 ms on an idle machine.

    A thread of its own does it, so that fixtures need no event loop of the test's. Everything made has a name that
    begins with `bridge_test_`; nothing else is touched. The run holds an advisory lock, by which later runs know that
    it lives: what a killed one left, they drop.

    Args:
        dsn: A server, whose role may create databases, or for schemas alone, create schemas in this database.
        prefix: The schema of Oban's tables in the databases.
        prepare: Called with the DSN of the template before the first database is made of it, for an application's own
            tables; a coroutine function is awaited in the thread.
    """

    def __init__(self, dsn: str, prefix: str = "public", prepare: Callable[[str], Any] | None = None) -> None:
        self._dsn = dsn
        self._prefix = prefix
        self._prepare = prepare
        self._key = secrets.randbelow(2**31)
        self._numbers = itertools.count(1)
        self._thread = _LoopThread()
        self._admin: Any = None
        self._base = ""
        self._template: str | None = None
        self._shared: str | None = None

    def __enter__(self) -> Self:
        try:
            self._thread.run(self._open())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._thread.run(self._close())
        finally:
            self._thread.stop()

    def create(self) -> str:
        """Return the DSN of a fresh database.

        Raises:
            SchemaError: The role may not create one.
        """
        return self._dsn_of(self._copy(f"{self._base}{next(self._numbers)}"))

    def drop(self, dsn: str) -> None:
        """Drop a database that `create` made, whoever is connected to it still."""
        self._thread.run(self._drop(urlsplit(dsn).path.removeprefix("/")))

    def shared(self) -> str:
        """Return the DSN of the run's own database, for tests that roll back what they write."""
        if self._shared is None:
            self._shared = self._copy(f"{self._base}shared")
        return self._dsn_of(self._shared)

    def create_schema(self) -> str:
        """Return the name of a fresh schema with Oban's tables, in the database of the DSN itself.

        Raises:
            SchemaError: The role may not create one.
        """
        name = f"bridge_test_{self._key}_{next(self._numbers)}"
        self._thread.run(_install(self._admin, name))
        return name

    def drop_schema(self, name: str) -> None:
        """Drop a schema that `create_schema` made."""
        self._thread.run(self._admin.execute(f"drop schema if exists {quote_ident(name)} cascade"))

    def _copy(self, name: str) -> str:
        if self._template is None:
            self._template = self._make_template()
        self._thread.run(self._create(name, self._template))
        return name

    def _make_template(self) -> str:
        name = f"{self._base}template"
        self._thread.run(self._create(name, "template1"))
        self._thread.run(_install_at(self._dsn_of(name), self._prefix))
        if self._prepare is not None:
            found = self._prepare(self._dsn_of(name))
            if inspect.iscoroutine(found):
                self._thread.run(found)
        return name

    def _dsn_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{database}"))

    # In the thread

    async def _open(self) -> None:
        self._admin = await connect(self._dsn)
        await self._admin.execute("select pg_advisory_lock($1, $2)", _LOCKS, self._key)
        # Locks are a database's own, so the name says in which one the run holds its own.
        oid = await self._admin.fetchval("select oid from pg_database where datname = current_database()")
        self._base = f"bridge_test_{oid}_{self._key}_"
        await self._clear_dead()

    async def _close(self) -> None:
        try:
            await self._clear(self._key)
        finally:
            await self._admin.close()

    async def _clear_dead(self) -> None:
        names = await self._admin.fetch(
            "select datname::text from pg_database union all select nspname from pg_namespace"
        )
        keys = {int(found[1]) for (name,) in names if (found := _NAME.fullmatch(name))}
        for key in keys - {self._key}:
            if await self._admin.fetchval("select pg_try_advisory_lock($1, $2)", _LOCKS, key):
                with suppress(asyncpg.PostgresError):  # such as one of another role's
                    await self._clear(key)
                await self._admin.execute("select pg_advisory_unlock($1, $2)", _LOCKS, key)

    async def _clear(self, key: int) -> None:
        schemas = await self._admin.fetch(
            "select nspname from pg_namespace where starts_with(nspname, $1)", f"bridge_test_{key}_"
        )
        for (name,) in schemas:
            await self._admin.execute(f"drop schema {quote_ident(name)} cascade")
        start = self._base.replace(f"_{self._key}_", f"_{key}_")
        for (name,) in await self._admin.fetch("select datname from pg_database where starts_with(datname, $1)", start):
            await self._drop(name)

    async def _create(self, name: str, template: str) -> None:
        try:
            await self._admin.execute(f"create database {quote_ident(name)} template {quote_ident(template)}")
        except asyncpg.InsufficientPrivilegeError as error:
            mend = "grant it (alter role … createdb), or use a schema a test: bridge_schema"
            raise SchemaError(f"{error}; expected a role that may create databases; {mend}") from error
        except asyncpg.ObjectInUseError as error:
            raise SchemaError(f"{error}; bridge_prepare must close every connection that it opened") from error

    async def _drop(self, name: str) -> None:
        await self._admin.execute(f"drop database if exists {quote_ident(name)} with (force)")


async def _install_at(dsn: str, prefix: str) -> None:
    conn = await connect(dsn)
    try:
        await _install(conn, prefix)
    finally:
        await conn.close()


async def _install(conn: Any, prefix: str) -> None:
    await install(conn, prefix)
    await install_own(conn, prefix)


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bridge-testing", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
