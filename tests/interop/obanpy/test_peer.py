"""The process of Oban for Python itself: it ends with whoever drives it, and says why it can't be had."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from . import interpreter
from .interpreter import NoObanPy, find_interpreter, give_up
from .peer import PATIENCE, ObanPy, PeerError


async def test_it_says_which_release_and_python_it_is(peer_process):
    assert peer_process.hello["oban"] == interpreter.RELEASE or os.environ.get(interpreter.NAMED)
    assert tuple(map(int, peer_process.hello["python"].split(".")[:2])) >= interpreter.OLDEST


async def test_it_ends_when_its_input_ends_though_a_job_runs(obanpy_python, peer, installed):
    doomed = await asyncio.to_thread(ObanPy, obanpy_python)
    node = await doomed.node(installed, queues={"theirs": 1})
    job_id = await node.enqueue("workers.Deaf", queue="theirs")
    await doomed.events.next("ran", job__id=job_id)
    doomed.close_input()
    assert await asyncio.to_thread(doomed.wait) in (0, 1)


def test_it_ends_when_its_driver_is_killed(obanpy_python):
    driver = textwrap.dedent(
        f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from peer import ObanPy
        print(ObanPy({obanpy_python!r}).pid, flush=True)
        time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True) as process:
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


async def test_an_error_there_is_an_error_here(peer, database):
    with pytest.raises(PeerError, match=r"start: .*limit must be positive"):
        await peer.node(database, queues={"theirs": 0})


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("/nowhere/python", "BRIDGE_OBANPY is /nowhere/python, which is no program; name a Python of 3.12 or later"),
        (sys.executable, f"which can't import oban; run: {sys.executable} -m pip install oban=="),
    ],
)
def test_a_python_that_is_named_and_has_it_not_is_told_with_the_mend(monkeypatch, named, told):
    monkeypatch.setenv(interpreter.NAMED, named)
    with pytest.raises(NoObanPy) as raised:
        find_interpreter()
    assert told in str(raised.value)


def test_a_machine_without_a_python_that_is_new_enough_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv(interpreter.NAMED, raising=False)
    monkeypatch.setattr(interpreter, "OLDEST", (3, 99))
    with pytest.raises(NoObanPy, match=r"needs Python 3.99 or later, and none is here; install one, or name one"):
        find_interpreter()


def test_a_machine_without_pypi_is_told_and_nothing_half_made_is_left(monkeypatch, tmp_path):
    monkeypatch.delenv(interpreter.NAMED, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(
        NoObanPy, match=r"can't be installed: ERROR: No matching distribution found for oban==.*; let pip reach PyPI"
    ):
        find_interpreter()
    assert [path.name for path in (tmp_path / "oban-bridge" / "interop").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        (("", ""), pytest.skip.Exception),
        (("0", "0"), pytest.skip.Exception),
        (("1", ""), pytest.fail.Exception),
        (("", "1"), pytest.fail.Exception),
    ],
)
def test_what_cant_run_is_skipped_or_fails_where_that_is_asked_for(monkeypatch, values, outcome):
    for variable, value in zip(interpreter.REQUIRE, values, strict=True):
        monkeypatch.setenv(variable, value)
    with pytest.raises(outcome, match="no such Python"):
        give_up(NoObanPy("no such Python"))


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has waited for doesn't."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return shown.strip()[:1] not in ("", "Z")
