"""The job: a row of `oban_jobs` as an object, and what a new row may hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

from bridge.codecs import json
from bridge.errors import DecodeError, EncodeError, InvalidJob
from bridge.jobs import checks, contracts
from bridge.jobs.replace import ReplaceOption, parse_replace
from bridge.jobs.schedule import initial_state, wake_time
from bridge.jobs.states import JobState
from bridge.jobs.unique import RULE, UniqueOption, parse_unique
from bridge.jobs.unsaved import UnsavedError

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Args = TypeVar("Args", default=dict[str, Any])
else:
    from typing import TypeVar

    Args = TypeVar("Args")

_UNREAD: Any = object()

_STATES = {state.value: state for state in JobState}

#: Keys of meta that tell of one insertion or run of a job.
_OF_ONE_RUN = frozenset({"recorded", "return", "quarantined_from", RULE, "traceparent", "tracestate"})

#: What an insert may give (Oban 2.23: the permitted parameters).
_COLUMNS = (
    "state", "queue", "worker", "args", "meta", "tags", "errors", "attempt", "max_attempts", "priority",
    "attempted_by", "inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at",
)  # fmt: skip

#: What may be given when a job is built, beside `worker` and `args`.
OPTIONS = (
    "queue", "max_attempts", "priority", "tags", "meta", "scheduled_at", "schedule_in", "state",
    "unique", "replace",
)  # fmt: skip


class Job(Generic[Args]):
    """A job: built by hand or by `Worker.new`, or read from the table.

    A job built for insertion knows nothing of its worker's defaults; `Worker.new` does. Every column is an attribute
    with the column's name: `id`, `state`, `queue`, `worker`, `args`, `meta`, `tags`, `errors`, `attempt`,
    `max_attempts`, `priority`, `attempted_by` and the times `inserted_at`, `scheduled_at`, `attempted_at`,
    `completed_at`, `cancelled_at`, `discarded_at` (aware, UTC). `conflict` is True on what an insert returns where a
    unique job was there already: it is the stored job then. `unsaved_error` is why the attempt failed that has just
    ended, for `backoff` and handlers of events, and None otherwise. `args`, `meta` and `errors` of a row are decoded
    when they are first read.
    """

    __slots__ = (
        "_args",
        "_args_text",
        "_cancel_seen",
        "_cancelled",
        "_errors",
        "_meta",
        "_meta_text",
        "_raw_args",
        "attempt",
        "attempted_at",
        "attempted_by",
        "cancelled_at",
        "completed_at",
        "conflict",
        "discarded_at",
        "id",
        "inserted_at",
        "max_attempts",
        "priority",
        "queue",
        "replace",
        "scheduled_at",
        "state",
        "tags",
        "unique",
        "unsaved_error",
        "worker",
    )

    _args: Any
    _args_text: str | None
    _meta: Any
    _meta_text: str | None
    _raw_args: Any
    _errors: Any
    _cancelled: bool
    _cancel_seen: bool

    def __init__(
        self,
        worker: str,
        *,
        args: Args | Mapping[str, Any] | None = None,
        queue: str = "default",
        max_attempts: int = 20,
        priority: int = 0,
        tags: Iterable[str] = (),
        meta: Mapping[str, Any] | None = None,
        scheduled_at: datetime | None = None,
        schedule_in: float | timedelta | None = None,
        state: JobState | str | None = None,
        unique: UniqueOption = None,
        replace: ReplaceOption = None,
    ) -> None:
        """Build a job for insertion.

        Args:
            worker: The name that its node knows the worker by: `"BadgeForge.PrintCenter"` for an Elixir module
                (without `Elixir.`), `"package.module.Class"` for a Python class.
            args: What the worker gets: an object of JSON values, or an object of a contract's class. Default: empty.
            queue: 1 to 127 characters.
            max_attempts: How often it may be tried, at least 1.
            priority: 0, the first, to 9, the last.
            tags: Texts; stored trimmed, in lower case, each once.
            meta: Anything else worth keeping, an object of JSON values.
            scheduled_at: When to run; an aware datetime. The job is stored as `scheduled`, even for a past time.
            schedule_in: Instead of that, seconds from now or a timedelta.
            state: `"suspended"` to hold the job until somebody retries it. Default: scheduled or available.
            unique: When the job is one that is there already, and is not inserted: a `Unique`, a dict of its options,
                or True for all their defaults, forever.
            replace: What such a job changes on the stored one: columns, or a dict of them by its state.

        Raises:
            InvalidJob: A value that the table or an Elixir node can't take, or args of another worker's contract.
        """
        if scheduled_at is not None and schedule_in is not None:
            raise InvalidJob("schedule_in", schedule_in, "only one of scheduled_at and schedule_in")
        self.id: int | None = None
        self.worker = checks.name("worker", worker)
        self.queue = checks.name("queue", queue)
        self.max_attempts = checks.max_attempts(max_attempts)
        self.priority = checks.priority(priority)
        self.tags = checks.tags(tags)
        self.args = checks.mapping("args", {} if args is None else args)
        self.meta = _stamped(checks.mapping("meta", {} if meta is None else meta), contracts.settle(self.worker, args))
        self.scheduled_at = wake_time(scheduled_at, schedule_in)
        self.state = initial_state(state, self.scheduled_at)
        self.attempt = 0
        self.attempted_by: list[str] = []
        self.inserted_at: datetime | None = None
        self.attempted_at: datetime | None = None
        self.completed_at: datetime | None = None
        self.cancelled_at: datetime | None = None
        self.discarded_at: datetime | None = None
        self.unique = parse_unique(unique)
        self.replace = parse_replace(replace)
        self.conflict = False
        self.unsaved_error: UnsavedError | None = None
        self._errors: Any = []
        self._cancelled = self._cancel_seen = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Job[Any]:
        """Make a job from a row, without checks: whatever stands in the table must be readable."""
        job = cls.from_claim(row, row["queue"], row["attempted_by"] or [], _aware(row["attempted_at"]))
        job.state = _STATES[row["state"]]
        return job

    @classmethod
    def from_claim(cls, row: Mapping[str, Any], queue: str, by: list[str], at: datetime | None) -> Job[Any]:
        """Make a job that `by` has just claimed from what a row tells beside that."""
        job: Job[Any] = cls.__new__(cls)
        job.id, job.state, job.queue, job.worker = row["id"], JobState.EXECUTING, queue, row["worker"]
        job._args_text, job._args, job._raw_args = row["args"], _UNREAD, _UNREAD
        job._meta_text, job._meta, job._errors = row["meta"], _UNREAD, row["errors"]
        job.tags, job.priority = row["tags"] or [], row["priority"] or 0
        job.attempt, job.max_attempts = row["attempt"], row["max_attempts"]
        job.attempted_by, job.attempted_at = by, at
        job.inserted_at, job.scheduled_at = _aware(row["inserted_at"]), _aware(row["scheduled_at"])
        job.completed_at = _aware(row["completed_at"])
        job.cancelled_at, job.discarded_at = _aware(row["cancelled_at"]), _aware(row["discarded_at"])
        job.unique, job.replace, job.conflict, job.unsaved_error = None, None, False, None
        job._cancelled = job._cancel_seen = False
        return job

    @property
    def args(self) -> Args:
        """The worker's arguments: a dict with text keys, or in `process` the object of the worker's contract.

        Raises:
            DecodeError: Something else than an object stands in the row.
        """
        if self._args is _UNREAD:
            self._args = _decode_object("args", self._args_text or "null")
        return self._args  # type: ignore[no-any-return]  # decoded JSON

    @args.setter
    def args(self, value: Args | Mapping[str, Any]) -> None:
        self._args, self._args_text, self._raw_args = value, None, _UNREAD

    @property
    def raw_args(self) -> Mapping[str, Any]:
        """The args as the row holds them, with fields that a contract doesn't know; not to be changed.

        Raises:
            DecodeError: Something else than an object stands in the row.
        """
        if self._raw_args is _UNREAD and self._args_text is not None:
            self._raw_args = _decode_object("args", self._args_text)
        if self._raw_args is not _UNREAD:
            return self._raw_args  # type: ignore[no-any-return]  # decoded JSON
        args: Any = self._args
        contract = contracts.contract_of(args)
        return args if contract is None else contract.dump(args)

    @property
    def shown_args(self) -> Mapping[str, Any]:
        """`raw_args` for logs: values that the worker's contract calls sensitive are `"<sensitive>"`."""
        contract = contracts.find(self.worker)
        try:
            return self.raw_args if contract is None else contract.redact(self.raw_args)
        except DecodeError:
            if contract is None or not contract.sensitive:
                raise
            raise DecodeError("args must be a JSON object, and what the row holds is not shown") from None

    def check_objects(self) -> None:
        """Refuse args or meta of a row that are no objects, by their first character: neither is decoded for it.

        Raises:
            DecodeError: Something else stands in the row.
        """
        if self._args_text is not None and not self._args_text.startswith("{"):
            _decode_object("args", self._args_text)
        if self._meta_text is not None and not self._meta_text.startswith("{"):
            _decode_object("meta", self._meta_text)

    def read_args(self, contract: contracts.JobContract) -> None:
        """Make `args` of a row the object of a contract, decoded once; `raw_args` stay what they were.

        Raises:
            ContractError: The row breaks the contract.
            DecodeError: The row's JSON is damaged.
        """
        # Whoever looked at `args` before, such as a log handler, has had a plain dict decoded.
        of_row = self._args is _UNREAD or self._args_text is not None
        if of_row and contracts.contract_of(self._args) is None:
            raw = json.decode(self._args_text or "null")
            self._args, self._raw_args = contract.cast(raw), raw

    @property
    def meta(self) -> dict[str, Any]:
        """The job's meta, a dict; empty where the column is NULL.

        Raises:
            DecodeError: Something else than an object stands in the row.
        """
        if self._meta is _UNREAD:
            self._meta = {} if self._meta_text in (None, "{}") else _decode_object("meta", self._meta_text)
        return self._meta  # type: ignore[no-any-return]  # decoded JSON

    @meta.setter
    def meta(self, value: Mapping[str, Any]) -> None:
        self._meta, self._meta_text = value, None

    @property
    def shown_meta(self) -> Mapping[str, Any]:
        """`meta` for logs: a recorded result is `"<sensitive>"` where the worker's contract hides any value."""
        meta = self.meta
        if "return" not in meta or (contract := contracts.find(self.worker)) is None or not contract.sensitive:
            return meta
        return {**meta, "return": "<sensitive>"}

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The failed attempts, oldest first: `attempt`, `at` (ISO 8601, UTC) and `error` of each."""
        if isinstance(self._errors, str):
            self._errors = json.decode(self._errors)
        elif self._errors and isinstance(self._errors[0], str):
            self._errors = [json.decode(entry) for entry in self._errors]
        return self._errors  # type: ignore[no-any-return]  # decoded JSON

    def again(self, **options: Any) -> Job[Args]:
        """Build a new job like this one, of the same worker and with the same args; nothing is inserted.

        Args of a row are taken as they stand there, with fields that this code doesn't know. What this job recorded,
        its time and its attempts are not taken over.

        Args:
            options: As in `Job`; they win over this job's own. `meta` replaces its meta.

        Raises:
            InvalidJob: As in `Job`.
        """
        own = {
            "queue": self.queue,
            "max_attempts": self.max_attempts,
            "priority": self.priority,
            "tags": self.tags,
            "unique": self.unique,
            "replace": self.replace,
            "meta": {key: value for key, value in self.meta.items() if key not in _OF_ONE_RUN},
        }
        job: Job[Args] = Job(self.worker, **{**own, **options})
        job._args, job._args_text, job._raw_args = self._args, self._args_text, self._raw_args
        return job

    def to_dict(self) -> dict[str, Any]:
        """Return the columns that have a value, but not the id; `args` as in `raw_args` (Oban 2.23: `to_map`).

        Raises:
            DecodeError: Something else than an object stands in the row's args or meta.
        """
        found = {name: getattr(self, name) for name in _COLUMNS} | {"args": self.raw_args, "state": str(self.state)}
        return {name: value for name, value in found.items() if value is not None}

    def args_json(self) -> str:
        """Return the args as the text that goes into the row, checked where the worker has a contract.

        Args that came from a row go back as they were, with the fields that this code doesn't know.

        Raises:
            ContractError: They break the contract.
            EncodeError: A value in them that JSON or the table can't hold.
            InvalidJob: They are the object of another worker's contract.
        """
        contract = contracts.settle(self.worker, self._args)
        try:
            return self._checked_args(contract)
        except EncodeError as error:
            raise contracts.veiled(error, contract) from None

    def _checked_args(self, contract: contracts.JobContract | None) -> str:
        if self._args_text is not None:
            typed = contracts.contract_of(self._args) is not None
            text = _encode_object("args", self._args_text, _UNREAD if typed else self._args)
            if contract is not None:
                contract.check_row(json.decode(text))
            return text
        if contract is not None and contracts.contract_of(self._args) is not None:
            return json.encode_object(contract.dump(self._args), "args")
        text = json.encode_object(self._args, "args")
        if contract is not None:
            contract.check_new(json.decode(text))
        return text

    def meta_json(self) -> str:
        """Return the meta as the text that goes into the row; raises as `args_json` does.

        Where the worker has a contract, `contract` says which.
        """
        contract = contracts.find(self.worker)
        if contract is None or self._meta_text is not None:
            return _encode_object("meta", self._meta_text or "{}", self._meta)
        return json.encode_object(_stamped(self._meta, contract), "meta")

    def cancelled(self) -> bool:
        """Tell whether this running job was cancelled.

        Work in a thread can't be stopped; it may look here now and then, and end by itself.
        """
        self._cancel_seen = self._cancelled
        return self._cancelled

    def __repr__(self) -> str:
        return f"Job(id={self.id}, worker={self.worker!r}, queue={self.queue!r}, state={str(self.state)!r})"


def _aware(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _stamped(meta: Any, contract: contracts.JobContract | None) -> Any:
    if contract is None or not isinstance(meta, Mapping):
        return meta
    return {**meta, "contract": contract.tag}


def _encode_object(field: str, text: str | None, value: Any) -> str:
    # A row's own text is exact; once it was read, the object counts, because it may have been changed. What is too long
    # with PostgreSQL's spaces may not be without.
    if value is _UNREAD:
        if text is not None and text.startswith("{") and json.fits(text, field):
            return text
        value = json.decode(text or "null")
    return json.encode_object(value, field)


def _decode_object(field: str, text: str) -> dict[str, Any]:
    value = json.decode(text)
    if not isinstance(value, dict):
        raise DecodeError(f"{field} must be a JSON object, and the row holds {text[:80]}")
    return value
