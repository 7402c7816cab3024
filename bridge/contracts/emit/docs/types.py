"""How the pages tell a field's type in both languages, and its rules in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from bridge.contracts import objects
from bridge.contracts.emit.docs.html import Html, join, tag
from bridge.contracts.emit.elixir import names as elixir_names
from bridge.contracts.model import Schema
from bridge.contracts.shapes import (
    NO_DEFAULT,
    Constant,
    EnumOf,
    Field,
    ListOf,
    MapOf,
    Nullable,
    Scalar,
    Shape,
    StructRef,
    TupleOf,
    Union,
)

Types = tuple[Html, Html]
"""A type in Python and in Elixir."""

_PYTHON: Final = {
    "any": "Any", "null": "None", "boolean": "bool", "integer": "int", "number": "float", "datetime": "datetime",
    "date": "date", "duration": "Duration", "uuid": "UUID", "decimal": "Decimal", "bigint": "int", "bytes": "bytes",
}  # fmt: skip
_ELIXIR: Final = {
    "any": "term()", "null": "nil", "boolean": "boolean()", "integer": "integer()", "number": "number()",
    "datetime": "DateTime.t()", "date": "Date.t()", "bigint": "integer()", "bytes": "binary()",
}  # fmt: skip


def field_types(field: Field) -> Types:
    """Return the type of a field in both languages, with what stands for its absence."""
    python, elixir = types_of(field.shape)
    if field.required or field.default is not NO_DEFAULT:
        return python, elixir
    nullable = isinstance(field.shape, Nullable)
    bare = types_of(field.shape.shape)[0] if isinstance(field.shape, Nullable) else python
    is_any = field.shape in (Scalar("any"), Scalar("null"))
    absent = "" if field.shape == Scalar("any") else " | :unset" if nullable or is_any else " | nil"
    return join(bare, " | UnsetType", " | None" if nullable else ""), join(elixir, absent)


def types_of(shape: Shape) -> Types:  # noqa: PLR0911 - one for each case
    """Return the type of a shape in both languages; classes are links to their sections."""
    match shape:
        case Scalar(kind):
            return Html(_PYTHON.get(kind, "str")), Html(_ELIXIR.get(kind, "String.t()"))
        case Constant(value):
            return _constant(value)
        case EnumOf(name=name):
            href = f"#{anchor(shape)}"
            return tag("a", name, href=href), join(tag("a", elixir_names.type_of(name), href=href), "()")
        case StructRef(name=name):
            link = tag("a", name, href=f"#{anchor(shape)}")
            return link, join(link, ".t()")
        case ListOf(item=inner):
            return _around(inner, "list[{}]", "[{}]")
        case MapOf(value=inner):
            return _around(inner, "dict[str, {}]", "%{{optional(String.t()) => {}}}")
        case TupleOf(items=items):
            found = [types_of(item) for item in items]
            others = dict.fromkeys(other for _, other in found)
            return _wrapped("tuple[{}]", [one for one, _ in found]), join("[", Html(" | ".join(others)), "]")
        case Nullable(shape=inner):
            return _around(inner, "{} | None", "{} | nil")
        case Union(branches=branches):
            found = [types_of(branch) for _, branch in branches]
            bar = Html(" | ")
            return Html(bar.join(one for one, _ in found)), Html(bar.join(other for _, other in found))


def _constant(value: Any) -> Types:
    if isinstance(value, float):
        return Html("float"), Html("float()")
    text = json.dumps(value, ensure_ascii=False)
    python = str(value) if value is None or isinstance(value, bool) else text
    elixir = "String.t()" if isinstance(value, str) else "nil" if value is None else text
    return join(f"Literal[{python}]" if value is not None else "None"), join(elixir)


def anchor(shape: EnumOf | StructRef) -> str:
    """Return the id of a class's section."""
    return f"{shape.module}.{shape.name}"


def rules_of(sources: list[Schema], root: Schema) -> list[Html]:
    """Return what holds beyond the type, a rule each; sources are the schemas of one field."""
    parts = [part for source in sources for part in objects.parts_of(source, root)]
    found = [make(part[key], part) for part in parts for key, make in _RULES.items() if key in part]
    further = sorted({key for part in parts for key in _FURTHER if key in part})
    if further:
        found.append(join("more under ", tag("a", "schema", href="#schema"), f": {', '.join(further)}"))
    return list(dict.fromkeys(rule for rule in found if rule))


Rule = Callable[[Any, dict[str, Any]], Html]


def _plain(text: str) -> Rule:
    return lambda value, _: join(text.format(value))


def _counted(text: str, one: str, many: str) -> Rule:
    return lambda value, _: join(text.format(f"{value} {one if value == 1 else many}"))


_RULES: Final[dict[str, Rule]] = {
    "minimum": _plain("at least {}"), "exclusiveMinimum": _plain("more than {}"),
    "maximum": _plain("at most {}"), "exclusiveMaximum": _plain("less than {}"),
    "multipleOf": _plain("a multiple of {}"),
    "minLength": _counted("at least {}", "character", "characters"),
    "maxLength": _counted("at most {}", "character", "characters"),
    "pattern": lambda value, _: join("matches ", tag("code", value)),
    "format": lambda value, _: join("format ", tag("code", value)),
    "contentEncoding": _plain("{}"),
    "minItems": _counted("at least {}", "item", "items"), "maxItems": _counted("at most {}", "item", "items"),
    "uniqueItems": lambda value, _: join("no item twice" if value else ""),
    "minProperties": _counted("at least {}", "key", "keys"), "maxProperties": _counted("at most {}", "key", "keys"),
    "enum": lambda value, part: join("" if "x-name" in part else f"one of {json.dumps(value, ensure_ascii=False)}"),
}  # fmt: skip
_FURTHER: Final = (
    "contains", "propertyNames", "patternProperties", "dependentRequired", "dependentSchemas", "not", "if",
)  # fmt: skip


def _around(inner: Shape, python: str, elixir: str) -> Types:
    one, other = types_of(inner)
    return _wrapped(python, [one]), _wrapped(elixir, [other])


def _wrapped(template: str, found: list[Html]) -> Html:
    return Html(template.replace(" => ", " =&gt; ").format(Html(", ").join(found)))
