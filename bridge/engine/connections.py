"""The pool, and the one way by which statements reach the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import asyncpg

from bridge.adapters import adapt, sqlstate
from bridge.engine.denials import Denied, what_was_denied
from bridge.engine.dsn import read_dsn
from bridge.engine.hosts import NoAnswerError
from bridge.engine.mistakes import wrong_settings
from bridge.engine.opening import Opener, Prepared, leave
from bridge.engine.rights import GRANT
from bridge.errors import BridgeError, InvalidSetting, SchemaError
from bridge.frames import frameless

_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InternalClientError,
)


#: Classes of PostgreSQL's codes for a server that is out of order, or not ready: no such database, as while it is
#: renamed or restored; an object, or the database, that can't be used for now; errors of the system, of a snapshot, of
#: a configuration file; internal errors, and damaged data or indexes.
_AILING = ("3D", "55", "58", "72", "F0", "XX")

#: Sessions that were ended because a transaction idled, or lasted, for longer than the server allows.
_ENDED_SESSION = ("25P03", "25P04")

#: Of all these, what a statement, its values or its row may bring about by themselves: it needed more memory or other
#: means than there are, or longer than it may take; or it met what is damaged, or what the server didn't expect.
_DOUBTFUL = ("53200", "53400", "57014", "25P04", "58", "XX")


def is_unavailable(error: BaseException) -> bool:
    """Tell "the database is away or busy, try again" from "this statement or value is wrong"."""
    # asyncpg's error for a value that it can't encode is an InterfaceError too, and a ValueError.
    ailing = isinstance(error, _UNAVAILABLE) or _code(error).startswith((*_AILING, *_ENDED_SESSION))
    return ailing and not isinstance(error, ValueError)


def is_doubtful(error: BaseException) -> bool:
    """Tell whether what `is_unavailable` may be the statement's own fault all the same, and never pass."""
    return isinstance(error, TimeoutError) or _code(error).startswith(_DOUBTFUL)


def _code(error: BaseException) -> str:
    return sqlstate(error) or ""


def is_denied(error: BaseException) -> bool:
    """Tell whether the role lacks a right."""
    return sqlstate(error) == _DENIED


@frameless
async def create_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    timeout: float = 60,
    prepared: Prepared = "auto",
    checked: bool = False,
) -> Any:
    """Open a pool of connections.

    Args:
        dsn: `postgresql://user@host/database`, with libpq's options, see `read_dsn`. What is none of these is sent to
            the server as a setting.
        min_size: Connections that are kept.
        max_size: Connections at most.
        timeout: Seconds that one statement may take, so that a dead network is noticed.
        prepared: Whether prepared statements are kept, see `Opener`.
        checked: The DSN is known to be one that connects. Then with a `min_size` of 0 nothing does until it is needed.

    Raises:
        InvalidSetting: The DSN can't be read, or an option of it can't ever work here.
    """
    with wrong_settings(dsn):
        plain, options = read_dsn(dsn)
        pool = await asyncpg.create_pool(
            plain,
            min_size=min_size,
            max_size=max_size,
            command_timeout=timeout,
            connect=Opener(prepared),
            reset=leave,
            **options,
        )
        if min_size == 0 and not checked:  # nothing has connected yet
            await _try_out(pool)
    return pool


@frameless
async def connect(dsn: str, *, timeout: float | None = 60, statement_cache_size: int = 100) -> Any:
    """Open one connection outside of the pool; arguments and errors are those of `create_pool`."""
    with wrong_settings(dsn):
        plain, options = read_dsn(dsn)
        return await Opener()(plain, command_timeout=timeout, statement_cache_size=statement_cache_size, **options)


async def _try_out(pool: Any) -> None:
    try:
        await pool.release(await pool.acquire())
    except BaseException:
        pool.terminate()
        raise


class Connections:
    """Runs statements on a pool, or on a connection that the caller holds.

    Args:
        pool: asyncpg's, or another object with its `fetch(statement, *values, timeout=…)` and `acquire()`.
    """

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @property
    def has_tasks(self) -> bool:
        """Whether a connection may be used in another task than its transaction's: a pool of asyncpg's own.

        Other pools may have no event loop beneath, or keep a connection to the task that has it.
        """
        return isinstance(self.pool, asyncpg.Pool)

    async def fetch(self, statement: str, *values: Any, conn: Any = None, timeout: float | None = None) -> list[Any]:
        """Run a statement and return its rows; `timeout` replaces the connection's own limit, in seconds.

        Args:
            statement: One statement with `$1`, `$2` …
            values: What stands for these.
            conn: Whatever `bridge.adapters` knows as a connection.
            timeout: Not every library has such a limit.

        Raises:
            SchemaError: The table is not there, or the role may not use it; the message names the right and its GRANT.
            InvalidSetting: `conn` is no connection that Bridge knows.
        """
        try:
            if conn is None:
                return await self._fetch_pooled(statement, values, timeout)
            return await adapt(conn).fetch(statement, values, timeout)
        except asyncpg.InternalClientError as error:
            raise _lost(error) from error
        except Exception as error:
            refusal = await self._denial(error, statement, conn) if is_denied(error) else _refusal(error)
            if refusal is None:
                raise
            raise refusal from error

    async def _fetch_pooled(self, statement: str, values: Sequence[Any], timeout: float | None) -> list[Any]:
        rows: list[Any]
        try:
            rows = await self.pool.fetch(statement, *values, timeout=timeout)
        except asyncpg.ReadOnlySQLTransactionError:
            await self._renew()
            rows = await self.pool.fetch(statement, *values, timeout=timeout)
        except NoAnswerError:  # not even to a new connection
            raise
        except TimeoutError:  # a router may have forgotten the others as well, which would take as long each
            await self._renew()
            raise
        return rows

    async def _renew(self) -> None:
        """Let the pool replace its connections, each when it is next used.

        A session that began while the database was read-only, or on a primary server that is none any more, stays so
        for as long as it lasts.
        """
        if (expire := getattr(self.pool, "expire_connections", None)) is not None:
            await expire()

    async def _denial(self, error: Exception, statement: str, conn: Any) -> SchemaError:
        text = _text_of(error)
        denied = what_was_denied(statement, text)
        if denied is None:
            return SchemaError(f"{text}; {GRANT}")
        role = await self._ask_role(conn)
        return _NamelessError(text, denied) if role is None else SchemaError(denied.told(text, role))

    async def _ask_role(self, conn: Any) -> str | None:
        """Return who was refused; None where that can't be had, as in a transaction that has failed."""
        try:
            if conn is None:
                [row] = await self.pool.fetch(_ROLE, timeout=_ASKING)
            else:
                [row] = await adapt(conn).fetch(_ROLE, (), _ASKING)
        except Exception:  # the refusal is what counts
            return None
        return str(row["role"])

    @asynccontextmanager
    async def transaction(self, conn: Any = None) -> AsyncIterator[Any]:
        """Yield a connection within a transaction; on a caller's connection, within a savepoint of its own."""
        source = self.pool.acquire() if conn is None else nullcontext(adapt(conn))
        try:
            async with source as held:
                try:
                    async with adapt(held).savepoint():
                        yield held
                except _NamelessError as error:  # what failed is rolled back, and the connection answers again
                    raise SchemaError(error.denied.told(error.refusal, await self._ask_role(held))) from error.__cause__
        except asyncpg.InternalClientError as error:
            raise _lost(error) from error
        except asyncpg.ReadOnlySQLTransactionError:
            if conn is None:
                await self._renew()
            raise


def _lost(error: asyncpg.InternalClientError) -> Exception:
    """Return what asyncpg means where a connection broke between two steps of one statement."""
    if not str(error).startswith("cannot switch to state"):
        return error
    return asyncpg.ConnectionDoesNotExistError("the connection was lost while a statement was under way")


#: PostgreSQL's codes for a table, a schema or a type that is not there.
_MISSING = ("42P01", "3F000", "42704")
_DENIED = "42501"
#: A prepared statement is not there, or was there before: a pooler gave the connection another server.
_UNPREPARED = ("26000", "42P05")


_ROLE = "select current_user::text as role"
#: Seconds for finding out who lacks a right.
_ASKING = 2.0


class _NamelessError(SchemaError):
    """A right is missing, and the failed transaction doesn't tell to whom."""

    def __init__(self, refusal: str, denied: Denied) -> None:
        super().__init__(denied.told(refusal))
        self.refusal = refusal
        self.denied = denied


def _text_of(error: Exception) -> str:
    # The first line of the driver's own text: some libraries add the statement, and the values of the job.
    return str(getattr(error, "orig", error)).partition("\n")[0]


def _refusal(error: Exception) -> BridgeError | None:
    code, text = sqlstate(error), _text_of(error)
    if code in _MISSING:
        return SchemaError(f"{text}; expected Oban's tables here: run bridge install")
    if code in _UNPREPARED:
        mend = "pass pool_options={'prepared': 'off'}, or create your own asyncpg pool with statement_cache_size=0"
        return InvalidSetting("pool", text, "no prepared statements, as the pooler's mode asks for", mend)
    return None
