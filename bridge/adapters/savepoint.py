"""A savepoint by statements, for libraries that have none of their own or one that would commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

#: The same name may stand within itself: PostgreSQL releases and rolls back the innermost one.
_NAME = "bridge_insert"


@asynccontextmanager
async def savepoint_by(run: Callable[[str], Awaitable[Any]], *, alone: bool) -> AsyncIterator[None]:
    """Hold a savepoint, or where nothing is open and nothing will open by itself (`alone`), a transaction."""
    try:
        await run("begin" if alone else f"savepoint {_NAME}")
    except BaseException:
        if alone:  # cancelled, it may have begun
            with suppress(Exception):
                await run("rollback")
        raise
    try:
        yield
    except BaseException:
        with suppress(Exception):  # where the connection is lost, the error that was raised says so
            await run("rollback" if alone else f"rollback to savepoint {_NAME}")
            if not alone:
                await run(f"release savepoint {_NAME}")
        raise
    await run("commit" if alone else f"release savepoint {_NAME}")
