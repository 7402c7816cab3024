"""Every test of the embedded server has a folder of its own, and must leave no process behind."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridge.postgres import Server

from .rig import HASTE, processes_of, wait_until


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own, which root's server could not enter."""
    folder = Path(tempfile.mkdtemp(prefix="bridge-test-")).resolve()
    folder.chmod(0o755)
    try:
        yield folder
        left = processes_of(folder)
    finally:
        for pid in processes_of(folder):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes_of(folder))
        shutil.rmtree(folder, ignore_errors=True)
    assert not left, "processes were left behind"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for the test."""
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A data folder that was made once, for the tests that are not about the first start."""
    with reachable_folder() as folder:
        server = Server(folder / "data", settings=HASTE)
        server.start()
        server.stop()
        yield server.data_dir


@pytest.fixture
def server(place: Path, made: Path) -> Iterator[Server]:
    """A stopped server with data."""
    subprocess.run(["cp", "-a", "--sparse=always", made, place / "data"], check=True)
    server = Server(place / "data", settings=HASTE)
    yield server
    server.destroy()


@pytest.fixture
def new_server(place: Path) -> Iterator[Server]:
    """A server whose folder is not made yet."""
    server = Server(place / "data", settings=HASTE)
    yield server
    server.destroy()
