"""Running a worker without a database: for its unit tests."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from bridge.config import default_node
from bridge.errors import InvalidJob, InvalidWorker
from bridge.jobs import FunctionWorker, Job, Registry, Worker, checks, contracts, registry
from bridge.jobs.job import OPTIONS
from bridge.jobs.worker import options_of
from bridge.queues.execution import Execution
from bridge.queues.fetched import fetched
from bridge.queues.here import run_here
from bridge.telemetry import Instance

_ids = itertools.count(1)

#: What a job that runs has beside what it was enqueued with.
_OF_A_ROW = (
    "id", "attempt", "attempted_by", "errors", "inserted_at", "attempted_at", "completed_at", "cancelled_at",
    "discarded_at",
)  # fmt: skip


def build_job(worker: type[Worker] | FunctionWorker, args: Any = None, /, **options: Any) -> Job[Any]:
    """Build a job as `process` gets it from the table: on its first attempt, its args and meta read back from JSON.

    Args:
        worker: A worker's class, or a function with `@job`.
        args: The job's args, as in `Worker.new`; for a function, a dict of its arguments.
        options: As in `Worker.new`, and the columns of a job that runs: `id` (default: one that no other job of this
            process has), `attempt` (1), `attempted_by`, `errors` and the times (`inserted_at`, `scheduled_at` and
            `attempted_at` are now, and the others None).

    Raises:
        InvalidWorker: Not a registered worker.
        ContractError: Args that break the worker's contract.
        InvalidJob, EncodeError: An unknown option, or a value that the table or an Elixir node can't take.
    """
    cls = _class_of(worker)
    for option in options:
        if option not in (*OPTIONS, *_OF_A_ROW):
            raise InvalidJob("option", option, "an option of a job", checks.suggest(option, (*OPTIONS, *_OF_A_ROW)))
    new = cls.new(args, **{option: value for option, value in options.items() if option in OPTIONS})
    job: Job[Any] = fetched(new, job_id=next(_ids), node=default_node())
    if new.scheduled_at is not None:
        job.scheduled_at = new.scheduled_at
    for option in _OF_A_ROW:
        if option in options:
            _set(job, option, options[option])
    if cls.options.contract is not None:
        job.read_args(cls.options.contract)
    return job


async def perform_job(worker: type[Worker] | FunctionWorker, args: Any = None, /, **options: Any) -> Any:
    """Build a job, run it here, and return what `process` returned: a value, or a `Cancel`, `Snooze`, `Record` ….

    No database is needed, and nothing is enqueued. The worker runs as on a node: by its class, with its timeout, in a
    thread where `process` is synchronous, with `current_job()`, and held to its contract before and after.

    Args:
        worker: As in `build_job`, and so are the others.
        args: The job's args.
        options: Of the job.

    Raises:
        InvalidWorker, ContractError, InvalidJob, EncodeError: As in `build_job`; ContractError also of a result that
            breaks the contract.
        JobTimeout: It took longer than the worker's timeout.
        JobError: What it returned is no result: a class such as `Cancel`, a generator, or an awaitable.
        Exception: What the worker raised.
    """
    cls = _class_of(worker)
    job = build_job(worker, args, **options)
    only = Registry()
    only.register(cls, (job.worker,))
    return await process_job(job, registry=only)


async def process_job(job: Job[Any], /, *, registry: Registry = registry) -> Any:
    """Run a job that was built with `build_job`, or any other, as `perform_job` does; nothing is written.

    Args:
        job: The job.
        registry: Where its worker is looked up.

    Raises:
        UnknownWorker: It is not registered.
        ContractError, Exception: As in `perform_job`, also of args that the test has put in place of the job's.
    """
    if job.id is None:
        raise InvalidJob("job", job, "a job as a worker gets it", "build it with build_job(Worker, args)")
    _hold_to_contract(job, registry)
    execution = Execution(job, registry, Instance(node=default_node()))
    outcome = await run_here(execution)
    outcome.report(recorded=False, oban=Instance(node=default_node()))
    if outcome.error is not None:
        raise outcome.error
    return execution.result


def _hold_to_contract(job: Job[Any], registry: Registry) -> None:
    """Read args that were set on a job as those of a row are read, which the execution does."""
    contract = registry.resolve(job.worker).options.contract
    if contract is not None and job._args_text is None:  # noqa: SLF001 - what tells set args from a row's
        typed = contracts.contract_of(job.args) is not None
        job.args = contract.cast(contract.dump(job.args) if typed else job.args)


def _class_of(worker: Any) -> type[Worker]:
    found = worker.worker if isinstance(worker, FunctionWorker) else worker
    if not (isinstance(found, type) and issubclass(found, Worker)):
        raise InvalidWorker("worker", worker, "a worker's class, or a function with @job", "put @worker on the class")
    options_of(found)
    return found


def _set(job: Job[Any], column: str, value: Any) -> None:
    if column in ("id", "attempt"):
        setattr(job, column, checks.integer(column, value, 1, 2**63 - 1 if column == "id" else checks.MAX_INT4))
    elif column == "errors":
        job._errors = [dict(_entry(entry)) for entry in value]  # noqa: SLF001 - they are read-only to all others
    elif column == "attempted_by":
        job.attempted_by = [checks.name(column, item) for item in value]
    else:
        setattr(job, column, None if value is None else checks.moment(column, value).astimezone(UTC))


def _entry(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidJob("errors", value, "dicts with attempt, at and error")
    return value
