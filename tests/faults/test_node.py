"""Nodes of the harness: none outlives it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from .node import _is_alive

#: A harness with a node that waits for its database, which isn't there.
HARNESS = """
import sys, time
from pathlib import Path
from faults.ledger import Ledger
from faults.node import Node

folder = Path(sys.argv[1])
node = Node("a", "postgresql://postgres@127.0.0.1:1/none", folder, Ledger(folder / "ledger"))
node.start()
while not node.log.stat().st_size:
    time.sleep(0.05)
print(*node.pids(), flush=True)
time.sleep(60)
"""

TESTS = Path(__file__).resolve().parents[1]


async def test_nodes_end_with_a_harness_that_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    harness = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HARNESS, str(tmp_path), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert harness.stdout is not None
    try:
        pids = [int(pid) for pid in (await asyncio.wait_for(harness.stdout.readline(), 30)).split()]
        assert pids
        assert all(map(_is_alive, pids))
    finally:
        harness.send_signal(signal.SIGKILL)
        await harness.wait()
    try:
        async with asyncio.timeout(10):
            while any(map(_is_alive, pids)):  # noqa: ASYNC110 - /proc tells nobody
                await asyncio.sleep(0.05)
    finally:
        for pid in filter(_is_alive, pids):
            os.kill(pid, signal.SIGKILL)
