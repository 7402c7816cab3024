"""Lines of a node's log that others write."""

import asyncio
import json
import logging

import pytest
from proxy import wire_to

from bridge.cli.logs import _JsonFormatter
from bridge.engine import create_pool


@pytest.fixture
def lines():
    """A queue of what asyncpg's pools log, as a node shows it."""
    found = asyncio.Queue()

    class Handler(logging.Handler):
        def emit(self, record):
            found.put_nowait(json.loads(self.format(record)))

    handler, logger = Handler(), logging.getLogger("asyncpg.pool")
    handler.setFormatter(_JsonFormatter())
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


async def test_a_pool_that_can_not_restore_its_connections_says_why_in_one_line(installed, lines):
    async with wire_to(installed) as wire:
        pool = await create_pool(wire.dsn, min_size=1, max_size=2)
        await wire.cut()
        line = await asyncio.wait_for(lines.get(), 20)
        pool.terminate()
    assert line["message"].startswith("Failed to restore the pool connection floor; retrying: ConnectionRefusedError: ")
    assert f"the database at {wire.dsn.partition('@')[2]} did not answer" in line["message"]
    assert "traceback" not in line
