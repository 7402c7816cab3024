"""Erlang terms that Python has no type for.

Each encodes back to the term that it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final


@final
class Atom(str):
    """An atom other than `nil`, `true` and `false`, which are None, True and False.

    It is its text, so `result["status"] == "ok"` holds for the atom `:ok`; only encoding tells the two apart.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Atom({str(self)!r})"

    def __str__(self) -> str:
        return str.__str__(self)


@dataclass(frozen=True, slots=True)
class BitString:
    """A string of bits whose length is no multiple of eight.

    Attributes:
        data: The bytes; the unused low bits of the last one are zero.
        last: How many bits of the last byte count, 1 to 7.
    """

    data: bytes
    last: int


@dataclass(frozen=True, slots=True)
class ImproperList:
    """A list that doesn't end in `[]`: `[1, 2 | tail]`."""

    items: tuple[Any, ...]
    tail: Any


@dataclass(frozen=True, slots=True)
class Struct:
    """An Elixir struct that has no counterpart in Python.

    Attributes:
        name: The module, without `Elixir.`: `"MyApp.Badge"`.
        fields: Its fields by name.
    """

    name: str
    fields: Mapping[str, Any]


@final
class PairMap(Mapping[Any, Any]):
    """A map whose keys a dict can't keep apart or can't hold: `%{1 => a, 1.0 => b}`, `%{[] => c}`.

    It is read like any mapping; looking up a key compares with `==` and takes the first that fits.

    Attributes:
        pairs: Keys and values in the order in which they came.
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: tuple[tuple[Any, Any], ...]) -> None:
        self.pairs = pairs

    def __getitem__(self, key: Any) -> Any:
        for candidate, value in self.pairs:
            if candidate == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return self.pairs == other.pairs if isinstance(other, PairMap) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as for a dict

    def __repr__(self) -> str:
        return f"PairMap({self.pairs!r})"


class LegacySet(frozenset[Any]):
    """A MapSet of Elixir before 1.15, which carries `version: 2`; a frozenset in all else."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """A term that means something only to the node it came from.

    Attributes:
        data: Its external format, from the tag on.
    """

    data: bytes
    kind: ClassVar[str] = "term"


class Pid(Opaque):
    """A process identifier."""

    __slots__ = ()
    kind = "pid"


class Port(Opaque):
    """A port."""

    __slots__ = ()
    kind = "port"


class Reference(Opaque):
    """A reference."""

    __slots__ = ()
    kind = "reference"


class Fun(Opaque):
    """A function, `&Module.name/arity` or a closure. It is never called."""

    __slots__ = ()
    kind = "fun"


class LocalTerm(Opaque):
    """A whole term, compressed or not, that its node encoded with the `local` option; it is readable there alone."""

    __slots__ = ()
    kind = "local term"
