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

#: How many leaders end, one after the other.
ENDS = 4

NODE = """
import asyncio, logging, signal, sys, time
from datetime import UTC, datetime, timedelta
from bridge import Oban, Worker, worker

@worker(name="W")
class W(Worker):
    async def process(self, job): ...

async def main(dsn, node, origin):
    begun = datetime(2026, 1, 1, 12, tzinfo=UTC)
    entries = [(f"{nth % 60} {12 + nth // 60} * * *", W, {"name": str(nth)}) for nth in range(120)]
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
        await asyncio.wait_for(started.wait(), 60)

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
    return set(map(int, re.findall(r"\(\d+ \d+ \* \* \*, (\d+)\) at", lines)))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_leaders_that_end_double_no_minute_and_leave_none_out_in_silence(nodes, conn, number):
    chance = random.Random(number)
    await asyncio.gather(*(nodes.start() for _ in range(3)))
    untold = set()
    for _ in range(ENDS):
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        leader = await until(lambda: leader_of(conn, nodes), 30)
        await nodes.end(leader, number)
        untold |= gap_before_the_last(await minutes(conn))
        await nodes.start()
    last = max(await minutes(conn))
    later = "select true from oban_jobs where (meta->>'cron_name')::int > $1 limit 1"
    await until(lambda: conn.fetchval(later, last), 30)
    await nodes.close()
    names = await minutes(conn)
    assert len(names) == len(set(names))
    done = set(names)
    silent = set(range(min(done), max(done))) - done - told_as_missed(nodes.said)
    assert silent <= untold, nodes.said


async def leader_of(conn, nodes):
    leader = await conn.fetchval("select node from oban_peers where name = 'Oban@python'")
    return leader if leader in nodes.running else None


async def minutes(conn):
    """The minutes whose jobs are in the table."""
    return [row["nth"] for row in await conn.fetch("select (meta->>'cron_name')::int as nth from oban_jobs")]


def gap_before_the_last(found):
    """The minutes left out just before the last one: whoever did that may have died before it could tell of them."""
    before, last = [-1, -1, *sorted(found)][-2:]
    return set(range(before + 1, last))
