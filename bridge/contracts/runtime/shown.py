"""Values in messages: short, and never the content of a sensitive field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bridge.errors import shorten

_NAMES = {None: "null", True: "true", False: "false"}


def shown(value: Any, hidden: bool = False) -> str:
    """Return a value for a message; of an object or a list only its size, since what lies inside may be sensitive."""
    if isinstance(value, Mapping | msgspec.Struct):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)} items"
    if isinstance(value, tuple | set | frozenset):
        return f"a {type(value).__name__} of {len(value)} items"
    if hidden:
        return "a value that is not shown"
    if value is None or isinstance(value, bool):
        return _NAMES[value]
    return str(value)[:80] if isinstance(value, Decimal) else shorten(value)


def pointer(path: Any) -> str:
    """Return a path, `(parent, key)` or None for the root, as a JSON Pointer (RFC 6901)."""
    keys: list[str] = []
    while path is not None:
        path, key = path
        keys.append(str(key).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{key}" for key in reversed(keys))
