"""What the tests of roles share: what a role did, and what its node warned of."""

import logging
from contextlib import asynccontextmanager

import asyncpg

from bridge.engine import Connections, Engine
from bridge.engine.schema import inspect

#: A node looks often here. It beats as seldom as ever, else it warns where its machine stands still for a moment.
FAST = {"stager": {"interval": 0.05}, "lifeline": {"interval": 0.2}}


@asynccontextmanager
async def engine_of(dsn, prefix):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn, prefix)
        yield Engine(Connections(pool), prefix, catalog)


async def state_of(roles, job_id):
    return await roles.admin.fetchval(f"select state::text from {roles.schema}.oban_jobs where id = $1", job_id)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
