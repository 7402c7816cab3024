"""A server that asks for passwords, and all places where one could be told."""

import asyncio
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from cli.rig import clean_environment
from postgres.conftest import reachable_folder

from bridge.engine.schema import install
from bridge.postgres import temporary_server

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


async def run_command(*command, **environment):
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("PG")}
    arguments = [sys.executable, "-m", "bridge", *command]
    return await asyncio.to_thread(
        subprocess.run, arguments, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
