"""The classes of a contract as tables: a row for each field, and a list for each enum."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bridge.contracts import objects, shapes
from bridge.contracts.emit.docs.html import Html, join, tag
from bridge.contracts.emit.docs.types import anchor, field_types, rules_of, types_of
from bridge.contracts.model import Model, Schema
from bridge.contracts.shapes import NO_DEFAULT, EnumOf, Field, Nullable, StructOf, StructRef, Union


def classes(root: Schema, *, own: Model | None = None, prefix: str = "") -> Iterator[Html]:
    """Yield a section for each class of a schema, its root's first; `own` is the page's contract."""
    for struct in shapes.structs(root).values():
        is_root = own is not None and struct.name == own.name
        yield from _struct(struct, root, prefix, titled=not is_root)
    for enum in shapes.enums(root).values():
        yield from _enum(enum, prefix)


def type_line(schema: Schema) -> Html:
    """Return the type of a schema without classes."""
    python, elixir = types_of(shapes.shape_of(schema, schema))
    return tag("p", "Python ", tag("code", python), ", Elixir ", tag("code", elixir))


def marks(schema: Schema) -> Iterator[Html]:
    """Yield what is to be noticed about a schema."""
    if isinstance(schema, dict) and schema.get("deprecated"):
        yield mark("deprecated", "warn")
    if isinstance(schema, dict) and schema.get("x-sensitive"):
        yield mark("sensitive", "warn")


def mark(text: str, kind: str = "") -> Html:
    """Return a word in a frame."""
    return tag("span", text, class_=f"mark {kind}".strip())


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], ids: Sequence[str] = ()) -> Html:
    """Return a table whose rows begin with what they are about; it scrolls by itself where it is too wide."""
    head = tag("tr", [tag("th", title, scope="col") for title in heads])
    body = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]], id=ids[at] if ids else "")
        for at, row in enumerate(rows)
    ]
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag("div", inner, class_="table", tabindex="0", role="region", aria_label=caption)


def _struct(struct: StructOf, root: Schema, prefix: str, *, titled: bool) -> Iterator[Html]:
    place = prefix + anchor(StructRef(struct.name, struct.module))
    if titled:
        flags = [mark("deprecated", "warn")] if struct.deprecated else []
        yield tag("h3", struct.name, " ", flags, id=place)
        if struct.description:
            yield tag("p", struct.description, dir="auto")
    if struct.closed:
        yield tag("p", "Readers refuse fields that are not listed here.", class_="soft")
    if not struct.fields:
        yield tag("p", "No fields.", class_="soft")
        return
    sources = objects.fields_of(struct.schema, root)
    rows = [_row(field, sources.get(field.name, []), root, prefix) for field in struct.fields]
    ids = [f"{place}.{field.name}" for field in struct.fields]
    yield table(f"Fields of {struct.name}", ("Field", "Python", "Elixir", "Presence", "What"), rows, ids)


def _row(field: Field, sources: list[Schema], root: Schema, prefix: str) -> list[str]:
    python, elixir = (Html(found.replace('href="#', f'href="#{prefix}')) for found in field_types(field))
    return [
        tag("code", field.name),
        tag("code", python),
        tag("code", elixir),
        _presence(field),
        join(*_words(field, sources, root)),
    ]


def _presence(field: Field) -> Html:
    found: list[str] = ["required" if field.required else "optional"]
    if isinstance(field.shape, Nullable):
        found.append(", may be null")
    if field.default is not NO_DEFAULT:
        found += [", default ", tag("code", json.dumps(field.default, ensure_ascii=False))]
    return join(*found)


def _words(field: Field, sources: list[Schema], root: Schema) -> Iterator[Html]:
    if field.deprecated:
        yield mark("deprecated", "warn")
    if field.sensitive:
        yield mark("sensitive", "warn")
    if field.description:
        yield tag("p", field.description, dir="auto")
    if field.was:
        yield tag("p", ["formerly ", *(join(", " if at else "", tag("code", old)) for at, old in enumerate(field.was))])
    rules = rules_of(sources, root)
    if isinstance(field.shape, Union):
        rules.append(join("told apart by ", tag("code", field.shape.tag)))
    if examples := _examples(sources):
        rules.append(join("such as ", [join(", " if at else "", tag("code", one)) for at, one in enumerate(examples)]))
    if rules:
        yield tag("ul", [tag("li", rule) for rule in rules])


def _examples(sources: list[Schema]) -> list[str]:
    found = [value for source in sources if isinstance(source, dict) for value in source.get("examples", ())]
    return [json.dumps(value, ensure_ascii=False) for value in found[:3]]


def _enum(enum: EnumOf, prefix: str) -> Iterator[Html]:
    yield tag("h3", enum.name, id=prefix + anchor(enum))
    if enum.description:
        yield tag("p", enum.description, dir="auto")
    words = "Closed: readers refuse any other text." if enum.closed else "Open: readers let other text pass."
    yield tag("p", [join(", " if at else "", tag("code", value)) for at, value in enumerate(enum.values)])
    yield tag("p", words, class_="soft")
