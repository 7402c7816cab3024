"""The external format's tags, one function each, and `read`, which reads a whole term with them.

A tag's function takes the cursor and the position after the tag, and returns the value and the position after it.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any, Final, NoReturn

from bridge.codecs.etf import opaque
from bridge.codecs.etf.cursor import Cursor, TagReader
from bridge.codecs.etf.limits import Limits
from bridge.codecs.etf.maps import make_map
from bridge.codecs.etf.terms import Atom, BitString, ImproperList, Pid, Port, Reference

_uint16 = struct.Struct(">H").unpack_from
_uint32 = struct.Struct(">I").unpack_from
_int32 = struct.Struct(">i").unpack_from
_double = struct.Struct(">d").unpack_from

_WORDS: Final = {"nil": None, "true": True, "false": False}
_FLOAT_TEXT: Final = re.compile(rb" *([-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?)\0*")


def read(data: bytes, at: int, limits: Limits, where: str = "") -> Any:
    """Return the value of the one term that goes from `at` to the end of `data`.

    Raises:
        DecodeError: There is no such term; `where` begins the message.
    """
    return Cursor(data, limits, _TAGS, where).document(at)


def _binary(cursor: Cursor, at: int) -> tuple[str | bytes, int]:
    raw, end = cursor.slice(at + 4, _uint32(cursor.data, at)[0])
    return _text_or_bytes(raw), end


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _small_integer(cursor: Cursor, at: int) -> tuple[int, int]:
    return cursor.data[at], at + 1


def _integer(cursor: Cursor, at: int) -> tuple[int, int]:
    return _int32(cursor.data, at)[0], at + 4


def _small_bignum(cursor: Cursor, at: int) -> tuple[int, int]:
    return _bignum(cursor, at + 1, cursor.data[at])


def _large_bignum(cursor: Cursor, at: int) -> tuple[int, int]:
    return _bignum(cursor, at + 4, _uint32(cursor.data, at)[0])


def _bignum(cursor: Cursor, at: int, length: int) -> tuple[int, int]:
    sign = cursor.data[at]
    if sign > 1:
        cursor.fail(f"an integer's sign is 0 or 1, not {sign}", at)
    raw, end = cursor.slice(at + 1, length)
    number = int.from_bytes(raw, "little")
    return (-number if sign else number), end


def _float(cursor: Cursor, at: int) -> tuple[float, int]:
    number: float = _double(cursor.data, at)[0]
    return _finite(cursor, at, number), at + 8


def _text_float(cursor: Cursor, at: int) -> tuple[float, int]:
    raw, end = cursor.slice(at, 31)
    match = _FLOAT_TEXT.fullmatch(raw)
    if match is None:
        cursor.fail("a float's text is malformed", at)
    return _finite(cursor, at, float(match[1])), end


def _finite(cursor: Cursor, at: int, number: float) -> float:
    if not math.isfinite(number):
        cursor.fail(f"a float must be finite, not {number}", at)
    return number


def _bit_string(cursor: Cursor, at: int) -> tuple[BitString | str | bytes, int]:
    length, last = _uint32(cursor.data, at)[0], cursor.data[at + 4]
    if not length or not 1 <= last <= 8:
        cursor.fail(f"a bit string of {length} bytes can't have {last} bits in its last", at)
    raw, end = cursor.slice(at + 5, length)
    if last == 8:
        return _text_or_bytes(raw), end
    unused = 8 - last
    return BitString(raw[:-1] + bytes((raw[-1] >> unused << unused,)), last), end


def _empty_list(_: Cursor, at: int) -> tuple[list[Any], int]:
    return [], at


def _byte_list(cursor: Cursor, at: int) -> tuple[list[int], int]:
    raw, end = cursor.slice(at + 2, _uint16(cursor.data, at)[0])
    cursor.enter(at, len(raw))
    cursor.depth += 1
    return list(raw), end


def _list(cursor: Cursor, at: int) -> tuple[Any, int]:
    count = _uint32(cursor.data, at)[0]
    items, at = cursor.terms(at + 4, count)
    if cursor.data[at] == 106:
        return items, at + 1
    (tail,), at = cursor.terms(at, 1)
    if isinstance(tail, list):  # [1, 2 | [3]] is [1, 2, 3]
        return items + tail, at
    if isinstance(tail, ImproperList):
        return ImproperList((*items, *tail.items), tail.tail), at
    return (ImproperList(tuple(items), tail) if items else tail), at


def _small_tuple(cursor: Cursor, at: int) -> tuple[tuple[Any, ...], int]:
    items, end = cursor.terms(at + 1, cursor.data[at])
    return tuple(items), end


def _large_tuple(cursor: Cursor, at: int) -> tuple[tuple[Any, ...], int]:
    items, end = cursor.terms(at + 4, _uint32(cursor.data, at)[0])
    return tuple(items), end


def _map(cursor: Cursor, at: int) -> tuple[Any, int]:
    items, end = cursor.terms(at + 4, 2 * _uint32(cursor.data, at)[0])
    return make_map(cursor, at, items), end


def _latin_atom(cursor: Cursor, at: int) -> tuple[Any, int]:
    return _atom(cursor, at + 2, _uint16(cursor.data, at)[0], "latin-1")


def _small_latin_atom(cursor: Cursor, at: int) -> tuple[Any, int]:
    return _atom(cursor, at + 1, cursor.data[at], "latin-1")


def _utf8_atom(cursor: Cursor, at: int) -> tuple[Any, int]:
    return _atom(cursor, at + 2, _uint16(cursor.data, at)[0], "utf-8")


def _small_utf8_atom(cursor: Cursor, at: int) -> tuple[Any, int]:
    return _atom(cursor, at + 1, cursor.data[at], "utf-8")


def _atom(cursor: Cursor, at: int, length: int, encoding: str) -> tuple[Any, int]:
    raw, end = cursor.slice(at, length)
    try:
        name = raw.decode(encoding)
    except UnicodeDecodeError:
        cursor.fail("an atom is not UTF-8", at)
    if len(name) > 255:
        cursor.fail(f"an atom has at most 255 characters, not {len(name):,}", at)
    return (_WORDS[name] if name in _WORDS else Atom(name)), end


def _unknown(cursor: Cursor, at: int) -> NoReturn:
    cursor.fail(f"{cursor.data[at - 1]} is no tag of a term", at - 1)


_KNOWN: Final[dict[int, TagReader]] = {
    70: _float,
    77: _bit_string,
    88: opaque.reader(Pid, "node", 12),
    89: opaque.reader(Port, "node", 8),
    90: opaque.reference_reader(4),
    97: _small_integer,
    98: _integer,
    99: _text_float,
    100: _latin_atom,
    101: opaque.reader(Reference, "node", 5),
    102: opaque.reader(Port, "node", 5),
    103: opaque.reader(Pid, "node", 9),
    104: _small_tuple,
    105: _large_tuple,
    106: _empty_list,
    107: _byte_list,
    108: _list,
    109: _binary,
    110: _small_bignum,
    111: _large_bignum,
    112: opaque.read_closure,
    113: opaque.read_external_fun,
    114: opaque.reference_reader(1),
    115: _small_latin_atom,
    116: _map,
    118: _utf8_atom,
    119: _small_utf8_atom,
    120: opaque.reader(Port, "node", 12),
}
_TAGS: Final[tuple[TagReader, ...]] = tuple(_KNOWN.get(tag, _unknown) for tag in range(256))
