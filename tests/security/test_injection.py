"""Names and texts of any content stay what they are: in SQL, JSON, notifications, metrics and terminals."""

import asyncio
import json
import os
import re
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from cli.rig import Commands
from databases import dsn_of, run_on_server
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from queues.conftest import ends, gate, worker
from queues.rig import connected, insert_row, row_of

from bridge import Job, Oban, telemetry
from bridge.engine import Connections, Engine
from bridge.engine.schema import inspect, install, install_own, quote_ident
from bridge.engine.schema.statements import statement as schema_statement
from bridge.engine.statements import Statements
from bridge.errors import InvalidJob, InvalidSetting, ValidationError
from bridge.queues.failures import error_entry
from bridge.telemetry.prometheus import Metrics

from .hostile import HOSTILE, NAMES, PREFIXES, TEXTS, few, some, unsafe

__all__ = ["ends", "gate", "worker"]


@pytest.fixture
async def engine(installed):
    async with asyncpg.create_pool(installed, min_size=1, max_size=1) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn, "public")
        yield Engine(Connections(pool), "public", catalog)


@pytest.fixture
def run():
    """Runs coroutines of a property, one after the other, in a loop of its own."""
    with asyncio.Runner() as runner:
        yield runner.run


# SQL, JSON and notifications


async def _in_a_schema(dsn, prefix, queue, name):
    conn = await asyncpg.connect(dsn)
    heard = asyncio.Queue()
    await install(conn, prefix)
    await install_own(conn, prefix)
    await conn.add_listener(f"{prefix}.oban_insert", lambda *message: heard.put_nowait(message[3]))
    async with Oban(dsn=dsn, prefix=prefix, name=name) as oban:
        job = await oban.enqueue(Job(name, queue=queue, args={name: queue}, meta={queue: name}, tags=[]))
        [other] = await oban.enqueue_many([Job(name, queue=queue)])
        assert [each.id for each in await oban.jobs(queue=queue, worker=name)] == [other.id, job.id]
        assert await oban.cancel_jobs(queue=queue) == 2
    for _ in range(2):
        assert json.loads(await asyncio.wait_for(heard.get(), 60)) == {"queue": queue}
    tables = await conn.fetch("select tablename from pg_tables where schemaname = $1 order by 1", prefix)
    assert [row[0] for row in tables] == ["bridge_crons", "bridge_producers", "oban_jobs", "oban_peers"]
    row = await row_of(conn, job, prefix)
    assert (row["args"], row["meta"], row["worker"], row["queue"]) == ({name: queue}, {queue: name}, name, queue)
    await conn.execute(f"drop schema {quote_ident(prefix)} cascade")
    await conn.close()


@few
@given(prefix=PREFIXES, queue=NAMES, name=NAMES)
@example(prefix='"; drop schema public; --', queue="$$ || pg_sleep(9) || $$", name="%s{prefix}\n")
@example(prefix="{columns}{where}{prefix}", queue="{queue}", name="'")
def test_a_schema_a_queue_a_worker_and_an_instance_of_any_name(database_of_module, run, prefix, queue, name):
    run(_in_a_schema(database_of_module, prefix, queue, name))


@pytest.fixture
def database_of_module(run):
    """A database for all examples of a property; schemas come and go in it."""
    name = f"bridge_injection_{os.getpid()}"
    run(run_on_server(f'create database "{name}"'))
    yield dsn_of(name)
    run(run_on_server(f'drop database "{name}" with (force)'))


def parts_of(path):
    """What stands in a file's braces beside the prefix, where its statement is to be whole."""
    found = set(re.findall(r"\{(\w+)\}", path.read_text(encoding="utf-8")))
    return dict.fromkeys(found - {"prefix", "columns", "claimed"}, "true")


def fill_engine(name, prefix, **parts):
    return Statements(prefix).fill(name, **parts)


PACKAGE = Path(telemetry.__file__).parents[1]

#: The folders of SQL, each with the function that fills its files in.
FOLDERS = {PACKAGE / "engine" / "sql": fill_engine, PACKAGE / "engine" / "schema" / "sql": schema_statement}
STATEMENTS = [(fill, folder, path) for folder, fill in FOLDERS.items() for path in sorted(folder.rglob("*.sql"))]
FILLED = [
    (fill, path.relative_to(folder).with_suffix("").as_posix(), parts_of(path)) for fill, folder, path in STATEMENTS
]


@some
@given(text=TEXTS)
def test_a_prefix_stands_in_every_statement_as_one_quoted_name(text):
    if len(text.encode()) > 63:
        return
    quoted = quote_ident(text)
    assert quoted[1:-1].replace('""', "").count('"') == 0
    for fill, name, parts in FILLED:
        assert fill(name, text, **parts) == fill(name, "public", **parts).replace('"public"', quoted)


@pytest.mark.parametrize("path", [path for *_, path in STATEMENTS], ids=lambda path: path.stem)
def test_in_no_statement_does_the_prefix_stand_within_a_text_or_a_name(path):
    source = path.read_text(encoding="utf-8")
    code = re.sub(r"--[^\n]*", "", source)
    quoted = re.findall(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", code)
    assert [text for text in quoted if "{prefix}" in text] == []
    assert re.findall(r"[\w\"'$.]\{prefix\}|\{prefix\}(?![.;\s])", code) == []


def test_there_is_no_statement_that_this_does_not_know():
    assert len(STATEMENTS) > 100
    assert {path for *_, path in STATEMENTS} == set(PACKAGE.rglob("*.sql"))


async def test_names_that_no_column_holds_are_refused_before_anything_is_sent(engine):
    for bad in ("a\x00b", "\ud800", "", "x" * 128, 1, None, b"x"):
        for job in (lambda bad=bad: Job(bad), lambda bad=bad: Job("W", queue=bad)):
            with pytest.raises(InvalidJob):
                await engine.insert(job())
    for bad in ("a\x00b", "\ud800"):
        with pytest.raises(ValidationError):
            await engine.insert(Job("W", tags=[bad]))
        for options in ({"args": {bad: 1}}, {"args": {"a": bad}}, {"meta": {bad: 1}}):
            with pytest.raises(ValidationError):
                await engine.insert(Job("W", **options))
        for option in ("prefix", "node", "name"):
            with pytest.raises(InvalidSetting):
                Oban(dsn="postgresql://h/d", **{option: bad})


async def test_a_whole_node_with_hostile_names_runs_pauses_and_resumes(start, registry, worker, ends, conn, caplog):
    async def process(_job):
        raise ValueError(HOSTILE)

    cls = worker(process, name=f"W{HOSTILE}")
    name = re.sub(r"\s", "", HOSTILE)
    oban = await start(queues={HOSTILE: 2}, name=f"N{name}", node=name)
    await connected(oban)
    job = await oban.enqueue(
        cls.new({HOSTILE: HOSTILE}, queue=HOSTILE, tags=[HOSTILE], meta={HOSTILE: 1}, max_attempts=1)
    )
    await ends.of(job)
    await oban.pause_queue(HOSTILE)
    await oban.resume_queue(HOSTILE)
    assert oban.check_queue(HOSTILE).queue == HOSTILE
    row = await row_of(conn, job)
    assert (row["state"], row["attempted_by"][0], row["args"]) == ("discarded", name, {HOSTILE: HOSTILE})
    assert row["errors"][0]["error"].startswith(f"** (ValueError) {HOSTILE}")
    assert [record for record in caplog.records if unsafe(record.getMessage())] == []


@some
@given(text=st.one_of(TEXTS, st.text(max_size=50)))
def test_error_entries_are_one_json_object_that_every_reader_takes(text):
    class Odd(Exception):
        pass

    entry = json.loads(error_entry(Odd(text), 1, datetime(2026, 1, 1)))  # noqa: DTZ001 - as the column has it
    assert set(entry) == {"attempt", "at", "error"}
    assert "\x00" not in entry["error"]
    entry["error"].encode()


# Metrics


async def test_metrics_keep_labels_of_any_content_apart(start, registry, worker, ends):
    found = CollectorRegistry()
    metrics = Metrics(found)
    try:
        cls = worker(lambda _job: None, name=f"W{HOSTILE}")
        oban = await start(queues={HOSTILE: 1})
        await ends.of(await oban.enqueue(cls.new({}, queue=HOSTILE)))
        text = generate_latest(found).decode()
        labels = {
            sample.labels["worker"]
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if "worker" in sample.labels
        }
        assert labels == {f"W{HOSTILE}"}
    finally:
        metrics.close()


# Junk that others send


@pytest.mark.parametrize(
    "payload",
    [
        HOSTILE,
        '{"action": "pause"}',
        json.dumps({"action": HOSTILE, "queue": HOSTILE, "ident": HOSTILE}),
        json.dumps({"action": "scale", "queue": "*", "limit": HOSTILE}),
        json.dumps({"action": "start", "queue": HOSTILE, "limit": {"__class__": "os.system"}}),
        json.dumps({"action": "pkill", "job_id": HOSTILE}),
        "H4sI" + "A" * 500,
        "H4sIAAAAAAAAA" + "/" * 7_000,
        "[" * 7_000,
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
async def test_messages_of_strangers_end_nothing_and_log_lines(start, registry, worker, ends, conn, caplog, payload):
    cls = worker(lambda _job: None)
    oban = await start(queues={"default": 1})
    await connected(oban)
    for channel in ("insert", "signal", "leader", "sonar"):
        await conn.execute("select pg_notify($1, $2)", f"public.oban_{channel}", payload)
    await ends.of(await oban.enqueue(cls.new({})))
    assert [record for record in caplog.records if unsafe(record.getMessage())] == []


# Terminals


@pytest.mark.parametrize(
    "command", [["jobs", "list"], ["doctor"], ["status"], ["queues", "list"], ["jobs", "show", "1"]]
)
async def test_errors_of_commands_steer_no_terminal(installed, tmp_path, command):
    told = await Commands(installed, tmp_path).process(*command, BRIDGE_PREFIX="x\x1b]0;owned\x07\x1b[2J\u202e")
    assert "x\\x1b]0;owned\\x07" in told.stdout + told.stderr
    assert not unsafe(told.stdout + told.stderr, keep="\n")


async def test_a_doctor_s_findings_and_a_job_s_args_steer_none(installed, conn, tmp_path):
    await insert_row(conn, worker=f"W{HOSTILE}", queue=HOSTILE, args=json.dumps({HOSTILE: HOSTILE}), state="available")
    await conn.execute(
        "update oban_jobs set scheduled_at = now() - interval '1 day', attempted_by = array[$1, $1], tags = array[$1]",
        HOSTILE,
    )
    for command in (["doctor"], ["jobs", "list"], ["jobs", "show", "1"], ["queues", "list"]):
        told = await Commands(installed, tmp_path).process(*command)
        assert "\\x1b[31m" in told.stdout
        assert not unsafe(told.stdout + told.stderr, keep="\n")


async def test_what_is_told_of_dead_nodes_steers_none(installed, conn, tmp_path):
    await install_own(conn)
    await conn.execute(
        "insert into bridge_producers values ('dead', 'Oban', $1, 'default', 1, '2020-01-01', '2020-01-01')", HOSTILE
    )
    for uuid in ("dead", "unknown"):
        await conn.execute(
            "insert into oban_jobs (worker, state, attempt, attempted_at, attempted_by) "
            "values ('W', 'executing', 1, '2020-01-01', array[$1, $2])", HOSTILE, uuid,
        )  # fmt: skip
    for command in (["maintain", "rescue", "--dry-run"], ["maintain", "rescue", "--dry-run", "--json"]):
        told = await Commands(installed, tmp_path).process(*command)
        assert told.returncode == 0
        assert "[31m" in told.stdout
        assert not unsafe(told.stdout + told.stderr, keep="\n")
    assert HOSTILE in json.loads(told.stdout)["left_alone"]
