"""Names in Python for what a contract calls otherwise: those of `bridge.contracts.names`, where Python has them free.

Two names of a contract that would become one were refused when it was read.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count

from bridge.contracts import names


def field_names(wires: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """Return the attribute for each field of an object: `first-name` is `first_name`, `class` is `class_`.

    Args:
        wires: The fields as the wire has them.
        taken: Names that the class has already; a field of that name gets an underscore behind it.
    """
    return _distinct(wires, lambda wire: _identifier(names.attribute(wire), "field"), taken)


def member_names(values: Iterable[str]) -> dict[str, str]:
    """Return the member for each text of an enum: `in progress` is `IN_PROGRESS`, `2x` is `VALUE_2X`."""
    return _distinct(values, lambda value: _identifier(names.member(value), "VALUE"), ())


def _distinct(wires: Iterable[str], named: Callable[[str], str], taken: Collection[str]) -> dict[str, str]:
    """Name all; one that Python has already gets underscores, until no other field is called so."""
    plain = {wire: named(wire) for wire in wires}
    free = {name for name in plain.values() if not _is_taken(name, taken)}
    found: dict[str, str] = {}
    for wire, name in plain.items():
        used = {*found.values(), *(free - {name})}
        found[wire] = next(tried for tried in _underscored(name) if tried not in used and not _is_taken(tried, taken))
    return found


def _underscored(name: str) -> Iterator[str]:
    return (name + "_" * length for length in count())


def _is_taken(name: str, taken: Collection[str]) -> bool:
    return keyword.iskeyword(name) or name in taken


def _identifier(name: str, prefix: str) -> str:
    """Return the name without digits that Python takes for no part of an identifier, such as fractions."""
    if name.isidentifier():
        return name
    return f"{prefix}_{re.sub('[^A-Za-z0-9_]', '', name)}".rstrip("_")
