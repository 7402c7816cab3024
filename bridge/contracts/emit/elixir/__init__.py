"""Models as Elixir modules."""

from bridge.contracts.emit.elixir.module import emit, runtime

__all__ = ["emit", "runtime"]
