"""The run's PostgreSQL server, and its databases."""

import os
from urllib.parse import urlsplit, urlunsplit

import asyncpg

SERVER = "BRIDGE_TEST_DSN"


def dsn_of(database: str) -> str:
    """The DSN of another database on the run's server."""
    return urlunsplit(urlsplit(os.environ[SERVER])._replace(path=f"/{database}"))


async def run_on_server(statement: str) -> None:
    conn = await asyncpg.connect(os.environ[SERVER])
    try:
        await conn.execute(statement)
    finally:
        await conn.close()
