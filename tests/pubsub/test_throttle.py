"""Warnings come at a bounded rate, and none is forgotten in the count."""

from bridge.pubsub.throttle import Throttle


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_first_gets_through_and_then_one_an_interval():
    clock = Clock()
    throttle = Throttle(interval=30, clock=clock)
    assert throttle.admit("a") == 0
    assert [throttle.admit("a") for _ in range(5)] == [None] * 5
    clock.now += 29.9
    assert throttle.admit("a") is None
    clock.now += 0.1
    assert throttle.admit("a") == 6, "the number that was held back"
    assert throttle.admit("a") is None
    clock.now += 30
    assert throttle.admit("a") == 1
    assert throttle.total == 10


def test_kinds_are_apart():
    throttle = Throttle(interval=30, clock=Clock())
    assert throttle.admit("a") == 0
    assert throttle.admit("b") == 0
    assert throttle.admit("a") is None
    assert throttle.total == 3


def test_what_was_held_back_is_told_in_words():
    clock = Clock()
    throttle = Throttle(interval=30, clock=clock)
    assert throttle.note("a") == ""
    assert throttle.note("a") is None
    clock.now += 30
    assert throttle.note("a") == " (1 more before)"
    clock.now += 30
    assert throttle.note("a") == ""
