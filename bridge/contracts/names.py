"""Names in code for what a schema calls otherwise: each depends on its own text alone, never on its neighbours."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, TypeGuard

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PASCAL: Final = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*\Z")
_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*|[0-9]+")
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_identifier(text: object) -> TypeGuard[str]:
    """Tell whether text is a plain ASCII identifier, so that a title may name a class."""
    return isinstance(text, str) and _IDENTIFIER.match(text) is not None and bool(text.strip("_"))


def pascal(text: str) -> str:
    """Return the class name for any text: `badge_file`, `badge-file` and `badgeFile` are `BadgeFile`.

    What ASCII can't hold is spelt out (`ü` is `U`, `中` is `U4E2D`); text without letters gives `Empty`. A name that
    would begin with a digit, or is one of Python's constants, has `Schema` before it.
    """
    plain = "".join(_plain(char) for char in unicodedata.normalize("NFKD", text))
    name = plain if _PASCAL.match(plain) else "".join(word.capitalize() for word in _WORDS.findall(plain))
    if not name:
        name = "".join(f"U{ord(char):04X}" for char in text) or "Empty"
    return f"Schema{name}" if name[0].isdigit() or name in {"None", "True", "False"} else name


def attribute(wire: str) -> str:
    """Return a field's name as an identifier, before keywords and taken names get their underscore."""
    name = unicodedata.normalize("NFKC", wire)
    if name.isidentifier() and not name.startswith("_"):
        return name
    return _prefixed(re.sub(r"\W+", "_", name).strip("_"), "field")


def member(value: str) -> str:
    """Return the name of an enum's member: `in progress` is `IN_PROGRESS`, `2x` is `VALUE_2X`, `+` is `PLUS_SIGN`."""
    name = _HUMPS.sub("_", unicodedata.normalize("NFKC", value))
    if not re.search(r"\w", name):
        name = "_".join(unicodedata.name(char, f"U{ord(char):04X}") for char in name) or "empty"
    return _prefixed(re.sub(r"\W+", "_", name).strip("_").upper(), "VALUE")


def _prefixed(name: str, prefix: str) -> str:
    if not name:
        return prefix
    return name if name.isidentifier() else f"{prefix}_{name}"


def _plain(char: str) -> str:
    if char.isascii():
        return char
    return "" if unicodedata.combining(char) else f"_U{ord(char):04X}_"
