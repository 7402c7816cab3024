"""Passwords stay where they were put, wrong ones and those in a wrong place: in no log, error, traceback or event."""

import asyncio
import logging

import asyncpg
import pytest
from queues.rig import until
from telemetry.rig import everything

from bridge import Job, Oban
from bridge.engine import connect, create_pool
from bridge.errors import InvalidSetting, NotRunning
from bridge.sync import SyncOban

from .passwords import WRONG, assert_silent, dsn_as, guarded, logged, no_environment, run_command, told

__all__ = ["dsn_as", "guarded", "no_environment"]

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
