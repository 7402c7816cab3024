"""Makes a JSON value as small as a condition allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bridge.contracts.evolve.candidates import size_key

_TRIES = 1_500


def shrink(value: Any, holds: Callable[[Any], bool]) -> Any:
    """Return a smaller value for which `holds` is true, as it is for `value`; none smaller by one step is left.

    A step leaves out a field or an item, or puts something simpler in a place. The search ends after a bounded number
    of tries with the smallest value found.
    """
    tries = _TRIES
    found = True
    while found and tries > 0:
        found = False
        for smaller in _smaller(value):
            tries -= 1
            if _simplicity(smaller) < _simplicity(value) and holds(smaller):
                value, found = smaller, True
                break
            if tries <= 0:
                break
    return value


def _simplicity(value: Any) -> tuple[int, int, str]:
    """Order values by length, then by how plain their characters are: `a` before all others."""
    text = size_key(value)
    return len(text), sum(ord(char) > 126 or char == "\\" for char in text), text.replace("a", " ")


def _smaller(value: Any) -> Iterator[Any]:
    """Yield simpler values, the simplest first: of the same type, and then of others."""
    yield from _of_its_type(value)
    yield from (0, "", [], {}, None)


def _of_its_type(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from _of_object(value)
    elif isinstance(value, list):
        yield []
        for index in range(len(value)):
            yield [*value[:index], *value[index + 1 :]]
        for index, item in enumerate(value):
            yield from ([*value[:index], simpler, *value[index + 1 :]] for simpler in _smaller(item))
    elif isinstance(value, str):
        yield from _shorter(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from (0, 1, -1)
        yield from _nearer(value)


def _of_object(value: dict[str, Any]) -> Iterator[Any]:
    yield {}
    for name in value:
        yield {key: item for key, item in value.items() if key != name}
    for name in value if "a" not in value else ():
        yield {"a" if key == name else key: item for key, item in value.items()}
    for name, item in value.items():
        yield from ({**value, name: simpler} for simpler in _smaller(item))


def _nearer(value: float) -> Iterator[float]:
    """Yield numbers that are nearer to 0, or have fewer digits."""
    whole = int(value)
    yield from (whole, whole // 2, whole // 10)
    if isinstance(value, float):
        yield from (round(value, digits) for digits in range(1, 16))
    sign = -1 if whole < 0 else 1
    yield from (whole - sign * 2**power for power in reversed(range(abs(whole).bit_length())))


def _shorter(text: str) -> Iterator[str]:
    yield ""
    yield "a" * len(text)
    yield text[: len(text) // 2]
    yield text[len(text) // 2 :]
    for index in range(min(len(text), 40)):
        yield text[:index] + text[index + 1 :]
    for index in range(min(len(text), 40)):
        for plain in "a0":
            yield text[:index] + plain + text[index + 1 :]
