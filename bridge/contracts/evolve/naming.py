"""Which rule a gap falls under, seen from old to new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bridge.contracts.evolve.gaps import Gap
from bridge.contracts.evolve.side import Side
from bridge.errors import shorten

Direction = Literal["ROWS", "ROLLING"]


@dataclass(frozen=True)
class Named:
    """A gap with its rule, its place and the two sides of it, the older first."""

    rule: str
    path: tuple[str, ...]
    message: str
    old: Any
    new: Any


def name_gap(gap: Gap, direction: Direction, writer: Side, reader: Side) -> Named:
    """Return the rule for a gap: in ROWS the older version writes, in ROLLING the newer one."""
    forward = direction == "ROWS"
    rule, token, message = _told(gap, writer, reader, forward=forward)
    path = (*gap.at.place, *token)
    sides = (gap.writer, gap.reader) if forward else (gap.reader, gap.writer)
    return Named(rule, path, message, *sides)


def _told(gap: Gap, writer: Side, reader: Side, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    match gap.keyword:
        case "required":
            return _required(gap, forward=forward)
        case "type":
            return _type(gap, writer, reader, forward=forward)
        case "additionalProperties":
            return _extra(gap, forward=forward)
        case "enum" | "const":
            return _listed(gap, forward=forward)
        case "branch":
            rule = "UNION_BRANCH_REMOVED" if forward else "UNION_BRANCH_ADDED"
            return rule, (), f"{_who(forward)} the branch with {gap.detail[0]} {gap.detail[1]!r}"
    return _other(gap, forward=forward)


def _other(gap: Gap, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    sides = f"{gap.keyword} {_sides(gap, forward=forward)}"
    if gap.keyword in ("format", "contentEncoding"):
        return "FORMAT_CHANGED", (gap.keyword,), sides
    if gap.keyword == "oneOf" and gap.detail:
        return (
            "UNION_TAG_CHANGED",
            (gap.keyword,),
            f"{_who(forward)} what they can't tell by the field {gap.detail[0]!r}",
        )
    if gap.certain and gap.keyword not in ("anyOf", "oneOf"):
        return _constraint(forward=forward), (gap.keyword,), sides
    return "SCHEMA_CHANGED", (gap.keyword,), f"{gap.keyword} can't be compared by rule"


def _who(forward: bool) -> str:
    return "new readers refuse" if forward else "old readers refuse"


def _constraint(*, forward: bool) -> str:
    return "CONSTRAINT_TIGHTENED" if forward else "CONSTRAINT_LOOSENED"


def _sides(gap: Gap, *, forward: bool) -> str:
    old, new = (gap.writer, gap.reader) if forward else (gap.reader, gap.writer)
    return f"was {_shown(old)}, is {_shown(new)}"


def _shown(value: Any) -> str:
    return "not limited" if value is None else shorten(value)


def _required(gap: Gap, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    (name,) = gap.detail
    token = ("properties", name)
    if forward:
        rule = "FIELD_NOW_REQUIRED" if gap.declared else "FIELD_REQUIRED_ADDED"
        return rule, token, f"old rows may lack the field {name!r}, which new readers insist on"
    rule = "FIELD_NOW_OPTIONAL" if gap.declared else "FIELD_REQUIRED_REMOVED"
    return rule, token, f"new rows may lack the field {name!r}, which old readers insist on"


def _type(gap: Gap, writer: Side, reader: Side, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    written, read = writer.types(gap.view), reader.types(reader.view(gap.reads))
    names = " and ".join("number" if name == "fraction" else name for name in gap.detail)
    message = f"{_who(forward)} {names}; they take {_types(read)}"
    if gap.detail == ("null",) and written != {"null"}:
        return "NULL_REMOVED" if forward else "NULL_ADDED", (), message
    if not (written - {"null"}) & read:
        return "TYPE_CHANGED", (), message
    return "TYPE_NARROWED" if forward else "TYPE_WIDENED", (), message


def _types(names: frozenset[str]) -> str:
    shown = sorted(names - {"fraction", "integer"} | ({"number"} if "fraction" in names else names & {"integer"}))
    return " or ".join(shown) or "nothing"


def _extra(gap: Gap, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    if gap.detail:
        rule = "FIELD_REMOVED_CLOSED" if forward else "FIELD_ADDED_CLOSED"
        return rule, ("properties", str(gap.detail[0])), f"{_who(forward)} the field {gap.detail[0]!r} as undeclared"
    rule = "READER_CLOSED" if forward else "WRITER_OPENED"
    return rule, ("additionalProperties",), f"{_who(forward)} undeclared fields"


def _listed(gap: Gap, *, forward: bool) -> tuple[str, tuple[str, ...], str]:
    if not gap.detail:
        return _constraint(forward=forward), (gap.keyword,), f"{_who(forward)} all but {shorten(gap.reader)}"
    values = ", ".join(map(shorten, gap.detail[:5])) + (", …" if len(gap.detail) > 5 else "")
    message = f"{_who(forward)} {values}"
    if gap.reader is None:
        return _constraint(forward=forward), (), message
    if gap.keyword == "const" and len(gap.writer) == 1:
        return "CONST_CHANGED", ("const",), message
    return "ENUM_VALUE_REMOVED" if forward else "ENUM_VALUE_ADDED_CLOSED", (gap.keyword,), message
