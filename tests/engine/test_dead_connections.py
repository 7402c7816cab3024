"""Connections that a router has forgotten: neither end is told, and each statement on one waits in vain."""

import asyncio

import pytest
from pooler import transaction_pooler
from proxy import wire_to

from bridge.engine import Connections
from bridge.engine.connections import create_pool
from bridge.engine.hosts import NoAnswerError

#: Seconds for a statement, and for a new connection: more than a pause of this process, or of the server's.
LIMIT = 3


@pytest.fixture
async def wire(installed):
    async with wire_to(installed) as wire:
        yield wire


async def test_a_statement_without_an_answer_lets_all_connections_be_replaced(wire):
    pool = await create_pool(wire.dsn, min_size=4, max_size=4, timeout=LIMIT)
    connections = Connections(pool)
    await asyncio.gather(*(connections.fetch("select pg_sleep(0.1)") for _ in range(4)))
    wire.strand()

    with pytest.raises(TimeoutError):
        await connections.fetch("select 1")
    assert await connections.fetch("select 1 as one") == [(1,)]  # on an old one it would be a TimeoutError as well

    pool.terminate()


async def test_a_pooler_that_lets_clients_in_while_its_server_is_away_has_as_long_as_a_server(installed):
    async with transaction_pooler(installed, sessions=1) as pooler:
        session = await pooler._free.get()
        with pytest.raises(NoAnswerError, match="gave no answer to a new connection within 1 s"):
            await create_pool(f"{pooler.dsn}?connect_timeout=1", min_size=1, max_size=2)
        pooler._free.put_nowait(session)


async def test_no_answer_to_a_new_connection_leaves_the_others_alone(wire):
    pool = await create_pool(f"{wire.dsn}?connect_timeout={LIMIT}", min_size=1, max_size=2)
    connections = Connections(pool)
    async with pool.acquire():  # so that the next one is new
        wire.freeze()
        with pytest.raises(TimeoutError, match="new connection"):
            await connections.fetch("select 1")
    assert pool._generation == 0

    pool.terminate()
