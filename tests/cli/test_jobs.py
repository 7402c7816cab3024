"""`bridge jobs list` and `show`."""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, datetime, timedelta

import pytest
from queues.rig import insert_row

from bridge.codecs.recorded import encode_recorded
from bridge.engine import utc_now
from bridge.errors import InvalidFilter, SchemaError

from .rig import clean_environment

COLUMNS = [
    "id", "state", "queue", "worker", "args", "meta", "tags", "errors", "attempt", "max_attempts", "priority",
    "attempted_by", "inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at",
]  # fmt: skip


def objects(output):
    return [json.loads(line) for line in output.splitlines()]


def ids(result):
    assert result.exit_code == 0, result.output
    return [each["id"] for each in objects(result.stdout)]


# Listing


async def test_all_18_columns_are_told_to_scripts_one_job_a_line(bridge, conn):
    first = await insert_row(conn, args='{"n": 12345678901234567890}', tags=["a"], meta='{"m": 1.5}')
    await insert_row(
        conn,
        state="retryable",
        queue="q",
        attempt=2,
        attempted_by=["py@a", "u"],
        attempted_at=datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - as the column is
        errors=[json.dumps({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "boom"})],
    )
    newer, older = objects((await bridge.run("jobs", "list", "--json")).stdout)
    assert list(newer) == list(older) == COLUMNS
    assert (older["id"], older["args"], older["tags"], older["meta"]) == (
        first,
        {"n": 12345678901234567890},
        ["a"],
        {"m": 1.5},
    )
    assert older["attempted_at"] is None
    assert newer["attempted_at"] == "2026-01-02T03:04:05.000006Z"
    assert newer["errors"] == [{"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "boom"}]
    assert datetime.fromisoformat(newer["inserted_at"]).tzinfo == UTC


async def test_the_table_tells_how_long_jobs_wait_run_and_are_away(bridge, conn):
    now = utc_now()
    await insert_row(conn, worker="Wait", scheduled_at=now - timedelta(minutes=3))
    await insert_row(conn, worker="Due", state="scheduled", scheduled_at=now + timedelta(hours=5, minutes=1))
    await insert_row(conn, worker="Run", state="executing", attempt=1, attempted_at=now - timedelta(minutes=10))
    await insert_row(conn, worker="Done", state="completed", attempt=1, completed_at=now - timedelta(days=3))
    await insert_row(conn, worker="Odd", state="completed")
    result = await bridge.run("jobs", "list")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    assert [(row[3], row[5]) for row in rows] == [
        ("Odd", "?"),
        ("Done", "3 d ago"),
        ("Run", "runs 10 min"),
        ("Due", "due in 5 h"),
        ("Wait", "waits 3 min"),
    ]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (40, ["id", "state", "worker"]),
        (70, ["id", "state", "queue", "worker", "when"]),
        (120, ["id", "state", "queue", "worker", "attempt", "when", "args"]),
    ],
)
async def test_a_table_is_as_wide_as_the_terminal_and_cuts_what_is_long(bridge, conn, columns, expected):
    await insert_row(conn, worker="package.module." + "Long" * 10, args=json.dumps({"text": "word " * 1_000}))
    lines = (await bridge.run("jobs", "list", columns=columns)).output.splitlines()
    assert [cell.strip() for cell in lines[1].split("┃")[1:-1]] == expected
    assert max(map(len, lines)) <= columns
    assert len(lines) == 5
    assert "available" in lines[3]
    assert "…" in lines[3]


async def test_the_newest_20_are_listed_and_the_rest_is_told_of(bridge, conn):
    for _ in range(25):
        await insert_row(conn)
    result = await bridge.run("jobs", "list")
    assert sum(line.startswith("│") for line in result.stdout.splitlines()) == 20
    assert result.stderr == "the newest 20 of 25; --limit 0 lists all\n"
    assert ids(await bridge.run("jobs", "list", "--json", "-n", 2)) == [25, 24]
    assert len(ids(await bridge.run("jobs", "list", "--json", "--limit", 0))) == 25


async def test_all_are_listed_page_by_page(bridge, conn):
    await conn.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 2500)")
    assert ids(await bridge.run("jobs", "list", "--json", "--limit", 0)) == list(range(2_500, 0, -1))
    assert ids(await bridge.run("jobs", "list", "--json", "--limit", 1_500)) == list(range(2_500, 1_000, -1))


FILTERS = {
    "an id": (["1"], [1]),
    "states": (["-s", "retryable", "-s", "available"], [2, 1]),
    "a queue": (["-q", "mail"], [2]),
    "workers": (["-w", "A", "-w", "B"], [2, 1]),
    "a tag among others": (["-t", "x"], [2]),
    "two tags": (["-t", "y", "-t", "x"], [2]),
    "args that contain": (["--args", '{"id": 1}'], [1]),
    "meta that contains": (["--meta", '{"cron": true}'], [3]),
    "a priority": (["--priority", "3"], [1]),
    "attempts": (["--min-attempt", "2"], [2]),
    "an error's text": (["--error", "TIMED out"], [2]),
    "a node": (["--node", "py@a"], [2]),
    "a range of ids": (["--min-id", "2", "--max-id", "2"], [2]),
    "an age": (["--older-than", "30m"], [3]),
    "the youngest": (["--newer-than", "30m"], [2, 1]),
    "due soon": (["--scheduled-before", "in 1h", "-s", "retryable"], [2]),
    "due later": (["--scheduled-after", "in 1h"], []),
    "begun before": (["--attempted-before", "1m ago"], [2]),
    "several": (["-q", "default", "-s", "completed", "-w", "C"], [3]),
}


@pytest.mark.parametrize(("options", "expected"), FILTERS.values(), ids=FILTERS.keys())
async def test_filters(bridge, conn, options, expected):
    now = utc_now()
    await insert_row(conn, worker="A", args='{"id": 1, "n": 2}', priority=3)
    await insert_row(
        conn,
        worker="B",
        queue="mail",
        state="retryable",
        tags=["x", "y"],
        attempt=2,
        attempted_by=["py@a", "u"],
        attempted_at=now - timedelta(minutes=5),
        scheduled_at=now + timedelta(minutes=5),
        errors=[json.dumps({"attempt": 1, "error": "it timed out"})],
    )
    hour = now - timedelta(hours=1)
    await insert_row(conn, worker="C", state="completed", meta='{"cron": true}', inserted_at=hour, scheduled_at=hour)
    assert ids(await bridge.run("jobs", "list", "--json", *options)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-s", "done"], "state: expected one of available, suspended, scheduled"),
        (["--args", "{id: 1}"], "--args: expected JSON, got '{id: 1}'"),
        (["--args", "[1]"], "--args: expected a JSON object, such as"),
        (["--older-than", "soon"], "--older-than: expected a duration such as 90 (seconds)"),
        (["--older-than", "9999999w"], "--older-than: expected a duration"),
        (["--scheduled-before", "2026-01-01T00:00:00"], "expected a time with its zone"),
        (["--min-id", "0"], "min_id: expected an integer from 1"),
    ],
)
async def test_a_filter_that_can_not_be_is_refused(bridge, options, message):
    result = await bridge.run("jobs", "list", *options)
    assert isinstance(result.exception, InvalidFilter)
    assert message in str(result.exception)


async def test_errors_in_a_column_of_jsonb_are_searched_too(bridge, conn):
    await conn.execute("alter table oban_jobs alter errors drop default")
    await conn.execute("alter table oban_jobs alter errors type jsonb using to_jsonb(errors)")
    for errors in ('{"error": "boom"}', '[{"error": "boom"}]', '"boom"', '[{"error": {"boom": 1}}, 1, null]'):
        await conn.execute("insert into oban_jobs (worker, errors) values ('W', $1::text::jsonb)", errors)
    assert ids(await bridge.run("jobs", "list", "--json", "--error", "boom")) == [4, 2]


async def test_counts_by_state_queue_and_worker(bridge, conn):
    for queue, state in (("a", "available"), ("a", "available"), ("b", "available"), ("b", "completed")):
        await insert_row(conn, queue=queue, state=state)
    counted = await bridge.run("jobs", "list", "--count", "queue,state", "--json")
    assert objects(counted.stdout) == [
        {"queue": "a", "state": "available", "jobs": 2},
        {"queue": "b", "state": "available", "jobs": 1},
        {"queue": "b", "state": "completed", "jobs": 1},
    ]
    assert [line.split("│")[1:-1] for line in (await bridge.run("jobs", "list", "--count", "state", "-q", "a")).output
            .splitlines() if "│" in line] == [[" available ", "    2 "]]  # fmt: skip
    assert (await bridge.run("jobs", "list", "--count", "colour")).exit_code == 2


async def test_no_job_and_no_table_are_told_apart(bridge, conn):
    empty = await bridge.run("jobs", "list")
    assert (empty.exit_code, empty.output) == (0, "no job matches\n")
    assert (await bridge.run("jobs", "list", "--json")).output == ""
    await conn.execute("drop table oban_jobs")
    assert isinstance((await bridge.run("jobs", "list")).exception, SchemaError)


def test_without_a_database_it_names_the_ways_to_one_and_starts_none(tmp_path):
    folder = tmp_path / "postgres"
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "jobs", "list"],
        cwd=tmp_path,
        env=clean_environment(BRIDGE_POSTGRES_DIR=str(folder)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert all(way in done.stderr for way in ("--dsn", "DATABASE_URL", "bridge.toml", "bridge db start"))
    assert not folder.exists()


async def test_a_reader_that_goes_away_ends_it_without_an_error(bridge, conn):
    await conn.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 5000)")
    command = f"'{sys.executable}' -m bridge jobs list --json --limit 0 --dsn '{bridge.dsn}' | head -n 1"
    shell = await asyncio.create_subprocess_shell(command, stdout=PIPE, stderr=PIPE, env=clean_environment())
    output, errors = await shell.communicate()
    assert (len(output.splitlines()), errors) == (1, b"")


# Showing


async def test_a_job_is_shown_with_its_errors_and_its_result(bridge, conn):
    meta = json.dumps({"recorded": True, "return": encode_recorded({"size": 3, "pair": (1, b"\xff")})})
    errors = [
        json.dumps({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "Traceback:\n  File x\nValueError: no"})
    ]
    job_id = await insert_row(
        conn, state="completed", attempt=2, attempted_by=["py@a", "u"], args='{"name": "Zoë"}', meta=meta, errors=errors
    )
    shown = await bridge.run("jobs", "show", job_id)
    assert shown.exit_code == 0
    text = shown.output
    assert text.startswith(f"job {job_id}: W\n  state        completed\n")
    assert "attempts     2 of 20, last by py@a u" in text
    assert 'args\n  {\n    "name": "Zoë"\n  }\n' in text
    assert "error of attempt 1, 2026-01-01T00:00:00.000000Z\n  Traceback:\n    File x\n  ValueError: no\n" in text
    assert 'result\n  {\n    "size": 3,\n    "pair": [\n      1,\n' in text
    [row] = objects((await bridge.run("jobs", "show", job_id, "--json")).stdout)
    assert list(row) == [*COLUMNS, "result"]
    assert row["result"] == {"size": 3, "pair": [1, "\\xff"]}


async def test_a_result_that_is_damaged_is_told_and_hides_nothing_else(bridge, conn):
    job_id = await insert_row(conn, meta='{"return": "not base64!", "kept": 1}')
    [row] = objects((await bridge.run("jobs", "show", job_id, "--json")).stdout)
    assert "result_error" in row
    assert row["meta"]["kept"] == 1
    assert "result\n  can't be read: " in (await bridge.run("jobs", "show", job_id)).output


async def test_a_job_that_is_not_there_is_exit_status_2(bridge):
    result = await bridge.run("jobs", "show", 99)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no job 99" in result.stderr


async def test_the_prefix_and_the_file_are_minded(bridge, conn, tmp_path):
    from bridge.engine.schema import install

    await install(conn, "other")
    await insert_row(conn, worker="Elsewhere", prefix="other")
    (tmp_path / "odd.toml").write_text('prefix = "other"\n')
    for options in (["--prefix", "other"], ["--config", tmp_path / "odd.toml"]):
        [row] = objects((await bridge.run("jobs", "list", "--json", *options)).stdout)
        assert row["worker"] == "Elsewhere"


async def test_output_that_knows_only_ascii_is_no_obstacle(bridge, conn):
    job_id = await insert_row(conn, worker="Zoë", args='{"name": "Zoë"}')
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    listed = await bridge.process("jobs", "list", "--json", **ascii_only)
    assert objects(listed.stdout)[0]["worker"] == "Zoë"
    for command in (["list"], ["show", job_id]):
        done = await bridge.process("jobs", *command, **ascii_only)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Zoë" in done.stdout or "Zo\\xeb" in done.stdout
