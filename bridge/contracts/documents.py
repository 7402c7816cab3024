"""The documents that references lead to, and the places in them: where one lies, what it is called, who owns it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urljoin

from referencing import Anchor, Registry, Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from bridge.contracts import names
from bridge.contracts.objects import LIST, MAP, ONE, text_constant
from bridge.errors import InvalidContract

Tokens = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Document:
    """One JSON document with schemas in it; `name` is the class of its root, `module` its file's stem."""

    uri: str
    contents: Any
    module: str
    name: str


@dataclass(frozen=True)
class Place:
    """A schema's place: a document, the tokens of a JSON Pointer into it, and the base of relative references there."""

    document: Document
    tokens: Tokens
    base: str

    def at(self, *tokens: str | int) -> Place:
        """Return the place of a part."""
        return Place(self.document, (*self.tokens, *map(str, tokens)), self.base)

    def entered(self, schema: Any) -> Place:
        """Return the place with the base that the schema's own `$id` gives it."""
        base = schema.get("$id") if isinstance(schema, dict) else None
        return Place(self.document, self.tokens, _join(self.base, base)) if isinstance(base, str) else self

    @property
    def field(self) -> str:
        """The place for people: `generate_badge.json#/properties/x`."""
        pointer = "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in self.tokens)
        return f"{self.document.module}.json#{pointer}"

    def refuse(self, value: Any, expected: str, mend: str = "") -> InvalidContract:
        """Return the error for what stands here."""
        return InvalidContract(self.field, value, expected, mend)

    @property
    def name(self) -> str:
        """The class for what stands here: its title, its key in $defs, or its parent's name and the field's."""
        name, schema = self.document.name, self.document.contents
        for step in steps(self.tokens):
            for token in step:
                schema = schema[int(token)] if isinstance(schema, list) else schema[token]
            name = _named(name, step, schema)
        return name


def steps(tokens: Tokens) -> Iterator[Tokens]:
    """Cut a pointer into steps from schema to schema.

    Raises:
        LookupError: It leads to something that is no schema.
    """
    at = 0
    while at < len(tokens):
        size = _step(tokens[at:], at == 0)
        if size is None or at + size > len(tokens):
            raise LookupError(tokens[at])
        yield tokens[at : at + size]
        at += size


def _step(tokens: Tokens, at_root: bool) -> int | None:
    if at_root and tokens[0] == "x-job" and len(tokens) > 1:
        return {"result": 2, "events": 3, "errors": 4 if tokens[3:4] == ("data",) else None}.get(tokens[1])
    return 1 if tokens[0] in ONE else 2 if tokens[0] in LIST | MAP else None


def _named(parent: str, step: Tokens, schema: Any) -> str:
    keyword, key = step[0], step[-1]
    if keyword in ("$defs", "definitions"):
        return names.pascal(key)
    title = schema.get("title") if isinstance(schema, dict) else None
    return names.pascal(title) if names.is_identifier(title) else parent + _suffix(keyword, key, step, schema)


def _suffix(keyword: str, key: str, step: Tokens, schema: Any) -> str:
    match keyword:
        case "x-job":
            return "Result" if len(step) == 2 else f"{names.pascal(step[2])}{'Error' if step[1] == 'errors' else ''}"
        case "prefixItems":
            return f"Item{int(key) + 1}"
        case "anyOf" | "oneOf":
            return _tag_name(schema)
        case "properties":
            return names.pascal(key)
    return _SUFFIXES.get(keyword, names.pascal(keyword))


_SUFFIXES: Final = {
    "allOf": "", "items": "Item", "contains": "Item", "additionalProperties": "Value", "patternProperties": "Value",
}  # fmt: skip


def _tag_name(branch: Any) -> str:
    """Return what tells a union's branch apart, so that no branch's name depends on where it stands."""
    properties = branch.get("properties") if isinstance(branch, dict) else None
    for key, schema in properties.items() if isinstance(properties, dict) else ():
        if key in (branch.get("required") or ()) and (value := text_constant(schema)) is not None:
            return names.pascal(value)
    return ""


def class_name(document: Any, module: str) -> str:
    """Return the class for a file: its title where that is an identifier, else its stem, in PascalCase."""
    title = document.get("title") if isinstance(document, dict) else None
    return names.pascal(title if names.is_identifier(title) else module)


class Library:
    """The document that is being read, and those of a registry that it refers to."""

    def __init__(self, document: Document, registry: Registry[Any]) -> None:
        self.document = document
        self._given = registry
        try:
            self._registry = registry.with_resource(document.uri, DIALECT.create_resource(document.contents)).crawl()
        except (AttributeError, TypeError, ValueError) as error:  # an embedded schema of another draft, badly formed
            place = Place(document, (), document.uri)
            raise place.refuse("…", "JSON Schema 2020-12 throughout", f"what was met: {error}") from None
        self._places: dict[int, Place] = {}
        self._learn(document)
        self._foreign: dict[str, Document] | None = None

    def root(self, tokens: Tokens = ()) -> tuple[Any, Place]:
        """Return the schema at a pointer into the own document, and its place."""
        return self._walk(self.document, tokens)

    def resolve(self, reference: str, place: Place) -> tuple[Any, Place]:
        """Return the schema that a reference leads to, and its place.

        Raises:
            InvalidContract: Nothing is there, or something that is no schema.
        """
        uri, _, fragment = reference.partition("#")
        resolver = self._registry.resolver(base_uri=place.base)
        try:
            found = resolver.lookup(reference).contents
            if fragment and not fragment.startswith("/"):
                return self._known(found, place)
            document, tokens = self._locate(resolver.lookup(uri or "#").contents, _join(place.base, uri))
            return self._walk(document, (*tokens, *_tokens(fragment)))
        except (Unresolvable, LookupError, ValueError, TypeError, AttributeError):
            mend = "name a key of $defs, a file of this folder, or an $id or $anchor that exists"
            raise place.at("$ref").refuse(reference, "a reference that leads to a schema", mend) from None

    def _known(self, found: Any, place: Place) -> tuple[Any, Place]:
        if id(found) not in self._places:
            self._locate(found, place.base)
        return found, self._places[id(found)]

    def _walk(self, document: Document, tokens: Tokens) -> tuple[Any, Place]:
        schema, place = document.contents, Place(document, (), document.uri).entered(document.contents)
        for step in steps(tokens):
            for token in step:
                schema = schema[int(token)] if isinstance(schema, list) else schema[token]
            place = place.at(*step).entered(schema)
        return schema, place

    def _locate(self, contents: Any, uri: str) -> tuple[Document, Tokens]:
        if isinstance(contents, dict) and id(contents) in self._places:
            place = self._places[id(contents)]
            return place.document, place.tokens
        if self._foreign is None:
            self._foreign = {}
            self._learn_registry()
            return self._locate(contents, uri)
        if uri not in self._foreign:
            self._foreign[uri] = _foreign(uri, contents)
            self._learn(self._foreign[uri])
        return self._foreign[uri], ()

    def _learn_registry(self) -> None:
        """Learn every document of the registry, whole ones first, so that an embedded one keeps its owner."""
        found = [(uri, self._given[uri].contents) for uri in sorted(self._given)]
        parts = {id(part) for _, contents in found for tokens, part in _parts(contents) if tokens}
        for uri, contents in found:
            if isinstance(contents, dict) and id(contents) not in parts and id(contents) not in self._places:
                self._learn(_foreign(uri, contents))

    def _learn(self, document: Document) -> None:
        for tokens, part in _parts(document.contents):
            if id(part) not in self._places:
                self._places[id(part)] = self._walk(document, tokens)[1]


def _foreign(uri: str, contents: Any) -> Document:
    last = uri.rstrip("/#").replace(":", "/").rpartition("/")[2]
    module = last.removesuffix(".json") or "schema"
    return Document(uri, contents, module, class_name(contents, module))


def _parts(contents: Any) -> Iterator[tuple[Tokens, dict[str, Any]]]:
    """Yield the schemas of a document that may be an embedded resource or have an anchor, and its root."""
    todo: list[tuple[Tokens, Any]] = [((), contents)]
    while todo:
        tokens, schema = todo.pop()
        if isinstance(schema, dict) and (not tokens or "$id" in schema or "$anchor" in schema):
            yield tokens, schema
        todo.extend(((*tokens, *step), part) for step, part in _schemas_in(schema))


def _schemas_in(schema: Any) -> Iterator[tuple[Tokens, Any]]:
    """Yield the schemas right inside of one that may be malformed, those that are none left out."""
    for key, value in schema.items() if isinstance(schema, dict) else ():
        found: list[tuple[Tokens, Any]] = []
        if key in ONE:
            found = [((key,), value)]
        elif key in LIST and isinstance(value, list):
            found = [((key, str(at)), part) for at, part in enumerate(value)]
        elif key in MAP and isinstance(value, dict):
            found = [((key, name), part) for name, part in value.items()]
        yield from ((step, part) for step, part in found if isinstance(part, dict | bool))


def _id_of(schema: Any) -> str | None:
    found = schema.get("$id") if isinstance(schema, dict) else None
    return found.rstrip("#") if isinstance(found, str) else None


def _anchors_in(dialect: Specification[Any], schema: Any) -> list[Anchor[Any]]:
    name = schema.get("$anchor") if isinstance(schema, dict) else None
    if not isinstance(name, str):
        return []
    return [Anchor(name=name, resource=dialect.create_resource(schema))]  # type: ignore[call-arg]  # as below


# As `DRAFT202012`, which takes for granted that a document is well formed.
DIALECT: Final[Specification[Any]] = Specification(  # type: ignore[call-arg]  # mypy misses its attrs fields
    name="bridge",
    id_of=_id_of,
    subresources_of=lambda schema: [part for _, part in _schemas_in(schema)],
    anchors_in=_anchors_in,
    maybe_in_subresource=DRAFT202012.maybe_in_subresource,
)


def _tokens(fragment: str) -> Tokens:
    if not fragment:
        return ()
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in unquote(fragment[1:]).split("/"))


def _join(base: str, uri: str) -> str:
    return urljoin(base, uri).rstrip("#") if uri else base
