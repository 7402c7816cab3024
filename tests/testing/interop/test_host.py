"""Mix projects and releases on this machine: what they need, how they are built, what is said when they can't be."""

import asyncio
import subprocess

import pytest

from bridge.errors import NodeFailed, NodeUnavailable
from bridge.testing.interop import ElixirNode, Mix, Release

from .beam import needs_elixir, write_project

VERSION = 'to_string(Application.spec(:shop, :vsn)) <> "/#{Application.fetch_env!(:shop, :tea)}"'


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return write_project(
        tmp_path_factory.mktemp("shop"),
        runtime='if tea = System.get_env("TEA"), do: config(:shop, tea: String.to_atom(tea))',
    )


@pytest.fixture(scope="module")
def release(project):
    """The script of a release of the project, made once."""
    subprocess.run(["mix", "release", "--quiet"], cwd=project, check=True, capture_output=True)
    return project / "_build/dev/rel/shop/bin/shop"


@needs_elixir
def test_a_mix_project_is_compiled_and_started(project):
    with ElixirNode(Mix(project), app="shop") as node:
        assert node.rpc_sync(VERSION) == "1.2.3/black"
        assert node.rpc_sync("Mix.env()") == "dev"


@needs_elixir
def test_settings_that_its_runtime_configuration_reads_arrive(project):
    with ElixirNode(Mix(project, mix_env="prod", env={"TEA": "green"}), app="shop") as node:
        assert node.rpc_sync(VERSION) == "1.2.3/green"
        assert node.rpc_sync("Mix.env()") == "prod"
    with ElixirNode(Mix(project, env={"TEA": "green"}), env={"TEA": "white"}, app="shop") as node:
        assert node.rpc_sync(VERSION) == "1.2.3/white"


@needs_elixir
def test_a_release_is_started(release):
    with ElixirNode(Release(release), env={"TEA": "green"}, app="shop") as node:
        assert node.rpc_sync(VERSION) == "1.2.3/green"
        assert node.rpc_sync("Code.ensure_loaded?(Mix)") is False


@needs_elixir
async def test_its_configuration_is_there_before_it_starts(release):
    config = "Application.put_env(:shop, :tea, Application.fetch_env!(:shop, :tea) |> to_string() |> String.length())"

    async with ElixirNode(Release(release), env={"TEA": "green"}, app="shop", config=config) as node:
        assert await node.rpc("Application.fetch_env!(:shop, :tea)") == 5


@needs_elixir
async def test_nodes_of_one_project_run_side_by_side(project):
    runner = Mix(project)

    async with ElixirNode(runner, env={"TEA": "a"}) as one, ElixirNode(runner, env={"TEA": "b"}) as two:
        teas = await asyncio.gather(*(node.rpc("Application.fetch_env!(:shop, :tea)") for node in (one, two)))

    assert teas == ["a", "b"]


@needs_elixir
def test_a_project_that_does_not_compile_tells_the_compilers_words(tmp_path):
    node = ElixirNode(Mix(write_project(tmp_path, broken=True)), app="shop")

    with pytest.raises(NodeFailed, match=r"`mix compile` in (?s:.*) ended with 1:(?s:.*)shop\.ex"):
        node.__enter__()
    assert not node.running


@needs_elixir
def test_an_application_that_crashes_at_boot_tells_why(tmp_path):
    project = write_project(tmp_path, start='raise "no tea left"')

    with pytest.raises(NodeFailed, match=r"shop did not start:(?s:.*)no tea left"):
        ElixirNode(Mix(project), app="shop").__enter__()


@needs_elixir
def test_a_configuration_that_can_not_be_read_tells_why(tmp_path):
    project = write_project(tmp_path, runtime='System.fetch_env!("NO_SUCH_TEA")')

    with pytest.raises(NodeFailed, match="NO_SUCH_TEA"):
        ElixirNode(Mix(project), app="shop").__enter__()


def test_a_folder_without_a_project_is_refused(tmp_path):
    with pytest.raises(NodeUnavailable, match=r"holds no mix\.exs: name the folder of a Mix project"):
        Mix(tmp_path).prepare()


def test_without_elixir_the_mend_is_named(tmp_path):
    project = write_project(tmp_path)

    assert "install Elixir" in Mix(project, env={"PATH": str(tmp_path)}).missing()


def test_a_release_that_was_not_made_is_refused(tmp_path):
    with pytest.raises(NodeUnavailable, match="make it with `mix release`"):
        Release(tmp_path / "bin/shop").prepare()
