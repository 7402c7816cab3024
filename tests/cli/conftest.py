from collections.abc import Iterator
from pathlib import Path

import pytest

from .node_process import Node
from .rig import Commands


@pytest.fixture
def bridge(installed, tmp_path, monkeypatch):
    """Commands on a fresh database, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BRIDGE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    return Commands(installed, tmp_path)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[object]:
    """A function that runs `bridge start` with these arguments, and variables of the environment."""
    started: list[Node] = []

    def start(*arguments: str, **environment: str) -> Node:
        started.append(Node(tmp_path, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()
