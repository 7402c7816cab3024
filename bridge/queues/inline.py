"""Jobs that run where they are enqueued and are never stored, for tests (Oban 2.23: `Oban.Engines.Inline`)."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import AsyncIterable, Iterable
from datetime import UTC
from typing import Any, TypeVar

from bridge.codecs import json
from bridge.engine import QUARANTINE, Ack, Engine, inserts
from bridge.jobs import Job, JobState, Registry, contracts, modes
from bridge.queues.execution import Execution
from bridge.queues.fetched import fetched
from bridge.queues.here import run_here
from bridge.queues.outcome import Outcome

A = TypeVar("A")

#: Inline jobs have ids that no table comes to, so that none is taken for a row.
FIRST_ID = 2**62

#: How many jobs an instance remembers, so that their results can be fetched.
REMEMBERED = 1_000

_ids = itertools.count(FIRST_ID)


class Inline:
    """Runs new jobs for one instance.

    Args:
        engine: What its tables could take, by which new jobs are checked.
        registry: The workers that may run.
        node: This node's name, the first of `attempted_by`.
    """

    def __init__(self, engine: Engine, registry: Registry, node: str) -> None:
        self._engine = engine
        self._registry = registry
        self._node = node
        self._jobs: OrderedDict[int, Job[Any]] = OrderedDict()

    async def insert(self, job: Job[A]) -> Job[A]:
        """Run a job as if it had been inserted and fetched; return a copy of it in its final state.

        Only a job that would be available or scheduled runs, and the latter at once. One for a worker of the other
        language, as its contract tells, is returned as it would have been inserted.

        Raises:
            InvalidJob, ContractError, EncodeError: As an insert would.
            UnknownWorker: No such worker is registered.
            Exception: What the worker raised, unless the mode was switched on with safety.
        """
        inserts.insert_rows([job], self._engine.catalog)
        return await self._run(job)

    async def insert_many(self, jobs: Iterable[Job[Any]] | AsyncIterable[Job[Any]]) -> list[Job[Any]]:
        """Run jobs one after the other, once all of them were checked; raises as `insert` does."""
        wanted = [job async for chunk in inserts.chunks(jobs) for job in chunk]
        inserts.insert_rows(wanted, self._engine.catalog)
        return [await self._run(job) for job in wanted]

    def find(self, job_id: int) -> Job[Any] | None:
        """Return a job that ran here lately, in its final state."""
        return self._jobs.get(job_id)

    async def _run(self, job: Job[A]) -> Job[A]:
        found: Job[A] = fetched(job, job_id=next(_ids), node=self._node)
        waiting = copy.copy(job) if job.id is not None else job
        waiting.id, waiting.inserted_at = found.id, found.inserted_at
        waiting.scheduled_at = waiting.scheduled_at or found.scheduled_at
        if job.state is JobState.SUSPENDED or self._is_foreign(job.worker):
            return waiting
        running = fetched(job, job_id=found.id or 0, node=self._node)  # the worker may change the args that it gets
        outcome = await run_here(Execution(running, self._registry, self._engine.oban))
        _settle(found, outcome)
        self._remember(found)
        outcome.report(True, self._engine.oban)
        if outcome.error is not None and not modes.is_safe():
            raise outcome.error
        return found

    def _is_foreign(self, worker: str) -> bool:
        contract = contracts.find(worker)
        return worker not in self._registry.names() and contract is not None and contract.options.serves != "python"

    def _remember(self, job: Job[Any]) -> None:
        self._jobs[job.id or 0] = job
        while len(self._jobs) > REMEMBERED:
            self._jobs.popitem(last=False)


def _settle(job: Job[Any], outcome: Outcome) -> None:
    """Do to a job what its ack would do to its row."""
    ack = outcome.ack
    assert ack is not None  # noqa: S101 - only a producer that stops hands jobs back; this tells the type checker
    job.state = JobState(ack.state)
    if ack.error is not None:
        job._errors = [*job.errors, json.decode(ack.error)]  # noqa: SLF001 - they are read-only to all others
    if ack.meta is not None:
        job.meta = {**job.meta, **json.decode(ack.meta)}
    if ack.scheduled_at is not None:
        job.scheduled_at = ack.scheduled_at.replace(tzinfo=UTC)
    _end(job, ack)


def _end(job: Job[Any], ack: Ack) -> None:
    at = ack.at.replace(tzinfo=UTC)
    match ack.state:
        case "scheduled":
            job.max_attempts += 1
        case "available":
            job.queue, job.attempt = QUARANTINE, job.attempt - 1
        case "completed" | "cancelled" | "discarded" as state:
            setattr(job, f"{state}_at", at)
