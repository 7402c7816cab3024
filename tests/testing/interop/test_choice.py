"""How Elixir nodes are to run, as a command line names it, and what tests do where none can."""

import os
import subprocess
import sys

import pytest

from bridge.errors import InvalidSetting, NodeFailed, NodeUnavailable
from bridge.testing.interop import Mix, Release
from bridge.testing.interop.choice import choose

from .beam import needs_elixir, write_project

SUITE = """
def test_a(elixir_runner): pass

async def test_b(elixir_nodes):
    async with elixir_nodes(app="shop") as node:
        assert await node.rpc("to_string(Application.spec(:shop, :vsn))") == "1.2.3"
"""

FAILING = """
import asyncio

async def test_tea(elixir_nodes):
    async with elixir_nodes(app="shop") as node:
        await node.rpc("IO.puts(String.reverse(text))", text="ytpme si elttek eht")
        while "kettle" not in node.logs():  # the BEAM writes a moment after it has said so
            await asyncio.sleep(0.01)
        assert False
"""


@needs_elixir
def test_a_mix_project_is_chosen_and_compiled(tmp_path):
    runner = choose(f"mix:{write_project(tmp_path)}")

    assert isinstance(runner, Mix)
    assert (tmp_path / "_build/dev/lib/shop/ebin/shop.app").exists()


@needs_elixir
def test_auto_takes_the_first_way_that_works(tmp_path):
    assert isinstance(choose(f"auto:{write_project(tmp_path)}"), Mix)


@needs_elixir
def test_auto_does_not_pass_over_a_project_that_does_not_compile(tmp_path):
    with pytest.raises(NodeFailed, match=r"mix: `mix compile` in (?s:.*)shop\.ex"):
        choose(f"auto:{write_project(tmp_path, broken=True)}")


def test_auto_tells_the_reason_of_every_way(tmp_path, monkeypatch):
    (write_project(tmp_path) / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NodeUnavailable, match=r"containers: (?s:.*)\nmix: .*install Elixir"):
        choose(f"auto:{tmp_path}")


@pytest.mark.parametrize("text", ["docker", "mix:", "auto:", "mixed:here", ":x"])
def test_other_text_is_refused_with_the_forms(text):
    with pytest.raises(InvalidSetting, match=r"mix:FOLDER \(a Mix project\), release:SCRIPT"):
        choose(text)


def test_nothing_chosen_is_nothing_there():
    with pytest.raises(NodeUnavailable, match="none is named; --bridge-elixir takes mix:FOLDER"):
        choose("")


def test_a_release_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NodeUnavailable, match="there is no release at"):
        choose(f"release:{tmp_path}/bin/shop")
    assert Release(tmp_path / "bin/shop").name == "release"


@pytest.fixture
def suite(tmp_path):
    """A function that runs a small suite of its own with options, and returns the end of what pytest says."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")

    def run(*options, body=SUITE, **env):
        (folder / "test_it.py").write_text(body)
        command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *options]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
        done = subprocess.run(
            command, cwd=folder, env={**kept, **env}, capture_output=True, text=True, timeout=100, check=False
        )
        return done.returncode, done.stdout

    return run


def test_where_none_is_named_tests_are_skipped_with_the_reason(suite):
    status, output = suite()

    assert status == 0
    assert "none is named; --bridge-elixir takes" in output
    assert "2 skipped" in output.splitlines()[-1]
    assert output.count("none is named") == 1


@pytest.mark.parametrize("required", [{"options": ["--bridge-elixir-required"]}, {"env": "1"}])
def test_where_one_is_required_they_fail_instead(suite, required):
    env = {"BRIDGE_ELIXIR_REQUIRED": required["env"]} if "env" in required else {}

    status, output = suite(*required.get("options", ()), **env)

    assert status == 1
    assert "none is named; --bridge-elixir takes" in output
    assert "2 errors" in output.splitlines()[-1]


def test_a_wrong_choice_fails_though_none_is_required(suite):
    status, output = suite("--bridge-elixir=mixed:here")

    assert status == 1
    assert "mix:FOLDER (a Mix project)" in output


@needs_elixir
def test_a_failed_test_shows_the_nodes_last_lines(suite, tmp_path):
    text = f"mix:{write_project(tmp_path / 'shop')}"

    status, output = suite(f"--bridge-elixir={text}", body=FAILING)

    assert status == 1
    assert "log of <ElixirNode mix, " in output
    assert "the kettle is empty" in output


@needs_elixir
@pytest.mark.parametrize("way", ["option", "environment"])
def test_nodes_of_a_users_own_suite(suite, tmp_path, way):
    text = f"mix:{write_project(tmp_path / 'shop')}"

    status, output = suite(f"--bridge-elixir={text}") if way == "option" else suite(BRIDGE_ELIXIR=text)

    assert (status, output.splitlines()[-1].split(" in ")[0]) == (0, "2 passed"), output
