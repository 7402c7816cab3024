"""How long jobs are kept once they have ended: one rule for all, and others for states, queues and workers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from bridge.engine import END_STATES, Retention
from bridge.errors import InvalidSetting
from bridge.jobs.checks import MAX_INT4, integer, name, seconds, suggest

#: Seconds that jobs are kept by default: a day, so that results can be fetched and failures be looked at. Oban 2.23
#: keeps them for a minute.
MAX_AGE: Final = 86_400.0

#: The longest age that is not for ever: a hundred years.
_LONGEST: Final = 3_155_760_000.0


class _Rule(Struct, frozen=True):
    """What was said in one place; a limit that it doesn't name is another place's to say."""

    limits: Mapping[str, Any]
    states: Mapping[str, Mapping[str, Any]]

    def limit(self, state: str, option: str) -> Iterator[Any]:
        for limits in (self.states.get(state, {}), self.limits):
            if option in limits:
                yield limits[option]


def parse_retention(
    *, max_age: Any = MAX_AGE, max_len: Any = None, states: Any = None, queues: Any = None, workers: Any = None
) -> list[Retention]:
    """Read how long jobs are kept.

    A job goes when it is too old, or when more than `max_len` of its kind ended after it, whichever comes first. What a
    worker's rule says comes before its queue's, and both before the general one; within each, what is said of the
    state comes first. A worker's `max_len` counts that worker's jobs alone, a queue's that queue's, without those of
    workers that have a rule.

    Args:
        max_age: Seconds after the end of a job, or `"infinity"`.
        max_len: How many jobs of each end state are kept at most; None for any number.
        states: By end state, seconds, or a dict of `max_age` and `max_len`.
        queues: By queue, seconds, or a dict of `max_age`, `max_len` and `states`.
        workers: The same by worker.

    Raises:
        InvalidSetting: Anything else.
    """
    limits = {"max_age": _age("pruner.max_age", max_age), "max_len": _len("pruner.max_len", max_len)}
    general = _Rule(limits, _states("pruner.states", states))
    by_queue, by_worker = _overrides("pruner.queues", queues), _overrides("pruner.workers", workers)
    others = {"other_queues": tuple(by_queue), "other_workers": tuple(by_worker)}
    found = [*_retentions([general], others)]
    for queue, rule in by_queue.items():
        found += _retentions([rule, general], {"queue": queue, "other_workers": tuple(by_worker)})
    for worker, rule in by_worker.items():
        found += _retentions([rule, general], {"worker": worker})
    return [retention for retention in found if retention.max_age is not None or retention.max_len is not None]


def _retentions(rules: list[_Rule], scope: Mapping[str, Any]) -> Iterator[Retention]:
    for state in END_STATES:
        first = {
            option: next(value for rule in rules for value in rule.limit(state, option))
            for option in ("max_age", "max_len")
        }
        yield Retention(state, **first, **scope)


def _overrides(field: str, value: Any) -> dict[str, _Rule]:
    return {
        name(field, key, InvalidSetting): _rule(f"{field}.{key}", each) for key, each in _dict(field, value).items()
    }


def _rule(field: str, value: Any) -> _Rule:
    given = _known(field, value, ("max_age", "max_len", "states"))
    return _Rule(_limits(field, {**given, "states": None}), _states(f"{field}.states", given.get("states")))


def _states(field: str, value: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for state, each in _dict(field, value).items():
        if state not in END_STATES:
            raise InvalidSetting(field, state, f"one of {', '.join(END_STATES)}", "jobs that have not ended are kept")
        found[state] = _limits(f"{field}.{state}", _known(f"{field}.{state}", each, ("max_age", "max_len")))
    return found


def _limits(field: str, given: Mapping[str, Any]) -> dict[str, Any]:
    checks = {"max_age": _age, "max_len": _len}
    return {option: checks[option](f"{field}.{option}", given[option]) for option in checks if option in given}


def _known(field: str, value: Any, options: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"max_age": value}
    for option in value:
        if option not in options:
            raise InvalidSetting(field, option, "an option of it", suggest(option, options))
    return dict(value)


def _dict(field: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidSetting(field, value, "a dict of names and rules")
    return value


def _age(field: str, value: Any) -> float | None:
    if value in ("infinity", math.inf):
        return None
    found = seconds(field, value, InvalidSetting)
    if not 0 <= found <= _LONGEST:
        raise InvalidSetting(field, value, f"0 to {_LONGEST:.0f} seconds, or 'infinity'")
    return found


def _len(field: str, value: Any) -> int | None:
    return None if value is None else integer(field, value, 0, MAX_INT4, InvalidSetting)
