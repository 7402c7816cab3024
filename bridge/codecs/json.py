"""JSON for `args` and `meta`: what Elixir writes, and everything that jsonb can return.

Encoding follows Oban 2.23 with Jason (datetimes as ISO 8601, decimals as text, keys as text) and refuses, before
the database sees it, what jsonb or the BEAM can't hold. Decoding loses no digit of an integer and never raises on
a document that jsonb printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import cache
from math import isfinite
from typing import Any, Final

import msgspec

from bridge.codecs.exact import decode_exactly
from bridge.codecs.numerals import format_integer
from bridge.codecs.plain import MAX_DEPTH, MAX_ELEMENTS, Place, Rules, lower
from bridge.errors import DecodeError, EncodeError, InvalidSetting

LIMITS: Final = {"args": 16_777_216, "meta": 134_217_728}
"""The longest args and meta in bytes that are written, where `BRIDGE_ARGS_LIMIT` and `BRIDGE_META_LIMIT` say no other.

A node reads all that it fetches at once into memory, and so does an Elixir node. Meta has room for a recorded result.
"""

MAX_BYTES: Final = 268_435_455
"""The longest document: jsonb's own limit on an object's content."""

#: No limit is lower; and characters that can't be more bytes than that, as those of most documents.
_SMALL: Final = 1_024
_SHORT: Final = _SMALL // 4

# Jason 1.4 refuses a longer integer, and a queue that loads such a row dies with it; jsonb itself would take 131,072.
_MAX_DIGITS: Final = 1_024
_RULES: Final = Rules(target="jsonb", max_bits=3_402, max_characters=_MAX_DIGITS)
# A run of 1,024 digits lies on eight places in a row, of those that are this far apart.
_STRIDE: Final = _MAX_DIGITS // 8
_has_eight_digits: Final = re.compile("[0-9]{8}").search
_has_most_digits: Final = re.compile(f"[0-9]{{{_MAX_DIGITS}}}").search
# A number that jsonb prints with this many zeros may be too small for a float.
_TINY: Final = "0" * 320
_CONTAINERS: Final = frozenset({dict, list})
_TEXT: Final = frozenset({str})
_FLAT: Final = frozenset({str, int, bool, type(None)})
_PLAIN: Final = frozenset({str, int, float, bool, type(None), dict, list})
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode_object(value: Any, field: str = "args") -> str:
    """Return `value` as the text of a JSON object, for a jsonb column.

    Args:
        value: A mapping, a msgspec Struct or a dataclass. Its values may be anything of JSON and datetimes,
            dates, times, timedeltas, Decimals, UUIDs, Enums, dataclasses, Structs and tuples. `bytes` are taken
            where a Struct or dataclass declares them, and become base64.
        field: The column's name, with which the path in an error begins.

    Raises:
        EncodeError: `value` is not an object (Elixir's queue would stop at such a row), or it holds what jsonb
            or the BEAM can't: NaN, infinity, U+0000, a lone surrogate, an unknown type, an integer of more than
            1,024 characters; or it is longer than `LIMITS` has it. Nothing was written.
    """
    if type(value) is dict and not value:
        return "{}"
    if type(value) is not dict:
        lowered = lower(value, Place(field), _RULES)
        if not isinstance(lowered, dict):
            raise EncodeError(field, value, "an object", "pass a mapping, a Struct or a dataclass")
        value = lowered
    return encode(value, field)


def encode(value: Any, field: str = "value") -> str:
    """Return any value as JSON text, under the rules of `encode_object`."""
    text = _encode_plain(value, field)
    if text is None:
        text = _encode_lowered(lower(value, Place(field), _RULES), field)
    if len(text) > _SHORT:
        check_length(text, field)
    return text


def check_length(text: str, field: str) -> None:
    """Refuse a document that is longer than its field may be.

    Raises:
        EncodeError: With the limit, the length and what to do.
    """
    if not fits(text, field):
        limit, mend = _limit(field), "store it elsewhere and pass a reference"
        if limit < MAX_BYTES:
            mend = f"{mend}, or raise BRIDGE_{field.upper()}_LIMIT"
        raise EncodeError(field, f"{_length(text):,} bytes", f"at most {limit:,}", mend)


def fits(text: str, field: str) -> bool:
    """Tell whether a document is no longer than its field may be."""
    return len(text) <= _SHORT or _length(text) <= _limit(field)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _limit(field: str) -> int:
    return limit_of(field) if field in LIMITS else MAX_BYTES


@cache
def limit_of(field: str) -> int:
    """Return the longest args or meta, in bytes.

    Raises:
        InvalidSetting: The environment says something else than a number of bytes.
    """
    variable = f"BRIDGE_{field.upper()}_LIMIT"
    text = os.environ.get(variable) or str(LIMITS[field])
    if not (re.fullmatch("[0-9]{1,9}", text) and _SMALL <= int(text) <= MAX_BYTES):
        raise InvalidSetting(variable, text, f"a number of bytes from {_SMALL:,} to {MAX_BYTES:,}")
    return int(text)


def decode(data: str | bytes) -> Any:
    """Return the value of a JSON document.

    Integers have all their digits, whatever their number. A number with a fraction is a float; where it is out of
    a float's range it is an `int` if it is whole, else a `Decimal`. Any depth that jsonb holds is followed.

    Raises:
        DecodeError: The text is not JSON, or holds what jsonb couldn't.
    """
    if not isinstance(data, str):
        data = _to_text(data)
    if len(data) <= len(_TINY) or _TINY not in data:
        try:
            return _decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            pass  # a number or a depth beyond msgspec's, or malformed: the exact decoder tells
    return decode_exactly(data)


def _encode_plain(value: Any, field: str) -> str | None:
    """Encode with msgspec what it encodes right, as nearly every document; else return None."""
    if not _is_plain(value, field):
        return None
    try:
        text = _encode(value).decode()
    except ValueError:  # a lone surrogate, or more digits than the host lets CPython convert
        return None
    return None if "\\u0000" in text or _may_hold_long_integer(text) else text


def _is_plain(value: Any, field: str) -> bool:
    """Tell whether there is nothing but JSON's own types in `value`, level by level.

    msgspec writes NaN as null, bytes as base64 and a set as a list without a word, and a list that holds another one
    twice, and that one a third twice, grows in writing until there is no memory left.

    Raises:
        EncodeError: It holds more values than any document may.
    """
    if type(value) is dict and _FLAT.issuperset(map(type, value.values())) and _TEXT.issuperset(map(type, value)):
        return len(value) <= MAX_ELEMENTS
    level: list[Collection[Any]] = [(value,)]
    size = 1
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for values in level:
            kinds = {*map(type, values)}
            if not kinds <= _PLAIN or (float in kinds and not _are_finite(values)):
                return False
            if not kinds.isdisjoint(_CONTAINERS):
                inner += [item for item in values if type(item) is dict or type(item) is list]
        if not inner:
            return True
        size += sum(map(len, inner))
        if size > MAX_ELEMENTS:
            shown = f"a {type(value).__name__}"  # never all of it
            mend = "store it elsewhere and pass a reference"
            raise EncodeError(field, shown, f"at most {MAX_ELEMENTS:,} values in all", mend)
        if not all(_TEXT.issuperset(map(type, item)) for item in inner if type(item) is dict):
            return False
        level = [item.values() if type(item) is dict else item for item in inner]
    return False  # too deep


def _are_finite(values: Collection[Any]) -> bool:
    return all(map(isfinite, [item for item in values if type(item) is float]))


def _may_hold_long_integer(text: str) -> bool:
    """Tell whether there is a run of as many digits as an integer may have, looking at one in 128 characters first."""
    if len(text) <= _MAX_DIGITS or _has_eight_digits(text[::_STRIDE]) is None:
        return False
    return _has_most_digits(text) is not None


def _encode_lowered(value: Any, field: str) -> str:
    try:
        return _encode(value).decode()
    except ValueError:  # an integer of more digits than the host lets CPython convert, 640 at the least
        return _encode(_with_raw_integers(value)).decode()
    except RecursionError:
        raise EncodeError(field, "a nested value", "fewer levels than the stack has room for", "flatten it") from None


def _with_raw_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_raw_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_raw_integers(item) for item in value]
    if isinstance(value, int) and value.bit_length() > 2**10:
        return msgspec.Raw(format_integer(value))
    return value


def _to_text(data: Any) -> str:
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise DecodeError(f"JSON text must be str or bytes, not {type(data).__name__}")
    try:
        return bytes(data).decode()
    except UnicodeDecodeError as error:
        raise DecodeError("JSON text must be UTF-8", error.start) from None
