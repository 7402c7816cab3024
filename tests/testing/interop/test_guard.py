"""A harness that is killed leaves nothing running: neither nodes, paused ones too, nor what builds them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from .beam import alive, needs_elixir, write_project

PATIENCE = 60  # seconds for what should take a moment, on a busy machine

HARNESS = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell makes its background jobs ignore
sys.path.insert(0, {tests!r})
from bridge.testing.interop import ElixirNode, Mix
from bridge.testing.interop.host import Host as Runner
from testing.interop.beam import plain

{body}
"""


@pytest.fixture
def harness():
    """A function that starts a Python program with `body`, and waits for the process numbers that it prints."""
    started = []

    def start(body, *, reads=True):
        program = HARNESS.format(tests=str(Path(__file__).parents[2]), body=textwrap.dedent(body))
        # A group of its own, as a shell gives to what it starts.
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, process_group=0)
        started.append(process)
        return process, [int(number) for number in process.stdout.readline().split()] if reads else []

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
    mark, deadline = tmp_path / "pid", time.monotonic() + PATIENCE
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)  # written by the compiler
    pid = mark.read_text()
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


@needs_elixir
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.0, 0.15, 0.4])
def test_nodes_end_with_the_whole_group_of_their_harness_while_they_boot(harness, end, after):
    process, _ = harness(
        """
        launch = Runner.launch
        def tell(self, boot):
            process = launch(self, boot)
            print(process.pid, flush=True)
            return process
        Runner.launch = tell
        ElixirNode(plain()).__enter__()
        threading.Event().wait()
        """,
        reads=False,
    )
    pids = [int(process.stdout.readline())]
    time.sleep(after)  # at some moment of the boot

    os.killpg(process.pid, end)
    process.wait()

    assert gone(pids)


@needs_elixir
def test_a_guard_that_was_killed_is_followed_by_one_that_knows_all(harness):
    process, pids = harness(
        """
        import os, signal
        from bridge.testing.interop import guard
        nodes = [ElixirNode(plain()).__enter__()]
        guard._running.kill()
        guard._running.wait()
        nodes.append(ElixirNode(plain()).__enter__())
        for node in nodes:
            node._process.pause()
        print(*(node.hello.pid for node in nodes), flush=True)
        threading.Event().wait()
        """
    )
    assert len(pids) == 2

    process.kill()
    process.wait()

    assert gone(pids)


@needs_elixir
def test_a_node_ends_as_ever_where_its_guard_was_killed(harness):
    process, pids = harness(
        """
        from bridge.testing.interop import guard
        node = ElixirNode(plain()).__enter__()
        guard._running.kill()
        guard._running.wait()
        print(node.hello.pid, flush=True)
        node.__exit__(None, None, None)
        """
    )

    assert process.wait(PATIENCE) == 0
    assert gone(pids)


@needs_elixir
def test_nodes_end_with_their_harness_though_a_fork_of_it_lives_on(harness):
    process, (pid, fork) = harness(
        """
        import os, warnings
        node = ElixirNode(plain()).__enter__()
        node._process.pause()
        fork = os.fork()
        if not fork:
            threading.Event().wait(60)
            os._exit(0)
        print(node.hello.pid, fork, flush=True)
        threading.Event().wait()
        """
    )
    try:
        process.kill()
        process.wait()

        assert gone([pid])
        assert alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


@needs_elixir
def test_a_fork_that_ends_in_peace_leaves_the_nodes_to_its_parent(harness):
    process, (pid,) = harness(
        """
        import os
        node = ElixirNode(plain()).__enter__()
        fork = os.fork()
        if not fork:
            sys.exit(0)
        assert os.waitpid(fork, 0)[1] == 0
        assert node.rpc_sync("1") == 1
        print(node.hello.pid, flush=True)
        threading.Event().wait()
        """
    )
    assert alive(pid)

    process.kill()
    process.wait()

    assert gone([pid])
