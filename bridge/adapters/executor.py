"""What each library's connection becomes: an executor, whose rows are the same whatever library read them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any


class Executor(ABC):
    """A connection of the caller's, as the engine sees it.

    Attributes:
        blocking: The library blocks: no call suspends, so a coroutine that awaits nothing else runs to its end in one
            step, with or without an event loop.
    """

    blocking: bool

    @abstractmethod
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        """Run a statement with `$1`, `$2` … and return its rows, each to be read by name or by place.

        It runs in the transaction that is open, or else in the one that the library opens by itself, which is the
        caller's to commit; on a connection in autocommit it takes effect at once.

        Args:
            statement: One statement; its placeholders have types by casts or by where they stand.
            values: None, texts, numbers, naive datetimes, or lists of these.
            timeout: Seconds that it may take, where the library has such a limit.
        """

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[Any]:
        """Hold what the block writes together: if it raises, nothing of it is left and the caller's transaction lives.

        Without an open transaction it is one of its own on a connection in autocommit, and otherwise a part of the one
        that begins with it, which is the caller's to commit.
        """


class Row(tuple[Any, ...]):
    """A row whose values are read by name or by place."""

    _places: dict[str, int]

    @classmethod
    def all(cls, names: Iterable[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
        """Return rows whose columns have these names."""
        places = {name: place for place, name in enumerate(names)}
        found = []
        for values in rows:
            row = cls(values)
            row._places = places
            found.append(row)
        return found

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._places[key] if isinstance(key, str) else key)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, from whatever library's exception it is or wraps."""
    for found in (error, getattr(error, "orig", None), error.__cause__):
        code = getattr(found, "sqlstate", None) or getattr(found, "pgcode", None)
        if isinstance(code, str):
            return code
    return None
