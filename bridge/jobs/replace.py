"""What a duplicate changes on the job that is there, as Oban's option `replace` says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from bridge.errors import InvalidJob, ValidationError
from bridge.jobs import checks
from bridge.jobs.states import JobState

Column = Literal["args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker"]

#: Columns by the state in which the stored job must be, or one list for all states.
ReplaceOption: TypeAlias = Mapping[str, Iterable[Column]] | Iterable[Column] | None

#: What may be replaced (Oban 2.23).
COLUMNS: Final = ("args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker")


def parse_replace(value: Any, error: type[ValidationError] = InvalidJob) -> dict[str, tuple[str, ...]] | None:
    """Return the columns to replace by state; None where nothing is replaced.

    Raises:
        InvalidJob: An unknown state or column, or the `error` that is given.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        found = {_state(state, error): _columns(columns, error) for state, columns in value.items()}
    else:
        columns = _columns(value, error)
        found = dict.fromkeys((state.value for state in JobState), columns) if columns else {}
    return found or None


def _state(value: Any, error: type[ValidationError]) -> str:
    states = [state.value for state in JobState]
    if not isinstance(value, str) or value not in states:
        raise error("replace", value, "a state", checks.suggest(value, states))
    return JobState(value).value


def _columns(value: Any, error: type[ValidationError]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        mend = 'such as ["args"], or {"scheduled": ["scheduled_at"]}'
        raise error("replace", value, "a list of columns, or a dict of lists by state", mend)
    found = list(value)
    for column in found:
        if column not in COLUMNS:
            raise error("replace", column, "a column that can be replaced", checks.suggest(column, COLUMNS))
    return tuple(dict.fromkeys(found))
