"""A node that somebody else started: it is asked, and left as it was."""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from bridge.errors import NodeError, NodeFailed, NodeUnavailable
from bridge.testing.interop import ElixirNode, Running, running

from .beam import alive, needs_elixir


class Victim:
    """A node of a terminal's own: `rpc` reaches it, and it prints a line when it is up and when it hears `tell`."""

    def __init__(self, folder):
        if needs_elixir.args[0]:
            pytest.skip(needs_elixir.kwargs["reason"])
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Without the port mapper, which would outlive the test.
        flags = f"-start_epmd false -erl_epmd_port {port}"
        self.rpc = ["elixir", "--name", "asking@127.0.0.1", "--cookie", "tea", "--erl", f"{flags} -dist_listen false"]
        self.rpc += ["--rpc-eval", "victim@127.0.0.1"]
        command = ["elixir", "--name", "victim@127.0.0.1", "--cookie", "tea", "--erl", flags, "--no-halt"]
        self.process = subprocess.Popen(
            [*command, "-e", 'IO.puts("up")'], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "up\n"

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def a_victim(folder):
    victim = Victim(folder)
    try:
        yield victim
    finally:
        victim.end()


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    with a_victim(tmp_path_factory.mktemp("victim")) as started:
        yield started


@pytest.fixture
def runner(victim):
    return Running(victim.rpc)


def test_a_running_node_answers(runner, victim):
    with ElixirNode(runner) as node:
        assert node.rpc_sync("{node(), a + 1}", a=2) == ("victim@127.0.0.1", 3)
        assert node.hello.pid == str(victim.process.pid)


def test_what_it_sends_arrives(runner):
    with ElixirNode(runner) as node:
        node.rpc_sync('spawn(fn -> Bridge.Console.send("ran", %{id: 7}) end); :ok')
        assert node.event_sync("ran") == {"id": 7}


def test_it_goes_on_when_the_harness_lets_it_go(runner):
    with ElixirNode(runner) as node:
        node.rpc_sync("Application.put_env(:tea, :kind, :black)")
    with ElixirNode(runner) as node:
        assert node.rpc_sync("Application.fetch_env!(:tea, :kind)") == "black"


def test_it_goes_on_when_the_harness_is_killed(victim, runner):
    script = f"""if True:
        from bridge.testing.interop import ElixirNode, Running
        ElixirNode(Running({victim.rpc!r})).__enter__()
        print("here", flush=True)
        import time; time.sleep(60)
    """
    harness = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with harness:
        assert harness.stdout.readline() == "here\n"
        harness.kill()
    with ElixirNode(runner) as node:
        consoles = "length(:persistent_term.get({Bridge.Console, :consoles}))"
        assert node.rpc_sync(f"Bridge.Console.await(fn -> {consoles} == 1 end)")  # that of the killed one has ended
    assert alive(victim.process.pid)


def test_several_harnesses_ask_it_at_once(runner):
    with ElixirNode(runner) as first, ElixirNode(runner) as second:
        assert first.rpc_sync("self() |> is_pid()") is True
        assert second.rpc_sync("1 + 1") == 2
    with ElixirNode(runner) as third:
        assert third.rpc_sync("2 + 2") == 4


async def test_what_would_harm_it_is_refused(runner, victim):
    async with ElixirNode(runner) as node:
        for harm in (node.stop, node.kill, node.pause, node.resume):
            with pytest.raises(NodeError, match=r"not the harness's own, so it is not \w+ here"):
                await harm()
        with pytest.raises(NodeError, match="there is no gate"):
            await node.disconnect()
        assert await node.rpc("1 + 1") == 2
    assert alive(victim.process.pid)


def test_its_own_database_environment_and_configuration_stay_its_own(runner):
    for option in ({"dsn": "postgresql://h/d"}, {"env": {"A": "b"}}, {"config": ":ok"}):
        with pytest.raises(NodeError, match="has its own"):
            ElixirNode(runner, **option)


def test_its_logs_are_said_to_be_elsewhere(runner):
    with ElixirNode(runner) as node:
        assert "see where it was started" in node.logs()


async def test_its_end_is_told_to_whoever_asks(tmp_path):
    with a_victim(tmp_path) as victim, ElixirNode(Running(victim.rpc)) as node:
        asked = asyncio.create_task(node.rpc('Bridge.Console.send("asked"); Process.sleep(:infinity)'))
        await node.event("asked")
        victim.process.kill()
        with pytest.raises(NodeFailed, match=r"closed its console|was lost"):
            await asked


# Bad input


def test_a_node_that_does_not_run_is_told_with_what_the_command_said(tmp_path):
    with a_victim(tmp_path) as victim:
        rpc = victim.rpc
    with pytest.raises(NodeUnavailable) as caught:
        ElixirNode(Running(rpc)).__enter__()
    told = str(caught.value)
    assert told.startswith("no running node answers: `elixir --name asking@127.0.0.1")
    assert "victim@127.0.0.1` ended with 1:\n" in told
    assert "RPC failed with reason" in told
    assert told.endswith("Start the node, or name another.")


def test_an_address_by_which_the_node_does_not_reach_us_is_told(runner, victim):
    unreachable = Running(victim.rpc, address="nobody.invalid", bind="127.0.0.1")
    with pytest.raises(NodeFailed) as caught:
        ElixirNode(unreachable).__enter__()
    told = str(caught.value)
    assert "the interop harness can't be reached: :nxdomain" in told
    assert told.endswith("bind= where this one listens for it.")
    assert "Base.decode64" not in told.splitlines()[0]


def test_a_command_that_is_missing_is_told():
    lack = Running(["no-such-program", "rpc"]).missing()
    assert lack == "there is no program 'no-such-program' to reach the node with: name its path, or install it"
    with pytest.raises(NodeUnavailable, match="no-such-program"):
        Running(["no-such-program", "rpc"]).prepare()
    assert Running([]).missing() == "there is no command that reaches the node: name one, as of a release: bin/NAME rpc"


def test_a_command_is_found_from_its_folder(tmp_path):
    shutil.copy("/bin/true", tmp_path / "rpc")
    runner = Running(["./rpc"], folder=tmp_path)
    assert runner.missing() is None
    runner.prepare()


def test_a_command_that_hangs_is_ended_with_its_children(monkeypatch):
    monkeypatch.setattr(running, "_PATIENCE", 0.5)
    began = time.monotonic()
    with pytest.raises(NodeUnavailable, match=r"did not end within 0\.5 s"):
        Running(["sh", "-c", "sleep 60 & wait"]).prepare()  # returns once nobody holds its output any more
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("address", "bind"),
    [("127.0.0.1", "127.0.0.1"), ("172.17.0.1", "172.17.0.1"), ("host.docker.internal", "127.0.0.1")],
)
def test_the_harness_listens_where_the_node_looks_for_it(address, bind):
    runner = Running(["true"], address=address)
    assert (runner.address, runner.bind) == (address, bind)
    assert Running(["true"], address=address, bind="0.0.0.0").bind == "0.0.0.0"
