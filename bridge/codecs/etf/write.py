"""Terms as bytes: the external format's tags, one function each.

The tables at the end map an exact type to the function that writes it. A type that is missing raises
`NotWritable`; the encoder then lowers the value first, which also finds the path for the error. `_write.c` does the
same for PORTABLE and NATIVE: a change of what these write is a change there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final

from bridge.codecs.etf.terms import Atom, BitString, Fun, ImproperList, LocalTerm, PairMap, Pid, Port, Reference
from bridge.codecs.plain import MAX_DEPTH, MAX_ELEMENTS

MAX_BITS: Final = 65_535 * 64
"""The widest integer that every OTP release reads (BIG_ARITY_MAX words)."""

_VERSION: Final = b"\x83"
_BINARY_HEADS: Final = tuple(bytes((109, 0, 0, 0, size)) for size in range(256))
_SMALL: Final = tuple(bytes((97, number)) for number in range(256))
_NIL: Final = b"w\x03nil"
_TRUE: Final = b"w\x04true"
_FALSE: Final = b"w\x05false"
_EMPTY_LIST: Final = b"j"

_int32 = struct.Struct(">Bi").pack
_double = struct.Struct(">Bd").pack
_header = struct.Struct(">BI").pack


class _Keys(dict[str, bytes]):
    """Keys of maps as binaries: they are few and come again and again."""

    def __missing__(self, key: str) -> bytes:
        raw = key.encode()
        packed = _header(109, len(raw)) + raw
        if len(raw) <= 64 and len(self) < 4096:
            self[key] = packed
        return packed


_KEYS: Final = _Keys()


class NotWritable(Exception):
    """The value holds what the table has no function for, or must not be written as it is."""


class TooMuch(Exception):
    """The value has more parts than may be written, or one of 4 GiB or more."""


class _Output:
    """The pieces written so far, and how much more may come."""

    __slots__ = ("add", "budget", "pieces", "writers")

    def __init__(self, writers: Writers) -> None:
        self.pieces = [_VERSION]
        self.add = self.pieces.append
        self.writers = writers
        self.budget = MAX_ELEMENTS

    def enter(self, depth: int, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise TooMuch
        if depth >= MAX_DEPTH:
            raise NotWritable


Writer = Callable[[Any, _Output, int], None]
Writers = Mapping[type, Writer]


def write(value: Any, writers: Writers) -> bytes:
    """Return `value` as a term with its version byte.

    Raises:
        NotWritable: Some part of it has no entry in `writers`, is not finite, or is too deep.
        TooMuch: It has more parts than may be written, or one that is too long.
    """
    output = _Output(writers)
    try:
        _one(value, output, 0)
    except (KeyError, UnicodeEncodeError, RecursionError):
        raise NotWritable from None
    except struct.error:  # a binary whose length doesn't fit the header
        raise TooMuch from None
    return b"".join(output.pieces)


def _one(value: Any, output: _Output, depth: int) -> None:
    output.writers[type(value)](value, output, depth)


def _many(values: Any, output: _Output, depth: int) -> None:
    """Write elements one after the other; text and small integers, the bulk of most terms, without a call."""
    add, writers, heads = output.add, output.writers, _BINARY_HEADS
    for value in values:
        kind = type(value)
        if kind is str:
            raw = value.encode()
            add(heads[len(raw)] if len(raw) <= 255 else _header(109, len(raw)))
            add(raw)
        elif kind is int and 0 <= value <= 255:
            add(_SMALL[value])
        else:
            writers[kind](value, output, depth)


def _pairs(pairs: Any, output: _Output, depth: int) -> None:
    """Write keys of text and their values; as `_many`, and most keys come from the cache."""
    add, writers, heads, packed = output.add, output.writers, _BINARY_HEADS, _KEYS
    for key, value in pairs:
        add(packed[key])
        kind = type(value)
        if kind is str:
            raw = value.encode()
            add(heads[len(raw)] if len(raw) <= 255 else _header(109, len(raw)))
            add(raw)
        elif kind is int and 0 <= value <= 255:
            add(_SMALL[value])
        else:
            writers[kind](value, output, depth)


def _text(value: str, output: _Output, _: int) -> None:
    raw = value.encode()
    output.add(_header(109, len(raw)) + raw)


def _binary(value: bytes, output: _Output, _: int) -> None:
    output.add(_header(109, len(value)))
    output.add(value)


def _nil(_: None, output: _Output, __: int) -> None:
    output.add(_NIL)


def _boolean(value: bool, output: _Output, _: int) -> None:
    output.add(_TRUE if value else _FALSE)


def _integer(value: int, output: _Output, _: int) -> None:
    if 0 <= value <= 255:
        output.add(_SMALL[value])
    elif -(2**31) <= value < 2**31:
        output.add(_int32(98, value))
    else:
        output.add(_bignum(value))


def _bignum(value: int) -> bytes:
    if value.bit_length() > MAX_BITS:
        raise NotWritable
    size = (value.bit_length() + 7) // 8
    head = bytes((110, size)) if size <= 255 else _header(111, size)
    return head + (b"\x01" if value < 0 else b"\x00") + abs(value).to_bytes(size, "little")


def _float(value: float, output: _Output, _: int) -> None:
    if not math.isfinite(value):
        raise NotWritable
    output.add(_double(70, value))


def _list(value: list[Any] | tuple[Any, ...], output: _Output, depth: int) -> None:
    if value:
        output.enter(depth, len(value))
        output.add(_header(108, len(value)))
        _many(value, output, depth + 1)
    output.add(_EMPTY_LIST)


def _text_map(value: dict[Any, Any], output: _Output, depth: int) -> None:
    if not _TEXT.issuperset(map(type, value)):
        raise NotWritable
    output.enter(depth, 2 * len(value))
    output.add(_header(116, len(value)))
    _pairs(value.items(), output, depth + 1)


def _safe_map(value: dict[Any, Any], output: _Output, depth: int) -> None:
    kinds = {*map(type, value)}
    if len(kinds) > 1 or not kinds <= _UNLIKE:
        raise NotWritable
    _map(value, output, depth)


def _map(value: dict[Any, Any], output: _Output, depth: int) -> None:
    output.enter(depth, 2 * len(value))
    output.add(_header(116, len(value)))
    _many(chain.from_iterable(value.items()), output, depth + 1)


def _pair_map(value: PairMap, output: _Output, depth: int) -> None:
    output.enter(depth, 2 * len(value.pairs))
    output.add(_header(116, len(value.pairs)))
    _many(chain.from_iterable(value.pairs), output, depth + 1)


def _sorted_map(value: dict[Any, Any] | PairMap, output: _Output, depth: int) -> None:
    pairs = value.pairs if isinstance(value, PairMap) else value.items()
    output.enter(depth, 2 * len(pairs))
    output.add(_header(116, len(pairs)))
    output.pieces += sorted(write(key, CANONICAL) + write(item, CANONICAL) for key, item in pairs)


def _tuple(value: tuple[Any, ...], output: _Output, depth: int) -> None:
    output.enter(depth, len(value))
    output.add(bytes((104, len(value))) if len(value) <= 255 else _header(105, len(value)))
    _many(value, output, depth + 1)


def _improper(value: ImproperList, output: _Output, depth: int) -> None:
    output.enter(depth, len(value.items) + 1)
    output.add(_header(108, len(value.items)))
    _many((*value.items, value.tail), output, depth + 1)


def _atom(value: Atom, output: _Output, _: int) -> None:
    raw = value.encode()
    if len(value) > 255:
        raise NotWritable
    output.add((bytes((119, len(raw))) if len(raw) <= 255 else struct.pack(">BH", 118, len(raw))) + raw)


def _bits(value: BitString, output: _Output, _: int) -> None:
    output.add(_header(77, len(value.data)) + bytes((value.last,)) + value.data)


def _opaque(value: Pid | Port | Reference | Fun | LocalTerm, output: _Output, depth: int) -> None:
    if isinstance(value, LocalTerm) and depth:
        raise NotWritable
    output.add(value.data)


# Keys of one of these types differ for the BEAM where they differ for Python; "a" and b"a" don't.
_TEXT: Final = frozenset({str})
_UNLIKE: Final = frozenset({str, bytes, int, float, Atom})
_COMMON: Final[dict[type, Writer]] = {
    str: _text,
    bytes: _binary,
    type(None): _nil,
    bool: _boolean,
    int: _integer,
    float: _float,
    list: _list,
}
PORTABLE: Final[Writers] = {**_COMMON, tuple: _list, dict: _text_map}
# What a value that was lowered first may hold besides: maps whose keys are known to differ.
LOWERED: Final[Writers] = {
    **_COMMON,
    tuple: _tuple,
    dict: _map,
    PairMap: _pair_map,
    ImproperList: _improper,
    Atom: _atom,
    BitString: _bits,
    Pid: _opaque,
    Port: _opaque,
    Reference: _opaque,
    Fun: _opaque,
    LocalTerm: _opaque,
}
NATIVE: Final[Writers] = {**_COMMON, tuple: _tuple, dict: _safe_map, Atom: _atom}
# The same bytes for the same term, in whatever order its maps are.
CANONICAL: Final[Writers] = {**LOWERED, dict: _sorted_map, PairMap: _sorted_map}
