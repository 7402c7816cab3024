"""Whether a job is the one that a test expects, and where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, final

from bridge.codecs import json
from bridge.errors import InvalidFilter
from bridge.jobs import Job, contracts

TIMES: Final = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")
JSON: Final = ("args", "meta")


@final
class _Any:
    """Stands for whatever a key holds."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = _Any()
"""In expected `args` and `meta`: the key is there, with any value, null too (Oban's `:_`)."""

#: What `ANY` becomes while the expected value is read back from JSON; no application's text.
_MARK = "\ue000bridge any\ue001"


class Difference(NamedTuple):
    """Where a job is not as expected: the field or the path in it, what was expected and what is there."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, found {self.found}"


def recode(field: str, value: Any) -> Any:
    """Return an expected object as JSON would give it back, so that keys and values compare with a row's.

    Raises:
        InvalidFilter: It is no object.
        EncodeError: A value that JSON can't hold.
    """
    contract = contracts.contract_of(value)
    plain = value if contract is None else contract.dump(value)
    if not isinstance(plain, Mapping):
        raise InvalidFilter(field, value, "a dict of what the job must hold")
    return _unmark(json.decode(json.encode_object(_mark(plain), field)))


def _mark(value: Any) -> Any:
    if value is ANY:
        return _MARK
    if isinstance(value, Mapping):
        return {key: _mark(item) for key, item in value.items()}
    return [_mark(item) for item in value] if isinstance(value, list | tuple) else value


def _unmark(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unmark(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    return ANY if value == _MARK else value


def differences(job: Job[Any], expected: Mapping[str, Any], delta: timedelta) -> list[Difference]:
    """Return where a job is not as expected; none where it matches.

    Args:
        job: A job from the table.
        expected: Fields and values: `args` and `meta` recoded, times as aware datetimes, others as the attributes are.
        delta: How far a time may be from the expected one.
    """
    found: list[Difference] = []
    for field, value in expected.items():
        if field in JSON:
            actual, shown = (job.raw_args, job.shown_args) if field == "args" else (job.meta, job.meta)
            found += _within(field, value, actual, shown)
        elif not _equals(field, value, getattr(job, field), delta):
            found.append(Difference(field, _shown(value), _shown(getattr(job, field))))
    return found


def _equals(field: str, expected: Any, found: Any, delta: timedelta) -> bool:
    if field in TIMES and expected is not None and found is not None:
        return bool(abs(found - expected) <= delta)
    if isinstance(expected, list | tuple | set | frozenset) and field not in ("tags", "attempted_by", "errors"):
        return found in expected
    return bool(found == expected)


def _within(path: str, expected: Any, found: Any, shown: Any) -> list[Difference]:
    """Return where `found` doesn't contain `expected`: all keys of dicts, lists of the same length, equal values."""
    if expected is ANY:
        return []
    if isinstance(expected, dict) and isinstance(found, Mapping):
        return [
            difference
            for key, item in expected.items()
            for difference in (
                _within(f"{path}.{key}", item, found[key], _inside(shown, key))
                if key in found
                else [Difference(f"{path}.{key}", _shown(item), "no such key")]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            difference
            for place, item in enumerate(expected)
            for difference in _within(f"{path}[{place}]", item, found[place], _inside(shown, place))
        ]
    if expected == found and isinstance(expected, bool) is isinstance(found, bool):  # 1 == True in Python alone
        return []
    return [Difference(path, _shown(expected), _shown(shown))]


def _inside(shown: Any, key: Any) -> Any:
    # What is shown may be hidden from here on.
    return shown[key] if isinstance(shown, Mapping | list) else shown


def _shown(value: Any) -> str:
    text = value.astimezone(UTC).isoformat() if isinstance(value, datetime) else repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
