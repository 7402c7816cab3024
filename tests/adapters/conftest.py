"""One database with Oban's tables for the tests of this folder, emptied before each."""

import os

import asyncpg
import pytest
import pytest_asyncio
from databases import dsn_of, run_on_server
from engine.conftest import ear, engine, installed

from bridge.engine.schema import install

from .kinds import KINDS

__all__ = ["ear", "engine", "installed"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared():
    name = f"bridge_adapters_{os.getpid()}"
    await run_on_server(f'create database "{name}"')
    conn = await asyncpg.connect(dsn_of(name))
    await install(conn, "public")
    await conn.close()
    yield dsn_of(name)
    await run_on_server(f'drop database "{name}" with (force)')


@pytest.fixture(params=KINDS)
async def held(request, installed):
    """A connection or session of each library, in its default way of transactions."""
    async with KINDS[request.param](installed) as found:
        yield found


@pytest.fixture(params=KINDS)
async def autocommitted(request, installed):
    """A connection or session of each library, in autocommit."""
    async with KINDS[request.param](installed, autocommit=True) as found:
        yield found
