"""What an engine does for the jobs, told as spans."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from bridge import telemetry
from bridge.jobs import Job
from bridge.telemetry import instruments
from bridge.telemetry.events import Instance, Operation, engine_span

P = ParamSpec("P")
R = TypeVar("R")


class _Engine(Protocol):
    oban: Instance


def operation(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Emit the span of an operation, one of `OPERATIONS`, around a method of an engine.

    How many jobs it was about is told by what the method returns: jobs, their ids, a number, or a tuple that begins
    with one of these.
    """

    def decorate(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            # Where nobody listens there is not even a frame more.
            found = method(*args, **kwargs)
            return _spanned(cast("_Engine", args[0]), name, found) if telemetry.wanted(engine_span(name)) else found

        return call

    return decorate


def insertion(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Do what `operation` does, and let instruments go around a method that inserts a job or jobs."""

    def decorate(method: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        @wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            found = operated(*args, **kwargs)
            if not instruments.installed():
                return found
            job = args[1] if len(args) > 1 else kwargs.get("job")
            return _instrumented(cast("_Engine", args[0]).oban, job if isinstance(job, Job) else None, found)

        operated = operation(name)(method)
        return call

    return decorate


async def _spanned(engine: _Engine, name: str, found: Coroutine[Any, Any, R]) -> R:
    with telemetry.span(engine_span(name), Operation, engine.oban, name) as span:
        result = await found
        span.set(**_concerned(result))
        return result


async def _instrumented(oban: Instance, job: Job[Any] | None, found: Coroutine[Any, Any, R]) -> R:
    with instruments.inserting(instruments.Insertion(oban, job)) as under_way:
        result = await found
        under_way.jobs = result if isinstance(result, list) else [result]
        return result


def _concerned(result: Any) -> dict[str, Any]:
    if isinstance(result, tuple):
        return _concerned(result[0])
    if isinstance(result, int):
        return {"count": result}
    if isinstance(result, Job):
        return {"count": 1, "jobs": (result,)}
    found = tuple(result)
    if found and isinstance(found[0], Job):
        return {"count": len(found), "jobs": found}
    return {"count": len(found), "ids": tuple(map(_id_of, found))}


def _id_of(item: Any) -> int:
    if isinstance(item, tuple):  # an id and what else tells of an outcome
        return int(item[0])
    return int(getattr(item, "id", item))
