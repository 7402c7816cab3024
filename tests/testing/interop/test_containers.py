"""Nodes in containers: built, started, frozen and ended, and what is said and left where that fails."""

import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import pytest

from bridge.errors import InvalidSetting, NodeFailed, NodeUnavailable
from bridge.testing.interop import Boot, Containers, ElixirNode, Running, engine

from .beam import write_project

ELIXIR_IMAGE = os.environ.get("ELIXIR_IMAGE") or "elixir:1.18-otp-27-slim"
#: What evaluates Elixir in that image, which holds no release.
PLAIN = ["elixir", "--no-halt", "-e"]
BARE = Boot("", {})


@pytest.fixture(scope="module")
def docker():
    """A client of the engine."""
    if lack := Containers("any").missing():
        pytest.skip(lack)
    with engine.engine() as client:
        yield client


@pytest.fixture(scope="module")
def runner(docker):
    """Containers of plain Elixir."""
    made = Containers(ELIXIR_IMAGE, command=PLAIN)
    try:
        made.prepare()
    except NodeFailed as error:
        pytest.skip(f"{error}; the variable ELIXIR_IMAGE names another")
    return made


@pytest.fixture
def node(runner):
    with ElixirNode(runner) as started:
        yield started


@pytest.fixture
def folder(docker, runner, tmp_path, monkeypatch):
    """A folder to build an image from; images of it go with the test."""
    for name in ("ELIXIR_IMAGE", "BADGE_FORGE_DEPS"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    for image in docker.images.list(f"bridge-interop/{re.sub('[^a-z0-9]+', '-', tmp_path.name)}"):
        docker.images.remove(image.id, force=True)


def containers(docker, pid=None):
    """The names of the containers of a harness."""
    found = docker.containers.list(
        all=True, ignore_removed=True, filters={"label": f"bridge.interop={pid or os.getpid()}"}
    )
    return [each.name for each in found]


def write(folder, dockerfile, **files):
    (folder / "Dockerfile").write_text(textwrap.dedent(dockerfile).replace("ELIXIR", ELIXIR_IMAGE))
    for name, text in files.items():
        (folder / name).write_text(text)


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


# Builds

RELEASE = """
    FROM ELIXIR
    COPY shop /bin/shop
    CMD ["sh", "/bin/shop", "start"]
"""
SHOP = '[ "$1" = eval ] && exec elixir --no-halt -e "$2"; exit 9'


def test_a_release_is_built_and_evaluates_instead_of_starting(folder, docker):
    write(folder, RELEASE, shop=SHOP)
    with ElixirNode(Containers(build=folder)) as node:
        assert node.rpc_sync("1 + 1") == 2


PROJECT = """
    FROM ELIXIR
    ENV MIX_ENV=prod LANG=C.UTF-8
    WORKDIR /app
    COPY . .
    RUN mix release --path /release
    WORKDIR /release
    CMD ["bin/shop", "start"]
"""


def test_a_mix_release_runs_as_a_node_of_ours_and_is_asked_as_a_running_one(folder, docker):
    if not shutil.which("docker"):
        pytest.skip("needs Docker's command line, for the running node's own rpc")
    write_project(folder, start='IO.puts("open"); Supervisor.start_link([], strategy: :one_for_one)')
    write(folder, PROJECT)
    runner = Containers(build=folder, network="bridge")
    with ElixirNode(runner, app="shop") as node:
        assert node.rpc_sync("Application.fetch_env!(:shop, :tea)") == "black"
    with a_container(docker, runner._prepared.image) as shop:
        deadline = time.monotonic() + 30
        while b"open" not in shop.logs():  # a stream of the SDK's can't be closed
            assert time.monotonic() < deadline
            time.sleep(0.05)
        running = Running(["docker", "exec", shop.name, "bin/shop", "rpc"], address=runner.address)
        with ElixirNode(running) as node:
            assert node.rpc_sync("{a, Application.fetch_env!(:shop, :tea)}", a=1) == (1, "black")
        shop.reload()
        assert shop.status == "running"


@contextmanager
def a_container(docker, image):
    container = docker.containers.run(image, detach=True, init=True)
    try:
        yield container
    finally:
        container.remove(force=True)


def test_an_image_is_built_once_for_a_runner_and_called_as_asked(folder, docker):
    write(folder, RELEASE, shop=SHOP)
    runner = Containers("bridge-interop/named:here", build=folder)
    runner.prepare()
    named = docker.images.get("bridge-interop/named:here")
    (folder / "Dockerfile").unlink()
    runner.prepare()
    assert runner._prepared.image == named.id
    docker.images.remove("bridge-interop/named:here")


def test_arguments_come_from_the_caller_else_from_the_environment(folder, monkeypatch):
    write(
        folder,
        """
        ARG BASE=ELIXIR
        FROM ${BASE}
        ARG TEA
        arg CUP=china SAUCER
        ENV TEA=$TEA CUP=$CUP SAUCER=$SAUCER
        CMD ["start"]
        """,
    )
    monkeypatch.setenv("TEA", "green")
    monkeypatch.setenv("SAUCER", "blue")
    monkeypatch.setenv("SPOON", "not declared")
    runner = Containers(build=folder, build_args={"TEA": "black"}, command=PLAIN)
    with ElixirNode(runner) as node:
        assert node.rpc_sync("for name <- ~w(TEA CUP SAUCER), do: System.get_env(name)") == ["black", "china", "blue"]


def test_local_dependencies_are_packed_as_vendor_without_what_mix_left(folder, tmp_path_factory, monkeypatch):
    deps = tmp_path_factory.mktemp("checkouts")
    for path in ("oban/mix.exs", "oban/lib/deps/kept.ex", "oban/_build/dev/old", "oban/deps/old", "oban/.git/old"):
        (deps / path).parent.mkdir(parents=True, exist_ok=True)
        (deps / path).write_text(path)
    (deps / "jason").symlink_to(deps / "oban")
    write(
        folder,
        """
        FROM ELIXIR
        ARG BADGE_FORGE_DEPS
        COPY . /app
        ENV DEPS=$BADGE_FORGE_DEPS
        CMD ["start"]
        """,
    )
    monkeypatch.setenv("BADGE_FORGE_DEPS", str(deps))
    with ElixirNode(Containers(build=folder, command=PLAIN)) as node:
        assert node.rpc_sync('System.get_env("DEPS")') == "vendor"
        found = node.rpc_sync('Path.wildcard("/app/vendor/**", match_dot: true) |> Enum.filter(&File.regular?/1)')
    assert sorted(found) == [
        "/app/vendor/jason/lib/deps/kept.ex",
        "/app/vendor/jason/mix.exs",
        "/app/vendor/oban/lib/deps/kept.ex",
        "/app/vendor/oban/mix.exs",
    ]


def test_a_folder_of_dependencies_that_is_not_there_is_told(folder, monkeypatch):
    write(folder, "FROM ELIXIR\nARG BADGE_FORGE_DEPS\n")
    monkeypatch.setenv("BADGE_FORGE_DEPS", "/no/such/folder")
    lack = "BADGE_FORGE_DEPS names /no/such/folder, and there is no such folder: name one, or unset it"
    assert Containers(build=folder).missing() == lack


def test_what_the_folder_says_to_leave_out_is_left_out(folder):
    write(folder, 'FROM ELIXIR\nCOPY . /app\nCMD ["start"]\n', secret="s3cret", shop=SHOP)
    (folder / ".dockerignore").write_text("# not for images\nsecret\nDockerfile\n.dockerignore\n")
    with ElixirNode(Containers(build=folder, command=PLAIN)) as node:
        assert node.rpc_sync('File.ls!("/app")') == ["shop"]


def test_a_build_that_fails_is_told_with_its_last_lines_and_leaves_no_container(folder, docker):
    write(folder, "FROM ELIXIR\nRUN echo the kettle is missing >&2 && exit 4\n")
    with pytest.raises(NodeFailed) as caught:
        Containers("bridge-interop/broken:image", build=folder).prepare()
    told = str(caught.value)
    assert told.startswith(f"the image did not build from {folder}:\n")
    assert "\nthe kettle is missing\n" in told
    assert "returned a non-zero code: 4" in told
    assert told.endswith(f"docker build {folder} shows all of it")
    steps = docker.containers.list(all=True, ignore_removed=True)
    assert not [each for each in steps if "kettle" in str(each.attrs["Config"]["Cmd"])]
    assert not docker.images.list("bridge-interop/broken")


def test_a_base_that_can_not_be_had_is_told_with_the_arguments_that_name_another(folder):
    write(folder, "ARG BASE_IMAGE=127.0.0.1:1/no/such:image\nFROM ${BASE_IMAGE}\nARG TEA\n")
    with pytest.raises(NodeFailed) as caught:
        Containers(build=folder).prepare()
    assert str(caught.value).endswith("in the build arguments, as variables: BASE_IMAGE, TEA")


def test_a_dockerfile_that_is_none_is_told(folder):
    write(folder, "FRUM ELIXIR\n")
    with pytest.raises(NodeFailed, match=r"(?is)could not be built from .*unknown instruction"):
        Containers(build=folder).prepare()


def test_a_folder_without_a_dockerfile_is_told(docker, tmp_path):
    assert Containers(build=tmp_path).missing() == f"{tmp_path} holds no Dockerfile: name the folder of one"
    with pytest.raises(NodeUnavailable, match="holds no Dockerfile"):
        Containers(build=tmp_path).prepare()


# Without an engine


@pytest.fixture
def sdk():
    """The docker SDK."""
    return pytest.importorskip("docker", reason="needs the docker SDK: pip install 'oban-bridge[interop]'")


def test_an_engine_that_does_not_run_is_told_with_what_starts_it(sdk, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    told = Containers("any").missing()
    assert told.startswith(f"no Docker engine runs at unix://{tmp_path}/none.sock: ")
    assert "start" in told
    assert told.endswith("export DOCKER_HOST=… names another engine")
    with pytest.raises(NodeUnavailable, match="no Docker engine runs"):
        ElixirNode(Containers("any")).__enter__()


def test_the_socket_of_an_engine_that_died_is_told_likewise(sdk, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    assert Containers("any").missing().startswith(f"no Docker engine runs at unix://{tmp_path}/dead.sock: ")


def test_an_engine_that_this_user_may_not_use_is_told_with_what_lets_them(sdk, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "secret.sock"))
        listener.listen()
        (tmp_path / "secret.sock").chmod(0)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/secret.sock")
        with powerless():
            told = Containers("any").missing()
    assert told.startswith(f"this user may not use the Docker engine at unix://{tmp_path}/secret.sock: sudo usermod")


@pytest.mark.parametrize("host", ["nonsense://nowhere", "tcp://127.0.0.1:1"])
def test_an_engine_that_can_not_be_used_is_told(sdk, monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    assert host in Containers("any").missing()


def test_without_the_sdk_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    assert Containers("any").missing() == "the docker SDK is not installed: pip install 'oban-bridge[interop]'"


@contextmanager
def powerless():
    """Run as root without what root may do, where the tests are root's."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


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


@contextmanager
def a_process(script, **pipes):
    """A Python process, killed at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", script], text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def gone(docker, container):
    """Return once a container was removed."""
    from docker.errors import NotFound

    try:
        docker.api.wait(container, timeout=30, condition="removed")
    except NotFound:
        return
