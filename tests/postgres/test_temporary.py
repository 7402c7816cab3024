"""Servers that last as long as a `with` block."""

import os
import signal
from pathlib import Path

import pytest

from bridge.errors import ServerError
from bridge.postgres import temporary_server

from .rig import processes_of, python, value

HOLD = """
import sys
from bridge.postgres import temporary_server
with temporary_server() as server:
    print(server.data_dir, server.status().pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    return place


def test_server_lasts_as_long_as_the_block(place: Path) -> None:
    with temporary_server(settings={"work_mem": "17MB"}) as server:
        assert value(server.url(), "select current_setting('work_mem') || current_setting('fsync')") == "17MBoff"
        assert server.data_dir.is_relative_to(place)

    assert list(place.iterdir()) == []
    assert processes_of(place) == {}


def test_server_ends_with_a_block_that_fails(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), temporary_server():
        _ = 1 / 0

    assert list(place.iterdir()) == []


def test_start_that_fails_leaves_nothing(place: Path) -> None:
    with pytest.raises(ServerError, match="no_such_setting"), temporary_server(settings={"no_such_setting": "1"}):
        pytest.fail("it started")

    assert list(place.iterdir()) == []


def test_orphan_of_a_killed_process_is_cleared_away_and_others_are_not(place: Path) -> None:
    killed, alive = python(HOLD), python(HOLD)
    assert killed.stdout
    assert alive.stdout
    orphan, neighbour = killed.stdout.readline().split(), alive.stdout.readline().split()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert processes_of(Path(orphan[0]))

    with temporary_server() as mine:
        assert set(place.iterdir()) == {Path(neighbour[0]), mine.data_dir}
        assert processes_of(Path(orphan[0])) == {}
        os.kill(int(neighbour[1]), 0)
    assert alive.communicate("")[1] == ""
    assert list(place.iterdir()) == []
