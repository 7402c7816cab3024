"""A client for code without an event loop, what it wrote, and what it leaves behind."""

import asyncio
import threading

import pytest
import sqlalchemy as sa

from bridge.sync import SyncOban


async def blocking(call, *args):
    """Run what blocks where no event loop runs, as its users do."""
    return await asyncio.to_thread(call, *args)


async def queues(conn):
    return [row["queue"] for row in await conn.fetch("select queue from oban_jobs order by id")]


@pytest.fixture
def oban(installed):
    with SyncOban(dsn=installed) as client:
        yield client


def engine_of(dsn):
    return sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))


def lanes():
    return [thread for thread in threading.enumerate() if thread.name == "bridge-sync"]
