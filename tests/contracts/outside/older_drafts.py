"""Spells schemas of older drafts as draft 2020-12 does, and tells what it had to leave out on the way.

A schema means the same before and after. What an older draft ignores is not dropped unseen: beside `$ref`, and
keywords that the draft doesn't have yet, become `x-…` and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal

Draft = Literal["draft-04", "draft-06", "draft-07", "2019-09", "2020-12"]

_DRAFTS: Final[tuple[Draft, ...]] = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")
_ONE: Final = frozenset({
    "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
_LIST: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})

#: The draft that brought a keyword; older ones ignore it. Annotations are kept in every draft.
_SINCE: Final[dict[str, Draft]] = {
    **dict.fromkeys(("const", "contains", "propertyNames", "$id"), "draft-06"),
    **dict.fromkeys(("if", "then", "else", "contentEncoding", "contentMediaType"), "draft-07"),
    **dict.fromkeys(
        ("$anchor", "$recursiveAnchor", "$recursiveRef", "contentSchema", "dependentRequired", "dependentSchemas",
         "maxContains", "minContains", "unevaluatedItems", "unevaluatedProperties"), "2019-09"),
    **dict.fromkeys(("$dynamicAnchor", "$dynamicRef", "prefixItems"), "2020-12"),
}  # fmt: skip

_BESIDE_REF: Final = frozenset({"$schema", "$ref", "$defs", "definitions", "title", "description", "$comment"})

_FOR_EDITORS: Final = frozenset({
    "allowComments", "allowTrailingCommas", "defaultSnippets", "deprecationMessage", "doNotSuggest",
    "enumDescriptions", "errorMessage", "markdownDescription", "markdownEnumDescriptions", "tsType",
})  # fmt: skip
"""Keywords of editors, which decide about no value; they get the `x-` that Bridge asks for."""


def draft_of(schema: Any) -> Draft:
    """Return the draft that a document names; draft-07 where it names none, as editors do."""
    named = schema.get("$schema") if isinstance(schema, dict) else None
    return next((draft for draft in _DRAFTS if isinstance(named, str) and draft in named), "draft-07")


class Translation:
    """One document's spelling in draft 2020-12.

    Attributes:
        draft: What the document is written in.
        schema: The document, as draft 2020-12 spells it; `$schema` and the root's `$id` are left out.
        notes: What it cost: how often each thing was changed that a reader may care about.
    """

    def __init__(self, document: Any, rename: Callable[[str], str]) -> None:
        """Translate a document; `rename` gives the addresses of references, their fragment aside, as they shall be."""
        self.draft = draft_of(document)
        self.notes: Counter[str] = Counter()
        self._rename = rename
        self._at = _DRAFTS.index(self.draft)
        self.schema = self._schema(document, is_root=True)

    def _schema(self, schema: Any, *, is_root: bool = False) -> Any:
        if not isinstance(schema, dict):
            return schema
        found: dict[str, Any] = {}
        for key, value in self._heeded(schema, is_root).items():
            self._add(found, key, value, schema, is_root)
        if isinstance(found.get("enum"), list):
            found["x-closed"] = True
        return found

    def _heeded(self, schema: dict[str, Any], is_root: bool) -> dict[str, Any]:
        """Return what the draft heeds, and what it ignores under names with `x-` before them."""
        found: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _FOR_EDITORS:
                self.notes["keywords of editors, renamed x-…"] += 1
                found[f"x-{key}"] = value
            elif self._ignores_beside_ref(schema) and key not in _BESIDE_REF and not (is_root and key in ("$id", "id")):
                self.notes["keywords beside $ref, which the draft ignores"] += 1
            elif self._at < _DRAFTS.index(_SINCE.get(key, "draft-04")) or (key == "id" and self._at > 0):
                self.notes[f"{key} in a draft that ignores it, renamed x-…"] += 1
                found[f"x-{key.lstrip('$')}"] = value
            else:
                found[key] = value
        return found

    def _ignores_beside_ref(self, schema: dict[str, Any]) -> bool:
        return isinstance(schema.get("$ref"), str) and self.draft in ("draft-04", "draft-06", "draft-07")

    def _add(self, found: dict[str, Any], key: str, value: Any, schema: dict[str, Any], is_root: bool) -> None:
        old = self.draft != "2020-12"
        match key:
            case "$schema":
                pass
            case "id" | "$id":
                self._identify(found, value, is_root)
            case "$ref" if isinstance(value, str):
                found[key] = self._reference(value)
            case "items" if old and isinstance(value, list):
                self._tuple(found, value, schema)
            case "additionalItems" if old:
                if not isinstance(schema.get("items"), list):
                    self.notes["additionalItems without a list of items, which decides about nothing"] += 1
            case "dependencies" if old and isinstance(value, dict):
                self._dependencies(found, value)
            case "exclusiveMinimum" | "exclusiveMaximum" if self.draft == "draft-04" and isinstance(value, bool):
                self._exclude(found, key, schema)
            case "minimum" | "maximum" if self.draft == "draft-04" and self._is_exclusive(schema, key):
                pass
            case _:
                self._keep(found, key, value)

    def _keep(self, found: dict[str, Any], key: str, value: Any) -> None:
        if key in _ONE:
            found[key] = self._schema(value)
        elif key in _LIST and isinstance(value, list):
            found[key] = [self._schema(part) for part in value]
        elif key in _MAP and isinstance(value, dict):
            into = found.setdefault("$defs" if key == "definitions" else key, {})
            into.update((name, self._schema(part)) for name, part in value.items())
        else:
            found[key] = value

    def _identify(self, found: dict[str, Any], value: Any, is_root: bool) -> None:
        if isinstance(value, str) and value.startswith("#"):
            found["$anchor"] = value[1:]
        elif not is_root:
            found["$id"] = value.rstrip("#") if isinstance(value, str) else value

    def _tuple(self, found: dict[str, Any], value: list[Any], schema: dict[str, Any]) -> None:
        if value:
            found["prefixItems"] = [self._schema(part) for part in value]
        if "additionalItems" in schema:
            found["items"] = self._schema(schema["additionalItems"])

    def _dependencies(self, found: dict[str, Any], value: dict[str, Any]) -> None:
        names = {key: part for key, part in value.items() if isinstance(part, list)}
        others = {key: self._schema(part) for key, part in value.items() if not isinstance(part, list)}
        found |= {key: part for key, part in (("dependentRequired", names), ("dependentSchemas", others)) if part}

    def _exclude(self, found: dict[str, Any], key: str, schema: dict[str, Any]) -> None:
        bound = key.replace("exclusiveM", "m")
        if schema[key] and bound in schema:
            found[key] = schema[bound]

    def _is_exclusive(self, schema: dict[str, Any], key: str) -> bool:
        return schema.get(f"exclusive{key.capitalize()}") is True

    def _reference(self, reference: str) -> str:
        uri, hash_, fragment = reference.partition("#")
        if fragment.startswith("/"):
            fragment = "/" + "/".join(_pointer(fragment[1:].split("/")))
        return f"{self._rename(uri) if uri else ''}{hash_ if fragment or not uri else ''}{fragment}"


def _pointer(tokens: list[str]) -> list[str]:
    """Spell a pointer's keywords; what isn't at a keyword's place is a name."""
    found: list[str] = []
    while tokens:
        key, *rest = tokens
        many = key in _LIST or key in _MAP or key == "dependencies" or (key == "items" and rest and rest[0].isdigit())
        new = {"definitions": "$defs", "dependencies": "dependentSchemas", "additionalItems": "items"}.get(key, key)
        found += ["prefixItems" if key == "items" and many else new, *(rest[:1] if many else ())]
        tokens = rest[1:] if many else rest
    return found
