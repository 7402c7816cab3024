"""What crosses the pipe: plain types alone, so that nothing is ever unpickled.

Args, meta and errors stay the text that the row holds; the child reads them, and only where a worker does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, json, structs

from bridge.engine.schema import Catalog
from bridge.jobs import Job
from bridge.jobs.job import _UNREAD


class Columns(Struct, array_like=True, gc=False):
    """The row of a job that was fetched; times are naive UTC."""

    id: int
    state: str
    queue: str
    worker: str
    args: str | None
    meta: str | None
    errors: str | list[str | None] | None
    tags: list[str | None]
    attempt: int
    max_attempts: int
    priority: int
    attempted_by: list[str | None]
    inserted_at: datetime | None
    scheduled_at: datetime | None
    attempted_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    discarded_at: datetime | None

    @classmethod
    def of(cls, job: Job[Any]) -> Columns:
        """Return a fetched job's columns; its JSON as it came, unless a handler of its start has set another."""
        row = {name: getattr(job, name) for name in _PLAIN} | {name: _naive(getattr(job, name)) for name in _TIMES}
        row["args"], row["meta"], row["errors"] = _args(job), _meta(job), _errors(job)
        return cls(state=str(job.state), **row)

    def job(self) -> Job[Any]:
        """Return the job."""
        return Job.from_row(structs.asdict(self))


_PLAIN: Final = ("id", "queue", "worker", "tags", "attempt", "max_attempts", "priority", "attempted_by")
_TIMES: Final = (
    "inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at",
)  # fmt: skip


def _naive(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=None)


def _args(job: Job[Any]) -> str | None:
    text = job._args_text  # noqa: SLF001 - decoding it here would be for nothing
    return text if text is not None or job._args is _UNREAD else job.args_json()  # noqa: SLF001 - likewise


def _meta(job: Job[Any]) -> str | None:
    text = job._meta_text  # noqa: SLF001 - likewise
    return text if text is not None or job._meta is _UNREAD else job.meta_json()  # noqa: SLF001 - likewise


def _errors(job: Job[Any]) -> str | list[str] | None:
    errors: Any = job._errors  # noqa: SLF001 - likewise
    if isinstance(errors, list) and errors and not isinstance(errors[0], str):
        return [json.encode(entry).decode() for entry in errors]
    return errors  # type: ignore[no-any-return]  # as the table's column gives it


# To the child


class Setup(Struct, array_like=True, tag=True):
    """Who a child works for, and what it has to know for that; the first message."""

    name: str
    prefix: str
    node: str
    dsn: str
    insert_trigger: bool
    pool_options: dict[str, Any]
    catalog: Catalog
    path: list[str]
    modules: list[str]
    levels: Mapping[str, int]

    def __repr__(self) -> str:  # the DSN may hold a password, and a repr ends up in logs
        return f"Setup(name={self.name!r}, prefix={self.prefix!r}, node={self.node!r})"


class Run(Struct, array_like=True, tag=True):
    """Run a job; `number` is this run's in all that is said of it."""

    number: int
    columns: Columns


class CancelRun(Struct, array_like=True, tag=True):
    """End a job, because somebody cancelled it."""

    number: int
    reason: str


class ReleaseRun(Struct, array_like=True, tag=True):
    """End a job, because its queue stops."""

    number: int


class Ping(Struct, array_like=True, tag=True):
    """Answer, if the event loop goes round."""


class Quit(Struct, array_like=True, tag=True):
    """End in order; no job runs any more."""


Order = Run | CancelRun | ReleaseRun | Ping | Quit


# From the child


class Ready(Struct, array_like=True, tag=True):
    """The child takes jobs, of these workers; `instrumented` says that instruments go around them there."""

    workers: list[str]
    instrumented: bool


class Broken(Struct, array_like=True, tag=True):
    """The child can't start, and ends."""

    reason: str
    trace: str


class Pong(Struct, array_like=True, tag=True):
    """The answer to a ping."""


class Heard(Struct, array_like=True, tag=True):
    """The child has heard that a job is to end, so its event loop goes round."""

    number: int


class Stuck(Struct, array_like=True, tag=True):
    """The thread of a job that ended long ago still goes on."""

    number: int


class Failure(Struct, array_like=True):
    """An exception as text; of a broken contract, also which and how."""

    kind: str
    module: str
    name: str
    message: str
    stacktrace: str
    contract: str | None = None
    violations: list[tuple[str, str, str]] = []
    mend: str = ""


class Done(Struct, array_like=True, tag=True):
    """A job came to an end. Without a state it is handed back.

    Attributes:
        number: The run's.
        duration: Nanoseconds that it ran.
        abandoned: Its thread could not be stopped and goes on.
        state: The row's next one, and with it the other columns of an ack.
        failure: Why it failed, cancelled itself or discarded itself; what `job.unsaved_error` tells.
        raised: Whether it failed, so that its end is an exception.
        kind: What it returned: `value`, `shown` (text in its place), or the class `Cancel`, `Discard`, `Snooze`,
            `Record`.
        result: That, in msgpack.
    """

    number: int
    duration: int
    abandoned: bool
    state: str | None = None
    at: datetime | None = None
    scheduled_at: datetime | None = None
    error: str | None = None
    meta: str | None = None
    failure: Failure | None = None
    raised: bool = False
    kind: str = "value"
    result: bytes = b"\xc0"


Answer = Ready | Broken | Pong | Heard | Stuck | Done


# From the child, by the way of its log, on which it can tell something though its event loop doesn't go round


class Limit(Struct, array_like=True, tag=True):
    """A run that begins may take so many seconds."""

    number: int
    seconds: float
