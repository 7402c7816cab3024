"""Where a test takes place: a database of its own, and in it a prefix of its own."""

import asyncio
import itertools
import json
import os

import asyncpg
from databases import dsn_of, run_on_server

from bridge.engine.schema import install, quote_ident

_numbers = itertools.count(1)

#: Names that would break SQL which forgets to quote.
ODD_PREFIXES = ["public", "interop", "Inter.Op", "o'b an", 'qu"ote', "ünïcödé"]


class Place:
    """A database, a prefix, and a connection to look at the rows.

    Attributes:
        dsn: The database.
        prefix: The schema of Oban's tables.
        conn: A plain connection of asyncpg.
    """

    def __init__(self, prefix=None):
        number = next(_numbers)
        self.name = f"bridge_interop_{os.getpid()}_{number}"
        self.prefix = prefix or f"interop_{number}"
        self.dsn = dsn_of(self.name)
        self.table = f"{quote_ident(self.prefix)}.oban_jobs"
        self.conn = None

    async def open(self, *, tables=True):
        await run_on_server(f'create database "{self.name}"')
        await self.connect()
        if tables:
            await install(self.conn, self.prefix)
        return self

    async def connect(self):
        self.conn = await asyncpg.connect(self.dsn)

    async def disconnect(self):
        await self.conn.close()

    async def close(self):
        await self.disconnect()
        await run_on_server(f'drop database "{self.name}" with (force)')

    async def row(self, number):
        """The 18 columns of a job, with JSON read; None if there is no such job."""
        found = await self.conn.fetchrow(f"select *, state::text as state_text from {self.table} where id = $1", number)
        return None if found is None else readable(dict(found))

    async def rows(self):
        """All jobs, by id."""
        found = await self.conn.fetch(f"select *, state::text as state_text from {self.table} order by id")
        return [readable(dict(row)) for row in found]

    async def states(self):
        """How many jobs there are in each state."""
        return dict(await self.conn.fetch(f"select state::text, count(*) from {self.table} group by state"))

    async def settled(self, number, *states, patience=15):
        """The row once it is in one of `states`: for what no event tells of."""
        async with asyncio.timeout(patience):
            while (found := await self.row(number)) is None or found["state"] not in states:  # noqa: ASYNC110 - a row
                await asyncio.sleep(0.005)
        return found


def readable(row):
    row["state"] = row.pop("state_text")
    for column in ("args", "meta"):
        row[column] = None if row[column] is None else json.loads(row[column])
    row["errors"] = [json.loads(error) for error in row["errors"]]
    return row
