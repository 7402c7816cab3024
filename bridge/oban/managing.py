"""How an instance reads and changes jobs that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from bridge.codecs.recorded import decode_recorded
from bridge.engine import Changes, Group, JobOrId, job_id_of, select_jobs
from bridge.errors import InvalidFilter, JobNotFound
from bridge.jobs import Job, contracts
from bridge.jobs.results import why_no_result
from bridge.oban.base import Base

if TYPE_CHECKING:
    from bridge.contracts.runtime import Contract

R = TypeVar("R")
Args_co = TypeVar("Args_co", covariant=True)


class _JobUnder(Protocol[Args_co]):
    """A job by the type of its args, which may be a subclass's; `Job` itself is invariant, since args can be set."""

    @property
    def id(self) -> int | None: ...
    @property
    def args(self) -> Args_co: ...


class Managing(Base):
    """Jobs, by themselves, by id or by filters."""

    async def get_job(self, job_id: int) -> Job[Any] | None:
        """Return the job of that id, or None."""
        return await self._parts.engine.get(job_id)

    async def jobs(self, *, limit: int = 100, **filters: Any) -> list[Job[Any]]:
        """Return jobs that match every filter, the newest first.

        Args:
            limit: How many at most.
            filters: Columns and values: `state="retryable"`, `queue=["a", "b"]`, `worker=SendMail`, `id=[1, 2]`; `args`
                and `meta` ask for jobs that contain the given dict, `tags` for exactly these tags, `has_tags` for these
                among others, `error` for a text in the error of any attempt, `node` for the node of the last one.
                `min_id`, `max_id` and `min_attempt` are included; `scheduled_before` and `scheduled_after`, and their
                like for the other times, take aware datetimes.

        Raises:
            InvalidFilter: An unknown column, or a value of the wrong kind.
        """
        return await self._parts.engine.select(filters, limit)

    async def count_jobs(self, by: Group | Sequence[Group] = "state", **filters: Any) -> dict[Any, int]:
        """Return how many jobs match, by state, queue or worker, or by several of them (keys are tuples then).

        Raises:
            InvalidFilter: As in `jobs`.
        """
        columns = (by,) if isinstance(by, str) else tuple(by)
        if unknown := [column for column in columns if column not in ("state", "queue", "worker")]:
            raise InvalidFilter("by", unknown[0], "state, queue or worker")
        rows = await self._parts.engine.count(filters, columns)
        return {row[0] if isinstance(by, str) else tuple(row)[:-1]: row["jobs"] for row in rows}

    async def cancel_job(self, job: JobOrId) -> bool:
        """Cancel a job; one that runs is stopped, wherever it runs. False where it had ended, or is not there."""
        return await self.cancel_jobs([job]) == 1

    async def cancel_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Cancel jobs, given themselves, by id or by filters as in `jobs`; returns how many.

        An asyncio worker that runs gets a CancelledError. One in a thread goes on until it looks at
        `current_job().cancelled()`, and its result is dropped.
        """
        cancelled = await self._parts.engine.cancel(select_jobs(jobs, filters))
        for job_id in cancelled:
            self._parts.queues.cancel(job_id)
        return len(cancelled)

    async def retry_job(self, job: JobOrId) -> bool:
        """Make a job available again, with an attempt left; False where it is available or running, or not there."""
        return await self.retry_jobs([job]) == 1

    async def retry_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Make jobs available again, given as in `cancel_jobs`; returns how many."""
        return len(await self._parts.engine.retry(select_jobs(jobs, filters)))

    async def delete_job(self, job: JobOrId) -> bool:
        """Delete a job; False where it runs or is not there."""
        return await self.delete_jobs([job]) == 1

    async def delete_jobs(self, jobs: Iterable[JobOrId] | None = None, /, **filters: Any) -> int:
        """Delete jobs that don't run, given as in `cancel_jobs`; returns how many."""
        return len(await self._parts.engine.delete(select_jobs(jobs, filters)))

    async def update_job(self, job: JobOrId, changes: Changes) -> Job[Any]:
        """Change a job's args, max_attempts, meta, priority, queue, scheduled_at, tags or worker; returns it anew.

        `meta` is merged into what is there, so that keys of others survive. A new `scheduled_at` makes the job
        scheduled (Oban 2.23).

        Args:
            job: The job or its id.
            changes: Columns and values, or a function of the locked job that returns them.

        Raises:
            InvalidJob: A column that can't be changed, or a value that it can't take.
            ContractError: Args that break the contract of the job's worker.
            JobNotFound: No such job, another transaction holds it, or a unique index refuses the change.
        """
        found = await self.update_jobs([job], changes)
        if not found:
            reasons = "is not there, another transaction holds it, or a unique index refuses the change"
            raise JobNotFound(f"job {job_id_of(job)} {reasons}")
        return found[0]

    async def update_jobs(self, jobs: Iterable[JobOrId] | None, changes: Changes, /, **filters: Any) -> list[Job[Any]]:
        """Change jobs, given as in `cancel_jobs`, all or none; those that others hold are left out."""
        return await self._parts.engine.update(select_jobs(jobs, filters), changes)

    @overload
    async def fetch_result(self, job: _JobUnder[Contract[R]]) -> R: ...
    @overload
    async def fetch_result(self, job: JobOrId) -> Any: ...
    async def fetch_result(self, job: Any) -> Any:
        """Return what a job's worker recorded, in either language; as its contract types it, where it has one.

        Raises:
            ContractError: The result breaks the contract.
            JobNotFound: No such job, or nothing is recorded with it, or not yet; the message says which.
            DecodeError: What is recorded is damaged.
        """
        found = self._parts.inline.find(job_id_of(job)) or await self.get_job(job_id_of(job))
        if found is None:
            raise JobNotFound(f"job {job_id_of(job)} is not there: it was pruned or deleted, or is not committed yet")
        contract = contracts.find(found.worker)
        if "return" not in found.meta:
            raise JobNotFound(why_no_result(found, contract))
        result = decode_recorded(found.meta["return"])
        return result if contract is None else contract.load_result(result)
