"""The database of a command that asks or changes, and never starts a server for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import typer

from bridge.cli.target import impatient, remember, remember_embedded
from bridge.config import Setting
from bridge.engine import Connections, Engine, create_pool, schema
from bridge.errors import BridgeError, InvalidSetting

#: Seconds that one statement may take: a bulk change is thousands of rows, and a count may read the whole table.
TIMEOUT: Final = 600.0


def known_dsn(settings: Mapping[str, Setting]) -> str:
    """Return the DSN that is configured, or else that of the embedded server, where it runs.

    Raises:
        InvalidSetting: Neither is there.
    """
    if (dsn := settings["dsn"].value) is not None:
        remember(settings["dsn"])
        return impatient(str(dsn))
    try:
        from bridge.postgres import Server  # noqa: PLC0415 - not there on Windows, and not needed with a DSN

        server = Server()
        url = server.status().url
    except BridgeError:
        url = None
    if url is None:
        mend = "pass --dsn, set DATABASE_URL, put dsn into bridge.toml, or start the embedded one: bridge db start"
        raise InvalidSetting("dsn", None, "a database", mend)
    typer.echo(f"no DSN given: using the embedded PostgreSQL in {server.data_dir}", err=True)
    remember_embedded(url)
    return url


@asynccontextmanager
async def open_engine(settings: Mapping[str, Setting], dsn: str) -> AsyncIterator[Engine]:
    """Connect, and yield an engine for the schema of the settings.

    Raises:
        SchemaError: The schema has no tables of Oban that Bridge knows.
        OSError, asyncpg.PostgresError: The database can't be reached.
    """
    prefix, announce = settings["prefix"].value, settings["insert_trigger"].value
    pool = await create_pool(dsn, max_size=1, timeout=TIMEOUT)
    try:
        async with pool.acquire() as conn:
            catalog = (await schema.inspect(conn, prefix)).require()
        yield Engine(Connections(pool), prefix, catalog, announce=announce)
    finally:
        await pool.close()
