"""Passwords that work stay where they were put: in no event, metric, trace, repr, command line or row."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from queues.conftest import ends, gate, worker
from queues.processes.conftest import app, begin
from queues.rig import connected, node, until
from telemetry.conftest import forget
from telemetry.rig import everything

from bridge import Job, Oban
from bridge.config import Setting
from bridge.engine import connect
from bridge.engine.schema import inspect
from bridge.queues.processes.messages import Setup
from bridge.sync import SyncOban
from bridge.telemetry import otel
from bridge.telemetry.log import format_event
from bridge.telemetry.prometheus import Metrics

from .passwords import RIGHT, assert_silent, dsn_as, guarded, logged, no_environment, run_command

__all__ = ["app", "begin", "dsn_as", "ends", "forget", "gate", "guarded", "no_environment", "worker"]


@asynccontextmanager
async def watched():
    """Everything that a running node tells, as one text."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    otel.instrument(provider)
    with everything() as heard:

        def text():
            lines = [repr(event) + repr(vars_of(event)) + line_of(name, event) for name, event in heard]
            traces = [span.to_json() for span in spans.get_finished_spans()]
            return "\n".join([*lines, *traces, generate_latest(registry).decode()])

        try:
            yield text
        finally:
            otel.uninstrument()
            metrics.close()


def vars_of(event):
    """The values of an event's fields, and those of the fields of these: a job, an instance."""
    values = {name: getattr(event, name) for name in fields_of(event)}
    return values, {name: {each: getattr(value, each) for each in fields_of(value)} for name, value in values.items()}


def fields_of(value):
    return [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(value, name)]


def line_of(name, event):
    """What the log of jobs makes of an event; it has no lines for those of other kinds."""
    try:
        return repr(format_event(name, event))
    except KeyError:
        return ""


async def test_nothing_that_a_node_tells_holds_it(dsn_as, registry, worker, ends, caplog):
    caplog.set_level(logging.DEBUG)
    dsn = dsn_as(RIGHT)

    async def process(job):
        if job.args.get("fail"):
            raise ValueError(repr(Oban.get_instance()))  # what a careless worker logs
        return repr(Oban.get_instance()._plan)

    cls = worker(process)
    async with watched() as text, node(dsn, registry, notifier={"dsn": dsn}) as oban:
        await connected(oban)
        await ends.of(await oban.enqueue(cls.new({"fail": True}, max_attempts=1)))
        await ends.of(await oban.enqueue(cls.new({})))
        shown = f"{oban!r}{oban._plan!r}{oban._runtime!r}{oban._runtime.engine!r}{oban._runtime.notifier!r}"
        findings = await oban.diagnose()
        examined = await run_command("doctor", "--json", DATABASE_URL=dsn, BRIDGE_NOTIFIER_DSN=dsn)
    assert {finding.id for finding in findings} >= {"server", "notifications"}
    assert {each["id"] for each in json.loads(examined.stdout)["findings"]} >= {"server", "notifications"}
    assert len(text()) > 1_000
    assert_silent(text() + shown + repr(findings) + examined.stdout + examined.stderr + logged(caplog), RIGHT)
    conn = await asyncpg.connect(dsn)
    rows = await conn.fetch("select to_jsonb(oban_jobs)::text from oban_jobs")
    await conn.execute("delete from oban_jobs")
    await conn.close()
    assert_silent(repr(rows), RIGHT)


def command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc here to read command lines from")
async def test_no_command_line_of_a_child_holds_it(dsn_as, begin, app):
    oban = await begin(dsn=dsn_as(RIGHT))
    children = oban._parts.processes._children
    assert children
    for child in children:
        line = command_line(child.pid)
        assert "bridge.oban.child" in line
        assert_silent(line, RIGHT)
        assert "postgresql://" not in line


async def test_a_client_that_blocks_shows_none(dsn_as):
    with SyncOban(dsn=dsn_as(RIGHT)) as client:
        job = await asyncio.to_thread(client.enqueue, Job("W"))
        assert job.id
        lane = client._client._pool._lane
        assert_silent(repr([client, vars(client), vars(client._client), vars(client._client._pool), vars(lane)]), RIGHT)


async def test_what_is_handed_to_a_child_and_settings_show_none(dsn_as):
    dsn = dsn_as(RIGHT)
    conn = await connect(dsn)
    setup = Setup("Oban", "public", "node", dsn, True, {}, await inspect(conn), [], [], {})
    await conn.close()
    settings = [Setting("dsn", dsn, "argument --dsn"), Setting("notifier.dsn", f"host=h password={RIGHT}", "default")]
    assert_silent(repr(setup) + repr(settings), RIGHT)
    assert "ada:***@" in repr(settings)


async def test_a_running_command_hides_it_where_the_environment_tells_it(dsn_as, tmp_path):
    done = await run_command("config", DATABASE_URL=dsn_as(RIGHT))
    assert "ada:***@" in done.stdout
    assert_silent(done.stdout + done.stderr, RIGHT)
    done = await run_command("start", "--dry-run", "--queues", "default:1", DATABASE_URL=dsn_as(RIGHT))
    assert done.returncode == 0
    assert_silent(done.stdout + done.stderr, RIGHT)


async def test_a_node_that_loses_its_role_goes_on_without_telling_it(dsn_as, guarded, registry, worker, caplog):
    """The password is changed while a node runs, and every new connection is refused."""
    caplog.set_level(logging.DEBUG)
    admin = await asyncpg.connect(guarded)
    await admin.execute("drop role if exists bob; create role bob superuser login password 'b0b-s3cr3t'")
    worker(lambda _job: None)
    dsn = dsn_as(RIGHT).partition("ada:")[0] + "bob:b0b-s3cr3t@" + guarded.partition("postgres@")[2]
    try:
        async with node(dsn, registry, stager={"interval": 0.05}) as oban:
            await connected(oban)
            await admin.execute("alter role bob password 'another'")
            await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bob'")
            await until(lambda: asyncio.sleep(0, "password authentication failed" in caplog.text))
            await admin.execute("alter role bob password 'b0b-s3cr3t'")
            await connected(oban)
        assert_silent(logged(caplog), "b0b-s3cr3t")
    finally:
        await admin.execute("reassign owned by bob to current_user; drop owned by bob; drop role bob")
        await admin.close()
