"""One database with Oban's tables for the tests of this folder, emptied before each: a fresh one a test is slower."""

import os

import asyncpg
import pytest
import pytest_asyncio
from databases import dsn_of, run_on_server

from bridge.engine.schema import install

from .rig import Ear, engine_on


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared():
    name = f"bridge_engine_{os.getpid()}"
    await run_on_server(f'create database "{name}"')
    conn = await asyncpg.connect(dsn_of(name))
    await install(conn, "public")
    await conn.close()
    yield dsn_of(name)
    await run_on_server(f'drop database "{name}" with (force)')


@pytest.fixture
async def installed(shared):
    conn = await asyncpg.connect(shared)
    await conn.execute("truncate oban_jobs, oban_peers restart identity")
    await conn.close()
    return shared


@pytest.fixture
async def engine(installed):
    async with engine_on(installed) as found:
        yield found


@pytest.fixture
async def ear(installed):
    """A plain connection that listens on Oban's channels."""
    async with Ear.on(installed) as found:
        yield found
