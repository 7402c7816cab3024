"""Reads JSON files more strictly than Python does, so that every reader of a contract sees the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from bridge.errors import InvalidContract

_BOM: Final = b"\xef\xbb\xbf"


def read(raw: bytes, name: str) -> Any:
    """Return strict JSON: UTF-8 without a byte order mark, no key twice, no number that JSON or jsonb lacks.

    Args:
        raw: The file's bytes.
        name: Its name, for errors.

    Raises:
        InvalidContract: It is not; `.field` is the file, with the place in it where there is one.
    """
    if raw.startswith(_BOM):
        raise InvalidContract(name, raw[:3], "UTF-8 without a byte order mark", "save the file without it")
    try:
        document = json.loads(raw.decode(), object_pairs_hook=_pairs, parse_constant=_Constant)
    except UnicodeDecodeError as error:
        raise InvalidContract(name, raw[error.start : error.start + 8], f"UTF-8, at byte {error.start}") from None
    except json.JSONDecodeError as error:
        got = raw.decode()[error.pos : error.pos + 20] or "the end"
        expected = f"JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        raise InvalidContract(name, got, expected) from None
    except RecursionError:
        raise InvalidContract(name, "…", "JSON that is nested less deep") from None
    except ValueError:  # Python reads integers of at most 4,300 digits.
        raise InvalidContract(name, "…", "numbers of at most 4,300 digits") from None
    for pointer, value in _values(document):
        _check_value(value, f"{name}#{pointer}")
    return document


class _Twice(dict[str, Any]):
    """An object with a key that came twice."""

    key = ""


class _Constant(str):
    """`NaN` or `Infinity`, which Python would read as JSON."""

    __slots__ = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = _Twice(found)
        keys = [key for key, _ in pairs]
        twice.key = next(key for key in keys if keys.count(key) > 1)
        return twice
    return found


def _values(document: Any) -> Iterator[tuple[str, Any]]:
    todo: list[tuple[str, Any]] = [("", document)]
    while todo:
        pointer, value = todo.pop()
        yield pointer, value
        if isinstance(value, dict):
            todo += [(f"{pointer}/{escape(key)}", part) for key, part in reversed(value.items())]
            todo += [(pointer, key) for key in value]
        elif isinstance(value, list):
            todo += [(f"{pointer}/{at}", part) for at, part in reversed(list(enumerate(value)))]


def _check_value(value: Any, field: str) -> None:
    if isinstance(value, _Twice):
        raise InvalidContract(field, value.key, "each key once", "remove one of the two")
    if isinstance(value, _Constant) or (isinstance(value, float) and math.isinf(value)):
        raise InvalidContract(
            field, value, "a number that JSON and PostgreSQL hold", "write it as text, or leave it out"
        )
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= char <= "\udfff" for char in value)):
        raise InvalidContract(field, value, "text that PostgreSQL holds", "it has a NUL or half of a surrogate pair")


def escape(token: str) -> str:
    """Return a key as a token of a JSON Pointer."""
    return token.replace("~", "~0").replace("/", "~1")
