"""How long jobs are kept: which of several rules holds, and what is refused."""

import math
from datetime import timedelta

import pytest

from bridge.engine import Retention
from bridge.errors import InvalidSetting
from bridge.maintenance import parse_retention

DAY = 86_400.0


def by_state(retentions):
    return {found.state: (found.max_age, found.max_len) for found in retentions}


def test_by_default_jobs_are_kept_for_a_day():
    assert by_state(parse_retention()) == dict.fromkeys(("completed", "cancelled", "discarded"), (DAY, None))


def test_a_state_may_have_an_age_or_a_number_of_its_own():
    states = {"completed": 60, "discarded": {"max_age": "infinity", "max_len": 500}}
    assert by_state(parse_retention(max_age=timedelta(hours=1), states=states)) == {
        "completed": (60, None),
        "cancelled": (3600, None),
        "discarded": (None, 500),
    }


@pytest.mark.parametrize("forever", ["infinity", math.inf])
def test_what_is_kept_for_ever_in_any_number_has_no_rule(forever):
    assert parse_retention(max_age=forever) == []
    assert by_state(parse_retention(states={"completed": forever})).keys() == {"cancelled", "discarded"}


def test_a_queue_and_a_worker_with_rules_are_left_out_of_the_more_general_ones():
    found = parse_retention(queues={"badges": 10}, workers={"Mail": {"max_len": 5}})
    assert [each for each in found if each.state == "completed"] == [
        Retention("completed", DAY, None, other_queues=("badges",), other_workers=("Mail",)),
        Retention("completed", 10, None, queue="badges", other_workers=("Mail",)),
        Retention("completed", DAY, 5, worker="Mail"),
    ]
    assert len(found) == 9


def test_what_an_override_does_not_say_is_said_by_the_general_rule():
    general = {"max_age": 100, "max_len": 7, "states": {"discarded": {"max_age": 200}}}
    override = {"max_len": 3, "states": {"completed": {"max_age": 50}}}
    found = [each for each in parse_retention(**general, queues={"q": override}) if each.queue == "q"]
    assert by_state(found) == {"completed": (50, 3), "cancelled": (100, 3), "discarded": (200, 3)}


def test_what_an_override_says_of_all_states_comes_before_what_is_said_generally_of_one():
    found = parse_retention(states={"discarded": 200}, queues={"q": 10})
    assert by_state(each for each in found if each.queue == "q")["discarded"] == (10, None)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_age": -1}, "pruner.max_age"),
        ({"max_age": "1 day"}, "pruner.max_age"),
        ({"max_age": 10**12}, "pruner.max_age"),
        ({"max_len": 1.5}, "pruner.max_len"),
        ({"max_len": -1}, "pruner.max_len"),
        ({"states": {"executing": 5}}, "pruner.states"),
        ({"states": 5}, "pruner.states"),
        ({"states": {"completed": {"age": 5}}}, "pruner.states.completed"),
        ({"states": {"completed": {"max_age": None}}}, "pruner.states.completed.max_age"),
        ({"queues": {"": 5}}, "pruner.queues"),
        ({"queues": {"q": "soon"}}, "pruner.queues.q.max_age"),
        ({"queues": {"q": {"queues": {}}}}, "pruner.queues.q"),
        ({"workers": {"W": {"states": {"retryable": 1}}}}, "pruner.workers.W.states"),
        ({"workers": [1]}, "pruner.workers"),
    ],
)
def test_what_no_rule_can_be_is_refused_and_named(options, field):
    with pytest.raises(InvalidSetting) as caught:
        parse_retention(**options)
    assert caught.value.field == field
