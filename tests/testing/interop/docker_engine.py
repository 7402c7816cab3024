"""An engine of containers, plain Elixir in one, and folders that images are built from."""

import os
import re
import subprocess
import sys
import textwrap
from contextlib import contextmanager

import pytest

from bridge.errors import NodeFailed
from bridge.testing.interop import Boot, Containers, ElixirNode, engine

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


@contextmanager
def a_container(docker, image):
    container = docker.containers.run(image, detach=True, init=True)
    try:
        yield container
    finally:
        container.remove(force=True)


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
        docker.api.wait(container, timeout=60, condition="removed")
    except NotFound:
        return
