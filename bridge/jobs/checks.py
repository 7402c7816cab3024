"""What a column may hold, checked before the database sees it (so that no Elixir node is harmed)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.errors import InvalidJob, ValidationError
from bridge.jobs.states import INSERTABLE, JobState

MAX_NAME = 127
MAX_INT4 = 2_147_483_647
#: An Elixir node that snoozes a job adds one each time, and its queue stops where the column can't hold the sum.
MAX_ATTEMPTS = 2_000_000_000
# asyncpg writes these two as what no BEAM can load.
_INFINITE = {datetime.min: "-infinity", datetime.max: "infinity"}  # noqa: DTZ901 - naive, as the columns are
# Unicode's white space, which Elixir trims; Python's own strip takes the separators U+001C to U+001F along.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


# Names that were found good: a bulk insert asks for the same few again and again.
_good_names: set[str] = set()
_MOST_NAMES = 4_096


def name(field: str, value: Any, error: type[ValidationError] = InvalidJob) -> str:
    """Return a queue's or worker's name: text of 1 to 127 characters (the table's own checks)."""
    if type(value) is str and value in _good_names:
        return value
    found = _checked_name(field, value, error)
    if len(_good_names) < _MOST_NAMES:
        _good_names.add(found)
    return found


def _checked_name(field: str, value: Any, error: type[ValidationError]) -> str:
    if not isinstance(value, str):
        raise error(field, value, f"text of 1 to {MAX_NAME} characters")
    if not 0 < len(value) <= MAX_NAME:
        raise error(field, value, f"text of 1 to {MAX_NAME} characters", f"this has {len(value)}")
    return storable(field, value, error)


def storable(field: str, value: str, error: type[ValidationError] = InvalidJob) -> str:
    """Return text that PostgreSQL and the BEAM can hold: no NUL, no lone surrogates."""
    if "\x00" in value:
        raise error(field, value, "text without NUL characters", "PostgreSQL can't store them")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise error(field, value, "valid Unicode text", "it holds half of a surrogate pair") from None
    return str.__str__(value)  # The text of an Enum's member is its value, whatever its own __str__ says.


def integer(field: str, value: Any, low: int, high: int, error: type[ValidationError] = InvalidJob) -> int:
    """Return an integer from `low` to `high`; booleans are refused, though Python counts them as integers."""
    if type(value) is int and low <= value <= high:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise error(field, value, f"an integer from {low} to {high}")
    return int(value)


def priority(value: Any, error: type[ValidationError] = InvalidJob) -> int:
    """Return a priority: 0, the first, to 9, the last."""
    return integer("priority", value, 0, 9, error)


def max_attempts(value: Any, error: type[ValidationError] = InvalidJob) -> int:
    """Return how often a job may be tried: at least once."""
    return integer("max_attempts", value, 1, MAX_ATTEMPTS, error)


def tags(value: Any, error: type[ValidationError] = InvalidJob) -> list[str]:
    """Return tags as Oban stores them: trimmed, lower case, without empty and repeated ones, in their order."""
    if type(value) in (tuple, list) and not value:
        return []
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise error("tags", value, "a list of texts", "put it into brackets" if isinstance(value, str) else "")
    found: dict[str, None] = {}
    for tag in value:
        if not isinstance(tag, str):
            raise error("tags", tag, "texts")
        if text := _tag(storable("tags", tag, error)):
            found[text] = None
    return list(found)


def _tag(text: str) -> str:
    # Elixir's String.downcase knows no other form for a sigma that ends a word.
    return text.strip(_WHITE_SPACE).replace("Σ", "σ").lower()  # noqa: RUF001 - Greek indeed


def mapping(field: str, value: Any, error: type[ValidationError] = InvalidJob) -> Any:
    """Return a mapping or an object that encodes as one; anything else would stop an Elixir queue."""
    if type(value) is dict or isinstance(value, Mapping):
        return value
    if isinstance(value, str | bytes | int | float | Iterable) or value is None:
        raise error(field, value, "a JSON object, such as a dict", f"wrap it: {field}={{'value': …}}")
    return value


def moment(field: str, value: Any, error: type[ValidationError] = InvalidJob) -> datetime:
    """Return an aware datetime in UTC, which is not one of the two that PostgreSQL gets as infinity."""
    if not isinstance(value, datetime):
        raise error(field, value, "an aware datetime")
    if value.tzinfo is None:
        raise error(field, value, "a datetime with a time zone", "use datetime.now(UTC) or .replace(tzinfo=UTC)")
    expected = "a time within the years 1 to 9999 in UTC"
    try:
        found = value.astimezone(UTC)
    except OverflowError:
        raise error(field, value, expected) from None
    if infinite := _INFINITE.get(found.replace(tzinfo=None)):
        raise error(field, value, expected, f"PostgreSQL would store {infinite}, which an Elixir node can't load")
    return found


def seconds(field: str, value: Any, error: type[ValidationError] = InvalidJob) -> float:
    """Return a duration given in seconds or as a timedelta, as seconds."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
        raise error(field, value, "a number of seconds or a timedelta")
    return value


def insert_state(value: Any) -> JobState:
    """Return a state that a new row may have."""
    if type(value) is JobState and value in INSERTABLE:
        return value
    try:
        state = JobState(value) if isinstance(value, str) else None
    except ValueError:
        state = None
    if state not in INSERTABLE:
        names = ", ".join(sorted(INSERTABLE))
        raise InvalidJob("state", value, f"one of {names}", "other states are reached by running the job")
    return state


def suggest(value: object, known: Iterable[str]) -> str:
    """Return "did you mean …?" for the name nearest to `value`, or all known names."""
    import difflib  # noqa: PLC0415 - only a mistake needs it

    names = sorted(known)
    close = difflib.get_close_matches(value, names, n=1) if isinstance(value, str) else []
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
