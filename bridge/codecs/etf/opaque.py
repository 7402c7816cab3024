"""The terms that mean something only to their node: pids, ports, references and funs.

They are checked as far as their length depends on it, and kept as the bytes that they are.
"""

from __future__ import annotations

import struct
from typing import Final

from bridge.codecs.etf.cursor import Cursor, TagReader
from bridge.codecs.etf.terms import Fun, Opaque, Reference

# Closures in closures are copied once a level, so their bytes count towards the limit on values.
_BYTES_AS_ELEMENT: Final = 32
_ATOM_TAGS: Final = frozenset({100, 115, 118, 119})
_uint16 = struct.Struct(">H").unpack_from
_uint32 = struct.Struct(">I").unpack_from


def reader(kind: type[Opaque], *parts: int | str) -> TagReader:
    """Return a function that reads `kind`, made of an atom for the node (`"node"`) and so many bytes."""

    def read(cursor: Cursor, at: int) -> tuple[Opaque, int]:
        start = at - 1
        for part in parts:
            at = _skip_atom(cursor, at) if isinstance(part, str) else cursor.slice(at, part)[1]
        return kind(cursor.data[start:at]), at

    return read


def _skip_atom(cursor: Cursor, at: int) -> int:
    if cursor.data[at] not in _ATOM_TAGS:
        cursor.fail(f"expected an atom, not tag {cursor.data[at]}", at)
    return cursor.term(at)[1]


def reference_reader(tail: int) -> TagReader:
    """Return a function for a reference: the number of its words, its node, `tail` bytes, the words."""

    def read(cursor: Cursor, at: int) -> tuple[Opaque, int]:
        words = _uint16(cursor.data, at)[0]
        if not 1 <= words <= 5:
            cursor.fail(f"a reference has 1 to 5 words, not {words}", at)
        _, end = cursor.slice(_skip_atom(cursor, at + 2), tail + 4 * words)
        return Reference(cursor.data[at - 1 : end]), end

    return read


def read_external_fun(cursor: Cursor, at: int) -> tuple[Fun, int]:
    """Read `&Module.name/arity`: two atoms and a small integer."""
    arity = _skip_atom(cursor, _skip_atom(cursor, at))
    if cursor.data[arity] != 97:
        cursor.fail("expected a function's arity", arity)
    raw, end = cursor.slice(at - 1, arity + 2 - (at - 1))
    return Fun(raw), end


def read_closure(cursor: Cursor, at: int) -> tuple[Fun, int]:
    """Read a fun with its environment: the size of all, arity, hash, two counts, module, two integers, pid, values."""
    size, free = _uint32(cursor.data, at)[0], _uint32(cursor.data, at + 25)[0]
    cursor.spend(size // _BYTES_AS_ELEMENT, at)
    _, end = cursor.terms(_skip_atom(cursor, at + 29), 3 + free)
    if end != at + size:
        cursor.fail(f"a fun of {size:,} bytes ends elsewhere", end)
    return Fun(cursor.data[at - 1 : end]), end
