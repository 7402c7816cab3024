"""The native type that a schema describes."""

import pytest

from bridge.contracts.normalise import normalise
from bridge.contracts.shapes import (
    ANY,
    NO_DEFAULT,
    Constant,
    EnumOf,
    Field,
    ListOf,
    MapOf,
    Nullable,
    Scalar,
    StructRef,
    TupleOf,
    Union,
    enums,
    shape_of,
    structs,
)

INTEGER, TEXT, NUMBER = Scalar("integer"), Scalar("string"), Scalar("number")
STRUCT = {"type": "object", "properties": {"a": {"type": "integer"}}}


def shape(schema):
    found = normalise(schema, name="T", module="t")
    return shape_of(found, found)


def fields(schema) -> dict[str, Field]:
    found = normalise(schema, name="T", module="t")
    return {field.name: field for field in structs(found)["t", "T"].fields}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (True, ANY),
        ({}, ANY),
        ({"maximum": 3}, ANY),
        ({"properties": {"a": True}}, ANY),
        *(({"type": kind}, Scalar(kind)) for kind in ("null", "boolean", "integer", "number", "string")),
        ({"type": ["integer", "number"]}, NUMBER),
        ({"type": ["integer", "string"]}, ANY),
        ({"type": ["integer", "null"]}, Nullable(INTEGER)),
        *(({"type": "string", "format": kind}, Scalar(kind)) for kind in ("date", "time", "duration", "uuid", "email")),
        *(({"type": "string", "format": kind}, Scalar(kind)) for kind in ("uri", "decimal", "bigint")),
        ({"type": "string", "format": "date-time"}, Scalar("datetime")),
        ({"type": "string", "format": "ipv4"}, TEXT),
        ({"format": "uuid"}, ANY),
        ({"type": "string", "contentEncoding": "base64"}, Scalar("bytes")),
        ({"const": "x"}, Constant("x")),
        ({"const": None}, Scalar("null")),
        ({"const": [1]}, ANY),
        ({"enum": [1, 2]}, INTEGER),
        ({"enum": [1, 2.5]}, NUMBER),
        ({"enum": [1, True]}, ANY),
        ({"enum": ["a", 1]}, ANY),
        ({"enum": ["a", "b"]}, EnumOf("T", "t", ("a", "b"))),
        ({"enum": ["a"], "x-closed": True}, EnumOf("T", "t", ("a",), closed=True)),
        ({"enum": ["a", None]}, Nullable(EnumOf("T", "t", ("a",), closed=True))),
        ({"type": "array"}, ListOf(ANY)),
        ({"type": "array", "items": {"type": "integer"}}, ListOf(INTEGER)),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, ListOf(ANY)),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {}], "minItems": 2, "items": False},
         TupleOf((INTEGER, ANY))),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 1, "maxItems": 1}, TupleOf((INTEGER,))),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": False}, ListOf(ANY)),
        ({"type": "object"}, MapOf(ANY)),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, MapOf(INTEGER)),
        ({"type": "object", "patternProperties": {"x": {"type": "integer"}}, "additionalProperties": False},
         MapOf(INTEGER)),
        ({"type": "object", "patternProperties": {"x": {"type": "integer"}}}, MapOf(ANY)),
        (STRUCT, StructRef("T", "t")),
        ({**STRUCT, "type": ["object", "null"]}, Nullable(StructRef("T", "t"))),
        ({**STRUCT, "additionalProperties": {"type": "integer"}}, MapOf(ANY)),
        ({**STRUCT, "patternProperties": {"x": True}}, MapOf(ANY)),
        ({**STRUCT, "anyOf": [{"properties": {"b": True}}, {}]}, MapOf(ANY)),
        ({**STRUCT, "anyOf": [{"required": ["a"]}, {"properties": {"a": {"minimum": 1}}}]}, StructRef("T", "t")),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, Nullable(INTEGER)),
        ({"oneOf": [{"const": None}, STRUCT]}, Nullable(StructRef("T", "t"))),
        ({"anyOf": [{"const": "a"}, {"type": "string", "format": "uuid"}]}, TEXT),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}, Nullable(NUMBER)),
        ({"anyOf": [STRUCT, {"type": "string"}]}, ANY),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, INTEGER),
        ({"allOf": [{"type": ["string", "null"]}, {"type": "string", "format": "uuid"}]}, Scalar("uuid")),
        ({"type": "string", "allOf": [{"minLength": 1}]}, TEXT),
        ({"$ref": "#/$defs/x", "maximum": 9, "$defs": {"x": {"type": "integer"}}}, INTEGER),
    ],
)  # fmt: skip
def test_the_shape_of_a_schema(schema, expected):
    assert shape(schema) == expected


def branch(tag: dict, **more) -> dict:
    return {"type": "object", "required": ["kind"], "properties": {"kind": tag, **more}}


def test_objects_that_a_required_constant_tells_apart_are_a_union():
    email, s3 = branch({"const": "email"}, to={"type": "string"}), branch({"enum": ["s3"]})
    union = Union("kind", (("email", StructRef("TEmail", "t")), ("s3", StructRef("TS3", "t"))))
    assert shape({"oneOf": [email, s3]}) == shape({"anyOf": [email, s3]}) == union
    assert shape({"type": "object", "oneOf": [email, s3]}) == union
    assert shape({"oneOf": [email, {"type": "null"}, s3]}) == Nullable(union)
    named = {"oneOf": [{"$ref": "#/$defs/e"}, {"$ref": "#/$defs/s"}], "$defs": {"e": email, "s": s3}}
    assert shape(named) == Union("kind", (("email", StructRef("E", "t")), ("s3", StructRef("S", "t"))))


@pytest.mark.parametrize(
    "other",
    [
        branch({"const": 1}),
        branch({"type": "string"}),
        {**branch({"const": "s3"}), "required": []},
        {**branch({"const": "s3"}), "additionalProperties": {"type": "string"}},
        {"type": "string"},
    ],
)
def test_objects_that_nothing_tells_apart_have_no_clean_shape(other):
    assert shape({"oneOf": [branch({"const": "email"}), other]}) in (ANY, MapOf(ANY))


def test_fields_beside_a_union_must_be_in_each_branch():
    branches = [branch({"const": "a"}, x={"type": "integer"}), branch({"const": "b"}, x={"type": "integer"})]
    assert isinstance(shape({"type": "object", "properties": {"x": True}, "oneOf": branches}), StructRef | Union)
    assert shape({"type": "object", "properties": {"y": True}, "oneOf": branches}) == MapOf(ANY)


def test_a_field_says_what_its_schema_says():
    found = fields({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "description": "A number", "x-sensitive": True},
            "size": {"$ref": "#/$defs/size", "deprecated": True},
            "note": {"type": ["string", "null"], "default": None},
        },
        "$defs": {"size": {"enum": ["a", "b"], "default": "a", "description": "The size's class"}},
    })  # fmt: skip
    assert found["id"] == Field("id", INTEGER, required=True, description="A number", sensitive=True)
    assert found["size"].default == "a"
    assert (found["size"].deprecated, found["size"].description) == (True, "")
    assert found["note"] == Field("note", Nullable(TEXT), required=False, default=None)
    assert found["id"].default is NO_DEFAULT


def test_all_of_objects_is_one_struct_with_the_fields_of_all():
    document = {
        "type": "object",
        "allOf": [{"$ref": "#/$defs/base"}, {"required": ["b"], "properties": {"b": {"minimum": 1}}}],
        "properties": {"b": {"type": "integer"}, "c": True},
        "$defs": {"base": {**STRUCT, "required": ["a"]}},
    }
    found = fields(document)
    assert list(found) == ["a", "b", "c"]
    assert [field.required for field in found.values()] == [True, True, False]
    assert found["b"].shape == INTEGER


def test_all_of_one_object_is_that_object():
    document = {"type": "object", "properties": {"x": {"allOf": [{"$ref": "#/$defs/base"}], "required": ["a"]}}}
    assert fields({**document, "$defs": {"base": STRUCT}})["x"].shape == StructRef("Base", "t")


def test_a_struct_is_closed_where_undeclared_fields_are_refused():
    for schema, closed in ((STRUCT, False), ({**STRUCT, "additionalProperties": False}, True)):
        found = normalise(schema, name="T", module="t")
        assert structs(found)["t", "T"].closed is closed


def test_structs_and_enums_come_in_order_the_root_first_each_once():
    document = {
        "type": "object",
        "properties": {"b": {"$ref": "#/$defs/b"}, "a": STRUCT, "again": {"$ref": "#/$defs/b"}, "e": {"enum": ["x"]}},
        "$defs": {"b": {**STRUCT, "properties": {"me": {"$ref": "#"}}}, "unused": STRUCT},
    }
    found = normalise(document, name="T", module="t", all_defs=True)
    assert list(structs(found)) == [("t", "T"), ("t", "B"), ("t", "TA"), ("t", "Unused")]
    assert list(enums(found)) == [("t", "TE")]
    assert structs(found)["t", "B"].fields[0].shape == StructRef("T", "t")


def test_a_map_that_contains_itself_is_any_inside():
    document = {"$ref": "#/$defs/m", "$defs": {"m": {"type": "object", "additionalProperties": {"$ref": "#/$defs/m"}}}}
    assert shape(document) == MapOf(ANY)
