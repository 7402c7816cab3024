"""Args and meta as PostgreSQL compares them: containment (`@>`), and what stays the same where it holds both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final

import msgspec

from bridge.codecs import json
from bridge.codecs.numerals import format_integer

_decode: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_split: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# What stands before a key, an item and a value in a token. jsonb holds no NUL, so no key or text looks like one.
_KEY: Final = "\0k"
_ITEM: Final = "\0i"
_VALUE: Final = "\0v"

#: Up to so many nested items of an array are gone through for each of another one's.
_FEW: Final = 16


class Document:
    """A JSON object, or some keys of one.

    Attributes:
        text: Its JSON.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def value(self) -> Any:
        """Its value, with numbers as exact as jsonb's."""
        try:
            return _decode(self.text)
        except (msgspec.DecodeError, RecursionError):  # deeper than msgspec goes
            return json.decode(self.text)

    @cached_property
    def tokens(self) -> frozenset[str]:
        """What it says at any place: part of another's tokens where that one contains it, and theirs where both do."""
        return frozenset(_tokens(self.value))

    @cached_property
    def digest(self) -> bytes:
        """Its tokens, short."""
        return digest(sorted(self.tokens))

    @cached_property
    def has_arrays(self) -> bool:
        """Whether there is an array in it; without one, two documents of the same tokens are equal."""
        return any(token.endswith(_VALUE + "[") for token in self.tokens)

    @property
    def is_empty(self) -> bool:
        """Whether it has no keys."""
        return not self.value

    def pick(self, keys: Iterable[str]) -> Document:
        """Return the document of those of its keys that are named."""
        raw = _split(self.text)
        parts = (f"{json.encode(key)}:{bytes(raw[key]).decode()}" for key in keys if key in raw)
        return Document("{" + ",".join(parts) + "}")

    def contains(self, other: Document) -> bool:
        """Tell whether PostgreSQL's `@>` holds between the two."""
        return self.tokens >= other.tokens and _contains(self.value, other.value)

    def equals(self, other: Document) -> bool:
        """Tell whether `@>` holds both ways."""
        if self.tokens != other.tokens:
            return False
        return not self.has_arrays or (_contains(self.value, other.value) and _contains(other.value, self.value))

    def scalar_paths(self) -> list[tuple[str, ...]]:
        """Return the paths through objects to what is neither object nor array, in order."""
        return sorted(_scalar_paths(self.value))


def digest(parts: Iterable[str]) -> bytes:
    """Return 16 bytes that stand for texts."""
    found = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode()
        found.update(len(encoded).to_bytes(8, "big") + encoded)
    return found.digest()


def _tokens(value: Any) -> Iterator[str]:
    open_values = [("", value)]
    while open_values:
        path, value = open_values.pop()
        if isinstance(value, dict):
            yield f"{path}{_VALUE}{{"
            open_values += [(f"{path}{_KEY}{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            yield f"{path}{_VALUE}["
            open_values += [(f"{path}{_ITEM}", item) for item in value]
        else:
            yield f"{path}{_VALUE}{_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}'
    if value is None or isinstance(value, bool):
        return str(value)
    return _number(value)


def _number(value: float | Decimal) -> str:
    """Write equal numbers alike: 1, 1.0 and 10e-1."""
    if isinstance(value, int):
        sign, digits, exponent = ("-" if value < 0 else ""), format_integer(abs(value)), 0
    else:
        # What the exact decoder returns is a float where one is near.
        parts = (value if isinstance(value, Decimal) else Decimal(repr(value))).as_tuple()
        sign, digits, exponent = "-" if parts.sign else "", "".join(map(str, parts.digits)), int(parts.exponent)
    kept = digits.rstrip("0")
    return f"{sign}{kept}e{exponent + len(digits) - len(kept)}" if kept else "0"


def _contains(left: Any, right: Any) -> bool:
    if isinstance(right, dict):
        if not isinstance(left, dict):
            return False
        for key, value in right.items():  # noqa: SIM110 - a loop takes fewer frames a level than all()
            if key not in left or not _contains(left[key], value):
                return False
        return True
    if isinstance(right, list):
        return isinstance(left, list) and _holds_items(left, right)
    return not isinstance(left, dict | list) and _scalar(left) == _scalar(right)


def _holds_items(left: list[Any], right: list[Any]) -> bool:
    scalars = {_scalar(item) for item in left if not isinstance(item, dict | list)}
    containers = [item for item in left if isinstance(item, dict | list)]
    near = _near(containers)
    for item in right:
        if not isinstance(item, dict | list):
            if _scalar(item) not in scalars:
                return False
        elif not _any_contains(near(item), item):
            return False
    return True


def _near(containers: list[Any]) -> Callable[[Any], list[Any]]:
    """Return what says among which of an array's nested items one is looked for: where its rarest token is found."""
    if len(containers) <= _FEW:
        return lambda _: containers
    places: dict[str, list[Any]] = {}
    for container in containers:
        for token in set(_tokens(container)):
            places.setdefault(token, []).append(container)
    return lambda item: min((places.get(token, []) for token in _tokens(item)), key=len)


def _any_contains(containers: list[Any], item: Any) -> bool:
    for container in containers:  # noqa: SIM110 - as above
        if _contains(container, item):
            return True
    return False


def _scalar_paths(value: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    open_values: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while open_values:
        path, found = open_values.pop()
        if isinstance(found, dict):
            open_values += [((*path, key), item) for key, item in found.items()]
        elif not isinstance(found, list):
            yield path
