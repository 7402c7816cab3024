"""Reporters of errors collect the variables of every frame: none of those that Bridge adds holds a password."""

import asyncio
import json
import logging
import socket
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psycopg
import pytest
import sentry_sdk
from queues.conftest import ends, gate, worker
from queues.rig import node
from telemetry.test_sentry import Kept

from bridge import Job, Oban
from bridge.config import load_settings
from bridge.doctor import Level
from bridge.engine import connect, create_pool
from bridge.errors import InvalidSetting
from bridge.sync import SyncOban
from bridge.telemetry import sentry

from .tls import gate_to

__all__ = ["ends", "gate", "worker"]

SECRET = "s3cr3t-t0ken"

TESTS = Path(__file__).parents[1]


@pytest.fixture
def sent():
    """Events as Sentry would get them, with all that its integrations add by default."""
    transport = Kept()
    sentry_sdk.init("https://key@localhost/1", transport=transport, default_integrations=True)
    yield transport.events
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def reported(sent):
    """The same, where Bridge reports the failures of jobs."""
    sentry.instrument()
    yield sent
    sentry.uninstrument()


@pytest.fixture
async def away(installed):
    """A client that was connected to a server which refuses every connection by now."""
    async with gate_to(installed, None) as way, Oban(dsn=way.dsn(password=SECRET), name="Away") as oban:
        await way.close()
        yield oban


def told_by(events):
    """All that was sent but the variables of the tests' own frames."""
    kept = json.loads(json.dumps(events, default=repr))
    for event in kept:
        for error in event.get("exception", {}).get("values", ()):
            for frame in error.get("stacktrace", {}).get("frames", ()):
                if Path(frame.get("abs_path", "")).is_relative_to(TESTS):
                    frame.pop("vars", None)
    return json.dumps(kept)


def frames_of(event):
    return event["exception"]["values"][-1]["stacktrace"]["frames"]


@asynccontextmanager
async def silent():
    """The port of a server that takes connections and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


async def test_a_job_that_enqueues_while_the_database_is_away(reported, away, installed, registry, worker, ends):
    async def process(_job):
        await Oban.get_instance("Away").enqueue(Job("W"))

    cls = worker(process)
    async with node(installed, registry) as oban:
        await ends.of(await oban.enqueue(cls.new({}, max_attempts=1)))
    [event] = reported
    assert event["exception"]["values"][-1]["type"] == "ConnectionRefusedError"
    assert SECRET not in json.dumps(reported, default=repr)


async def test_what_an_application_logs_while_the_database_is_away(sent, away):
    try:
        await away.enqueue(Job("W"))
    except OSError:
        logging.getLogger("shop").exception("no badge")
    [event] = sent
    assert event["exception"]["values"][-1]["type"] == "ConnectionRefusedError"
    assert frames_of(event)[0]["function"] == "test_what_an_application_logs_while_the_database_is_away"
    assert {"bridge.engine.connections", "asyncpg.pool"} <= {frame["module"] for frame in frames_of(event)}
    assert SECRET not in told_by(sent)


DSN = f"postgresql://ada:{SECRET}@127.0.0.1:1/db"


async def inspect(dsn):
    await Oban(dsn=dsn).inspect()


ATTEMPTS = {
    "connect": connect,
    "pool": create_pool,
    "a lazy pool": lambda dsn: create_pool(dsn, min_size=0),
    "several hosts": lambda dsn: connect(dsn.replace("@127.0.0.1", "@127.0.0.1:2,127.0.0.1")),
    "start": lambda dsn: Oban(dsn=dsn, queues={"a": 1}).start(),
    "inspect": inspect,
    "diagnose": lambda dsn: Oban(dsn=dsn).diagnose(),
    "sync": lambda dsn: asyncio.to_thread(lambda: SyncOban(dsn=dsn).enqueue(Job("W"))),
    "a wrong file": lambda dsn: connect(f"{dsn}?sslmode=verify-ca&sslrootcert=/nowhere"),
    "a wrong demand": lambda dsn: connect(f"{dsn}?channel_binding=require"),
    "a wrong option": lambda dsn: Oban(dsn=dsn, prefix="x" * 64).start(),
    "a wrong option of sync": lambda dsn: asyncio.to_thread(lambda: SyncOban(dsn=dsn, prefix="x" * 64)),
    "a wrong listener": lambda dsn: Oban(dsn=dsn, notifier={"dsn": f"{dsn}/@"}).start(),
    "settings": lambda dsn: asyncio.to_thread(lambda: load_settings({"dsn": dsn, "prefix": "x" * 64})),
    "another setting": lambda dsn: asyncio.to_thread(lambda: load_settings({"notifier.dsn": dsn, "pool.max_size": 0})),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("way", ["a server that refuses", "a server that is silent", "cancelled"])
async def test_what_an_application_logs_of_any_attempt(sent, attempt, way):
    async with silent() as port:
        dsn = DSN if way == "a server that refuses" else DSN.replace(":1/db", f":{port}/db?connect_timeout=1")
        if "?" in dsn and attempt.startswith("a wrong"):
            return  # it fails before it connects
        try:
            async with asyncio.timeout(0.2 if way == "cancelled" else 30):
                await ATTEMPTS[attempt](dsn)
        except (OSError, InvalidSetting):
            logging.getLogger("shop").exception("no badge")
    [event] = sent
    assert frames_of(event)
    assert SECRET not in told_by(sent)


async def test_a_listener_that_the_doctor_can_not_open(sent, installed):
    findings = {finding.id: finding for finding in await Oban(dsn=installed, notifier={"dsn": DSN}).diagnose()}
    assert findings["notifications"].level is not Level.OK
    assert SECRET not in repr(findings) + told_by(sent)


async def test_a_password_from_the_environment_is_as_secret(sent, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", SECRET)
    try:
        await connect("postgresql://ada@127.0.0.1:1/db")
    except OSError:
        logging.getLogger("shop").exception("no badge")
    assert len(sent) == 1
    assert SECRET not in told_by(sent)


async def test_what_the_caller_handles_meanwhile_keeps_its_frames(sent):
    try:
        try:
            raise LookupError("no such badge")
        except LookupError:
            await connect(DSN)
    except OSError:
        logging.getLogger("shop").exception("no badge")
    first = sent[0]["exception"]["values"][0]
    assert (first["type"], len(first["stacktrace"]["frames"])) == ("LookupError", 1)


def connect_by_psycopg(dsn):
    psycopg.connect(dsn)


async def connect_by_asyncpg(dsn):
    await asyncpg.connect(dsn)


@pytest.mark.parametrize(
    ("way", "module"), [(connect_by_asyncpg, "asyncpg.connect_utils"), (connect_by_psycopg, "psycopg.connection")]
)
async def test_a_driver_s_frames_show_no_variables_where_the_connection_is_the_application_s(
    reported, installed, registry, worker, ends, way, module
):
    async def process(_job):
        if (connecting := way(DSN)) is not None:
            await connecting

    cls = worker(process)
    async with node(installed, registry) as oban:
        await ends.of(await oban.enqueue(cls.new({}, max_attempts=1)))
    assert module in {frame["module"] for frame in frames_of(reported[0])}
    assert SECRET not in told_by(reported)
