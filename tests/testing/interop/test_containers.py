"""Nodes in containers: started, frozen and ended, and what is said and left where that fails."""

import os
import subprocess
import textwrap

import pytest

from bridge.errors import InvalidSetting, NodeFailed
from bridge.testing.interop import Containers, ElixirNode

from .docker_engine import (
    BARE,
    ELIXIR_IMAGE,
    PLAIN,
    a_process,
    containers,
    docker,
    folder,
    gone,
    node,
    runner,
    write,
)

__all__ = ["docker", "folder", "node", "runner"]


# Nodes


def test_a_node_answers_from_its_container(node):
    assert node.rpc_sync("a * 2", a=21) == 42
    assert node.rpc_sync('File.exists?("/.dockerenv")') is True


def test_a_node_has_the_environment_it_is_given_and_no_more(runner, monkeypatch):
    monkeypatch.setenv("TEA", "of this process")
    with ElixirNode(runner, env={"CUP": "of the node"}) as node:
        assert node.rpc_sync('{System.get_env("TEA"), System.get_env("CUP")}') == (None, "of the node")


def test_a_node_reaches_the_database_through_its_gate(runner):
    reach = """
    %URI{host: host, port: port} = URI.parse(System.fetch_env!("DATABASE_URL"))
    case :gen_tcp.connect(String.to_charlist(host), port, [:binary, active: false]) do
      {:ok, socket} ->
        :ok = :gen_tcp.send(socket, <<8::32, 80_877_103::32>>)  # asks whether the server does TLS
        {:ok, answer} = :gen_tcp.recv(socket, 1)
        answer
      {:error, reason} -> reason
    end
    """
    with ElixirNode(runner, dsn=os.environ["BRIDGE_TEST_DSN"]) as node:
        assert node.rpc_sync(reach) in (b"N", b"S", "N", "S")
        node.gate.cut()
        assert node.rpc_sync(reach) == "econnrefused"


def test_a_node_on_a_network_of_its_own_reaches_the_harness(docker, runner):
    runner = Containers(ELIXIR_IMAGE, command=PLAIN, network="bridge")
    with ElixirNode(runner) as node:
        assert node.rpc_sync("1 + 1") == 2
        container = docker.containers.get(containers(docker)[0])
        assert container.attrs["HostConfig"]["NetworkMode"] == "bridge"
    assert runner.address == runner.bind != "127.0.0.1"


def test_an_address_that_is_named_is_taken(runner):
    named = Containers(ELIXIR_IMAGE, command=PLAIN, address="host.example", bind="0.0.0.0")
    assert (named.address, named.bind) == ("host.example", "0.0.0.0")


def test_a_paused_node_answers_once_it_is_resumed(node):
    node._process.pause()
    asked = node._console.submit("1 + 1", {})
    with pytest.raises(TimeoutError):
        asked.result(0.5)
    node._process.pause()
    node._process.resume()
    assert asked.result(10) == 2
    node._process.resume()


async def test_a_paused_node_can_be_killed_and_started_anew(runner, docker):
    async with ElixirNode(runner) as node:
        await node.pause()
        await node.kill()
        assert not node.running
        await node.start()
        assert await node.rpc("1 + 1") == 2
        assert len(containers(docker)) == 1


async def test_a_stop_lets_applications_end_and_the_log_outlives_the_container(runner, docker):
    async with ElixirNode(runner) as node:
        await node.rpc("""
            defmodule Last do
              use GenServer
              def start(_type, _args), do: Supervisor.start_link([Last], strategy: :one_for_one)
              def stop(_state), do: :ok
              def start_link(_), do: GenServer.start_link(Last, [])
              def init(_), do: {:ok, Process.flag(:trap_exit, true)}
              def terminate(_reason, _state), do: IO.puts("last words")
            end
            :ok = :application.load({:application, :last, [mod: {Last, []}, applications: [:kernel, :stdlib, :elixir]]})
            {:ok, _} = Application.ensure_all_started(:last)
            :ok
        """)
        await node.stop()
        assert node._status == 0
    assert "last words" in node.logs()
    assert containers(docker) == []


def test_an_ended_container_may_be_ended_again(runner, docker):
    process = runner.launch(BARE)
    process.kill()
    assert process.wait() == 137
    for again in (process.kill, process.terminate, process.resume, process.pause):
        again()
    process.close()
    process.close()
    assert containers(docker) == []


def test_a_container_that_somebody_else_removes_has_ended(runner, docker):
    process = runner.launch(BARE)
    docker.containers.get(containers(docker)[0]).remove(force=True)
    assert process.wait() in (-1, 137)
    process.kill()
    process.close()


# Bad nodes


def test_a_container_that_dies_at_boot_is_told_with_its_last_words(docker, runner):
    dying = Containers(ELIXIR_IMAGE, command=["sh", "-c", "echo there is no tea >&2; exit 3"])
    with pytest.raises(NodeFailed, match=r"ended while it booted \(exit status 3\)\nthere is no tea"):
        ElixirNode(dying).__enter__()
    assert containers(docker) == []


def test_a_command_that_is_not_in_the_image_is_told(docker, runner):
    with pytest.raises(NodeFailed, match=r"(?s)ended while it booted .*no-such-program"):
        ElixirNode(Containers(ELIXIR_IMAGE, command=["no-such-program"])).__enter__()
    assert containers(docker) == []


def test_a_container_that_can_not_be_started_is_told_and_removed(docker, runner):
    nowhere = Containers(ELIXIR_IMAGE, command=PLAIN, network="container:no-such-container")
    with pytest.raises(NodeFailed, match=r"a container could not be started: .*no-such-container"):
        ElixirNode(nowhere).__enter__()
    assert containers(docker) == []


def test_a_network_that_is_not_there_is_told(docker, runner):
    with pytest.raises(NodeFailed, match=r"the Docker engine refused: .*no-such-network"):
        Containers(ELIXIR_IMAGE, command=PLAIN, network="no-such-network").prepare()


def test_an_image_that_starts_no_release_is_told(docker, runner):
    with pytest.raises(NodeFailed, match=r'expected a release\'s command.*command=\["bin/NAME", "eval"\]'):
        Containers(ELIXIR_IMAGE).prepare()


def test_an_image_that_can_not_be_had_is_told_once(docker):
    with pytest.raises(NodeFailed) as caught:
        Containers("127.0.0.1:1/no/such:image").prepare()
    told = str(caught.value)
    assert told.startswith("there is no image 127.0.0.1:1/no/such:image here, and it could not be pulled: ")
    assert told.endswith(
        "build it (docker build -t 127.0.0.1:1/no/such:image FOLDER), log in to its registry, or name another"
    )
    assert told.count("could not be pulled") == 1


def test_neither_an_image_nor_a_folder_is_refused():
    with pytest.raises(InvalidSetting, match="the name of an image, or a folder to build one from"):
        Containers()


# A harness that is killed

HARNESS = """
import sys
from bridge.testing.interop import Containers, ElixirNode
node = ElixirNode(Containers({image!r}, command={command!r})).__enter__()
{then}
print(node._process._name, flush=True)
import time; time.sleep(100)
"""


@pytest.mark.parametrize("then", ["", "node._process.pause()"])
def test_nothing_is_left_of_a_harness_that_is_killed(docker, runner, then):
    script = HARNESS.format(image=ELIXIR_IMAGE, command=PLAIN, then=then)
    with a_process(script, stdout=subprocess.PIPE) as harness:
        name = harness.stdout.readline().strip()
        assert containers(docker, harness.pid) == [name]
    gone(docker, name)
    assert containers(docker, harness.pid) == []


def test_a_build_ends_with_the_harness_that_is_killed(folder, docker):
    write(folder, "FROM ELIXIR\nRUN echo brewing && sleep 100\n")
    script = textwrap.dedent(f"""
        import logging
        from bridge.testing.interop import Containers
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        Containers(build={str(folder)!r}).prepare()
    """)
    with a_process(script, stderr=subprocess.PIPE) as harness:
        while (line := harness.stderr.readline().strip()) != "brewing":
            assert line, "the build ended"
        steps = docker.containers.list(all=True, ignore_removed=True)  # it writes a moment before it counts as running
        (brewing,) = [each for each in steps if "brewing" in str(each.attrs["Config"]["Cmd"])]
    gone(docker, brewing.id)
