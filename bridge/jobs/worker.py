"""Workers: classes that say how to run a job, and the decorators that register them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar, Unpack, overload

from msgspec import Struct

from bridge.errors import InvalidJob, InvalidWorker
from bridge.jobs import checks, instances
from bridge.jobs.annotations import refuse_other_types
from bridge.jobs.backoff import default_backoff
from bridge.jobs.insert import InsertOptions
from bridge.jobs.job import OPTIONS, Job
from bridge.jobs.options import WorkerOptions, build_options, refuse_unknown
from bridge.jobs.registry import registry
from bridge.jobs.results import Cancel, Discard, Record, Snooze
from bridge.jobs.unique import merge_unique

logger = logging.getLogger("bridge.jobs")

W = TypeVar("W", bound="Worker")
C = TypeVar("C")
R = TypeVar("R")
C_co = TypeVar("C_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)

Outcome = Cancel | Discard | Record | Snooze


class Worker:
    """The base of workers: override `process`, and `backoff` and `timeout` where the defaults don't suit.

    A class with a `process` need not inherit from it, since `@worker` adds it; type checkers see `new` and `enqueue`
    only where it does.
    """

    options: ClassVar[WorkerOptions]

    @classmethod
    def new(cls, args: Mapping[str, Any] | Struct | None = None, /, **options: Unpack[InsertOptions]) -> Job[Any]:
        """Build a job for this worker; nothing is inserted.

        Args:
            args: What `process` gets in `job.args`; a worker with a contract takes its class's objects too.
            options: As in `Job`; they win over the worker's own. `meta` is merged into the worker's, and so are the
                options of a `unique` that is a dict or a `Unique`; None or False makes this one not unique.

        Raises:
            ContractError: Args that break the worker's contract.
            InvalidJob: An unknown option, or a value that the table or an Elixir node can't take.
        """
        own = options_of(cls)
        _refuse_unknown_of_job(options)
        meta = {**own.meta, **_own_meta(options.pop("meta", None))}
        defaults: dict[str, Any] = {
            "queue": own.queue,
            "max_attempts": own.max_attempts,
            "priority": own.priority,
            "tags": own.tags,
            "unique": own.unique,
            "replace": own.replace,
        }
        if "unique" in options:
            options["unique"] = merge_unique(own.unique, options["unique"])
        if own.contract is not None:
            return own.contract.build(args, {**defaults, **options, "meta": meta})
        return Job(own.name, args=args, meta=meta, **{**defaults, **options})

    @classmethod
    async def enqueue(
        cls,
        args: Mapping[str, Any] | Struct | None = None,
        /,
        *,
        oban: instances.Enqueuer | str | None = None,
        conn: Any = None,
        **options: Unpack[InsertOptions],
    ) -> Job[Any]:
        """Build a job and insert it.

        Blocking code passes `new(…)` to `SyncOban.enqueue` instead: what is never awaited inserts nothing.

        Args:
            args: What `process` gets in `job.args`.
            oban: An instance, or a running one's name; default the name that the worker has as its option, `Oban`.
            conn: A connection or session, to insert within its transaction; see `Oban.enqueue`.
            options: As in `new`.

        Raises:
            InvalidJob: As in `new`, or `oban` is no instance.
            InstanceNotFound: No such instance is running in this process.
        """
        job = cls.new(args, **options)
        return await instances.choose(oban, options_of(cls).oban).enqueue(job, conn=conn)

    def process(self, job: Job[Any]) -> Any:
        """Run the job; `async def` runs on the event loop, plain `def` in a thread of its own.

        What it returns completes the job, unless it is a `Cancel`, `Discard`, `Snooze` or `Record`; an exception fails
        the attempt.
        """
        raise NotImplementedError

    def backoff(self, job: Job[Any]) -> float | timedelta:
        """Return seconds, or a timedelta, until the next attempt of a job that failed; default: Oban's formula."""
        return default_backoff(job)

    def timeout(self, job: Job[Any]) -> float | timedelta | None:
        """Return the seconds, or a timedelta, that one attempt may take; None is no limit. Default: the option."""
        return self.options.timeout


def options_of(cls: type[Worker]) -> WorkerOptions:
    """Return a worker's options.

    Raises:
        InvalidWorker: The class was not registered.
    """
    if "options" not in vars(cls):  # A base's options would build jobs that the base runs.
        raise InvalidWorker("worker", cls, "a registered class", "put @worker() on it")
    return cls.options


def _refuse_unknown_of_job(options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in OPTIONS:
            mend = "pass them first: new({…})" if option == "args" else checks.suggest(option, OPTIONS)
            raise InvalidJob("option", option, "an option of a job", mend)


def _own_meta(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidJob("meta", value, "a dict, which is merged into the worker's own")
    return value


class _Decorator(Protocol):
    @overload
    def __call__(self, cls: type[W]) -> type[W]: ...
    @overload
    def __call__(self, cls: type[Any]) -> type[Worker]: ...


class _ContractClass(Protocol[C_co, R_co]):
    """What type checkers see of a generated class: what its args and its worker's result are."""

    def cast(self, args: Any) -> C_co: ...
    def __result__(self) -> R_co: ...


class _Processes(Protocol[C, R_co]):
    def process(self, job: Job[C], /) -> R_co | Outcome | Coroutine[Any, Any, R_co | Outcome]: ...


class _ContractDecorator(Protocol[C, R_contra]):
    @overload
    def __call__(self, cls: type[W]) -> type[W]: ...
    @overload
    def __call__(self, cls: type[_Processes[C, R_contra]]) -> type[Worker]: ...


@overload
def worker(cls: type[W], /) -> type[W]: ...
@overload
def worker(cls: type[Any], /) -> type[Worker]: ...
@overload
def worker(*, contract: _ContractClass[C, R], **options: Any) -> _ContractDecorator[C, R]: ...
@overload
def worker(**options: Any) -> _Decorator: ...
def worker(cls: Any = None, /, **options: Any) -> Any:
    """Register a class with a `process(self, job)` as a worker: `@worker` or `@worker(queue="badges", …)`.

    Args:
        cls: The class, where the decorator is written without parentheses.
        options: `queue` (default `"default"`), `max_attempts` (20), `priority` (0), `tags`, `meta`, `unique` and
            `replace`: the defaults of its jobs. `timeout`: seconds or a timedelta that one attempt may take. `name`:
            the name in the row, where it is not `module.QualName`; with an Elixir module's name it takes over that
            worker. `aliases`: more names to run jobs of, such as a former one. `oban`: the instance that `enqueue`
            uses, `"Oban"`. `contract`: a generated class, whose objects `process` gets as `job.args`; it says all but
            `meta`, `replace` and `oban`, and what it returns is checked and recorded where the contract has a result.
            `on_invalid`: what becomes of a row that breaks the contract: `"cancel"` (default), or `"quarantine"`, which
            moves it to the queue `quarantine` until somebody mends it. `cron`: when to insert a job of it: an
            expression, or a dict with `expression`, `args`, `timezone`, `name` and any option of a job, or a list of
            these.

    Raises:
        InvalidWorker: An unknown option, a bad value, a taken name, a class that can't process, or one whose `process`
            is annotated with other types than the contract's.
    """
    refuse_unknown(options)
    return partial(register, options=options) if cls is None else register(cls, options)


def register(cls: type[Any], options: Mapping[str, Any]) -> type[Worker]:
    """Make `cls` a worker with these options and register it; what `@worker` does.

    Raises:
        InvalidWorker: As in `worker`.
    """
    if not inspect.isclass(cls):
        raise InvalidWorker("@worker", cls, "a class", "functions take @job")
    found = cls if issubclass(cls, Worker) else _mix_in(cls)
    _check_methods(found)
    if cls.__module__ == "__main__" and "name" not in options:
        logger.warning("%s is defined in the script itself, so only this script runs its jobs: import it", cls.__name__)
    found.options = build_options(f"{cls.__module__}.{cls.__qualname__}", options)
    if found.options.contract is not None:
        refuse_other_types(found.process, found.options.contract)
    registry.register(found, (found.options.name, *found.options.aliases))
    return found


def _mix_in(cls: type[Any]) -> type[Worker]:
    copied = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls, Worker), copied)


def _check_methods(cls: type[Worker]) -> None:
    if cls.process is Worker.process:
        raise InvalidWorker("process", cls, "a method process(self, job)", "define one")
    for method in ("process", "backoff", "timeout"):
        if not callable(getattr(cls, method)):
            raise InvalidWorker(method, getattr(cls, method), "a method", "options go into the decorator")
    refuse_generator("process", cls.process)


def refuse_generator(field_name: str, function: Any) -> None:
    """Raise InvalidWorker for a function with a `yield`: calling it would run nothing of its body."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidWorker(field_name, function, "a function without yield", "return the result instead")
