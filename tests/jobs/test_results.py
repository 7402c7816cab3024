"""What a worker may return to say more than "done"."""

import math
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from bridge import Cancel, Discard, Record, Snooze
from bridge.errors import InvalidJob
from bridge.jobs.results import SNOOZE_LIMIT


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(0, 0), (1.5, 1.5), (60, 60), (timedelta(minutes=2), 120), (SNOOZE_LIMIT, SNOOZE_LIMIT)],
    ids=str,
)
def test_a_snooze_is_in_seconds(given, seconds):
    assert Snooze(given).seconds == seconds


@pytest.mark.parametrize("given", [-1, timedelta(seconds=-1), SNOOZE_LIMIT + 1, timedelta.max, 10**300], ids=str)
def test_a_snooze_out_of_range(given):
    with pytest.raises(InvalidJob, match=f"seconds: expected 0 to {SNOOZE_LIMIT} seconds, got"):
        Snooze(given)


@pytest.mark.parametrize("given", ["60", None, True, math.nan, math.inf, 10**400], ids=lambda value: str(value)[:5])
def test_a_snooze_that_is_no_duration(given):
    with pytest.raises(InvalidJob, match="seconds: expected a number of seconds or a timedelta, got"):
        Snooze(given)


def test_results_are_values():
    assert Cancel("why") == Cancel("why") != Discard("why")
    assert (Cancel().reason, Discard().reason, Record(1).value, Snooze(1).meta) == (None, None, 1, None)
    assert Snooze(60, {"page": 7}).meta == {"page": 7}
    assert Record(None).limit == 64_000_000


@pytest.mark.parametrize("result", [Cancel(), Discard(), Record(1), Snooze(1)], ids=repr)
def test_results_do_not_change(result):
    with pytest.raises(FrozenInstanceError):
        setattr(result, fields(result)[0].name, "another")
