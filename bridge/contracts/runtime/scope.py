"""What the checks of one contract share while they are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bridge.contracts.model import Schema
from bridge.contracts.runtime.shown import pointer, shown
from bridge.errors import Violation

Mode = Literal["strict", "read", "write"]

Path = Any
"""A place in a value: `(parent, key)`, or None for the root. It is spelled out only for a violation."""

Check = Callable[[Any, Path, list[Violation]], None]
"""Appends every violation that a value has at that path and beneath."""

Fail = Callable[[Any, Path, list[Violation], str], None]
"""Appends one violation: what was expected."""


@dataclass(frozen=True)
class Scope:
    """Where a schema stands.

    Attributes:
        root: The schema that holds `$defs`.
        compile: Makes the check of a schema inside this one.
        open: Whether text that an enum doesn't list is let pass, unless it is closed.
        hidden: Whether values here are never shown.
        sensitive: The names of properties whose values are never shown.
        compiled: The checks of `$defs` that were made already.
    """

    root: Schema
    compile: Callable[[Schema, Scope], Check]
    open: bool = False
    hidden: bool = False
    sensitive: frozenset[str] = frozenset()
    compiled: dict[Any, Check] = field(default_factory=dict)

    def of(self, schema: Schema) -> Check:
        """Return the check of a schema that applies to the same value or to one within it."""
        return self.compile(schema, self)

    def closed(self) -> Scope:
        """Return a scope where enums are closed: a condition must not hold for more values than it was written for."""
        return replace(self, open=False)

    def of_property(self, name: str, schema: Schema) -> Check:
        """Return the check of a property."""
        hidden = self.hidden or name in self.sensitive
        return self.compile(schema, replace(self, hidden=hidden))

    def key(self, name: str) -> str:
        """Return what a path says for a key that no schema names: the keys of a sensitive map are values, too."""
        return "*" if self.hidden else name

    def definition(self, name: str) -> Schema:
        """Return a schema out of `$defs`."""
        assert isinstance(self.root, dict)  # noqa: S101 - where there is a `$ref` the root holds `$defs`
        found: Schema = self.root["$defs"][name]
        return found

    def fail(self, rule: str) -> Fail:
        """Return what reports a violation of `rule`."""
        hidden = self.hidden

        def add(value: Any, path: Path, out: list[Violation], expected: str) -> None:
            out.append(Violation(pointer(path), rule, f"expected {expected}, got {shown(value, hidden)}"))

        return add


def holds(check: Check, value: Any, path: Path) -> bool:
    """Tell whether a value passes a check."""
    found: list[Violation] = []
    check(value, path, found)
    return not found
