"""`bridge start --processes`: one node, and children that run its jobs."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bridge import Job, Oban

from .rig import PATIENCE, clean_environment

WORKERS = """
import asyncio, logging, os, subprocess, sys, time
from pathlib import Path
from bridge import Record, Worker, worker

log = logging.getLogger("work")
IN_CHILD = sys.argv[0].endswith("child.py")

if IN_CHILD and Path("broken").exists():
    raise RuntimeError("not in this state")

@worker(name="Tests.Pid")
class Pid(Worker):
    async def process(self, job):
        return Record(os.getpid())

@worker(name="Tests.Slow")
class Slow(Worker):
    async def process(self, job):
        log.info("begun %d", os.getpid())
        await asyncio.sleep(job.args["seconds"])

@worker(name="Tests.Held")
class Held(Worker):
    async def process(self, job):
        log.info("begun %d", os.getpid())
        while not Path("released").exists():
            await asyncio.sleep(0.02)

@worker(name="Tests.Blocked")
class Blocked(Worker):
    async def process(self, job):
        log.info("begun %d", os.getpid())
        time.sleep(3600)

@worker(name="Tests.Compute")
class Compute(Worker):
    def process(self, job):
        log.info("begun %d", os.getpid())
        until = time.monotonic() + job.args["seconds"]
        while time.monotonic() < until:
            sum(range(1000))

@worker(name="Tests.Program")
class Program(Worker):
    def process(self, job):
        program = subprocess.Popen(["sleep", "3600"])
        log.info("begun %d", program.pid)
        program.wait()

@worker(name="Tests.Print")
class Print(Worker):
    def process(self, job):
        print('{"event": "printed"}')
        os.kill(os.getpid(), 9)

@worker(name="Tests.Talk")
class Talk(Worker):
    def process(self, job):
        for nth in range(200):
            log.info("%d %s", nth, "x" * 20_000)
"""


class Node:
    """`bridge start` in a process group of its own, as a terminal or an init system starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        (folder / "work_there.py").write_text(WORKERS)
        self.errors = folder / "stderr"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "start", *arguments],
                cwd=folder,
                env=clean_environment(PYTHONUNBUFFERED=""),  # what children print must not depend on it
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
            )
        self.lines: queue.Queue[dict | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE)
        assert not self._reader.is_alive(), "a process that was left behind holds the pipe open"
        self.process.stdout.close()

    def _read(self):
        for text in self.process.stdout:
            self.lines.put(json.loads(text))  # a line that is torn is no JSON
        self.lines.put(None)

    async def until(self, event, message="", **fields):
        """Wait for a line, and return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            line = await asyncio.to_thread(self.lines.get, timeout=PATIENCE)
            if line is None:
                break
            if line["event"] == event and message in line.get("message", "") and fields.items() <= line.items():
                return line
        raise AssertionError(f"no {event} {message} {fields}: {self.errors.read_text()}")

    def rest(self):
        """Return the lines that have come since."""
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self.lines.get_nowait())
        return found

    async def begun(self):
        """Wait until a job has begun in a child; return that one's id."""
        return int((await self.until("bridge.log", "begun"))["message"].split()[1])

    async def wait(self):
        return await asyncio.to_thread(self.process.wait, PATIENCE)


@pytest.fixture
def node(tmp_path, installed):
    started = []

    def start(*arguments):
        options = ("--dsn", installed, "--import", "work_there", "--queues", "default:5", "--node", "here")
        started.append(Node(tmp_path, *options, *arguments))
        return started[-1]

    start.dsn = installed
    yield start
    for each in started:
        each.close()


@pytest.fixture
async def client(installed):
    async with Oban(dsn=installed) as oban:
        yield oban


async def gone(*pids):
    """Wait until processes are no more."""
    async with asyncio.timeout(PATIENCE):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):  # noqa: ASYNC110, ASYNC240 - nothing tells of it
            await asyncio.sleep(0.02)


async def both_children(running, client):
    """Wait until each of two children takes jobs, and return their ids: after a while one gets all there are."""
    found = set()
    async with asyncio.timeout(PATIENCE):
        while len(found) < 2:
            jobs = await client.enqueue_many(Job("Tests.Pid") for _ in range(2))
            for job in jobs:
                await reached(client, job, "completed")
                found.add(await client.fetch_result(job))
    return found


async def seen_by_others(dsn):
    """The queue as `bridge queues list` shows it."""
    return json.loads((await bridge("queues", "list", "--json", "--patience", "20", "--dsn", dsn)).splitlines()[0])


async def bridge(*arguments):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments), env=clean_environment(), stdout=subprocess.PIPE
    )
    return (await process.communicate())[0].decode()


async def state_of(client, job):
    return str((await client.get_job(job)).state)


async def reached(client, job, state):
    async with asyncio.timeout(PATIENCE):
        while await state_of(client, job.id) != state:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.05)


async def test_jobs_run_in_children_and_are_logged_once(node, client):
    running = node("--processes", "2")
    assert (await running.until("bridge.started"))["processes"] == 2
    jobs = await client.enqueue_many(Job("Tests.Pid") for _ in range(10))
    seen = []
    while len([line for line in seen if line == "oban.job.stop"]) < 10:
        line = await asyncio.to_thread(running.lines.get, timeout=PATIENCE)
        seen.append(line["event"])
    assert seen.count("oban.job.start") == 10
    pids = {await client.fetch_result(job) for job in jobs}
    assert running.process.pid not in pids
    running.process.send_signal(signal.SIGTERM)
    await running.until("bridge.stopped")
    assert await running.wait() == 0
    await gone(*pids)


async def test_without_the_option_there_are_no_children(node, client):
    running = node()
    assert "processes" not in await running.until("bridge.started")
    job = await client.enqueue(Job("Tests.Pid"))
    await running.until("oban.job.stop")
    assert await client.fetch_result(job) == running.process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_to_all_processes_lets_running_jobs_end(node, client, tmp_path, number):
    before = signal.signal(number, lambda *_: None)  # a program inherits what is ignored, as under `nohup`
    try:
        running = node("--processes", "2")
    finally:
        signal.signal(number, before)
    job = await client.enqueue(Job("Tests.Held"))
    child = await running.begun()
    os.killpg(running.process.pid, number)
    os.kill(child, number)  # an init system's way: to each process there is
    await running.until("bridge.stopping")
    (tmp_path / "released").touch()
    await running.until("oban.job.stop", id=job.id, state="completed")
    assert await running.wait() == 0
    await gone(child)


async def test_a_second_signal_ends_all_at_once(node, client):
    running = node("--processes", "2")
    job = await client.enqueue(Job("Tests.Slow", args={"seconds": 3600}))
    child = await running.begun()
    running.process.send_signal(signal.SIGTERM)
    await running.until("bridge.stopping")
    running.process.send_signal(signal.SIGTERM)
    assert (await running.until("bridge.aborted"))["orphaned"] == [job.id]
    assert await running.wait() == 128 + signal.SIGTERM
    await gone(child)


@pytest.mark.parametrize("worker", ["Tests.Slow", "Tests.Blocked"])
async def test_children_end_with_a_parent_that_is_killed(node, client, worker):
    running = node("--processes", "2")
    await client.enqueue_many(Job(worker, args={"seconds": 3600}) for _ in range(2))
    pid = running.process.pid
    busy = await running.begun()
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}  # noqa: ASYNC240 - /proc
    assert busy in children
    running.process.kill()
    await running.wait()
    await gone(*children)


async def test_programs_of_jobs_end_with_a_parent_that_is_killed(node, client):
    running = node("--processes", "2")
    await client.enqueue(Job("Tests.Program"))
    program = await running.begun()
    running.process.kill()
    await running.wait()
    await gone(program)


@pytest.mark.parametrize(("seconds", "grace", "state"), [(1.5, PATIENCE, "completed"), (3600, 1, "available")])
async def test_jobs_that_compute_end_or_are_handed_back_when_a_terminal_interrupts_all(
    node, client, seconds, grace, state
):
    running = node("--processes", "2", "--shutdown-grace-period", str(grace))
    children = await both_children(running, client)
    jobs = await client.enqueue_many(Job("Tests.Compute", args={"seconds": seconds}) for _ in range(4))
    assert {await running.begun() for _ in jobs} == children
    os.killpg(running.process.pid, signal.SIGINT)
    assert await running.wait() == 0
    await gone(*children)
    assert {await state_of(client, job.id) for job in jobs} == {state}


async def test_what_a_job_prints_is_there_though_its_process_is_killed(node, client):
    running = node("--processes", "2")
    await client.enqueue(Job("Tests.Print"))
    await running.until("printed")


async def test_children_that_can_not_import_are_told_and_tried_again(node, client, tmp_path):
    (tmp_path / "broken").touch()
    running = node("--processes", "2")
    await running.until("bridge.started")
    job = await client.enqueue(Job("Tests.Pid"))
    told = "can't run jobs: it can't import work_there: RuntimeError: not in this state; the next one starts in"
    line = await running.until("bridge.log", told)
    assert line["level"] == "error"
    assert 'raise RuntimeError("not in this state")' in line["message"]  # where it happened
    async with asyncio.timeout(PATIENCE):
        while [place["status"] for place in (await seen_by_others(node.dsn))["nodes"]] != ["stalled"]:
            pass
    assert await state_of(client, job.id) == "available"
    await asyncio.sleep(3)  # Both have failed several times by then.
    assert not [line for line in running.rest() if "work_there" in line.get("message", "")]
    assert running.errors.read_text() == ""
    (tmp_path / "broken").unlink()
    await reached(client, job, "completed")
    running.process.send_signal(signal.SIGTERM)
    assert await running.wait() == 0


async def test_long_lines_of_children_stay_whole(node, client):
    running = node("--processes", "2")
    await client.enqueue_many(Job("Tests.Talk") for _ in range(4))
    for _ in range(4):
        await running.until("oban.job.stop", worker="Tests.Talk")


async def test_a_number_that_is_none_is_refused(tmp_path):
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bridge", "start", "--queues", "a:1", "--dsn", "postgresql://h/d", "--dry-run"],
        cwd=tmp_path,
        env=clean_environment(BRIDGE_PROCESSES="many"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "processes: expected a number from 1 to 256, got 'many' (from environment BRIDGE_PROCESSES)" in result.stderr
