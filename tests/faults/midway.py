"""Statements that are held up in the midst of what they do, so that a fault can strike just then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from .machine import Limit
from .recovery import GONE

if TYPE_CHECKING:
    from .ground import Ground

#: The advisory lock for as long as which statements are held up: nobody's but this module's.
_KEY: Final = 4_210_815

#: Waits by sleeping, which no limit on locks ends, for a lock that ends with our session, however that ends.
_MAKE: Final = """
    create function faults_midway() returns trigger language plpgsql as $$
    begin
      while not pg_try_advisory_xact_lock_shared({key}) loop perform pg_sleep(0.02); end loop;
      return new;
    end $$;
    create trigger faults_midway before update on oban_jobs
    for each row when (old.id = {job} and new.state <> old.state) execute function faults_midway()
"""

_HELD: Final = """
    select application_name as node from pg_stat_activity
    where wait_event = 'PgSleep' and datname = current_database() and strpos(query, $1) > 0
"""


class Midway:
    """What is held up."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    async def reached(self, marker: str, within: float) -> str:
        """Wait until a statement is held up that has a marker in its first 1,024 bytes; return the node whose it is.

        Raises:
            AssertionError: None came so far in so many seconds.
        """
        limit = Limit("statements to come to a job", within)
        while not (found := await self._conn.fetch(_HELD, marker)):
            if limit.is_over():
                raise AssertionError(f"no statement with {marker} came to the job within {within:g} s")
            await asyncio.sleep(0.01)
        name: str = found[0]["node"]
        return name

    async def release(self) -> None:
        """Let it go on."""
        await self._conn.execute("select pg_advisory_unlock_all()")


@asynccontextmanager
async def midway(ground: Ground, job: int) -> AsyncIterator[Midway]:
    """Hold the next statement up that changes a job's state, when it comes to its row; until `release`, or the end."""
    conn = await asyncpg.connect(ground.dsn)
    try:
        await conn.execute(f"select pg_advisory_lock({_KEY})")
        await conn.execute(_MAKE.format(key=_KEY, job=job))
        yield Midway(conn)
    finally:
        with suppress(*GONE):
            await conn.execute("select pg_advisory_unlock_all()")
            await conn.execute("drop function if exists faults_midway cascade")
        conn.terminate()
