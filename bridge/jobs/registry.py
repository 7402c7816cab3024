"""Which workers this process can run, by the name that stands in the row.

A name from a row is looked up here and nowhere else: it never imports a module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bridge.errors import InvalidWorker, UnknownWorker
from bridge.jobs import checks

if TYPE_CHECKING:
    from bridge.jobs.worker import Worker


class Registry:
    """Workers by name; `version` grows with each change, so that a producer knows when to ask again."""

    def __init__(self) -> None:
        self._workers: dict[str, type[Worker]] = {}
        self.version = 0

    def register(self, worker: type[Worker], names: Iterable[str]) -> None:
        """Make `worker` known by `names`.

        A class takes over the names of a class with the same module and qualified name, so that a module can be
        reloaded.

        Raises:
            InvalidWorker: A name is not storable or belongs to another class.
        """
        names = [checks.name("name", name, InvalidWorker) for name in names]
        for name in names:
            other = self._workers.get(name)
            if other is not None and _path(other) != _path(worker):
                raise InvalidWorker("name", name, "a name that is not taken", f"{_path(other)} has it already")
        self._workers.update(dict.fromkeys(names, worker))
        self.version += 1

    def unregister(self, worker: type[Worker]) -> None:
        """Forget `worker` and all its names."""
        self._workers = {name: known for name, known in self._workers.items() if known is not worker}
        self.version += 1

    def resolve(self, name: str) -> type[Worker]:
        """Return the worker of that name.

        Raises:
            UnknownWorker: None is registered.
        """
        try:
            return self._workers[name]
        except KeyError:
            raise UnknownWorker(f"unknown worker: {name}") from None

    def names(self) -> list[str]:
        """Return all names and aliases, sorted."""
        return sorted(self._workers)


def _path(worker: type[Worker]) -> str:
    return f"{worker.__module__}.{worker.__qualname__}"


#: The workers of this process; the decorators register here.
registry = Registry()
