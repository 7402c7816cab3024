"""Equality as JSON Schema sees it: 1 and 1.0 are equal, true and 1 are not, and the order of keys means nothing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any


def frozen(value: Any) -> Hashable:
    """Return a hashable stand-in for a JSON value: two are equal where the values are."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, dict):
        return (dict, frozenset((key, frozen(item)) for key, item in value.items()))
    if isinstance(value, list | tuple):
        return (list, tuple(map(frozen, value)))
    try:
        hash(value)
    except TypeError:
        return (object, id(value))  # no JSON value, so equal to none
    return value  # type: ignore[no-any-return]  # `hash` did not object
