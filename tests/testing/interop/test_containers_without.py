"""What is said where no engine of containers runs, or none that can be used."""

import os
import socket
import sys
from contextlib import contextmanager

import pytest

from bridge.errors import NodeUnavailable
from bridge.testing.interop import Containers, ElixirNode


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
