"""Passwords stay where they were put: in no log, error, traceback, event, metric, repr or command line."""

import asyncio
import json
import logging
import subprocess
import sys
import traceback
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from cli.rig import clean_environment
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from postgres.conftest import reachable_folder
from prometheus_client import CollectorRegistry, generate_latest
from queues.conftest import ends, gate, worker
from queues.processes.conftest import app, begin
from queues.rig import connected, node, until
from telemetry.conftest import forget
from telemetry.rig import everything

from bridge import Job, Oban
from bridge.config import Setting
from bridge.engine import connect, create_pool
from bridge.engine.schema import inspect, install
from bridge.errors import InvalidSetting, NotRunning
from bridge.postgres import temporary_server
from bridge.queues.processes.messages import Setup
from bridge.sync import SyncOban
from bridge.telemetry import otel
from bridge.telemetry.log import format_event
from bridge.telemetry.prometheus import Metrics

__all__ = ["app", "begin", "ends", "forget", "gate", "worker"]

TESTS = Path(__file__).parents[1]

#: The right one, with everything in it that a URL has to escape; and a wrong one.
RIGHT = "rïght/p@ss w%rd?&=#'\"\\"
WRONG = "wrong-s3cr3t"

HBA = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module")
def guarded():
    """A server that asks everybody but its superuser for a password; the DSN of that one."""
    with reachable_folder() as folder:
        (folder / "hba.conf").write_text(HBA)
        with temporary_server(settings={"hba_file": str(folder / "hba.conf"), "max_connections": "50"}) as server:
            dsn = server.url("postgres")
            asyncio.run(_make_ada(dsn))
            yield dsn


async def _make_ada(dsn):
    conn = await asyncpg.connect(dsn)
    literal = "'" + RIGHT.replace("'", "''") + "'"  # standard strings: a backslash is one
    await conn.execute(f"create role ada superuser login password {literal}")
    await install(conn, "public")
    await conn.close()


@pytest.fixture
def dsn_as(guarded):
    """The DSN by ada with a password."""
    return lambda password: guarded.replace("postgres@", f"ada:{quote(password, safe='')}@", 1)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in ("PGPASSWORD", "PGPASSFILE", "PGUSER", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def secrets_of(password):
    """What nobody may see: the password, as it is and as a URL has it."""
    return {password, quote(password), quote(password, safe=""), repr(password)[1:-1]}


def told(error):
    """All that an exception's printing shows, its arguments, and the variables that a reporter would collect."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + "".join(variables(error))


def variables(error, seen=()):
    """The texts and variables of an error and of all before it, also hidden ones, but for those of the tests' own."""
    for each in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        if each is not None and each not in seen:
            yield from (repr(each), *variables(each, (*seen, error)))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if not Path(frame.f_code.co_filename).is_relative_to(TESTS):
            yield from (f"{frame.f_code.co_qualname} {name}={value!r}\n" for name, value in frame.f_locals.items())


def logged(caplog):
    """What was logged, with what a reporter would make of it."""
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    return caplog.text + "".join(told(error) for error in errors if error is not None)


def assert_silent(text, password):
    assert [secret for secret in secrets_of(password) if secret in text] == []


UNREACHABLE = "127.0.0.1:1/db"

#: DSNs whose password, s3cr3t in all, is right where a password may be, or where somebody put it by mistake.
FORMS = {
    "unreachable": f"postgresql://ada:s3cr3t@{UNREACHABLE}",
    "escaped": f"postgresql://ada:%73s3cr3t%40@{UNREACHABLE}",
    "in the query": f"postgresql://ada@{UNREACHABLE}?password=s3cr3t",
    "as sslpassword": f"postgresql://ada@{UNREACHABLE}?sslpassword=s3cr3t&sslcert=/x&sslkey=/y",
    "as a setting": f"postgresql://ada@{UNREACHABLE}?pwd=s3cr3t",
    "keys and values": "host=127.0.0.1 port=1 user=ada password=s3cr3t",
    "without a scheme": f"ada:s3cr3t@{UNREACHABLE}",
    "another scheme": f"mysql://ada:s3cr3t@{UNREACHABLE}",
    "not escaped": f"postgresql://ada:s3cr3t/#?@{UNREACHABLE}",
    "like a port, then /": f"postgresql://ada:12345/s3cr3t@{UNREACHABLE}",
    "like a port, then #": f"postgresql://ada:12345#s3cr3t@{UNREACHABLE}",
    "like a port, then ?": f"postgresql://ada:12345?s3cr3t=1@{UNREACHABLE}",
    "two @": f"postgresql://ada:s3cr3t@x@{UNREACHABLE}",
    "a bracket": f"postgresql://ada:s3cr3t[@{UNREACHABLE}",
    "no host's end": "postgresql://ada:s3cr3t@[::1/db",
    "no port": "postgresql://ada:s3cr3t@127.0.0.1:five/db",
    "a long port": "postgresql://ada:s3cr3t@127.0.0.1:" + "9" * 5_000,
    "a wrong mode": f"postgresql://ada:s3cr3t@{UNREACHABLE}?sslmode=s3cr3t",
    "a wrong query": f"postgresql://ada:s3cr3t@{UNREACHABLE}?s3cr3t",
    "a wrong timeout": f"postgresql://ada:s3cr3t@{UNREACHABLE}?connect_timeout=s3cr3t",
    "a wrong target": f"postgresql://ada:s3cr3t@{UNREACHABLE}?target_session_attrs=s3cr3t",
    "a wrong negotiation": f"postgresql://ada:s3cr3t@{UNREACHABLE}?sslnegotiation=s3cr3t",
    "a wrong version": f"postgresql://ada:s3cr3t@{UNREACHABLE}?ssl_min_protocol_version=s3cr3t",
    "as a binding": f"postgresql://ada@{UNREACHABLE}?channel_binding=s3cr3t",
    "as a way of login": f"postgresql://ada@{UNREACHABLE}?require_auth=s3cr3t",
    "as a client's key": f"postgresql://ada@{UNREACHABLE}?scram_client_key=s3cr3t",
    "as OAuth's": f"postgresql://ada@{UNREACHABLE}?oauth_client_id=a&oauth_client_secret=s3cr3t",
    "as a service": f"postgresql://ada@{UNREACHABLE}?service=s3cr3t",
    "among what is left out": f"postgresql://ada:s3cr3t@{UNREACHABLE}?keepalives=1&channel_binding=prefer",
    "a NUL": f"postgresql://ada:s3cr3t@{UNREACHABLE}\x00",
    "half a surrogate": f"postgresql://ada:s3cr3t\ud800@{UNREACHABLE}",
    "a label too long": f"postgresql://ada:s3cr3t@{'a' * 300}/db",
    "two hosts, three ports": "postgresql://ada:s3cr3t@a,b:1/db?port=1,2,3",
}

OPENINGS = {
    "connect": connect,
    "pool": lambda dsn: create_pool(dsn, min_size=0),
    "instance": lambda dsn: Oban(dsn=dsn, queues={"default": 1}).start(),
    "listener": lambda dsn: Oban(dsn="postgresql://127.0.0.1:1/db", notifier={"dsn": dsn}, queues={"a": 1}).start(),
    "sync": lambda dsn: asyncio.to_thread(lambda: SyncOban(dsn=dsn).enqueue(Job("W"))),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("opening", OPENINGS)
async def test_no_error_shows_it(form, opening, caplog, recwarn):
    caplog.set_level(logging.DEBUG)
    with everything() as heard, pytest.raises((OSError, ValueError, asyncpg.PostgresError)) as refused:
        await OPENINGS[opening](FORMS[form])
    assert_silent(told(refused.value), "s3cr3t")
    assert_silent(logged(caplog), "s3cr3t")
    assert_silent(repr(list(heard)) + repr([str(each.message) for each in recwarn]), "s3cr3t")


@pytest.mark.parametrize("form", FORMS)
async def test_an_instance_that_connects_in_the_background_logs_none(form, caplog):
    caplog.set_level(logging.DEBUG)
    try:
        oban = Oban(dsn=FORMS[form], connect="background")
    except InvalidSetting as error:
        assert_silent(told(error), "s3cr3t")
        return
    await oban.start()
    try:
        await until(lambda: asyncio.sleep(0, "can't start" in caplog.text))
        with pytest.raises((NotRunning, InvalidSetting, TimeoutError)) as refused:
            await asyncio.wait_for(oban.enqueue(Job("W")), 1)
        assert_silent(told(refused.value), "s3cr3t")
    finally:
        await oban.stop()
    assert_silent(logged(caplog) + repr(oban), "s3cr3t")


# A wrong password, which only a server can tell


@pytest.mark.parametrize("opening", ["connect", "pool", "instance"])
async def test_a_server_s_refusal_names_the_role_and_not_the_password(dsn_as, opening, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(asyncpg.InvalidPasswordError, match="password authentication failed for user") as refused:
        await OPENINGS[opening](dsn_as(WRONG))
    assert_silent(told(refused.value) + logged(caplog), WRONG)


@pytest.mark.parametrize("way", ["PGPASSWORD", "passfile", "PGPASSFILE", "query", "service", "PGSERVICE"])
async def test_nor_where_the_password_came_another_way(guarded, way, monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    passfile = tmp_path / "pass"
    passfile.write_text(f"*:*:*:*:{WRONG}\n")
    passfile.chmod(0o600)
    services = tmp_path / "services"
    services.write_text(f"[shop]\nuser=ada\npassword={WRONG}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    dsn = guarded.replace("postgres@", "" if "service" in way.lower() else "ada@", 1)
    match way:
        case "PGPASSWORD":
            monkeypatch.setenv(way, WRONG)
        case "PGPASSFILE":
            monkeypatch.setenv(way, str(passfile))
        case "PGSERVICE":
            monkeypatch.setenv(way, "shop")
        case "service":
            dsn += "&service=shop"
        case _:
            dsn += f"&passfile={passfile}" if way == "passfile" else f"&password={WRONG}"
    for opening in ("connect", "instance"):
        with pytest.raises(asyncpg.InvalidPasswordError) as refused:
            await OPENINGS[opening](dsn)
        assert_silent(told(refused.value) + logged(caplog), WRONG)


@pytest.mark.parametrize(
    "text", ["password=s3cr3t\n", "[shop]\npassword=s3cr3t%\n", "[shop]\ns3cr3t\n", "[shop]\npassword=s3cr3t\n" * 2, ""]
)
@pytest.mark.parametrize("opening", ["connect", "pool", "instance"])
async def test_nor_where_the_file_of_services_can_not_be_read(text, opening, monkeypatch, tmp_path):
    services = tmp_path / "services"
    services.write_text(text)
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    with pytest.raises(InvalidSetting, match=r"service: expected a service that .*services describes") as refused:
        await OPENINGS[opening](f"postgresql://ada@{UNREACHABLE}?service=shop")
    assert_silent(told(refused.value), "s3cr3t")


async def run_command(*command, **environment):
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("PG")}
    arguments = [sys.executable, "-m", "bridge", *command]
    return await asyncio.to_thread(
        subprocess.run, arguments, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


COMMANDS = {
    "doctor": ["doctor"],
    "doctor --json": ["doctor", "--json"],
    "jobs list": ["jobs", "list"],
    "start": ["start", "--queues", "default:1", "--log-level", "debug"],
    "install": ["install"],
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_commands_show_none_where_it_is_wrong(dsn_as, command, tmp_path):
    done = await run_command(*COMMANDS[command], DATABASE_URL=dsn_as(WRONG))
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert_silent(done.stdout + done.stderr, WRONG)


@pytest.mark.parametrize(
    ("command", "form"),
    [
        *(
            ("doctor", form)
            for form in ("keys and values", "in the query", "a wrong query", "two @", "a NUL", "no port")
        ),
        *(("start", form) for form in ("keys and values", "a wrong query", "two @", "no port")),
    ],
)
async def test_commands_show_none_where_the_dsn_is_no_dsn(form, command, tmp_path):
    file = tmp_path / "bridge.toml"
    file.write_text(f"dsn = {_toml(FORMS[form])}\n")
    done = await run_command(*COMMANDS[command], "--config", str(file))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert_silent(done.stdout + done.stderr, "s3cr3t")


def _toml(text):
    return '"' + text.replace("\x00", "\\u0000") + '"'


# The right one, while everything works


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
        await asyncio.wait_for(connected(oban), 10)
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
            await asyncio.wait_for(connected(oban), 10)
            await admin.execute("alter role bob password 'another'")
            await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'bob'")
            await until(lambda: asyncio.sleep(0, "password authentication failed" in caplog.text))
            await admin.execute("alter role bob password 'b0b-s3cr3t'")
            await asyncio.wait_for(connected(oban), 10)
        assert_silent(logged(caplog), "b0b-s3cr3t")
    finally:
        await admin.execute("reassign owned by bob to current_user; drop owned by bob; drop role bob")
        await admin.close()
