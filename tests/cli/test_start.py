import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bridge import Job, Oban
from bridge.engine.schema import install

WORKERS = """
import asyncio, sys
from bridge import Worker, worker
from bridge.maintenance import Service

class Sweep(Service):
    def __init__(self):
        super().__init__("sweep", 60)

    async def run_once(self):
        print('{"event": "swept"}', flush=True)

@worker(queue="default", name="Tests.Greet")
class Greet(Worker):
    async def process(self, job):
        return job.args

@worker(queue="default", name="Tests.Slow")
class Slow(Worker):
    async def process(self, job):
        await asyncio.sleep(job.args["seconds"])

@worker(queue="default", name="Tests.Stubborn")
class Stubborn(Worker):
    async def process(self, job):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
"""


class Node:
    """`bridge start` as a process, its output line by line."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        (folder / "work_here.py").write_text(WORKERS)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "start", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, event: str, **fields: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line: dict[str, Any] = json.loads(text)
            if line["event"] == event and fields.items() <= line.items():
                return line
        raise AssertionError(f"the node ended without {event}: {self.process.communicate()[1]}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Any]:
    started: list[Node] = []

    def start(*arguments: str, **environment: str) -> Node:
        started.append(Node(tmp_path, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def options(dsn: str) -> tuple[str, ...]:
    return ("--dsn", dsn, "--import", "work_here", "--queues", "default:5", "--node", "here")


async def enqueue(dsn: str, *jobs: Job) -> list[Job]:
    async with Oban(dsn=dsn) as oban:
        return await oban.enqueue_many(jobs)


async def state_of(dsn: str, job_id: int | None) -> str:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval("select state::text from oban_jobs where id = $1", job_id)
    finally:
        await conn.close()


@contextmanager
def at_sighup(does: signal.Handlers) -> Iterator[None]:
    """Let processes that are started meanwhile begin with this, as those of a terminal or of `nohup` do."""
    before = signal.signal(signal.SIGHUP, does)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_runs_jobs_and_logs_them_in_the_published_shape(node: Any, installed: str) -> None:
    running = node(*options(installed))
    assert running.until("bridge.started")["workers"] == ["Tests.Greet", "Tests.Slow", "Tests.Stubborn"]
    [job] = await enqueue(installed, Job("Tests.Greet", args={"name": "Ada\n"}, tags=["a"], meta={"m": 1}))
    line = running.until("oban.job.stop")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line["time"])) < timedelta(minutes=1)
    assert line["time"].endswith("Z")
    assert list(line) == [
        "time", "event", "level", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags",
        "state", "duration", "queue_time",
    ]  # fmt: skip
    assert (line["id"], line["worker"], line["state"]) == (job.id, "Tests.Greet", "completed")
    assert (line["args"], line["meta"], line["tags"]) == ({"name": "Ada\n"}, {"m": 1}, ["a"])


async def test_sigterm_lets_running_jobs_end_and_exits_with_0(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 0.5}))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopping")
    running.until("oban.job.stop", id=job.id)
    running.until("bridge.stopped")
    assert running.process.wait(10) == 0
    assert await state_of(installed, job.id) == "completed"


async def test_a_second_signal_stops_at_once(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 60}))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopping")
    running.signal(signal.SIGTERM)
    line = running.until("bridge.aborted")
    assert list(line)[:3] == ["time", "event", "level"]
    assert (line["signal"], line["orphaned"]) == ("SIGTERM", [job.id])
    assert running.process.wait(5) == 128 + signal.SIGTERM
    assert await state_of(installed, job.id) == "executing"


async def test_a_closed_terminal_lets_running_jobs_end(node: Any, installed: str) -> None:
    """It sends SIGHUP by its shell and once more by the kernel, which is no second signal of anybody's."""
    with at_sighup(signal.SIG_DFL):
        running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 1}))
    running.until("oban.job.start")
    running.signal(signal.SIGHUP)
    running.until("bridge.stopping")
    running.signal(signal.SIGHUP)
    running.signal(signal.SIGTERM)
    running.until("oban.job.stop", id=job.id)
    running.until("bridge.stopped")
    assert running.process.wait(10) == 0
    assert await state_of(installed, job.id) == "completed"


async def test_sighup_stays_ignored_where_nohup_says_so(node: Any, installed: str) -> None:
    with at_sighup(signal.SIG_IGN):
        running = node(*options(installed))
    running.until("bridge.started")
    running.signal(signal.SIGHUP)
    await enqueue(installed, Job("Tests.Greet"))
    running.until("oban.job.stop")
    running.signal(signal.SIGTERM)
    assert "grace" in running.until("bridge.stopping")
    assert running.process.wait(10) == 0


async def test_a_job_beyond_the_grace_period_is_handed_back(node: Any, installed: str) -> None:
    running = node(*options(installed), "--shutdown-grace-period", "0.2")
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 60}))
    running.until("oban.job.start")
    running.signal(signal.SIGINT)
    running.until("bridge.stopped")
    assert running.process.wait(10) == 0
    assert await state_of(installed, job.id) == "available"


async def test_a_job_that_ignores_its_cancellation_is_abandoned(node: Any, installed: str) -> None:
    running = node(*options(installed), "--shutdown-grace-period", "0.2")
    running.until("bridge.started")
    await enqueue(installed, Job("Tests.Stubborn"))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopped")
    assert running.until("bridge.abandoned")["tasks"] == 1
    assert running.process.wait(10) == 0


async def test_waits_for_a_socket_that_is_not_there_yet(node: Any, tmp_path: Path) -> None:
    running = node(*options(f"postgresql://u@/x?host={tmp_path}"))
    assert "FileNotFoundError" in running.until("bridge.waiting")["reason"]
    running.signal(signal.SIGTERM)
    assert running.process.wait(10) == 0


async def test_warns_of_what_will_never_run(node: Any, installed: str) -> None:
    running = node("--dsn", installed, "--queues", "other:1", "--import", "work_here")
    line = running.until("bridge.log", level="warning")
    assert re.fullmatch(r"[-0-9]{10}T[:0-9]{8}[.][0-9]{3}Z", line["time"])
    assert list(line) == ["time", "event", "level", "logger", "message"]
    assert line["message"] == "worker Tests.Greet has the queue default, which doesn't run here: add it to --queues"
    idle = node("--dsn", installed, "--queues", "default:1")
    assert "no worker is registered" in idle.until("bridge.log", level="warning")["message"]


async def test_a_workers_error_tells_of_nothing_but_the_worker(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"wrong": 1}))
    running.until("oban.job.exception")
    async with Oban(dsn=installed) as oban:
        found = await oban.get_job(job.id or 0)
    assert found is not None
    assert found.errors[0]["error"].count("Traceback") == 1
    assert "uvloop" not in found.errors[0]["error"]


async def test_waits_for_a_database_that_is_not_there_yet(node: Any) -> None:
    running = node(*options("postgresql://u:tell-nobody@127.0.0.1:1/x"))
    line = running.until("bridge.waiting")
    assert "ConnectionRefusedError" in line["reason"]
    assert (line["database"], line["source"]) == ("127.0.0.1:1/x", "argument --dsn")
    running.signal(signal.SIGTERM)
    out, err = running.process.communicate(timeout=10)
    assert running.process.returncode == 0
    assert "tell-nobody" not in json.dumps(line) + out + err


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("command", [("start", "--queues", "a:1"), ("status",)])
def test_a_certificate_that_is_not_there_is_no_reason_to_wait(
    tmp_path: Path, mode: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "absent.pem"
    done = run(tmp_path, *command, "--dsn", f"postgresql://u:nobody@127.0.0.1:1/x?sslmode={mode}&sslrootcert={path}")
    assert done.returncode == 1
    assert f"error: sslrootcert: expected a file that can be read, got '{path}'"[:70] in done.stderr
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_server_without_tls_is_no_reason_to_wait(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # PostgreSQL's request for TLS
        writer.write(b"N")
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)  # the other side may have reset it
        ended.set()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u:nobody@127.0.0.1:{port}/x?sslmode=require"
        done = await asyncio.to_thread(run, tmp_path, "start", "--queues", "a:1", "--dsn", dsn)
        await ended.wait()
    assert done.returncode == 1
    assert "error: sslmode: expected a mode for a server without TLS, got 'require'" in done.stderr
    assert "nobody" not in done.stderr


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:nobody@127.0.0.1/f?nobody",
        f"postgresql://u:nobody@{'h' * 64}.example/f",
        "postgresql://u:nobody@a..b/f",
        "postgresql:///f?host=127.0.0.1&port=nobody",
        "postgresql://u@nobody:nobody@127.0.0.1/f",
    ],
    ids=["an option without a value", "an overlong host", "an empty label", "a port", "two @"],
)
@pytest.mark.parametrize("command", [("start", "--queues", "a:1"), ("status",)], ids=["start", "status"])
def test_a_dsn_that_can_t_be_read_is_refused_in_one_line(tmp_path: Path, dsn: str, command: tuple[str, ...]) -> None:
    done = run(tmp_path, *command, "--dsn", dsn)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dsn: expected ")
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("given", "ends"), [("7", 0), ("0", 0), ("soon", 1)])
def test_connect_timeout_is_taken_from_the_dsn(tmp_path: Path, installed: str, given: str, ends: int) -> None:
    joint = "&" if "?" in installed else "?"
    done = run(tmp_path, "status", "--dsn", f"{installed}{joint}connect_timeout={given}&application_name=a")
    assert done.returncode == ends, done.stderr
    assert ("error: connect_timeout: expected whole seconds" in done.stderr) == bool(ends)


async def test_connect_timeout_ends_a_silent_connection(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)  # the other side may have reset it
        ended.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&connect_timeout=1"
        done = await asyncio.to_thread(run, tmp_path, "status", "--dsn", dsn)
        await ended.wait()
    assert done.returncode == 1
    address = f"the database at 127.0.0.1:{port}/x (from argument --dsn)"
    assert f"{address} did not answer: no answer to a new connection" in done.stderr


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_names_the_command_that_mends_a_database_without_tables(tmp_path: Path, database: str) -> None:
    done = run(tmp_path, "start", "--dsn", database, "--queues", "a:1")
    assert done.returncode == 1
    assert "bridge install" in done.stderr
    assert "Traceback" not in done.stderr


async def test_waits_for_tables_where_it_is_told_to(node: Any, database: str) -> None:
    running = node("--dsn", database, "--queues", "default:1", "--wait")
    assert "SchemaError" in running.until("bridge.waiting")["reason"]
    conn = await asyncpg.connect(database)
    await install(conn, "public")
    await conn.close()
    running.until("bridge.started")


def test_services_of_the_settings_run(node: Any, installed: str) -> None:
    node(*options(installed), BRIDGE_SERVICES="work_here.Sweep").until("swept")


@pytest.mark.parametrize("service", ["work_here.Greet", "work_here.Nothing", "Sweep"])
def test_what_is_no_service_is_refused(tmp_path: Path, service: str) -> None:
    (tmp_path / "work_here.py").write_text(WORKERS)
    done = run(tmp_path, "start", "--queues", "a:1", "--dry-run", BRIDGE_SERVICES=service)
    assert done.returncode == 1
    told = f"services: expected a subclass of bridge.maintenance.Service, such as work.Sweep, got {service!r}"
    assert told in done.stderr
    assert "(from environment BRIDGE_SERVICES)" in done.stderr


def test_a_dry_run_shows_what_would_run_and_hides_the_password(tmp_path: Path) -> None:
    (tmp_path / "work_here.py").write_text(WORKERS)
    dsn = "postgresql://ada:tell-nobody@nowhere.invalid/x"
    done = run(tmp_path, "start", "--dsn", dsn, "--import", "work_here", "--queues", "a:1,b:20", "--dry-run")
    shown = json.loads(done.stdout)
    assert shown["queues"] == {"a": 1, "b": 20}
    assert shown["workers"] == ["Tests.Greet", "Tests.Slow", "Tests.Stubborn"]
    assert shown["dsn"] == "postgresql://ada:***@nowhere.invalid/x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--queues", "a"), "queues: expected a name and a limit, such as badges:10, got 'a' (from argument --queues)"),
        (("--queues", "a:1,a:2"), "queues: expected each queue once, with commas between, got 'a:2'"),
        (("--queues", "a:1;b:2"), "queues: expected each queue once, with commas between, got 'a:1;b:2'"),
        (
            ("--queues", "a:0"),
            "queues.a.limit: expected an integer from 1 to 2147483647, got 0 (from argument --queues)",
        ),
        ((), "queues: expected at least one queue, got {}; add --queues default:10, or [queues] to bridge.toml"),
        (("--queues", "a:1", "--import", "no_such"), "no module 'no_such' from here or the environment"),
        (("--queues", "a:1", "--node", "a b"), "node: expected a name without white space, got 'a b'"),
        (("--queues", "a:1", "--prefix", "x" * 64), "prefix: expected a schema's name of at most 63 bytes"),
        (
            ("--queues", "a:1", "--dsn", "mysql://u:tell-nobody@h/d"),
            "dsn: expected postgresql://user@host:port/database",
        ),
        (("--queues", "a:1", "--dsn", "postgresql://u:tell:nobody@h:x/d"), "dsn: expected a port from 0 to 65535"),
    ],
)
def test_refuses_bad_settings_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(tmp_path, "start", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1
