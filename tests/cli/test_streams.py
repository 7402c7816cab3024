"""Nodes whose standard streams are closed, or can't be written to."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from bridge import Job

from .node_process import WORKERS, enqueue, state_of
from .rig import PATIENCE, clean_environment

PROC, NULL, FULL = Path("/proc"), Path("/dev/null"), Path("/dev/full")


@pytest.fixture
def start(installed, tmp_path):
    """A function that starts a node with these standard streams, and with those in `closed` closed."""
    (tmp_path / "work_here.py").write_text(WORKERS)
    started = []

    def start_node(*, closed=(), **streams):
        command = [sys.executable, "-m", "bridge", "start", "--dsn", installed]
        command += ["--import", "work_here", "--queues", "default:5", "--node", "here"]
        closing = " ".join(f"{number}>&-" for number in closed)
        started.append(
            subprocess.Popen(
                ["/bin/sh", "-c", f'exec "$@" {closing}', "sh", *command],
                cwd=tmp_path,
                env=clean_environment(PYTHONUNBUFFERED=""),  # so there is a buffer, which can't be written at the end
                **{"stdin": subprocess.DEVNULL} | streams,
            )
        )
        return started[-1]

    yield start_node
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def full():
    """A file on a full disk."""
    if not FULL.exists():
        pytest.skip("this system has no device that is always full")
    with FULL.open("w") as device:
        yield device


def is_null(process, number):
    """Whether a process has the null device as its descriptor of that number; here, if the system tells."""
    return not PROC.is_dir() or (PROC / f"{process.pid}/fd/{number}").readlink() == NULL


async def until(dsn, job, state="completed"):
    """Wait for a job's state: a node without a log tells of nothing."""
    async with asyncio.timeout(PATIENCE):
        while await state_of(dsn, job.id) != state:  # noqa: ASYNC110 - a row sets no Event
            await asyncio.sleep(0.05)


async def leases(dsn, count):
    """Wait for a number of leases."""
    conn = await asyncpg.connect(dsn)
    async with asyncio.timeout(PATIENCE):
        while await conn.fetchval("select count(*) from oban_peers") != count:  # noqa: ASYNC110 - a row sets no Event
            await asyncio.sleep(0.05)
    await conn.close()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (1, 2), (0, 1, 2)], ids=str)
async def test_a_node_runs_and_stops_with_streams_closed(start, installed, closed):
    node = start(closed=closed, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    [job] = await enqueue(installed, Job("Tests.Greet"))
    await until(installed, job)
    assert all(is_null(node, number) for number in closed)
    conn = await asyncpg.connect(installed)
    # A connection that ends has its descriptor closed, whatever number that has.
    await conn.execute("""
        select pg_terminate_backend(pid)
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
    """)
    await conn.close()
    [job] = await enqueue(installed, Job("Tests.Greet"))
    await until(installed, job)
    node.send_signal(signal.SIGTERM)
    said = (await asyncio.to_thread(node.communicate, timeout=PATIENCE))[1]
    assert (node.returncode, said) == (0, b"")


async def test_a_log_that_can_not_be_written_is_told_of_once(start, full, installed):
    node = start(stdout=full, stderr=subprocess.PIPE)
    for job in await enqueue(installed, *(Job("Tests.Greet") for _ in range(5))):
        await until(installed, job)
    node.send_signal(signal.SIGTERM)
    said = (await asyncio.to_thread(node.communicate, timeout=PATIENCE))[1]
    assert said == b"error: the log can't be written, and lines are lost: No space left on device\n"
    assert node.returncode == 0


async def test_a_reader_of_the_log_that_went_away_is_told_of_once(start, installed):
    node = start(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    node.stdout.readline()
    node.stdout.close()
    [job] = await enqueue(installed, Job("Tests.Greet"))
    await until(installed, job)
    node.send_signal(signal.SIGTERM)
    said = await asyncio.to_thread(node.stderr.read)
    assert said == b"error: the log can't be written, and lines are lost: Broken pipe\n"
    assert node.wait(PATIENCE) == 0


async def test_a_second_signal_stops_at_once_on_a_full_disk(start, full, installed):
    node = start(stdout=full, stderr=full)
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 60}))
    await until(installed, job, "executing")
    await leases(installed, 1)
    node.send_signal(signal.SIGTERM)
    await leases(installed, 0)  # what a stop does first: giving up the lease
    node.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(node.wait, PATIENCE) == 128 + signal.SIGTERM
    assert await state_of(installed, job.id) == "executing"
