"""Images of nodes: built from a folder, and what is said and left where that fails."""

import shutil
import time

import pytest

from bridge.errors import NodeFailed, NodeUnavailable
from bridge.testing.interop import Containers, ElixirNode, Running

from .beam import write_project
from .docker_engine import (
    PLAIN,
    a_container,
    docker,
    folder,
    runner,
    write,
)

__all__ = ["docker", "folder", "runner"]


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
