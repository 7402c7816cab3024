from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from bridge.contracts.data.strategies import near_miss_strategy, strategy
from bridge.contracts.runtime.check import compile_checks

from .forms import ORDER, SCHEMAS

BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # other tests run beside


@BUSY
@given(st.sampled_from(sorted(SCHEMAS)).flatmap(lambda name: st.tuples(st.just(name), strategy(SCHEMAS[name]))))
def test_values_keep_their_schema(drawn):
    name, value = drawn

    assert compile_checks(SCHEMAS[name], mode="write")(value) == []


@BUSY
@given(near_miss_strategy(ORDER))
def test_near_misses_break_the_rule_that_they_name(drawn):
    value, broken = drawn

    assert [(violation.path, violation.rule) for violation in compile_checks(ORDER, mode="write")(value)] == [broken]


def test_what_fails_is_shrunk():
    items = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    found = find(
        strategy(items), lambda value: sum(item > 1 for item in value) >= 2, settings=settings(BUSY, max_examples=2_000)
    )

    assert len(found) == 2
