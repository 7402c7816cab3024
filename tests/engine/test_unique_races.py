"""Fifty inserters in five processes: each job is there once, and none of them fails."""

import asyncio
import sys

import asyncpg
import pytest

from bridge.engine.schema import install_unique_index

PROCESSES, TASKS, NUMBERS = 5, 10, 120
SCRIPT = __file__.replace("test_unique_races.py", "inserter.py")


async def start(dsn, seed, index):
    arguments = (dsn, *map(str, (TASKS, NUMBERS, seed)), index)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, SCRIPT, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.timeout(120)
@pytest.mark.parametrize("index", ["locks", "index"])
async def test_each_job_is_there_once(installed, conn, index):
    if index == "index":
        await install_unique_index(conn)
    processes = await asyncio.gather(*(start(installed, seed, index) for seed in range(PROCESSES)))

    ended = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [(errors.decode(), process.returncode) for (_, errors), process in zip(ended, processes, strict=True)] == [
        ("", 0)
    ] * PROCESSES
    found = await conn.fetch(
        "select worker, count(*), count(distinct args -> 'id') from oban_jobs group by 1 order by 1"
    )
    assert [tuple(each) for each in found] == [("A", NUMBERS, NUMBERS), ("B", NUMBERS, NUMBERS)]


@pytest.fixture
async def installed(database):
    """A database of its own, since an index would bother other tests."""
    from bridge.engine.schema import install

    conn = await asyncpg.connect(database)
    await install(conn)
    await conn.close()
    return database
