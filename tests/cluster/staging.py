"""Nodes that stage or rest, what they ask of the database, and what they tell of it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime

import asyncpg
import pytest
from queues.rig import PATIENCE, make_worker, row_of, until

from bridge import Oban
from bridge.pubsub import Status

DUE = datetime(2026, 1, 1)  # noqa: DTZ001 - the column holds naive UTC
QUICK = {"interval": 0.05}


async def nothing(_job):
    return None


class Statements(list):
    """What a node asks of the database, by a pool of its own."""

    async def watch(self, conn):
        conn.add_query_logger(lambda record: self.append(record.query))

    def of(self, part):
        return [text for text in self if part in text]


@pytest.fixture
async def node(installed, registry):
    """A function that starts a node with a name, and lists what it asks of the database."""
    async with AsyncExitStack() as stack:

        async def start(name, *, dsn=installed, **options):
            statements = Statements()
            pool = await stack.enter_async_context(
                asyncpg.create_pool(dsn, min_size=1, max_size=5, init=statements.watch)
            )
            options = {"queues": {"default": 5}, "stager": QUICK, "shutdown_grace_period": 2, **options}
            oban = Oban(pool=pool, registry=registry, name=options.pop("instance", name), node=name, **options)
            await stack.enter_async_context(oban)
            oban.statements = statements
            return oban

        yield start


@pytest.fixture(autouse=True)
def long_promises(monkeypatch):
    """A promise that ran out while the machine stood still would let others help themselves."""
    monkeypatch.setattr("bridge.maintenance.stager.MARGIN", 25.0)


async def resting(oban):
    """Wait until a node relies on another one, and has nothing to look at any more."""
    stager = oban._parts.stager

    async def rests():
        if stager._situation.promised() and not stager._rest:
            stager.look_again()  # where rounds are rare, it may have heard the promise after its last one
        return stager._rest > 0 and not stager._again.is_set()

    await until(rests)


async def clustered(oban):
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.CLUSTERED)


async def leading(oban):
    async with asyncio.timeout(PATIENCE):
        await oban._parts.leader.wait_for_leadership()
    await until(lambda: asyncio.sleep(0, oban._parts.stager._stages))


@pytest.fixture
def make(registry):
    return lambda function, **options: make_worker(registry, function, **options)


async def is_available(conn, job):
    return (await row_of(conn, job))["state"] == "available"


async def told(caplog, text):
    """Wait until the log says it."""
    await until(lambda: asyncio.sleep(0, text in caplog.messages))


def duties(caplog):
    """What the log says of who stages, but for warnings."""
    return [each.getMessage() for each in caplog.records if each.levelname == "INFO" and "due jobs" in each.message]
