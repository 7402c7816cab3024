"""Promises of stagers: who may be counted on, and for how long."""

import json
import time

import pytest

from bridge.cluster import Beats


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 1_000.0

        def __call__(self):
            return self.now

    found = Clock()
    monkeypatch.setattr(time, "monotonic", found)
    return found


@pytest.fixture
def beats(clock):
    return Beats("Oban@python", "a")


def say(beats, within=3.5, *, lease="Oban@python", node="b"):
    beats.hear("stager", json.loads(Beats(lease, node).message(within)))


def test_a_promise_holds_as_long_as_it_says(beats, clock):
    assert beats.promised(leads=False) == 0
    say(beats)
    assert beats.promised(leads=False) == 3.5
    clock.now += 3
    assert beats.promised(leads=False) == 0.5
    clock.now += 1
    assert beats.promised(leads=False) == 0
    say(beats, 1)
    assert beats.promised(leads=False) == 1


def test_own_promises_are_nobody_elses(beats):
    say(beats, node="a")
    assert beats.promised(leads=False) == 0


def test_a_process_of_two_instances_may_count_on_itself(beats):
    say(beats, lease="Another@python", node="a")
    assert beats.promised(leads=False) == 3.5


def test_of_several_leaders_the_first_by_name_stages(beats):
    say(beats, lease="Z@python")
    assert beats.promised(leads=True) == 0
    assert beats.promised(leads=False) == 3.5
    say(beats, lease="A@python")
    assert beats.promised(leads=True) == 3.5


def test_a_leader_that_stops_takes_its_promise_back(beats, clock):
    say(beats)
    beats.forget("Oban@python")
    assert beats.promised(leads=False) == 0
    assert not beats.overdue()
    clock.now += 0.6
    assert beats.overdue()


def test_who_promised_is_named_as_long_as_the_promise_holds(beats, clock):
    assert beats.who_promised() == ""
    say(beats, 9, lease="Z@python", node="z")
    assert beats.who_promised() == "z"
    say(beats, lease="A@python", node="a")
    assert beats.who_promised() == "a"
    clock.now += 5
    assert beats.who_promised() == "z"
    beats.forget("Z@python")
    assert beats.who_promised() == ""


@pytest.mark.parametrize("node", ["a\nforged line", "a" * 300, "", None, 5], ids=repr)
def test_a_name_that_no_log_should_show_is_not_told(beats, node):
    beats.hear("stager", {"lease": "A@python", "node": node, "within": 3})
    assert beats.who_promised() == "of another name"


def test_a_promise_is_overdue_when_it_has_run_out_and_never_before_one_was_awaited(beats, clock):
    assert not beats.overdue()
    clock.now += 2
    assert not beats.overdue()
    clock.now += 1
    assert beats.overdue()
    say(beats, 10)
    assert not beats.overdue()
    clock.now += 11
    assert beats.overdue()
    beats.expect()
    assert not beats.overdue()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"lease": "A@python", "node": "b"},
        {"lease": "A@python", "node": "b", "within": "3"},
        {"lease": "A@python", "node": "b", "within": -1},
        {"lease": "A@python", "node": "b", "within": float("nan")},
        {"lease": None, "node": "b", "within": 3},
        {"lease": ["A"], "node": "b", "within": 3},
    ],
)
def test_a_promise_that_is_none_is_ignored(beats, payload):
    beats.hear("stager", payload)
    assert beats.promised(leads=False) == 0


def test_nobody_is_believed_for_ever(beats):
    say(beats, 1e300)
    assert beats.promised(leads=False) == 30
    say(beats, 10**400)
    assert beats.promised(leads=False) == 30


def test_where_rounds_are_rare_a_promise_may_last_for_some_of_them(clock):
    beats = Beats("Oban@python", "a", interval=60)
    say(beats, 120.5)
    assert beats.promised(leads=False) == 120.5


def test_a_flood_of_promises_is_not_kept(beats, clock):
    for number in range(1_000):
        say(beats, lease=f"{number}@python")
    say(beats, lease="x" * 10_000)
    assert len(beats._promises) == 100
    clock.now += 31
    say(beats, lease="Another@python")
    assert list(beats._promises) == ["Another@python"]
