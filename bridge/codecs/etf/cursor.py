"""A cursor over a term's bytes, which keeps count of what may still be read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from bridge.codecs.etf.limits import Limits
from bridge.errors import DecodeError

_uint32 = struct.Struct(">I").unpack_from


class Cursor:
    """The bytes of one term and what may still be read from them.

    Attributes:
        data: The bytes.
        size: Their number.
        tags: The function that reads each tag.
        depth: How many more containers may be entered.
        elements: How many more values may be read.
    """

    __slots__ = ("data", "depth", "elements", "limits", "size", "tags", "where")

    def __init__(self, data: bytes, limits: Limits, tags: Sequence[TagReader], where: str = "") -> None:
        self.data = data
        self.size = len(data)
        self.limits = limits
        self.tags = tags
        self.depth = limits.depth
        self.elements = limits.elements
        self.where = where

    def document(self, at: int) -> Any:
        """Read the one term that goes from `at` to the end.

        Raises:
            DecodeError: There is no such term.
        """
        try:
            value, end = self.term(at)
        except (IndexError, struct.error):
            self.fail("the term is truncated", self.size)
        except RecursionError:
            self.fail("the term is nested deeper than the stack has room for", at)
        if end != self.size:
            self.fail(f"{self.size - end:,} bytes follow the term", end)
        return value

    def term(self, at: int) -> tuple[Any, int]:
        """Read any term, and return it and the position after it."""
        return self.tags[self.data[at]](self, at + 1)

    def terms(self, at: int, count: int) -> tuple[list[Any], int]:
        """Read `count` terms, the content of a container; binaries and small integers, the bulk, without a call."""
        self.enter(at, count)
        data, size, tags = self.data, self.size, self.tags
        values: list[Any] = []
        add = values.append
        for _ in range(count):
            tag = data[at]
            if tag == 109:
                start = at + 5
                at = start + _uint32(data, at + 1)[0]
                if at > size:
                    self.fail("the term is truncated", size)
                try:
                    add(data[start:at].decode())
                except UnicodeDecodeError:
                    add(data[start:at])
            elif tag == 97:
                add(data[at + 1])
                at += 2
            else:
                value, at = tags[tag](self, at + 1)
                add(value)
        self.depth += 1
        return values, at

    def enter(self, at: int, count: int) -> None:
        """Check that a container of `count` values may be here, and go a level down."""
        if count > self.size - at:
            self.fail("the term is truncated", self.size)
        self.depth -= 1
        if self.depth < 0:
            self.fail(f"the term is nested more than {self.limits.depth:,} levels deep", at)
        self.spend(count, at)

    def spend(self, count: int, at: int) -> None:
        """Take `count` from the number of values that may still be read."""
        self.elements -= count
        if self.elements < 0:
            self.fail(f"the term holds more than {self.limits.elements:,} values", at)

    def slice(self, at: int, length: int) -> tuple[bytes, int]:
        """Return the next `length` bytes and the position after them."""
        end = at + length
        if end > self.size:
            self.fail("the term is truncated", self.size)
        return self.data[at:end], end

    def fail(self, reason: str, at: int) -> NoReturn:
        """Raise the DecodeError for the byte at this position."""
        raise DecodeError(f"{self.where}{reason}", at) from None


TagReader = Callable[[Cursor, int], tuple[Any, int]]
