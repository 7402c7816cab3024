"""Recognising a connection by its class, without importing a library that the application doesn't use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bridge.adapters.executor import Executor
from bridge.errors import InvalidSetting

ACCEPTED = (
    "a connection of asyncpg, psycopg 3 or psycopg2, a session or connection of SQLAlchemy, or Django's connection"
)

#: Which executor a class of a library takes, by the library and the name of the class.
_EXECUTORS = {
    ("asyncpg", "Connection"): "asyncpg.AsyncpgExecutor",
    ("asyncpg", "PoolConnectionProxy"): "asyncpg.AsyncpgExecutor",
    ("psycopg", "Connection"): "psycopg.PsycopgExecutor",
    ("psycopg", "AsyncConnection"): "psycopg.AsyncPsycopgExecutor",
    ("psycopg2", "connection"): "psycopg2.Psycopg2Executor",
    ("sqlalchemy", "Connection"): "sqlalchemy.ConnectionExecutor",
    ("sqlalchemy", "Session"): "sqlalchemy.SessionExecutor",
    ("sqlalchemy", "scoped_session"): "sqlalchemy.ScopedSessionExecutor",
    ("sqlalchemy", "AsyncConnection"): "sqlalchemy.AsyncConnectionExecutor",
    ("sqlalchemy", "AsyncSession"): "sqlalchemy.AsyncSessionExecutor",
    ("sqlalchemy", "async_scoped_session"): "sqlalchemy.AsyncScopedSessionExecutor",
    ("django", "BaseDatabaseWrapper"): "django.DjangoExecutor",
    ("django", "ConnectionProxy"): "django.DjangoExecutor",
}

_found: dict[type[Any], Any] = {}

#: What hands out connections, and is often passed in place of one.
_SOURCES = ("Pool", "ConnectionPool", "AsyncConnectionPool", "Engine", "AsyncEngine", "sessionmaker")


def adapt(conn: Any) -> Executor:
    """Return the executor for a connection or session of the caller's.

    Raises:
        InvalidSetting: It is none of those that Bridge knows, or not one to PostgreSQL.
    """
    if isinstance(conn, Executor):
        return conn
    found = _executor_of(type(conn))
    if found is None:
        # Its type alone is shown: a text may be a DSN, with a password in it.
        raise InvalidSetting("conn", type(conn), ACCEPTED, _mend(type(conn).__name__))
    executor: Executor = found(conn)
    return executor


def _executor_of(cls: type[Any]) -> Any:
    if cls not in _found:
        _found[cls] = next(filter(None, map(_own_executor, cls.__mro__)), None)
    return _found[cls]


def _own_executor(cls: type[Any]) -> Any:
    library = cls.__module__.partition(".")[0]
    if (path := _EXECUTORS.get((library, cls.__name__))) is None:
        return None
    module, _, name = path.partition(".")
    return getattr(import_module(f"bridge.adapters.{module}"), name)


def _mend(name: str) -> str:
    return "take a connection of it, and pass that within its transaction" if name in _SOURCES else ""
