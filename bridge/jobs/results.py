"""What a worker may return from `process` to say more than "done"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bridge.errors import InvalidJob
from bridge.jobs.checks import seconds
from bridge.jobs.states import FINAL, JobState

if TYPE_CHECKING:
    from bridge.jobs.contracts import JobContract
    from bridge.jobs.job import Job

#: Oban for Python's limit of a recorded value's text, in bytes.
RECORD_LIMIT = 64_000_000

#: A hundred years: what is snoozed longer was a mistake, and PostgreSQL's timestamps end.
SNOOZE_LIMIT = 100 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop for good: the job becomes `cancelled`, with `reason` in its errors."""

    reason: Any = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Give up: the job becomes `discarded`, with `reason` in its errors, whatever attempts are left."""

    reason: Any = None


@dataclass(frozen=True, slots=True)
class Snooze:
    """Run again later: the job becomes `scheduled`, and gets one more attempt (Oban 2.23: max_attempts + 1).

    Attributes:
        seconds: How long, as a number of seconds or a timedelta; 0 is allowed.
        meta: What to merge into the job's meta, such as how far the work has come.
    """

    seconds: float | timedelta
    meta: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        delay = seconds("seconds", self.seconds)
        if not 0 <= delay <= SNOOZE_LIMIT:
            raise InvalidJob("seconds", self.seconds, f"0 to {SNOOZE_LIMIT} seconds")
        object.__setattr__(self, "seconds", delay)


@dataclass(frozen=True, slots=True)
class Record:
    """Complete, and keep `value` with the job in Erlang's term format, for Elixir and Python to fetch.

    Attributes:
        value: Anything that the codec's portable profile holds: None, booleans, numbers, text, bytes, lists, dicts,
            datetimes. Erlang has one type for text and bytes, so bytes that are UTF-8 are fetched as text
            (`Record(b"x")` as `"x"`), tuples as lists, datetimes and Decimals as their text in JSON; to have them as
            they were, decode `meta["return"]` with `bridge.codecs.recorded.decode_recorded` and its `type`.
        limit: The longest text, in bytes, that may be stored; a longer one fails the job.
    """

    value: Any
    limit: int = RECORD_LIMIT


def why_no_result(job: Job[Any], contract: JobContract | None) -> str:
    """Return why a job that is there has no result, and what to do about it."""
    told = f"job {job.id} is {job.state} and has recorded nothing"
    if job.state not in FINAL:
        return f"{told} yet; fetch its result once it is completed"
    if job.state != JobState.COMPLETED:
        return f"{told}; its errors say why"
    if contract is None:
        return f"{told}; its worker returns Record(value), or has a contract with a result"
    if contract.result is None:
        return f"{told}, as {contract.tag} describes no result; add x-job.result to the contract"
    return f"{told}, though {contract.tag} describes a result; run it by a worker with that contract"
