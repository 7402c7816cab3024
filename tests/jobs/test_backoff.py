"""How long a failed job waits, as Oban's own formula has it."""

from types import SimpleNamespace

import pytest

from bridge import Job, Worker
from bridge.jobs.backoff import default_backoff, exponent


def delays(attempt, max_attempts, times=300):
    return [default_backoff(SimpleNamespace(attempt=attempt, max_attempts=max_attempts)) for _ in range(times)]


@pytest.mark.parametrize(
    ("attempt", "base"),
    [(0, 16), (1, 17), (2, 19), (3, 23), (5, 47), (10, 1_039), (19, 524_303), (20, 1_048_591)],
)
def test_15_and_2_to_the_attempt_and_up_to_a_tenth_more(attempt, base):
    found = delays(attempt, 20)

    assert min(found) >= base
    assert max(found) <= base + base // 10
    assert all(isinstance(delay, int) for delay in found)


def test_the_first_retry_waits_17_or_18_seconds():
    """Oban 2.23, measured: the rows of a first failure are scheduled 17 to 18 seconds later."""
    assert set(delays(1, 20)) == {17, 18}


def test_the_tenth_is_used():
    found = delays(10, 20)

    assert max(found) > 1_039 + 90
    assert min(found) < 1_039 + 15


@pytest.mark.parametrize(
    ("attempt", "max_attempts", "expected"),
    [
        (1, 1, 1),
        (20, 20, 20),
        (15, 20, 15),
        # With more attempts the curve is stretched: attempt / max_attempts * 20, halves away from zero.
        (21, 21, 20),
        (1, 21, 1),
        (1, 40, 1),
        (3, 40, 2),
        (5, 40, 3),
        (20, 40, 10),
        (39, 40, 20),
        (40, 40, 20),
        (1, 41, 0),
        (25, 100, 5),
        (50, 2_147_483_647, 0),
        (2_147_483_647, 2_147_483_647, 20),
        # What rows of others may hold.
        (0, 20, 0),
        (-1, 20, 0),
        (30, 20, 20),
        (0, 0, 0),
        (60, 50, 20),
    ],
)
def test_the_exponent(attempt, max_attempts, expected):
    assert exponent(attempt, max_attempts) == expected


def test_it_is_a_workers_default():
    job = Job("W")
    job.attempt = 1

    assert Worker().backoff(job) in (17, 18)
