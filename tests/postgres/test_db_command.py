"""`bridge db`, as a person or a script uses it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.db import app
from bridge.errors import PortTaken, ServerError
from bridge.postgres import Server

from .rig import value


@pytest.fixture
def folder(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder that the commands find in the environment."""
    monkeypatch.setenv("BRIDGE_POSTGRES_DIR", str(server.data_dir))
    return server.data_dir


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_day_with_the_server(folder: Path) -> None:
    assert run("status").exit_code == 3
    assert "not running" in run("status").output

    started = run("start")
    assert started.exit_code == 0
    url = run("url").output.strip()
    assert url in started.output
    assert value(url, "select current_database()::text") == "bridge"
    assert value(run("url", "--database", "postgres").output.strip(), "select current_database()::text") == "postgres"

    shown = run("status")
    assert shown.exit_code == 0
    assert all(part in shown.output for part in ("PostgreSQL 18", str(folder), url))
    assert f"the data stay in {folder}" in run("stop").output
    assert run("stop").output == "was not running\n"


def test_status_is_json_for_scripts(folder: Path) -> None:
    stopped = run("status", "--json")
    assert stopped.exit_code == 3
    assert json.loads(stopped.output) == {
        "running": False, "data_dir": str(folder), "pid": None, "port": None, "version": None, "url": None,
        "tcp_url": None,
    }  # fmt: skip
    run("start", "--port", 0)
    status = Server(folder).status()
    found = json.loads(run("status", "--json").output)

    assert (found["running"], found["pid"], found["port"]) == (True, status.pid, status.port)
    assert found["tcp_url"] == run("url", "--tcp").output.strip()


def test_data_dir_on_the_command_line_wins(folder: Path, place: Path) -> None:
    assert str(place / "other") in run("status", "--data-dir", place / "other").output


@pytest.mark.parametrize("arguments", [["url"], ["url", "--tcp"]])
def test_error_goes_to_the_caller(folder: Path, arguments: list[str]) -> None:
    result = run(*arguments)

    assert isinstance(result.exception, ServerError)
    assert not isinstance(result.exception, PortTaken)
    assert result.output == ""
