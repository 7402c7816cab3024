"""Real Elixir nodes in tests: started, asked, frozen, cut off and killed from Python.

`ElixirNode` is the node; `Mix`, `Release`, `Containers` and `Running` are the ways to run one. The fixtures
`elixir_runner` and `elixir_nodes` of the pytest plugin take the way that the command line names.
"""

from __future__ import annotations

from bridge.errors import NodeError, NodeFailed, NodeUnavailable, RemoteError
from bridge.testing.interop.console import Hello
from bridge.testing.interop.containers import Containers
from bridge.testing.interop.gate import Gate
from bridge.testing.interop.host import Mix, Release
from bridge.testing.interop.node import ElixirNode
from bridge.testing.interop.runner import Boot, Process, Runner
from bridge.testing.interop.running import Running

__all__ = [
    "Boot",
    "Containers",
    "ElixirNode",
    "Gate",
    "Hello",
    "Mix",
    "NodeError",
    "NodeFailed",
    "NodeUnavailable",
    "Process",
    "Release",
    "RemoteError",
    "Runner",
    "Running",
]
