"""Erlang terms as Python values."""

from __future__ import annotations

import builtins
import zlib
from typing import Any, Final, TypeVar, overload

from bridge.codecs.etf.limits import DEFAULT_LIMITS, Limits
from bridge.codecs.etf.read import read
from bridge.codecs.etf.terms import LocalTerm
from bridge.codecs.etf.typed import convert
from bridge.errors import DecodeError

_VERSION: Final = 131
_COMPRESSED: Final = 80
_LOCAL: Final = 121
_LOCAL_TAG: Final = bytes((_LOCAL,))

T = TypeVar("T")


@overload
def decode(data: bytes, *, limits: Limits = ...) -> Any: ...


@overload
def decode(data: bytes, *, type: builtins.type[T], limits: Limits = ...) -> T: ...


@overload
def decode(data: bytes, *, type: Any, limits: Limits = ...) -> Any: ...


def decode(data: bytes, *, type: Any = Any, limits: Limits = DEFAULT_LIMITS) -> Any:  # noqa: A002 - reads as in msgspec's own decode
    """Return the value of a term, compressed or not.

    Binaries are `str` where they are UTF-8, else `bytes`; atoms are `Atom`, or None, True and False; Elixir's
    DateTime, NaiveDateTime, Date, Time, Decimal, MapSet and Range are datetime, date, time, Decimal, frozenset
    and range, other structs `Struct`. What Python has no type for comes as one of this package's.

    Args:
        data: The bytes that `term_to_binary` wrote.
        type: What the value must be, a msgspec Struct or any other annotation. Default: whatever it is.
        limits: Bounds on the work, for bytes that aren't trusted.

    Raises:
        DecodeError: The bytes are no term, hold more than `limits` allow, or are not of the type.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DecodeError(f"a term is bytes, not {builtins.type(data).__name__}")
    value = _decode(bytes(data), limits)
    return value if type is Any else convert(value, type)


def _decode(data: bytes, limits: Limits) -> Any:
    if len(data) > limits.size:
        raise DecodeError(f"the term has {len(data):,} bytes, the limit is {limits.size:,}", limits.size)
    if len(data) < 2:
        raise DecodeError("the term is truncated", len(data))
    if data[0] != _VERSION:
        raise DecodeError(f"a term begins with byte 131, not {data[0]}", 0)
    if data[1] == _COMPRESSED:
        content = _inflate(data, limits)
        if content[:1] == _LOCAL_TAG:
            return LocalTerm(data[1:])
        return read(content, 0, limits, "in the inflated term, ")
    if data[1] == _LOCAL:
        return LocalTerm(data[1:])
    return read(data, 1, limits)


def _inflate(data: bytes, limits: Limits) -> bytes:
    """Return the content of a compressed term, never more than it says it has."""
    if len(data) < 6:
        raise DecodeError("the term is truncated", len(data))
    size = int.from_bytes(data[2:6], "big")
    if size > limits.inflated:
        raise DecodeError(f"the compressed term holds {size:,} bytes, the limit is {limits.inflated:,}", 2)
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(memoryview(data)[6:], size + 1)
    except zlib.error as error:
        raise DecodeError(f"the compressed term is damaged ({error})", 6) from None
    if len(content) != size or not stream.eof:
        raise DecodeError(f"the compressed term doesn't hold the {size:,} bytes that it says it holds", 2)
    if stream.unused_data:
        trailing = len(stream.unused_data)
        raise DecodeError(f"{trailing:,} bytes follow the compressed term", len(data) - trailing)
    return content
