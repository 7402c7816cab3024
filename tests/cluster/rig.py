"""Engines of several nodes on one database."""

import uuid
from contextlib import asynccontextmanager

import asyncpg

from bridge.engine import Connections, Engine
from bridge.engine.schema import inspect


@asynccontextmanager
async def engine_on(dsn, *, prefix="public"):
    """An engine with a pool of its own, as each node has one."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn, prefix)
        yield Engine(Connections(pool), prefix, catalog)


@asynccontextmanager
async def poor_role(conn, dsn):
    """A DSN whose sessions have the rights of a role that may use Oban's tables and create none."""
    role = f"poor_{uuid.uuid4().hex}"
    await conn.execute(f"create role {role}; grant all on all tables in schema public to {role}")
    await conn.execute(f"grant all on all sequences in schema public to {role}")
    try:
        yield f"{dsn}{'&' if '?' in dsn else '?'}role={role}"
    finally:
        await conn.execute(f"drop owned by {role}; drop role {role}")


async def leases(conn, table="oban_peers"):
    """Who holds which lease."""
    return {row["name"]: row["node"] for row in await conn.fetch(f"select name, node from {table}")}
