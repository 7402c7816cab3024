"""When a new job is one that is there already: the options of unique jobs, as in Oban."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack

from bridge.errors import InvalidJob, ValidationError
from bridge.jobs import checks
from bridge.jobs.states import JobState

logger = logging.getLogger("bridge.jobs")

Field = Literal["args", "meta", "queue", "worker"]
Timestamp = Literal["inserted_at", "scheduled_at"]
StateGroup = Literal["all", "incomplete", "scheduled", "successful"]
Period: TypeAlias = float | timedelta | Literal["infinity"]

_FIELDS: Final = ("args", "meta", "queue", "worker")
_TIMESTAMPS: Final = ("inserted_at", "scheduled_at")
_INCOMPLETE: Final = ("suspended", "available", "scheduled", "executing", "retryable")
_STATES: Final = tuple(state.value for state in JobState)

#: The states of each group (Oban 2.23: `Oban.Job.unique_states/1`).
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "all": _STATES,
    "incomplete": _INCOMPLETE,
    "scheduled": ("scheduled",),
    "successful": (*_INCOMPLETE, "completed"),
}

#: Groups that a job enters only by an insert or a retry, so that no other change can break their index.
INDEXED_GROUPS: Final = ("all", "incomplete", "successful")

#: Where a row carries the rule by which the unique index knows it.
RULE: Final = "bridge_unique"

_LONGEST: Final = timedelta(days=365_000).total_seconds()


class UniqueOptions(TypedDict, total=False):
    """What `Unique` takes, and a dict in its place."""

    period: Period
    fields: Iterable[Field]
    keys: Iterable[str]
    states: StateGroup | Iterable[JobState | str]
    timestamp: Timestamp
    index: bool


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Unique:
    """When a new job is a duplicate of one that is there, and is not inserted: `Unique(period=60, keys=["id"])`.

    A stored job is the same if it is in one of `states`, its `timestamp` is no older than `period`, and all `fields`
    are equal. Args and meta are equal as PostgreSQL's containment (`@>`) has it: the order of an array's items and
    repeated ones make no difference, and 1 is 1.0.

    Attributes:
        period: Seconds, or `"infinity"`.
        fields: What is compared.
        keys: The keys of args and meta that are compared; none stands for all.
        states: A group's name, or states.
        timestamp: From when on the period counts.
        index: Whether the database's unique index holds it too.
        given: The options that were given, which a call's own go over.
    """

    period: float | Literal["infinity"]
    fields: tuple[str, ...]
    keys: tuple[str, ...]
    states: str | tuple[str, ...]
    timestamp: str
    index: bool
    given: Mapping[str, Any] = field(compare=False)

    def __init__(self, **options: Unpack[UniqueOptions]) -> None:
        """Say what makes jobs the same; what is left out has Oban's default.

        Args:
            options: `period`: seconds or a timedelta, default 60, or `"infinity"`. `fields`: of `args`, `meta`,
                `queue` and `worker`, default all but `meta`. `keys`: keys of args or meta to compare, default all. A
                key that the new job lacks is not compared; if it has none of them, only a stored job with nothing in
                args (or meta) is the same. `states`: `"successful"` (default: all but cancelled and discarded),
                `"incomplete"` (neither completed), `"scheduled"`, `"all"`, or a list of states. `timestamp`:
                `"inserted_at"` (default) or `"scheduled_at"`. `index`: True has the unique index of
                `bridge install --unique-index` hold it too, against jobs that Elixir inserts at the same moment.

        Raises:
            InvalidJob: An unknown option, or a value that it can't have.
        """
        _set(self, options, InvalidJob)

    @property
    def state_names(self) -> tuple[str, ...]:
        """The states in which a stored job counts."""
        return GROUPS[self.states] if isinstance(self.states, str) else self.states

    @property
    def seconds(self) -> float | None:
        """The period in seconds, None for infinity."""
        return None if self.period == "infinity" else self.period

    @property
    def rule(self) -> dict[str, Any]:
        """What a row's meta says for the unique index, under the key `bridge_unique`."""
        return {"fields": sorted(self.fields), "keys": sorted(self.keys), "states": self.states}

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)!r}" for name in _CHECKS)
        return f"Unique({options})"


#: What may be written where uniqueness is asked for: True is every default with an infinite period.
UniqueOption: TypeAlias = Unique | UniqueOptions | bool | None


def parse_unique(value: Any, error: type[ValidationError] = InvalidJob) -> Unique | None:
    """Return what the option `unique` says, None where jobs are not unique.

    Raises:
        InvalidJob: Anything else, or the `error` that is given.
    """
    return merge_unique(None, value, error)


def merge_unique(own: Unique | None, value: Any, error: type[ValidationError] = InvalidJob) -> Unique | None:
    """Return a worker's `own` rule with what a call says over it, key by key (Oban 2.23: `Oban.Worker.merge_opts/2`).

    Raises:
        InvalidJob: As `parse_unique` does.
    """
    if value is None or value is False:
        return None
    if value is True:
        unique = _build({"period": "infinity"}, error)
        object.__setattr__(unique, "given", {})  # a call's own options replace it as a whole, as in Oban
        return unique
    if isinstance(value, Unique):
        return value if own is None else _build({**own.given, **value.given}, error)
    if not isinstance(value, Mapping) or not value:
        raise error("unique", value, "True, False, a dict or a Unique", "True takes all defaults, forever")
    return _build({**({} if own is None else own.given), **value}, error)


def _build(options: Mapping[str, Any], error: type[ValidationError]) -> Unique:
    unique = Unique.__new__(Unique)
    _set(unique, options, error)
    return unique


def _set(unique: Unique, options: Mapping[str, Any], error: type[ValidationError]) -> None:
    for option in options:
        if option not in _CHECKS:
            mend = checks.suggest(option, _CHECKS)
            raise error("unique", option, "an option of unique jobs", mend)
    for option, (check, default) in _CHECKS.items():
        object.__setattr__(unique, option, check(options[option], error) if option in options else default)
    object.__setattr__(unique, "given", {option: getattr(unique, option) for option in options})
    _check_keys(unique, "fields" in options, error)
    if unique.index:
        _check_index(unique, error)


def _check_keys(unique: Unique, chosen: bool, error: type[ValidationError]) -> None:
    if unique.keys and chosen and not {"args", "meta"} & set(unique.fields):
        raise error("unique.keys", unique.keys, "none, where neither args nor meta is compared", "add one to fields")


def _check_index(unique: Unique, error: type[ValidationError]) -> None:
    if unique.period != "infinity":
        mend = 'say period="infinity", or leave out index: time passes without an update to the index'
        raise error("unique.period", unique.period, '"infinity" with index=True', mend)
    if unique.states not in INDEXED_GROUPS:
        mend = "jobs enter other states as they run, and the index would stop them there"
        raise error("unique.states", unique.states, f"one of {', '.join(INDEXED_GROUPS)} with index=True", mend)
    if "meta" in unique.fields and not unique.keys:
        mend = "say which keys: nodes write others to meta as the job runs"
        raise error("unique.keys", unique.keys, "keys of meta with index=True", mend)


# Each option


def _period(value: Any, error: type[ValidationError]) -> float | Literal["infinity"]:
    if value == "infinity":
        return "infinity"
    seconds = checks.seconds("unique.period", value, error)
    if not 0 < seconds <= _LONGEST:
        raise error("unique.period", value, 'more than 0 seconds and at most 1000 years, or "infinity"')
    return seconds


def _fields(value: Any, error: type[ValidationError]) -> tuple[str, ...]:
    return _chosen("unique.fields", value, _FIELDS, error)


def _keys(value: Any, error: type[ValidationError]) -> tuple[str, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise error("unique.keys", value, "a list of keys")
    found: dict[str, None] = {}
    for key in value:
        if not isinstance(key, str):
            raise error("unique.keys", key, "texts")
        found[checks.storable("unique.keys", key, error)] = None
    return tuple(found)


def _states(value: Any, error: type[ValidationError]) -> str | tuple[str, ...]:
    if isinstance(value, str):
        if value not in GROUPS:
            mend = f"{checks.suggest(value, GROUPS)}; a single state goes into a list"
            raise error("unique.states", value, f"a group ({', '.join(GROUPS)}) or a list of states", mend)
        return str.__str__(value)
    found = _chosen("unique.states", value, _STATES, error)
    _warn_of_gaps(found)
    return found


def _timestamp(value: Any, error: type[ValidationError]) -> str:
    if value not in _TIMESTAMPS:
        raise error("unique.timestamp", value, " or ".join(_TIMESTAMPS))
    return str(value)


def _index(value: Any, error: type[ValidationError]) -> bool:
    if not isinstance(value, bool):
        raise error("unique.index", value, "True or False")
    return value


def _chosen(field: str, value: Any, known: tuple[str, ...], error: type[ValidationError]) -> tuple[str, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise error(field, value, f"a list of {', '.join(known)}")
    found = list(value)
    for item in found:
        if item not in known:
            raise error(field, item, f"some of {', '.join(known)}", checks.suggest(item, known))
    if not found:
        raise error(field, value, f"at least one of {', '.join(known)}")
    return tuple(dict.fromkeys(str.__str__(item) for item in found))


@lru_cache(maxsize=256)  # once for each list, not for each job
def _warn_of_gaps(states: tuple[str, ...]) -> None:
    """Warn of lists that a job leaves before it has ended, in the cases of Oban 2.23."""
    if states == ("scheduled",):
        return
    missing = [state for state in _INCOMPLETE if state not in states]
    if not {"scheduled", "available", "suspended"} & set(states):
        lacks = "holds no state that a new job has, so it never finds a duplicate that waits"
    elif missing:
        lacks = f"leaves out {', '.join(missing)}, so a job is not found while it is there"
    else:
        return
    logger.warning("unique.states %s %s; use a group such as 'incomplete'", list(states), lacks)


#: Every option: its check and its default.
_CHECKS: Final[Mapping[str, tuple[Any, Any]]] = {
    "period": (_period, 60),
    "fields": (_fields, ("args", "queue", "worker")),
    "keys": (_keys, ()),
    "states": (_states, "successful"),
    "timestamp": (_timestamp, "inserted_at"),
    "index": (_index, False),
}
