"""Nodes as processes, of which some are killed: a minute is a second here, and a lease lasts as long in proportion."""

import asyncio
import contextlib
import random
import re
import signal
import sys
import time

import pytest
from queues.rig import until

MINUTES = 14

NODE = """
import asyncio, logging, signal, sys, time
from datetime import UTC, datetime, timedelta
from bridge import Oban, Worker, worker

@worker(name="W")
class W(Worker):
    async def process(self, job): ...

async def main(dsn, node, origin):
    begun = datetime(2026, 1, 1, 12, tzinfo=UTC)
    entries = [(f"{minute} * * * *", W, {"name": str(minute)}) for minute in range(60)]
    oban = Oban(dsn=dsn, node=node, queues={"default": 1}, cron=entries, leader={"interval": 0.5})
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with oban:
        cron = oban._parts.cron
        cron._clock = lambda: begun + timedelta(minutes=time.time() - origin)
        cron.interval = 0.02
        print(node, flush=True)
        await stopping.wait()

if __name__ == "__main__":
    logging.basicConfig(level="WARNING", stream=sys.stdout, format="%(name)s %(message)s")
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
"""


class Nodes:
    """Node processes by name, and what they said."""

    def __init__(self, folder, dsn, origin):
        self.script = folder / "node.py"
        self.script.write_text(NODE)
        self.arguments = dsn, origin
        self.running = {}
        self.said = []
        self.readers = []
        self.count = 0

    async def start(self):
        self.count += 1
        name = f"n{self.count}"
        dsn, origin = self.arguments
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(self.script), dsn, name, str(origin), stdout=asyncio.subprocess.PIPE
        )
        self.running[name] = process
        started = asyncio.Event()
        self.readers.append(asyncio.create_task(self.read(process, name, started)))
        await asyncio.wait_for(started.wait(), 20)

    async def read(self, process, name, started):
        async for line in process.stdout:
            if line.decode().strip() == name:
                started.set()
            else:
                self.said.append(line.decode())

    async def end(self, name, number):
        process = self.running.pop(name)
        process.send_signal(number)
        await process.wait()

    async def close(self):
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(*self.readers)


@pytest.fixture
async def nodes(tmp_path, installed):
    found = Nodes(tmp_path, installed, time.time() - 0.5)
    yield found
    await found.close()


def told_as_missed(said):
    """The names of the entries that a warning names."""
    lines = "".join(line for line in said if "no cron jobs were inserted" in line)
    return set(re.findall(r"\(\d+ \* \* \* \*, (\d+)\) at", lines))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_leaders_that_end_double_no_minute_and_leave_none_out_in_silence(nodes, conn, number):
    chance = random.Random(number)
    for _ in range(3):
        await nodes.start()
    origin = nodes.arguments[1]
    kills = 0
    while time.time() - origin < MINUTES:
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        leader = await conn.fetchval("select node from oban_peers where name = 'Oban@python'")
        if leader in nodes.running:
            await nodes.end(leader, number)
            await nodes.start()
            kills += 1
    assert kills >= 3
    later = "select true from oban_jobs where (meta->>'cron_name')::int >= $1 limit 1"
    await until(lambda: conn.fetchval(later, MINUTES))
    await nodes.close()
    names = [row["name"] for row in await conn.fetch("select meta->>'cron_name' as name from oban_jobs")]
    assert len(names) == len(set(names))
    done = set(map(int, names))
    silent = set(range(min(done), max(done))) - done - set(map(int, told_as_missed(nodes.said)))
    assert silent == set(), nodes.said
