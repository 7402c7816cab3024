"""The demo as a person runs it: a process of its own, a fresh database, and what it prints."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cli.rig import in_terminal
from pypdf import PdfReader

from bridge import Job, Oban
from bridge.engine.schema import install
from bridge.errors import ContractError
from bridge.telemetry import attach, detach
from python_demo import contracts
from python_demo.attendees import attendees
from python_demo.workers import GenerateBadge, settings


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "python_demo", *map(str, arguments)]


def demo(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env={**clean, **environment}
    )


def log_lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def files_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def interrupted(arguments: list[str]) -> tuple[int, str, str]:
    """Exit status, output and errors of a run that gets a Ctrl-C after its first job."""
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        killer = threading.Timer(100, running.kill)
        killer.start()
        assert running.stdout is not None
        next(line for line in running.stdout if line.startswith("{"))
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate()
        killer.cancel()
    return running.returncode, output, errors


async def rows(dsn: str) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetch("select *, state::text as state from oban_jobs order by id")
    finally:
        await conn.close()


async def test_a_run_renders_and_confirms_every_badge(database: str, tmp_path: Path) -> None:
    done = demo("--jobs", 5, "--dsn", database, "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a Python worker named BadgeForge.PrintCenter takes over" in done.stdout
    badges, printing = (await rows(database))[:5], (await rows(database))[5:]
    assert [json.loads(row["args"]) for row in badges] == list(attendees(5))
    assert {row["worker"] for row in badges} == {"python_demo.workers.GenerateBadge"}
    assert {row["worker"] for row in printing} == {"BadgeForge.PrintCenter"}
    assert {(row["queue"], row["state"]) for row in badges} == {("badges", "completed")}
    assert {(row["queue"], row["state"]) for row in printing} == {("printing", "completed")}
    confirmations = sorted((json.loads(row["args"]) for row in printing), key=lambda args: args["id"])
    assert confirmations == [
        {"id": args["id"], "name": args["name"], "path": str(tmp_path / f"badge-{args['id']}.pdf")}
        for args in attendees(5)
    ]
    for args in attendees(5):
        text = PdfReader(tmp_path / f"badge-{args['id']}.pdf").pages[0].extract_text()
        assert " ".join(text.split()).count(args["name"].split()[0]) == 1


async def test_badges_are_enqueued_as_their_contract_says(database: str, tmp_path: Path) -> None:
    assert demo("--jobs", 1, "--dsn", database, "--out", tmp_path, "--no-render").returncode == 0
    badge = (await rows(database))[0]
    assert (badge["max_attempts"], badge["priority"], badge["tags"], badge["errors"]) == (5, 0, [], [])
    assert json.loads(badge["meta"])["contract"] == "GenerateBadge@1"


def test_the_job_log_has_the_published_shape_and_each_job_a_line(database: str, tmp_path: Path) -> None:
    lines = log_lines(demo("--jobs", 3, "--dsn", database, "--out", tmp_path).stdout)
    assert len(lines) == 6
    for line in lines:
        assert list(line) == [
            *("event", "level", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags"),
            *("state", "duration", "queue_time"),
        ]
        assert (line["event"], line["state"], line["attempt"]) == ("oban.job.stop", "completed", 1)
        assert line["duration"] > 0


def test_without_a_terminal_there_are_plain_lines_of_progress_and_a_table(database: str, tmp_path: Path) -> None:
    done = demo("--jobs", 4, "--dsn", database, "--out", tmp_path, "--quiet", TERM="xterm-256color")
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert "Badges rendered: 4 of 4" in done.stdout
    assert "Badges printed: 4 of 4" in done.stdout
    assert "jobs/s: 8 jobs in" in done.stdout
    assert f"4 in {tmp_path}" in done.stdout
    assert log_lines(done.stdout) == []


def test_a_terminal_shows_bars_and_all_of_the_log_only_where_it_is_asked_for(database: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {"TERM": "xterm"}
    options = ("--jobs", 2, "--dsn", database, "--out", tmp_path, "--no-render")
    for added, lines in (((), 0), (("--log",), 4)):
        status, shown = in_terminal(command(*options, *added), None, env=environment)
        assert status == 0, shown
        assert "Badges printed" in shown
        assert shown.count("oban.job.stop") == lines


async def test_each_run_counts_only_its_own_jobs(database: str, tmp_path: Path) -> None:
    for _ in range(2):
        done = demo("--jobs", 2, "--dsn", database, "--out", tmp_path, "--no-render", "--quiet")
        assert done.returncode == 0
        assert "jobs/s: 4 jobs in" in done.stdout
    assert len(await rows(database)) == 8
    assert files_in(tmp_path) == []


async def test_where_an_elixir_node_leads_the_confirmations_are_left_to_it(database: str, tmp_path: Path) -> None:
    conn = await asyncpg.connect(database)
    await install(conn, "public")
    await conn.execute(
        "insert into oban_peers (name, node, started_at, expires_at)"
        " values ('Oban', 'web@elixir', now() at time zone 'utc', now() at time zone 'utc' + interval '1 hour')"
    )
    await conn.close()

    refused = demo("--jobs", 2, "--dsn", database, "--out", tmp_path, "--no-render")
    assert refused.returncode == 1
    assert "web@elixir would print PDFs that --no-render does not make" in refused.stderr
    assert await rows(database) == []

    done = demo("--jobs", 2, "--dsn", database, "--out", tmp_path, "--patience", 8)
    assert done.returncode == 1
    assert "the Elixir node web@elixir prints" in done.stdout
    assert "not done  2" in done.stdout
    states = [(row["queue"], row["state"], row["attempt"]) for row in await rows(database)]
    assert states == [("badges", "completed", 1)] * 2 + [("printing", "available", 0)] * 2


def test_the_run_says_when_another_library_renders(database: str, tmp_path: Path) -> None:
    (tmp_path / "weasyprint.py").write_text("raise ImportError('no such package')")
    out = tmp_path / "badges"
    done = demo("--jobs", 1, "--dsn", database, "--out", out, "--quiet", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert f"fpdf2 writes PDFs to {out}" in done.stdout
    assert "pip install weasyprint" in done.stdout
    assert (out / "badge-1.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("jobs", ["0", "-3", "ten", "", "2.5", "1000000000"])
def test_a_count_that_can_not_be_is_refused_in_one_line(jobs: str) -> None:
    done = demo(f"--jobs={jobs}")
    assert done.returncode == 2
    assert f"expected a whole number from 1 to 1,000,000, got '{jobs}'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dsn", ["postgresql://postgres@127.0.0.1:1/none", "nonsense"])
def test_a_server_that_does_not_answer_is_told_in_one_line(dsn: str, tmp_path: Path) -> None:
    done = demo("--jobs", 1, "--dsn", dsn, "--out", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("The demo can't run: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("out", ["/dev/null", "/dev/null/badges", "/proc"])
async def test_a_folder_that_can_not_be_written_is_told_before_anything_is_enqueued(database: str, out: str) -> None:
    done = demo("--jobs", 1, "--dsn", database, "--out", out)
    assert done.returncode == 1
    assert "The demo can't run: " in done.stderr
    conn = await asyncpg.connect(database)
    assert await conn.fetchval("select to_regclass('oban_jobs')") is None
    await conn.close()


async def test_an_interrupted_run_ends_cleanly_and_the_next_one_takes_along_what_is_left(
    database: str, tmp_path: Path
) -> None:
    status, output, errors = interrupted(command("--jobs", 400, "--dsn", database, "--out", tmp_path, "--limit", 1))
    assert status == 130
    assert errors == "Stopped. What was not done is in the table, and the next run takes it along.\n"
    assert "not done" in output
    states = {row["state"] for row in await rows(database)}
    assert states == {"available", "completed"}
    done = demo("--jobs", 1, "--dsn", database, "--out", tmp_path, "--no-render", "--quiet")
    assert done.returncode == 0
    assert "jobs of earlier runs wait in the table" in done.stdout
    assert {row["state"] for row in await rows(database) if row["queue"] == "badges"} == {"completed"}


async def run_badge(dsn: str, args: dict[str, Any]) -> tuple[Job[Any], Any]:
    """The job after one attempt, inserted past Bridge as any program may, and what it recorded."""
    ended = asyncio.Event()
    attach("test", ["oban.job.stop", "oban.job.exception"], lambda name, event: ended.set())
    conn = await asyncpg.connect(dsn)
    try:
        async with Oban(dsn=dsn, queues={"badges": 1}) as oban:
            id_ = await conn.fetchval(
                "insert into oban_jobs (worker, queue, args, max_attempts) values ($1, 'badges', $2, 5) returning id",
                "python_demo.workers.GenerateBadge",
                json.dumps(args),
            )
            await conn.execute("""select pg_notify('public.oban_insert', '{"queue": "badges"}')""")
            await ended.wait()
            found = await oban.get_job(id_)
            assert found is not None
            return found, await oban.fetch_result(found) if found.state == "completed" else None
    finally:
        await conn.close()
        detach("test")


async def test_a_badge_s_result_is_its_file(installed: str, tmp_path: Path) -> None:
    settings.folder, settings.render = tmp_path, True
    job, _ = await run_badge(installed, {"id": 7, "name": "Ada"})
    pdf = (tmp_path / "badge-7.pdf").read_bytes()
    async with Oban(dsn=installed) as oban:
        typed: Job[contracts.GenerateBadge] = job
        found = await oban.fetch_result(typed)
    assert found == contracts.BadgeFile(
        path=str(tmp_path / "badge-7.pdf"), size=len(pdf), sha256=hashlib.sha256(pdf).hexdigest(), pages=1
    )


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({"id": "../../evil", "name": "Ada"}, "/id: "),
        ({"badge_id": 7, "name": "Ada"}, "/id: "),
        ({"id": 7, "name": "\u202e"}, "args.name: expected text"),
    ],
    ids=["an id of another type", "another name for the id", "a name that can't be seen"],
)
async def test_args_that_no_attempt_could_mend_cancel_the_job(
    installed: str, tmp_path: Path, args: dict[str, Any], reason: str
) -> None:
    settings.folder, settings.render = tmp_path, True
    found, _ = await run_badge(installed, args)
    assert (found.state, found.attempt, found.max_attempts) == ("cancelled", 1, 5)
    assert reason in found.errors[0]["error"]
    assert files_in(tmp_path) == []


def test_an_id_that_breaks_the_contract_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ContractError) as refusal:
        GenerateBadge.new({"id": "../../evil", "name": "Ada"})
    assert [(found.path, found.rule) for found in refusal.value.violations] == [("/id", "type")]
