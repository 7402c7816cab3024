"""What may be said of a queue."""

import pytest

from bridge import QueueOptions
from bridge.errors import InvalidSetting
from bridge.queues import parse_queue, parse_queues


def test_a_limit_is_enough():
    assert parse_queue("badges", 7) == QueueOptions("badges", limit=7)


def test_every_option_may_be_given():
    options = {
        "limit": 3,
        "paused": True,
        "workers": "any",
        "dispatch_cooldown": 0.5,
        "refresh_interval": 30,
    }
    assert parse_queue("badges", options) == QueueOptions("badges", **options)


def test_the_defaults_are_obans():
    found = QueueOptions("badges")
    assert (found.limit, found.dispatch_cooldown, found.refresh_interval) == (10, None, 60)
    assert (found.workers, found.paused) == ("known", False)


def test_options_are_taken_as_they_are():
    options = QueueOptions("badges", limit=2)
    assert parse_queues({"badges": options}) == {"badges": options}


def test_options_of_another_queue_are_refused():
    with pytest.raises(InvalidSetting, match="badges"):
        parse_queues({"badges": QueueOptions("labels")})


@pytest.mark.parametrize("limit", [0, -1, 1.5, "5", None, True, 2**31])
def test_a_limit_is_a_positive_integer(limit):
    with pytest.raises(InvalidSetting, match=r"queues\.badges\.limit: expected an integer from 1"):
        parse_queue("badges", limit)


@pytest.mark.parametrize("name", ["", "x" * 128, "a\x00b", 5, "\ud800"])
def test_a_queue_has_a_name_that_can_be_stored(name):
    with pytest.raises(InvalidSetting, match="queue: expected"):
        parse_queues({name: 5})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("paused", 1),
        ("workers", "some"),
        ("dispatch_cooldown", 0),
        ("dispatch_cooldown", "fast"),
        ("refresh_interval", float("inf")),
        ("refresh_interval", -1),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_by_name(option, value):
    with pytest.raises(InvalidSetting, match=rf"queues\.badges\.{option}: expected"):
        parse_queue("badges", {option: value})


def test_an_unknown_option_is_refused_with_the_nearest():
    with pytest.raises(InvalidSetting, match="did you mean 'limit'"):
        parse_queue("badges", {"limt": 5})


@pytest.mark.parametrize("queues", ["badges:10", [("badges", 10)], 5])
def test_queues_are_a_mapping(queues):
    with pytest.raises(InvalidSetting, match="queues: expected a mapping"):
        parse_queues(queues)
