"""What is told of a database that does not answer or refuses: which one, who named it, and never its password."""

import os
import socket
import subprocess
import sys

import pytest
from databases import dsn_of

from bridge.cli.target import impatient
from bridge.engine.hosts import address_of

COMMANDS = [("status",), ("doctor",), ("maintain", "prune", "--dry-run"), ("install",)]


def run(folder, *arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_names_the_address_and_who_gave_it(tmp_path, command):
    done = run(tmp_path, *command, DATABASE_URL="postgresql://ada:tell-nobody@127.0.0.1:1/app")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: the database at 127.0.0.1:1/app (from environment DATABASE_URL) did not answer: "
    )
    assert done.stderr.count("\n") == 1
    assert "tell-nobody" not in done.stderr
    assert "ada" not in done.stderr


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("nowhere.invalid", "can't be found: "),
        ("224.0.0.1", "did not answer: [Errno"),
    ],
)
@pytest.mark.parametrize("command", [*COMMANDS, ("jobs", "list"), ("queues", "list")], ids=" ".join)
def test_a_server_to_which_no_way_leads_is_told_in_one_line(tmp_path, command, host, told):
    done = run(tmp_path, *command, DATABASE_URL=f"postgresql://ada:tell-nobody@{host}/app")

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the database at {host}/app (from environment DATABASE_URL) {told}")
    assert done.stderr.count("\n") == 1
    assert "tell-nobody" not in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, ("jobs", "list"), ("queues", "list")], ids=" ".join)
def test_a_server_that_says_nothing_is_not_waited_for_long(tmp_path, command, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        dsn = f"postgresql://ada:tell-nobody@127.0.0.1:{server.getsockname()[1]}/app?sslmode=disable"
        done = run(tmp_path, *command, DATABASE_URL=dsn, PGCONNECT_TIMEOUT="1")
    assert done.returncode == 1
    assert "did not answer: no answer to a new connection within 1 s; " in done.stderr
    assert "give it longer by connect_timeout in the DSN" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_server_gets_some_seconds_unless_somebody_says_how_many(monkeypatch):
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    assert impatient("postgresql:///a") == "postgresql:///a?connect_timeout=8"
    assert impatient("postgresql:///a?host=/tmp") == "postgresql:///a?host=/tmp&connect_timeout=8"
    assert impatient("postgresql:///a?connect_timeout=0") == "postgresql:///a?connect_timeout=0"
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "90")
    assert impatient("postgresql:///a") == "postgresql:///a"


@pytest.mark.parametrize("command", [*COMMANDS, ("jobs", "list"), ("queues", "list")], ids=" ".join)
def test_that_no_server_takes_writes_is_told_in_one_line(tmp_path, command):
    dsn = dsn_of("postgres")
    dsn += f"{'&' if '?' in dsn else '?'}target_session_attrs=read-write&default_transaction_read_only=on"

    done = run(tmp_path, *command, DATABASE_URL=dsn)

    assert done.returncode == 1
    assert "(from environment DATABASE_URL) has no server of the kind that target_session_attrs asks for" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_file_that_gave_the_address(tmp_path):
    (tmp_path / "bridge.toml").write_text('dsn = "postgresql://127.0.0.1:1/app"')

    assert "(from bridge.toml)" in run(tmp_path, "doctor").stderr


def test_a_refusal_is_not_told_as_silence(tmp_path):
    done = run(tmp_path, "status", "--dsn", dsn_of("no_such_database"))

    assert done.returncode == 1
    assert '(from argument --dsn) refused: database "no_such_database" does not exist' in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS[:3], ("uninstall", "--yes")], ids=" ".join)
def test_no_server_is_started_for_a_question_where_no_dsn_is_given(tmp_path, command):
    data = tmp_path / "data"

    done = run(tmp_path, *command, BRIDGE_POSTGRES_DIR=str(data))

    assert done.returncode == 1
    assert done.stderr.startswith("error: dsn: expected a database, got None; pass --dsn")
    assert not data.exists()


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("postgresql://ada:secret@host:5432/app", "host:5432/app"),
        ("postgresql://ada:secret@a:1,b:2/app?sslmode=require", "a:1,b:2/app"),
        ("postgresql://ada@/app?host=/run/pg&port=5433", "/run/pg:5433/app"),
        ("postgresql:///app", "the default host/app"),
        ("postgresql://host", "host"),
        ("postgresql://[::1]:5432/a%20b", "[::1]:5432/a b"),
        ("postgresql://ada:[secret@host/app", "an address that can't be read"),
        ("postgresql://host/?dbname=app&password=secret", "host/app"),
    ],
)
def test_an_address_without_user_and_password(dsn, address):
    assert address_of(dsn) == address
