"""Args that keep a contract, drawn by Hypothesis."""

import pytest
from contracts.runtime.rig import enum, make_contract, obj
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge import Worker
from bridge.errors import InvalidWorker
from bridge.testing import args_of

SCHEMA = obj(
    "Order",
    {
        "id": {"type": "integer", "minimum": 1, "maximum": 9},
        "colour": enum("Colour", "red", "green"),
        "lines": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    },
    required=["id", "colour"],
)


def test_drawn_args_keep_the_contract_and_differ():
    order = make_contract(SCHEMA)
    seen = []

    @given(args_of(order))
    @settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def draw(args):
        assert order.cast(args).dump() == args
        seen.append((args["id"], args["colour"], "lines" in args))

    draw()
    assert len(set(seen)) > 10
    assert {colour for _, colour, _ in seen} == {"red", "green"}


def test_it_is_a_strategy_like_any_other():
    assert isinstance(args_of(make_contract(SCHEMA)), st.SearchStrategy)


@pytest.mark.parametrize("what", [Worker, dict, None])
def test_what_is_no_contract_is_refused(what):
    with pytest.raises(InvalidWorker, match="bridge contracts build"):
        args_of(what)
