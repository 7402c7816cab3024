"""The running instances by name, so that `Worker.enqueue` finds its own."""

from __future__ import annotations

import inspect
from typing import Any, Protocol, TypeVar

from bridge.errors import InstanceNotFound, InvalidJob, NotRunning
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


def choose(oban: Enqueuer | str | None, default: str) -> Enqueuer:
    """Return the instance that is given, or the running one of that name, or of the default's.

    Raises:
        InvalidJob: Something else is given, such as a client that blocks.
        InstanceNotFound: None of that name is running.
    """
    if oban is None or isinstance(oban, str):
        return find(default if oban is None else oban)
    if not inspect.iscoroutinefunction(getattr(oban, "enqueue", None)):
        raise InvalidJob("oban", oban, "an instance, or a running one's name", "SyncOban.enqueue takes Worker.new(…)")
    return oban


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
