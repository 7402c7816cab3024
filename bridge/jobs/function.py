"""Functions as workers: a job's args are the function's arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, overload

from bridge.errors import InvalidWorker
from bridge.jobs.job import Job
from bridge.jobs.options import refuse_unknown
from bridge.jobs.worker import Worker, refuse_generator, register


@overload
def job(function: Callable[..., Any], /) -> FunctionWorker: ...
@overload
def job(**options: Any) -> Callable[[Callable[..., Any]], FunctionWorker]: ...
def job(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Register a function as a worker: a job's args are the function's arguments, by name.

    `send.new(1, text="hi")` builds a job, `await send.enqueue(1, text="hi")` inserts it, and `send(1, text="hi")`
    still calls the function. `current_job()` tells the function which job it runs in.

    Args:
        function: The function, where the decorator is written without parentheses.
        options: As in `worker`.

    Raises:
        InvalidWorker: As in `worker`, or a function whose arguments have no names (`*args`, positional-only).
    """
    refuse_unknown(options)
    return partial(FunctionWorker, options=options) if function is None else FunctionWorker(function, options)


class FunctionWorker:
    """A function that was registered as a worker; made by `@job`.

    `worker` is its worker class: `send.worker.new({"text": "hi"}, schedule_in=60)` builds a job with other options.
    """

    def __init__(self, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
        if not inspect.isfunction(function):
            raise InvalidWorker("@job", function, "a function", "classes take @worker")
        refuse_generator("@job", function)
        if options.get("contract") is not None:
            raise InvalidWorker(
                "contract", options["contract"], "a class with a process(self, job)", "put @worker on one"
            )
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self._signature = _named_parameters(function)
        self.worker = register(_function_class(function), options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself; nothing is inserted."""
        return self.function(*args, **kwargs)

    def new(self, *args: Any, **kwargs: Any) -> Job[Any]:
        """Build a job that will call the function with these arguments.

        Raises:
            TypeError: Arguments that the function doesn't take.
            InvalidJob: A value that the table or an Elixir node can't take.
        """
        return self.worker.new(self._signature.bind(*args, **kwargs).arguments)

    async def enqueue(self, *args: Any, **kwargs: Any) -> Job[Any]:
        """Build a job and insert it; raises as `new` and `Worker.enqueue` do.

        `oban`, where the function has no argument of that name, is the instance, as in `Worker.enqueue`.
        """
        oban = None if "oban" in self._signature.parameters else kwargs.pop("oban", None)
        return await self.worker.enqueue(self._signature.bind(*args, **kwargs).arguments, oban=oban)


def _named_parameters(function: Callable[..., Any]) -> inspect.Signature:
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise InvalidWorker("@job", str(parameter), "arguments with names", "a job's args are a JSON object")
    return signature


def _function_class(function: Callable[..., Any]) -> type[Worker]:
    async def process_async(_self: Worker, job: Job[Any]) -> Any:
        return await function(**job.args)

    def process(_self: Worker, job: Job[Any]) -> Any:
        return function(**job.args)

    method = process_async if inspect.iscoroutinefunction(function) else process
    body = {
        "process": method,
        "signature": inspect.signature(function),  # by which a cron entry's args are checked
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
    }
    return type(function.__name__, (Worker,), body)
