"""Every keyword and format that a contract may meet, and what Bridge does with it.

The normaliser decides by this table alone, and `bridge contracts keywords` prints it, so that the two can't differ.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["supported", "inert", "refused"]
Takes = Literal[
    "any", "any list", "base64", "boolean", "definitions", "enum", "format", "former", "number", "pattern",
    "patterns", "positive number", "reference", "schema", "schema list", "schema map", "size", "string", "string map",
    "strings", "type",
]  # fmt: skip


@dataclass(frozen=True)
class Keyword:
    """One keyword, or one value of `format`.

    Attributes:
        name: As it stands in a schema.
        group: The vocabulary that it belongs to; `bridge` for ours, `format` for a format.
        status: `supported`: checked, or shown in generated code. `inert`: read and left out, as it decides about no
            value. `refused`: an error.
        note: What it does, or for a refused one the mend.
        takes: The kind of its value, where the normaliser looks at it.
    """

    name: str
    group: str
    status: Status
    note: str
    takes: Takes = "any"


def _table(group: str, status: Status, rows: dict[str, str | tuple[str, Takes]]) -> list[Keyword]:
    return [
        Keyword(name, group, status, row) if isinstance(row, str) else Keyword(name, group, status, *row)
        for name, row in rows.items()
    ]


_OLD: Final = "from an older draft; write"

# The order of the supported ones is the order of a normalised schema's keys.
_ALL: Final = [
    *_table("core", "supported", {
        "$ref": ("any local, relative or registered reference; its siblings keep their meaning", "reference"),
    }),
    *_table("validation", "supported", {
        "type": ("one type or several; `integer` takes 1.0 too", "type"),
        "enum": ("of texts alone: a class of its own, open for readers unless x-closed", "enum"),
        "const": "1 and 1.0 are equal, true and 1 are not",
        "multipleOf": ("exact, by the decimal digits", "positive number"),
        "maximum": ("", "number"),
        "exclusiveMaximum": ("", "number"),
        "minimum": ("", "number"),
        "exclusiveMinimum": ("", "number"),
        "maxLength": ("counts code points", "size"),
        "minLength": ("counts code points", "size"),
        "pattern": ("what ECMA-262, Python and PCRE agree on", "pattern"),
    }),
    *_table("format", "supported", {"format": ("asserted; the formats have rows of their own", "format")}),
    *_table("content", "supported", {"contentEncoding": ("base64, asserted: bytes in code", "base64")}),
    *_table("validation", "supported", {
        "maxItems": ("", "size"),
        "minItems": ("", "size"),
        "uniqueItems": ("", "boolean"),
    }),
    *_table("applicator", "supported", {"contains": ("", "schema")}),
    *_table("validation", "supported", {"minContains": ("", "size"), "maxContains": ("", "size")}),
    *_table("applicator", "supported", {
        "prefixItems": ("with as many items as schemas: a tuple", "schema list"),
        "items": ("", "schema"),
    }),
    *_table("validation", "supported", {
        "maxProperties": ("", "size"),
        "minProperties": ("", "size"),
        "required": ("", "strings"),
        "dependentRequired": ("", "string map"),
    }),
    *_table("applicator", "supported", {
        "properties": ("with type object: a class of its own", "schema map"),
        "patternProperties": ("", "patterns"),
        "additionalProperties": ("false: readers refuse undeclared fields; writers always do", "schema"),
        "propertyNames": ("", "schema"),
        "dependentSchemas": ("", "schema map"),
        "allOf": ("of objects: one class with the fields of all", "schema list"),
        "anyOf": ("with null: nullable; with a tag: a union", "schema list"),
        "oneOf": ("with null: nullable; with a tag: a union", "schema list"),
        "not": ("", "schema"),
        "if": ("", "schema"),
        "then": ("", "schema"),
        "else": ("", "schema"),
    }),
    *_table("meta-data", "supported", {
        "title": ("an identifier names the class", "string"),
        "description": ("the docstring", "string"),
        "default": "must keep its own schema; readers fill it in",
        "deprecated": ("", "boolean"),
        "examples": ("each must keep the schema", "any list"),
    }),
    *_table("bridge", "supported", {
        "x-closed": ("readers refuse members of an enum that they don't know", "boolean"),
        "x-was": ("the earlier names of a field, or of an enum's members; readers take them too", "former"),
        "x-reserved": ("names of removed fields or members, which may not come back", "strings"),
        "x-sensitive": ("the value is never shown in messages and logs", "boolean"),
    }),
    *_table("core", "supported", {"$defs": ("shared schemas", "definitions")}),
    *_table("core", "inert", {
        "$schema": "2020-12, the contract schema, or nothing",
        "$id": "resolved, then left out",
        "$anchor": "resolved, then left out",
        "$comment": "for readers of the file",
        "$vocabulary": "has a meaning in meta-schemas alone",
        "definitions": "the old spelling of $defs, read as such",
    }),
    *_table("meta-data", "inert", {"readOnly": "decides about no value", "writeOnly": "decides about no value"}),
    *_table("bridge", "inert", {"x-…": "any other keyword with x- before it"}),
    *_table("core", "refused", {
        "$dynamicRef": "the schema would depend on its caller; use $ref",
        "$dynamicAnchor": "the schema would depend on its caller; use $anchor and $ref",
    }),
    *_table("unevaluated", "refused", {
        "unevaluatedProperties": "it depends on the branches that match; list the fields and use additionalProperties",
        "unevaluatedItems": "it depends on the branches that match; use prefixItems and items",
    }),
    *_table("content", "refused", {
        "contentMediaType": "the content is not looked into; say it in the description",
        "contentSchema": "the content is not looked into; send it as JSON, not as text",
    }),
    *_table("bridge", "refused", {
        "x-name": "the normaliser writes it; name a class with `title`",
        "x-module": "the normaliser writes it; the file that holds the schema decides",
        "x-job": "it stands at the root of a contract file alone",
        "x-ignore": "it stands at the root of a contract file alone",
    }),
    *_table("older draft", "refused", {
        "$recursiveRef": f"{_OLD} $ref",
        "$recursiveAnchor": f"{_OLD} $anchor and $ref",
        "id": f"{_OLD} $id",
        "dependencies": f"{_OLD} dependentRequired or dependentSchemas",
        "additionalItems": f"{_OLD} prefixItems, with items for the rest",
        "divisibleBy": f"{_OLD} multipleOf",
        "disallow": f"{_OLD} not",
        "extends": f"{_OLD} allOf",
        "nullable": "of OpenAPI 3.0; write type: [..., \"null\"]",
        "discriminator": "of OpenAPI; write oneOf whose branches require one field with a const each",
        "example": "of OpenAPI 3.0; write examples: [...]",
    }),
]  # fmt: skip

_FORMATS: Final = [
    *_table("format", "supported", {
        "date-time": "RFC 3339 with an offset, at most 6 fraction digits, no leap second: datetime, DateTime",
        "date": "RFC 3339 full-date: date, Date",
        "time": "RFC 3339 full-time with an offset: text",
        "duration": "RFC 3339 appendix A: Duration, text",
        "uuid": "with dashes, any case read, lower case written: UUID, text",
        "email": "RFC 5321 mailbox: text",
        "uri": "RFC 3986 with a scheme: text",
        "decimal": "-?(0|[1-9]\\d*)(\\.\\d+)? in text, exact: Decimal, text",
        "bigint": "-?(0|[1-9]\\d*) in text, of any size: int, integer",
        "uri-reference": "RFC 3986, relative ones too: text",
        "ipv4": "text",
        "ipv6": "text",
        "json-pointer": "RFC 6901: text",
        "relative-json-pointer": "text",
    }),
    *_table("format", "refused", {
        "hostname": "its rules for international names change with Unicode; write a pattern",
        "idn-hostname": "its rules change with Unicode; write a pattern",
        "idn-email": "its rules change with Unicode; write a pattern",
        "iri": "use uri, with other characters percent-encoded",
        "iri-reference": "use uri-reference, with other characters percent-encoded",
        "uri-template": "write a pattern",
        "regex": "regular expressions differ between languages; leave the format out",
        "color": "write a pattern",
        "phone": "write a pattern",
        "int32": "type integer with minimum and maximum",
        "int64": "type integer with minimum and maximum, or a string with format bigint",
        "float": "type number",
        "double": "type number",
        "byte": "contentEncoding: base64",
        "binary": "contentEncoding: base64",
        "password": "x-sensitive: true",
    }),
]  # fmt: skip

AT_ROOT: Final = frozenset({"x-job", "x-ignore"})
"""What a contract file may say at its root, and refuses elsewhere."""

KEYWORDS: Final = {keyword.name: keyword for keyword in _ALL}
"""Every keyword, the supported ones first and in the order of a normalised schema."""

FORMATS: Final = {keyword.name: keyword for keyword in _FORMATS}
"""Every value of `format` with a row of its own; any other is refused."""

ORDER: Final = {name: place for place, name in enumerate(
    [*(keyword.name for keyword in _ALL if keyword.status == "supported" and keyword.name != "$defs"),
     "x-name", "x-module", "$defs"]
)}  # fmt: skip
"""The place of each keyword in a normalised schema."""


def keyword_of(name: str) -> Keyword | None:
    """Return the row for a keyword; other `x-` keywords share one; None: nobody knows it."""
    found = KEYWORDS.get(name)
    return KEYWORDS["x-…"] if found is None and name.startswith("x-") else found


def nearest(name: str) -> str:
    """Return the mend for an unknown keyword: what may have been meant, or how to keep it out of the way."""
    close = difflib.get_close_matches(name, [key for key, row in KEYWORDS.items() if row.status != "refused"], n=1)
    return f"did you mean {close[0]!r}?" if close else f"if it is yours, call it 'x-{name}'"


def slip_of(name: str) -> str | None:
    """Return the `x-` keyword of ours that an unknown one is nearly called, so that no slip of the pen is silent."""
    ours = [key for key, row in KEYWORDS.items() if row.group == "bridge" and row.status == "supported"]
    words = [key.removeprefix("x-") for key in (*ours, *sorted(AT_ROOT))]
    close = difflib.get_close_matches(name.removeprefix("x-").lower(), words, n=1, cutoff=_NEARLY)
    return f"x-{close[0]}" if close else None


_NEARLY: Final = 0.8  # one letter too few or too many in most words, two in the long ones


def nearest_format(name: str) -> str:
    """Return the mend for an unknown format."""
    known = [key for key, row in FORMATS.items() if row.status == "supported"]
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"write a pattern, or one of {', '.join(known)}"
