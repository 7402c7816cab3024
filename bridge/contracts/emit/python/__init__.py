"""Models as Python modules."""

from bridge.contracts.emit.python.module import emit, emit_package

__all__ = ["emit", "emit_package"]
