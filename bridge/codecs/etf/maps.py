"""Maps: a dict where one can hold the keys and tell them apart, a struct's value, else pairs."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from bridge.codecs.etf.cursor import Cursor
from bridge.codecs.etf.native import identity
from bridge.codecs.etf.structs import from_fields
from bridge.codecs.etf.terms import Atom, PairMap
from bridge.codecs.etf.write import NotWritable, TooMuch
from bridge.errors import EncodeError

# A dict slows down to a crawl where many keys share a hash, as integers can be made to.
_HASH_SHARERS: Final = 64
_SALTED: Final = frozenset({str, bytes, Atom})
# Comparing keys by their bytes takes time, so the bytes count towards the limit on values.
_BYTES_AS_ELEMENT: Final = 8


def make_map(cursor: Cursor, at: int, items: list[Any]) -> Any:
    """Return the map of keys and values in turn.

    Raises:
        DecodeError: A key is there twice, or too many keys share a hash.
    """
    keys, values = items[::2], items[1::2]
    if len(keys) > _HASH_SHARERS and not _SALTED.issuperset(map(type, keys)):
        _check_hashes(cursor, at, keys)
    try:
        result = dict(zip(keys, values, strict=True))
    except TypeError:  # a key that has no hash
        return _pair_map(cursor, at, keys, values)
    if len(result) != len(keys):  # keys that are equal to Python, 1 and 1.0, if not the same
        return _pair_map(cursor, at, keys, values)
    return from_fields(result) if type(result.get("__struct__")) is Atom else result


def _check_hashes(cursor: Cursor, at: int, keys: list[Any]) -> None:
    try:
        ((_, sharers),) = Counter(map(hash, keys)).most_common(1)
    except TypeError:
        return  # no dict will be made of them
    if sharers > _HASH_SHARERS:
        cursor.fail(f"{sharers:,} keys of a map have the same hash", at)


def _pair_map(cursor: Cursor, at: int, keys: list[Any], values: list[Any]) -> PairMap:
    if len(keys) > 1:
        _check_distinct(cursor, at, keys)
    return PairMap(tuple(zip(keys, values, strict=True)))


def _check_distinct(cursor: Cursor, at: int, keys: list[Any]) -> None:
    known: set[bytes] = set()
    for key in keys:
        try:
            name = identity(key)
        except (NotWritable, TooMuch, EncodeError):
            cursor.fail("a map has a key that is too deep to compare", at)
        cursor.spend(len(name) // _BYTES_AS_ELEMENT, at)
        if name in known:
            cursor.fail("a map holds a key twice", at)
        known.add(name)
