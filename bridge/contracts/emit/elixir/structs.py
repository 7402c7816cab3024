"""One module with a struct: its documentation, fields and types, and the table by which they are read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.contracts.emit.elixir import names as elixir_names
from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.defaults import member, native
from bridge.contracts.emit.elixir.layout import Choice, Doc, Group, Pair, Tuple, annotation, items, render
from bridge.contracts.emit.elixir.schema import literal
from bridge.contracts.emit.elixir.text import WIDTH
from bridge.contracts.emit.elixir.types import Module, attribute_of, either, parts_of
from bridge.contracts.shapes import NO_DEFAULT, Constant, EnumOf, Field, Nullable, Scalar, StructOf

_INDENT: Final = 2
_DEFSTRUCT: Final = 12
_NULLS: Final = (Scalar("any"), Scalar("null"))


@dataclass(frozen=True)
class Entry:
    """A field as the struct has it.

    Attributes:
        field: The field.
        key: Its atom.
        default: What the struct holds where nothing is given; None: the field is enforced.
        absent: What the table says about a value that isn't there.
    """

    field: Field
    key: str
    default: Doc | None
    absent: Doc


def entries_of(struct: StructOf) -> list[Entry]:
    """Return the fields of a struct, in the order of the contract."""
    keys = elixir_names.atoms_of(field.name for field in struct.fields)
    return [Entry(field, keys[field.name], *_presence(field)) for field in struct.fields]


def struct_lines(struct: StructOf, module: Module, *, closed: bool) -> list[str]:
    """Return what a struct's module holds: attributes, types, and `__shape__`, which the support module calls.

    Args:
        struct: The struct.
        module: Its module.
        closed: Whether writers refuse other fields; if not, its schema says what they may be.
    """
    entries = entries_of(struct)
    lines = [*_enum_types(entries), *_definition(entries), ""]
    lines += [annotation("@type t ::", _type(entries, module)), ""]
    lines += [_attribute("@fields", items((_row(entry, module) for entry in entries), broken=bool(entries))), ""]
    others = ":closed" if closed else ":by_schema"
    return [*lines, f"  def __shape__, do: {{{others}, @fields}}", *_former(entries), *_hidden(entries)]


def _hidden(entries: list[Entry]) -> list[str]:
    """Return what names the fields whose values no message shows."""
    names = [elixir_text.text(entry.field.name) for entry in entries if entry.field.sensitive]
    return ["", _attribute("@hidden", items(names)), "", "  def __hidden__, do: @hidden"] if names else []


def _former(entries: list[Entry]) -> list[str]:
    """Return what tells the former names of fields: the latest of them is looked for first."""
    pairs = [
        Tuple([elixir_text.text(old), elixir_text.text(entry.field.name)])
        for entry in entries
        for old in entry.field.was
    ]
    if not pairs:
        return []
    return ["", _attribute("@former", items(pairs)), "", "  def __former__, do: @former"]


def doc_lines(description: str, entries: list[Entry], *, deprecated: bool = False, more: str = "") -> list[str]:
    """Return `@moduledoc`: what the contract says about the object and its fields."""
    paragraphs = [description.strip(), "Deprecated." if deprecated else "", _fields_text(entries), more]
    words = "\n\n".join(part for part in paragraphs if part)
    if not words:
        return ["  @moduledoc false", ""]
    lines = [f"  {line}" if line else "" for line in elixir_text.paragraph(words, _INDENT)]
    return ['  @moduledoc """', *lines, '  """', ""]


def _fields_text(entries: list[Entry]) -> str:
    told = []
    for entry in entries:
        field = entry.field
        words = " ".join([*field.description.split(), *(["Deprecated."] if field.deprecated else [])])
        named = f"`{entry.key}`" if entry.key == field.name else f"`{entry.key}` (`{field.name}` in JSON)"
        if words or entry.key != field.name:
            told.append(f"  * {named}{' - ' if words else ''}{words}")
    return "\n".join(told)


def _presence(field: Field) -> tuple[Doc | None, Doc]:
    if field.required:
        return _constant(field), ":required"
    if field.default is not NO_DEFAULT:
        default = native(field.default, field.shape)
        return (":unset", Tuple([":default", literal(field.default)])) if default is None else (default, ":default")
    return (":unset" if _is_nullable(field) else "nil"), ":optional"


def _constant(field: Field) -> Doc | None:
    match field.shape:
        case Constant(value=value):
            return elixir_text.scalar(value)
        case EnumOf(values=(value,)):
            return member(value, field.shape)
    return None


def _is_nullable(field: Field) -> bool:
    return isinstance(field.shape, Nullable) or field.shape in _NULLS


def _definition(entries: list[Entry]) -> list[str]:
    enforced = [elixir_text.atom(entry.key) for entry in entries if entry.default is None]
    hidden = [elixir_text.atom(entry.key) for entry in entries if entry.field.sensitive]
    bare = [elixir_text.atom(entry.key) for entry in entries if entry.default in (None, "nil")]
    pairs = [Pair(elixir_text.key(entry.key), entry.default) for entry in entries if entry.default not in (None, "nil")]
    lines = []
    if hidden:
        lines.append(f"  @derive {render(Tuple(['Inspect', Pair('except:', items(hidden))]), _INDENT, column=10)}")
    if enforced:
        lines.append(_attribute("@enforce_keys", items(enforced)))
    return [*lines, f"  defstruct {_struct_fields(bare, pairs)}"]


def _struct_fields(bare: list[str], pairs: list[Pair]) -> str:
    if bare or not pairs:
        return render(items([*bare, *pairs]), _INDENT, column=_DEFSTRUCT)
    # The formatter leaves a list of nothing but keywords without its brackets.
    line = ", ".join(pair.flat for pair in pairs)
    if _DEFSTRUCT + len(line) <= WIDTH:
        return line
    last = len(pairs) - 1
    rendered = (render(pair, _DEFSTRUCT, column=_DEFSTRUCT, comma=at < last) for at, pair in enumerate(pairs))
    return f",\n{' ' * _DEFSTRUCT}".join(rendered)


def _type(entries: list[Entry], module: Module) -> Doc:
    pairs = [Pair(elixir_text.key(entry.key), _field_type(entry, module)) for entry in entries]
    return Group("%__MODULE__{", pairs, "}", broken=bool(pairs))


def _field_type(entry: Entry, module: Module) -> Doc:
    doc = module.type_of(entry.field.shape)
    if doc == "term()" or entry.default is None or entry.absent == ":required":
        return doc
    if entry.default == "nil" and entry.absent == ":optional":
        return either(doc, "nil")
    return either(doc, ":unset") if entry.default == ":unset" else doc


def _row(entry: Entry, module: Module) -> Doc:
    name, key = elixir_text.text(entry.field.name), elixir_text.atom(entry.key)
    return Tuple([name, key, module.term_of(entry.field.shape), entry.absent])


def _enum_types(entries: list[Entry]) -> list[str]:
    enums = {part.name: part for entry in entries for part in parts_of(entry.field.shape) if isinstance(part, EnumOf)}
    lines: list[str] = []
    for enum in enums.values():
        lines += [*enum_lines(enum), ""]
    return lines


def enum_lines(enum: EnumOf) -> list[str]:
    """Return an enum's members as an attribute, and its type."""
    members: list[Doc] = [elixir_text.atom(value) for value in enum.values if elixir_names.is_member(value)]
    is_text = not enum.closed or len(members) < len(enum.values)
    union = Choice([*members, *(["String.t()"] if is_text else [])])
    return [
        _attribute(attribute_of(enum.name), items(members)),
        annotation(f"@type {elixir_names.type_of(enum.name)} ::", union),
    ]


def _attribute(name: str, doc: Doc) -> str:
    return f"  {name} {render(doc, _INDENT, column=_INDENT + len(name) + 1)}"
