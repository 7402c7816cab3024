"""A row that shows a break is as small as its condition allows."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.contracts.evolve.shrink import shrink


@pytest.mark.parametrize(
    ("value", "holds", "smallest"),
    [
        (1999, lambda value: isinstance(value, int) and value > 1000, 1001),
        (-54321, lambda value: isinstance(value, int) and value < -20_000, -20_001),
        (0.30000000000000004, lambda value: isinstance(value, float) and 0.2 < value < 0.5, 0.3),
        ("quite long", lambda value: isinstance(value, str) and len(value) > 3, "aaaa"),
        ({"extra": {"deep": [1, 2, 3]}, "n": "x"}, lambda value: set(dict(value)) - {"n"}, {"a": 0}),
        ({"a": [{"b": "text"}, {"b": "more"}]}, lambda value: len(value["a"]) == 2, {"a": [0, 0]}),
        ({"kind": "longer"}, lambda value: isinstance(value, dict) and "kind" in value, {"kind": 0}),
    ],
)  # fmt: skip
def test_no_smaller_value_is_left(value: Any, holds: Any, smallest: Any) -> None:
    def safely(found: Any) -> bool:
        try:
            return bool(holds(found))
        except (KeyError, TypeError, ValueError):
            return False

    assert shrink(value, safely) == smallest
