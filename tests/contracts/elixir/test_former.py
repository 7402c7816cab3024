"""Elixir takes fields by their former names as Python does: same values, same violations."""

from typing import Any

import pytest

from contracts.elixir.beam import NAMESPACE, Elixir
from contracts.test_former import READ, REFUSED, model


@pytest.fixture(scope="module")
def loaded(running: Elixir) -> Elixir:
    running.load([model()])
    return running


def test_elixir_takes_a_field_by_its_former_name(loaded: Elixir) -> None:
    [answers] = loaded.cast([("Order", [args for args, _ in READ])])

    for (args, now), answer in zip(READ, answers, strict=True):
        assert answer[0] == "ok", (args, answer)
        assert answer[2] == now


def test_elixir_checks_what_it_takes(loaded: Elixir) -> None:
    [answers] = loaded.cast([("Order", [args for args, _ in REFUSED])])

    assert answers == [("error", frozenset(violations)) for _, violations in REFUSED]


@pytest.mark.parametrize("odd", [[], 1, None, {"lines": {"amount": 1}}, {"lines": [1, [2]]}, {"to": 5}, {"pair": 3}])
def test_values_of_other_shapes_are_left_to_the_check(loaded: Elixir, odd: Any) -> None:
    [[answer]] = loaded.cast([("Order", [odd])])

    assert answer[0] == "error"


def test_a_result_is_read_by_its_former_names(loaded: Elixir) -> None:
    recorded = 'Base.encode64(:erlang.term_to_binary(%{"file" => "a.pdf"}), padding: false)'
    job = f'%{{meta: %{{"recorded" => true, "return" => {recorded}}}}}'

    assert 'path: "a.pdf"' in loaded.evaluate(f"{NAMESPACE}.Order.fetch_result({job})")
