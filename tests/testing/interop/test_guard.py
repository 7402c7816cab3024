"""A harness that is killed leaves nothing running: neither nodes, paused ones too, nor what builds them."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from .beam import alive, needs_elixir, write_project

PATIENCE = 15  # seconds

HARNESS = """
import sys, threading
sys.path.insert(0, {tests!r})
from bridge.testing.interop import ElixirNode, Mix
from testing.interop.beam import plain

{body}
"""


@pytest.fixture
def harness():
    """A function that starts a Python program with `body`, and waits for the process numbers that it prints."""
    started = []

    def start(body):
        program = HARNESS.format(tests=str(Path(__file__).parents[2]), body=textwrap.dedent(body))
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, [int(number) for number in process.stdout.readline().split()]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def gone(pids):
    deadline = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # the end of another's child is no event of ours
    return True


@needs_elixir
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nodes_end_with_a_harness_that_is_ended(harness, end):
    process, pids = harness(
        """
        nodes = [ElixirNode(plain()).__enter__() for _ in range(2)]
        nodes[1]._process.pause()
        print(*(node.hello.pid for node in nodes), flush=True)
        threading.Event().wait()
        """
    )
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)

    process.send_signal(end)
    process.wait()

    assert gone(pids)


@needs_elixir
def test_a_compilation_ends_with_its_harness(harness, tmp_path):
    project = write_project(tmp_path)
    (project / "lib/slow.ex").write_text(
        f"""
        File.write!("{tmp_path}/pid", System.pid())
        Process.sleep(:infinity)
        """
    )
    process, _ = harness(
        f"""
        threading.Thread(target=Mix({str(project)!r}).prepare, daemon=True).start()
        print(flush=True)
        threading.Event().wait()
        """
    )
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)  # written by the compiler
    pid = (tmp_path / "pid").read_text()
    assert alive(pid)

    process.kill()
    process.wait()

    assert gone([pid])


@needs_elixir
def test_a_harness_that_ends_in_peace_leaves_no_guard_behind(harness):
    process, pids = harness(
        """
        from bridge.testing.interop import guard
        with ElixirNode(plain()) as node:
            print(node.hello.pid, guard._running.pid, flush=True)
        """
    )

    assert process.wait(PATIENCE) == 0
    assert gone(pids)
