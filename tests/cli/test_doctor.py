"""`bridge doctor` as a process: what it prints, and how it exits."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from bridge.engine.schema import install_own

WORKERS = """
from bridge import Worker, worker

@worker(queue="alpha", name="Tests.Known")
class Known(Worker):
    async def process(self, job):
        pass
"""


@pytest.fixture
def doctor(installed, tmp_path):
    """A function that runs the command on the test's database, in an empty folder."""

    def run(*arguments, **environment):
        (tmp_path / "work_here.py").write_text(WORKERS)
        return subprocess.run(
            [sys.executable, "-m", "bridge", "doctor", "--dsn", installed, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


async def test_a_healthy_database_exits_with_0_also_where_warnings_count(doctor, conn):
    await install_own(conn)

    done = doctor("--strict")

    assert done.returncode == 0, done.stdout
    assert "  ✔ missing-indexes: all indexes of version 14 are there" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 notes, 31 ok"


async def test_a_problem_exits_with_1_and_says_what_mends_it(doctor, conn):
    await conn.execute("insert into oban_jobs (worker, args) values ('W', '[]')")

    done = doctor("--quiet")

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    place = lines.index(
        "  ✖ poison-rows: 1 fault of 1 looked at stop an Elixir node's queue for good once it loads them"
    )
    assert lines[place - 1] == "rows"
    assert lines[place + 1] == "      args that are not a JSON object: 1 row (available), ids 1"
    assert lines[place + 2].startswith("      → bridge jobs delete ID")
    assert "✔" not in done.stdout
    assert lines[-1].startswith("1 problem, ")


async def test_a_warning_exits_with_1_only_where_warnings_count(doctor, conn):
    await install_own(conn)
    await conn.execute("alter table oban_jobs set (autovacuum_enabled = off)")

    assert doctor().returncode == 0
    assert doctor("--strict").returncode == 1


async def test_json_has_all_of_each_finding(doctor, conn):
    await conn.execute("insert into oban_jobs (worker, args) values ('W', '[]')")

    done = doctor("--json")

    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["level"] == "problem"
    [poison] = [finding for finding in found["findings"] if finding["id"] == "poison-rows"]
    assert poison | {"mend": "", "seen": ""} == {
        "id": "poison-rows",
        "topic": "rows",
        "level": "problem",
        "seen": "",
        "mend": "",
        "details": ["args that are not a JSON object: 1 row (available), ids 1"],
        "figures": {"looked_at": 1, "faults": {"args": {"jobs": 1, "ids": [1]}}},
        "looked": True,
    }


async def test_imported_workers_are_known(doctor, conn):
    await conn.execute("insert into oban_jobs (worker) values ('Tests.Known'), ('Tests.Unknown')")

    [finding] = [
        finding
        for finding in json.loads(doctor("--json", "--import", "work_here").stdout)["findings"]
        if finding["id"] == "unknown-workers"
    ]

    assert [row["worker"] for row in finding["figures"]["never_run"]] == ["Tests.Unknown"]


async def test_text_of_rows_can_t_steer_the_terminal(doctor, conn):
    await conn.execute("insert into oban_jobs (worker, queue) values ($1, 'q')", "W\x1b[31m[bold]")

    done = doctor()

    assert "\x1b" not in done.stdout
    assert "[bold]" in done.stdout


async def test_passwords_are_shown_nowhere(doctor, conn):
    done = doctor("--json", BRIDGE_NOTIFIER_DSN="postgresql://ada:tell-nobody@127.0.0.1:1/x")

    assert "tell-nobody" not in done.stdout + done.stderr
    assert "no connection that listens could be had" in done.stdout


async def test_a_reader_that_goes_away_hears_no_more_and_no_noise(conn, installed):
    def noise():
        command = [sys.executable, "-m", "bridge", "doctor", "--dsn", installed]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            running.stdout.close()
            return running.stderr.read()

    assert await asyncio.to_thread(noise) == ""


@pytest.mark.parametrize("form", [[], ["--json"]])
async def test_an_output_that_lacks_characters_gets_all_of_it(doctor, conn, form):
    await conn.execute("insert into oban_jobs (worker, queue) values ('Zoë', 'ż')")

    done = doctor(*form, PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert "Zo\\xeb" in done.stdout or "Zo\\u00eb" in done.stdout


async def test_a_server_that_says_nothing_is_not_waited_for_longer_than_was_asked(doctor):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        done = doctor("--timeout", "0.1", "--dsn", f"postgresql://ada@127.0.0.1:{mute.getsockname()[1]}/x")

    assert done.returncode == 1
    assert "did not answer" in done.stderr
    assert time.monotonic() - started < 30
