"""How a connection is opened: straight to the server, or by way of a pooler, which keeps no prepared statements."""

from __future__ import annotations

import logging
from typing import Any, Final, Literal, get_args

from bridge.engine.hosts import LIMIT, Hosts, no_answer
from bridge.errors import InvalidSetting
from bridge.frames import frameless

logger = logging.getLogger("bridge.engine")

Prepared = Literal["auto", "on", "off"]

_CHOICES: Final[dict[str, bool | None]] = {"auto": None, "on": True, "off": False}


def check_prepared(value: Any) -> None:
    """Refuse what is no `Prepared`.

    Raises:
        InvalidSetting: It is another value.
    """
    if value not in get_args(Prepared):
        raise InvalidSetting("pool_options.prepared", value, f"one of {', '.join(get_args(Prepared))}")


class Opener:
    """Opens connections, and keeps none from the next transaction's client: a pooler may give each another server.

    Args:
        prepared: Whether statements are prepared once and kept, which is faster. `"auto"` does so unless there is a
            pooler, of whatever kind, between this node and the server. `"on"` is for those that know prepared
            statements, such as PgBouncer from 1.21 on with `max_prepared_statements`, or keep a server for a session.
    """

    def __init__(self, prepared: Prepared = "auto") -> None:
        self._keeps = _CHOICES[prepared]
        self._hosts = Hosts()

    @frameless
    async def __call__(self, *args: Any, **options: Any) -> Any:
        """Open a connection; arguments and errors are those of `Hosts.connect`."""
        [dsn] = args
        if self._keeps is None:
            conn = await self._hosts.connect(dsn, **options)
            try:
                if await self._find_out(conn, options.get("timeout", LIMIT)):
                    return conn
            except TimeoutError as error:  # a pooler lets clients in though its server is away
                raise no_answer(dsn, options) from error
        if not self._keeps:
            options["statement_cache_size"] = 0
        return await self._hosts.connect(dsn, **options)

    async def _find_out(self, conn: Any, limit: float | None) -> bool:
        try:
            self._keeps = await is_direct(conn, limit)
        except BaseException:
            conn.terminate()
            raise
        if not self._keeps:
            logger.info("there is a pooler between this node and PostgreSQL, so no prepared statements are kept")
            await conn.close(timeout=1)
        return self._keeps


async def is_direct(conn: Any, timeout: float | None = None) -> bool:
    """Tell whether a connection leads straight to a server: a pooler has told it another process id than the server's.

    By `execute`, because nothing else is sure to leave no statement behind in a server that others use as well.
    """
    status: str = await conn.execute(f"select where pg_backend_pid() = {int(conn.get_server_pid())}", timeout=timeout)
    return status == "SELECT 1"


async def leave(_conn: Any) -> None:
    """Do nothing when a connection goes back to its pool.

    asyncpg would undo whatever a session may have set, in four statements each time; ours set nothing.
    """
