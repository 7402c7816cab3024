"""How a shape is told in Elixir: as a type, and as the term by which the support module builds and writes values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from bridge.contracts.emit.elixir import names as elixir_names
from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.layout import Choice, Doc, Pair, Tuple, flat, items, mapping
from bridge.contracts.shapes import (
    Constant,
    EnumOf,
    ListOf,
    MapOf,
    Nullable,
    Scalar,
    Shape,
    StructRef,
    TupleOf,
    Union,
)

_SCALARS: Final = {
    "any": "term()", "null": "nil", "boolean": "boolean()", "integer": "integer()", "number": "number()",
    "datetime": "DateTime.t()", "date": "Date.t()", "bigint": "integer()", "bytes": "binary()",
}  # fmt: skip
_TEXT: Final = "String.t()"


@dataclass(frozen=True)
class Module:
    """One module that is being written: what it calls the others.

    Attributes:
        name: Its full name.
        namespace: What all modules of the project are below.
        roots: The class of each file's root, by the file's stem.
        used: The full names of those that it mentions.
    """

    name: str
    namespace: str
    roots: Mapping[str, str]
    used: tuple[str, ...] = field(default=())

    def full_name(self, ref: StructRef) -> str:
        """Return the full name of a struct's module."""
        return f"{self.namespace}.{elixir_names.module_of(ref.name, ref.module, self.roots)}"

    def short(self, full: str) -> str:
        """Return what this module calls another: its last name, where an alias gives it one."""
        return "__MODULE__" if full == self.name else _last(full) if full in self.aliases() else full

    def aliases(self) -> list[str]:
        """Return the modules that have an alias here, sorted: those that no other name stands in the way of."""
        count = Counter(_last(full) for full in self.used)
        free = (full for full in self.used if count[_last(full)] == 1 and not _is_taken(full, self.namespace))
        return sorted((full for full in free if full != self.name), key=str.lower)

    def type_of(self, shape: Shape) -> Doc:  # noqa: PLR0911 - one for each shape
        """Return the type of a shape."""
        match shape:
            case Scalar(kind=kind):
                return _SCALARS.get(kind, _TEXT)
            case Constant(value=value):
                return _constant(value)
            case EnumOf(name=name):
                return f"{elixir_names.type_of(name)}()"
            case ListOf(item=item):
                return items([self.type_of(item)])
            case TupleOf(items=parts):
                return items([_choice(self.type_of(part) for part in parts)])
            case MapOf(value=value):
                return mapping([Pair("optional(String.t()) =>", self.type_of(value))])
            case Nullable(shape=inner):
                return either(self.type_of(inner), "nil")
            case StructRef():
                full = self.full_name(shape)
                return "t()" if full == self.name else f"{self.short(full)}.t()"
            case Union(branches=branches):
                return _choice(self.type_of(branch) for _, branch in branches)
        assert_never(shape)

    def term_of(self, shape: Shape) -> Doc:  # noqa: PLR0911 - one for each shape
        """Return the term of a shape; enums are by their attribute."""
        match shape:
            case Scalar(kind=kind):
                return f":{kind}"
            case Constant(value=value):
                return f":{_kind(value)}"
            case EnumOf(name=name, was=was):
                former = [mapping(Pair(f"{elixir_text.text(old)} =>", elixir_text.text(now)) for old, now in was)]
                return Tuple([":enum", attribute_of(name), *(former if was else [])])
            case ListOf(item=item):
                return Tuple([":list", self.term_of(item)])
            case TupleOf(items=parts):
                return Tuple([":tuple", items(map(self.term_of, parts))])
            case MapOf(value=value):
                return Tuple([":map", self.term_of(value)])
            case Nullable(shape=inner):
                return Tuple([":nullable", self.term_of(inner)])
            case StructRef():
                return Tuple([":struct", self.short(self.full_name(shape))])
            case Union(tag=tag, branches=branches):
                pairs = [
                    Pair(f"{elixir_text.text(kind)} =>", self.short(self.full_name(ref))) for kind, ref in branches
                ]
                return Tuple([":union", elixir_text.text(tag), mapping(pairs)])
        assert_never(shape)


def attribute_of(enum: str) -> str:
    """Return the attribute that holds an enum's members."""
    return f"@{elixir_names.attribute_of(enum)}"


def either(doc: Doc, other: str) -> Doc:
    """Return the union of two types."""
    return _choice([doc, other])


def parts_of(shape: Shape) -> Iterable[Shape]:
    """Yield a shape and those inside of it, references not followed."""
    yield shape
    match shape:
        case ListOf(item=inner) | MapOf(value=inner) | Nullable(shape=inner):
            yield from parts_of(inner)
        case TupleOf(items=parts):
            for part in parts:
                yield from parts_of(part)
        case Union(branches=branches):
            for _, branch in branches:
                yield branch
        case _:
            pass


def _constant(value: object) -> Doc:
    if isinstance(value, bool | int) or value is None:
        return elixir_text.scalar(value)
    return "float()" if isinstance(value, float) else _TEXT


def _kind(value: object) -> str:
    if isinstance(value, str):
        return "string"
    return "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "number"


def _choice(docs: Iterable[Doc]) -> Doc:
    parts = [part for doc in docs for part in (doc.items if isinstance(doc, Choice) else [doc])]
    found = list({flat(part): part for part in parts}.values())
    return Choice(found) if len(found) > 1 else found[0]


def _last(full: str) -> str:
    return full.rpartition(".")[2]


def _is_taken(full: str, namespace: str) -> bool:
    is_too_long = len(f"  alias {full}") > elixir_text.WIDTH
    return is_too_long or (full != f"{namespace}.Runtime" and elixir_names.is_own_module(_last(full)))
