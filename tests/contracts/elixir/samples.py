"""Contracts that use everything, and texts that try to break out of what they are written into."""

from typing import Any

from bridge.contracts.model import Model
from contracts.elixir.models import model_of

HOSTILE = (
    '#{System.halt(1)}', '"""', '\n"""\n  System.halt(1)\n  @x """', '"', "\\", '\\"', "\\#{1}", "'''", "~s(", "%{",
    "#", "\u202e txt.\u202c", "\u2028next\u2029", "\x07\x1b[31m", "a\r\nb\rc", "\ufeff", "e\u0301",
    "👨\u200d👩\u200d👧", "\U000e0041", "\x85", "?\\", "<%= 1 %>", "@moduledoc false", "é", "ΩЖ中が", "\t",
    "  indented", "x" * 200, "word " * 60, "` code ` *b* _i_", "nil", "true", "unset", "__struct__", "Elixir",
    "String", "do", "fn", "::", "|>", "..//", "<<>>", "end",
)  # fmt: skip

JOB: dict[str, Any] = {"worker": "MyApp.Sample", "serves": "elixir", "queue": "samples"}

TARGET = {
    "Target": {"oneOf": [{"$ref": "#/$defs/Email"}, {"$ref": "#/$defs/Bucket"}]},
    "Email": {
        "description": "By mail.",
        "type": "object",
        "required": ["kind", "address"],
        "properties": {"kind": {"const": "email"}, "address": {"type": "string", "format": "email"}},
    },
    "Bucket": {
        "type": "object",
        "required": ["kind", "name"],
        "properties": {
            "kind": {"enum": ["s3"]},
            "name": {"type": "string"},
            "next": {"anyOf": [{"$ref": "#/$defs/Target"}, {"type": "null"}]},
        },
    },
}
SHAPES: dict[str, Any] = {
    "any": {},
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "string": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "duration": {"type": "string", "format": "duration"},
    "uuid": {"type": "string", "format": "uuid"},
    "email": {"type": "string", "format": "email"},
    "uri": {"type": "string", "format": "uri"},
    "decimal": {"type": "string", "format": "decimal"},
    "bigint": {"type": "string", "format": "bigint"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "constant": {"const": "fixed"},
    "enum": {"enum": ["attendee", "in progress", "nil"]},
    "list": {"type": "array", "items": {"type": "string", "format": "date"}},
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string", "format": "uuid"}],
        "items": False,
        "minItems": 2,
    },
    "map": {"type": "object", "additionalProperties": {"type": "string", "format": "bigint"}},
    "struct": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
    "union": {"$ref": "#/$defs/Target"},
}
UUID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
# For each shape: values as JSON has them, and as Elixir inspects them.
VALUES: dict[str, list[tuple[Any, str]]] = {
    "any": [({"a": [1, None]}, '%{"a" => [1, nil]}'), (False, "false")],
    "null": [(None, "nil")],
    "boolean": [(True, "true"), (False, "false")],
    "integer": [(1, "1"), (2**70, str(2**70))],
    "number": [(1, "1"), (1.5, "1.5")],
    "string": [("é", '"é"'), ("", '""')],
    "datetime": [("2020-01-31T09:30:00.25Z", "~U[2020-01-31 09:30:00.25Z]")],
    "date": [("2020-01-31", "~D[2020-01-31]")],
    "time": [("09:30:00Z", '"09:30:00Z"')],
    "duration": [("P1DT12H", '"P1DT12H"')],
    "uuid": [(UUID, f'"{UUID}"')],
    "email": [("a@b.c", '"a@b.c"')],
    "uri": [("http://a", '"http://a"')],
    "decimal": [("1.10", '"1.10"')],
    "bigint": [("-" + "9" * 40, "-" + "9" * 40)],
    "bytes": [("/w==", "<<255>>"), ("", '""')],
    "constant": [("fixed", '"fixed"')],
    "enum": [("attendee", ":attendee"), ("in progress", ':"in progress"'), ("nil", '"nil"')],
    "list": [(["2020-01-31"], "[~D[2020-01-31]]"), ([], "[]")],
    "tuple": [([1, UUID], f'[1, "{UUID}"]')],
    "map": [({"x y": "12"}, '%{"x y" => 12}')],
    "struct": [({"a": 1}, "StructShape{a: 1}")],
    "union": [
        ({"kind": "email", "address": "a@b.c"}, 'Email{address: "a@b.c", kind: "email"}'),
        (
            {"kind": "s3", "name": "n", "next": {"kind": "email", "address": "a@b"}},
            'Bucket{name: "n", kind: :s3, next: %Email{address: "a@b", kind: "email"}}',
        ),
    ],
}


def models() -> list[Model]:
    """A contract with each shape four times, one with odd names, one with defaults, and one that is shared."""
    return [
        model_of(
            every_shape(),
            "every_shape",
            job={**JOB, "result": {"$ref": "odd_names.json"}},
            others={"odd_names.json": ODD},
        ),
        model_of(ODD, "odd_names"),
        model_of(DEFAULTS, "defaults", job={**JOB, **FULL_JOB}),
        model_of({"$defs": TARGET}, "only_definitions"),
        model_of({"enum": ["a", "b"], "description": "Texts."}, "only_enum"),
        model_of({"type": "array", "items": {"type": "integer"}}, "only_list"),
        model_of(FORMER, "former"),
    ]


def every_shape() -> dict[str, Any]:
    """Each shape required and optional, nullable and not."""
    fields: dict[str, Any] = {}
    for name in SHAPES:
        # A class stands for one schema, so it is referred to.
        shared = {"$ref": f"#/$defs/{name.capitalize()}Shape"}
        nullable = {"anyOf": [shared, {"type": "null"}]}
        fields |= {
            f"{name}_must": shared,
            f"{name}_must_null": nullable,
            f"{name}_may": shared,
            f"{name}_may_null": nullable,
        }
    definitions = {f"{name.capitalize()}Shape": schema for name, schema in SHAPES.items()}
    required = [name for name in fields if "_must" in name]
    return {"type": "object", "required": required, "properties": fields, "$defs": {**definitions, **TARGET}}


ODD: dict[str, Any] = {
    "title": "OddNames",
    "type": "object",
    "required": ["userName", "end"],
    "properties": {
        name: {"type": "string"}
        for name in (
            "userName",
            "URLPath",
            "first-name",
            "end",
            "nil",
            "2x",
            "größe",
            "__struct__",
            "a b",
            "",
            "x" * 90,
        )
    },
    "additionalProperties": False,
}
DEFAULTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "default": 'a "quoted" #{1} line\n'},
        "flag": {"type": "boolean", "default": False},
        "count": {"type": "integer", "default": 1_234_567},
        "ratio": {"type": "number", "default": 1e-7},
        "nothing": {"type": ["string", "null"], "default": None},
        "kind": {"enum": ["a-b", "c"], "default": "a-b"},
        "at": {"type": "string", "format": "date-time", "default": "2020-01-01T01:00:00.5+02:00"},
        "day": {"type": "string", "format": "date", "default": "2020-01-01"},
        "big": {"type": "string", "format": "bigint", "default": "123456789012345678901"},
        "data": {"type": "string", "contentEncoding": "base64", "default": "/w=="},
        "tags": {"type": "array", "items": {"type": "string"}, "default": ["x", "y"]},
        "inner": {"type": "object", "properties": {"a": {"type": "integer", "default": 2}}, "default": {"a": 3}},
        "whole": {"type": "integer", "default": 2.0},
    },
}
FORMER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "x-was": ["title", 'a "quoted" #{1} name', "x" * 60]},
        "kind": {"enum": ["a-b", "c"], "x-was": {"a_b": "a-b", '#{"b"}': "c"}},
    },
}
FULL_JOB: dict[str, Any] = {
    "max_attempts": 3, "priority": 2, "tags": ["a", "b"], "timeout": 1.5, "version": 7, "aliases": ["MyApp.Older"],
    "unique": {"period": "infinity", "keys": ["text", "count"], "fields": ["args", "worker"]},
    "result": {"type": "object", "required": ["sent"], "properties": {"sent": {"type": "integer"}}},
    "errors": {
        "no_font": {
            "retry": "cancel",
            "data": {"type": "object", "required": ["font"], "properties": {"font": {"type": "string"}}},
        },
        "busy": {"retry": "snooze"},
        "words": {"data": {"type": "array", "items": {"enum": ["a", "b"]}}},
    },
    "events": {
        "progress": {
            "type": "object",
            "required": ["percent", "phase"],
            "properties": {"percent": {"type": "integer", "maximum": 100}, "phase": {"enum": ["render", "print"]}},
        },
    },
}  # fmt: skip


def hostile_model(stem: str, text: str) -> Model:
    """A contract that holds a text wherever a contract has text."""
    field = {"type": "string", "description": text, "default": text, "examples": [text]}
    schema = {
        "description": text,
        "type": "object",
        "properties": {
            text: field,
            "kind": {"description": text, "enum": [text, "other"]},
            "const": {"const": text},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {text: 1}},
            "any": {"default": {text: [text]}},
        },
        "dependentRequired": {text: ["kind"]},
    }
    job = {
        **JOB,
        "queue": f"q{text}"[:127],
        "tags": [text[:100]],
    }
    return model_of(schema, stem, job=job)
