"""Failures in a row are told of at first, now and then, and when they are over; those by turns seldom."""

import pytest

from bridge.queues.troubles import QUIET, Troubles
from bridge.queues.wording import ids_of, named


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def troubles(clock):
    return Troubles(lambda: clock[0])


def test_the_first_of_a_row_and_each_tenth_after_it_is_told_of(troubles):
    assert [nth for nth in range(31) if troubles.failed()] == [0, 10, 20, 30]


def test_the_end_of_a_row_is_told_of_once_with_its_time(troubles, clock):
    assert troubles.over() is None
    troubles.failed()
    clock[0] += 7
    troubles.failed()
    clock[0] += 1
    assert troubles.over() == 8
    assert troubles.over() is None


def test_what_fails_and_works_by_turns_is_told_of_at_a_bounded_rate(troubles, clock):
    told = []
    for _ in range(100):
        told += [troubles.failed(), troubles.over() is not None]
        clock[0] += QUIET / 10
    assert sum(told) == 20


def test_a_row_that_begins_soon_after_another_is_told_of_once_it_has_lasted(troubles, clock):
    assert troubles.failed()
    troubles.over()
    clock[0] += QUIET / 2
    assert not troubles.failed()
    clock[0] += QUIET / 2
    assert troubles.failed()
    clock[0] += 1
    assert troubles.over() == QUIET / 2 + 1


@pytest.mark.parametrize(
    ("jobs", "told"), [([5], "job 5 was"), ([5, 6], "jobs 5, 6 were"), (range(25), f"jobs {ids_of(range(25))} were")]
)
def test_jobs_are_named_as_they_are_many(jobs, told):
    assert named(list(jobs)) == told
    assert told.count(",") <= 19
