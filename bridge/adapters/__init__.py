"""Any library's connection as the one thing that the engine asks for: run a statement, hold a savepoint."""

from bridge.adapters.adapt import adapt
from bridge.adapters.executor import Executor, Row, sqlstate

__all__ = ["Executor", "Row", "adapt", "sqlstate"]
