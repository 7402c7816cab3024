"""Defaults of a contract as Elixir's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bridge.contracts.emit.elixir import names as elixir_names
from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.layout import Doc, Pair, items, mapping
from bridge.contracts.emit.elixir.schema import literal
from bridge.contracts.shapes import EnumOf, ListOf, MapOf, Nullable, Scalar, Shape, TupleOf


def native(value: Any, shape: Shape) -> Doc | None:  # noqa: PLR0911 - one for each shape
    """Return the literal of a default as a struct holds it; None: it has none, and is built on reading.

    The value keeps its schema.
    """
    match shape:
        case Nullable(shape=inner):
            return "nil" if value is None else native(value, inner)
        case ListOf(item=item):
            return _items([native(part, item) for part in value])
        case TupleOf(items=parts):
            return _items([native(part, item) for part, item in zip(value, parts, strict=False)])
        case MapOf(value=inner):
            found = {key: native(part, inner) for key, part in value.items()}
            pairs = [Pair(f"{elixir_text.text(key)} =>", doc) for key, doc in found.items() if doc is not None]
            return mapping(pairs) if len(pairs) == len(found) else None
        case EnumOf():
            return member(value, shape)
        case Scalar(kind=kind):
            return _scalar(value, kind)
        case _:
            return literal(value) if not isinstance(value, dict) else None


def member(value: str, enum: EnumOf) -> str:
    """Return a member of an enum; what it doesn't list stays text."""
    known = value in enum.values and elixir_names.is_member(value)
    return elixir_text.atom(value) if known else elixir_text.text(value)


def _items(docs: list[Doc | None]) -> Doc | None:
    known = [doc for doc in docs if doc is not None]
    return items(known) if len(known) == len(docs) else None


def _scalar(value: Any, kind: str) -> Doc | None:
    match kind:
        case "integer" | "bigint":
            return elixir_text.number(int(value))
        case "uuid":
            return elixir_text.text(value.lower())
        case "date":
            return f"~D[{value}]"
        case "datetime":
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC).isoformat(" ")
            return f"~U[{moment.removesuffix('+00:00')}Z]"
        case "bytes":
            return None
        case _:
            return literal(value)
