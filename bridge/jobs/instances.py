"""The running instances by name, so that `Worker.enqueue` finds its own."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from bridge.errors import InstanceNotFound, NotRunning
from bridge.jobs.job import Job

A = TypeVar("A")


class Enqueuer(Protocol):
    """What a worker needs of an instance."""

    async def enqueue(self, job: Job[A], *, conn: Any = None) -> Job[A]:
        """Insert one job."""
        ...


_running: dict[str, Enqueuer] = {}


def register(name: str, instance: Enqueuer) -> None:
    """Make a started instance known.

    Raises:
        NotRunning: Another one of that name is running in this process.
    """
    if _running.setdefault(name, instance) is not instance:
        raise NotRunning(f"an instance named {name!r} is running already; stop it, or give this one another name")


def unregister(name: str, instance: Enqueuer) -> None:
    """Forget an instance that stopped."""
    if _running.get(name) is instance:
        del _running[name]


def find(name: str) -> Enqueuer:
    """Return the running instance of that name.

    Raises:
        InstanceNotFound: There is none.
    """
    try:
        return _running[name]
    except KeyError:
        known = ", ".join(sorted(_running)) or "none"
        raise InstanceNotFound(f"no instance named {name!r} is running (running: {known}); start one first") from None
