"""Every keyword's verdict, and where each violation is told."""

import math
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bridge.contracts.runtime.check import compile_checks

from . import schemas
from .rig import enum, obj, ref


def found(schema, value, mode="strict"):
    """The (path, rule) pairs of a value's violations, in their order."""
    return [(violation.path, violation.rule) for violation in compile_checks(schema, mode=mode)(value)]


VALID = [
    ({"type": "integer"}, 1.0), ({"type": "integer"}, 2**70), ({"type": "integer"}, 1e300), ({"type": "number"}, 1),
    ({"type": "number"}, Decimal("1e-400")), ({"type": ["string", "null"]}, None), (True, "x"), ({}, None),
    ({"enum": [1]}, 1.0), ({"enum": [{"a": [1]}]}, {"a": [1.0]}), ({"const": {"a": 1, "b": 2}}, {"b": 2, "a": 1}),
    ({"const": None}, None), ({"multipleOf": 0.1}, 0.3), ({"multipleOf": 0.01}, 4.35), ({"multipleOf": 0.5}, 1e308),
    ({"multipleOf": 3}, 9), ({"multipleOf": 3}, "x"), ({"multipleOf": 1e-8}, 12391239123), ({"maximum": 2}, 2.0),
    ({"exclusiveMaximum": 2}, 1.9), ({"minimum": 2}, 2), ({"exclusiveMinimum": 2}, 2.1), ({"minimum": 2}, True),
    ({"maxLength": 2}, "é😀"), ({"minLength": 2}, "é😀"), ({"maxLength": 1}, 12), ({"pattern": "a+"}, "xaay"),
    ({"pattern": "^a$"}, 3), ({"format": "date"}, 3), ({"format": "uuid"}, None),
    ({"contentEncoding": "base64"}, "YWI="),
    ({"contentEncoding": "base64"}, ""), ({"maxItems": 2}, [1, 2]), ({"minItems": 1}, [1]),
    ({"uniqueItems": True}, [1, True]),
    ({"uniqueItems": True}, [{"a": 1}, {"a": 2}]), ({"uniqueItems": False}, [1, 1]),
    ({"contains": {"const": 1}}, [2, 1]),
    ({"contains": {"const": 1}, "minContains": 0}, []), ({"contains": {"const": 1}, "maxContains": 1}, [1, 2]),
    ({"minContains": 5}, []), ({"prefixItems": [{"type": "integer"}]}, []), ({"items": {"type": "integer"}}, [1, 2]),
    ({"prefixItems": [True], "items": False}, ["x"]), ({"maxProperties": 1}, {"a": 1}), ({"minProperties": 1},
    {"a": 1}),
    ({"required": ["a"]}, {"a": None}), ({"required": ["a"]}, []), ({"dependentRequired": {"a": ["b"]}}, {"b": 1}),
    ({"properties": {"a": {"type": "integer"}}}, {"b": "x"}), ({"patternProperties": {"^x": {"type": "integer"}}},
    {"y": "s"}),
    ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1}),
    ({"patternProperties": {"^x": True}, "additionalProperties": False}, {"xy": 1}),
    ({"propertyNames": {"maxLength": 2}}, {"ab": 1}), ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"b": 1}),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2), ({"anyOf": [{"type": "string"}, {"minimum": 2}]}, 3),
    ({"oneOf": [{"type": "string"}, {"minimum": 2}]}, 3), ({"not": {"type": "string"}}, 3),
    ({"if": {"const": 1}, "then": {"type": "integer"}}, "x"), ({"then": False}, 1),
    ({"if": {"type": "integer"}, "then": {"minimum": 2}, "else": {"minLength": 2}}, "ab"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), VALID, ids=str)
def test_valid(schema, value):
    assert found(schema, value) == []


INVALID = [
    (False, 1, "", "false"),
    ({"type": "integer"}, 1.5, "", "type"), ({"type": "integer"}, True, "", "type"),
    ({"type": "number"}, "1", "", "type"),
    ({"type": "number"}, math.nan, "", "type"), ({"type": "number"}, math.inf, "", "type"),
    ({"type": "null"}, 0, "", "type"),
    ({"type": "boolean"}, 1, "", "type"), ({"type": "array"}, {}, "", "type"), ({"type": "object"}, [], "", "type"),
    ({"type": ["string", "null"]}, 1, "", "type"), ({"enum": [1]}, True, "", "enum"), ({"enum": [True]}, 1, "", "enum"),
    ({"enum": ["a"]}, "b", "", "enum"), ({"const": 0}, False, "", "const"), ({"const": [1]}, [True], "", "const"),
    ({"multipleOf": 0.1}, 0.35, "", "multipleOf"), ({"multipleOf": 3}, 10, "", "multipleOf"),
    ({"maximum": 2}, 2.1, "", "maximum"), ({"exclusiveMaximum": 2}, 2, "", "exclusiveMaximum"),
    ({"minimum": 2}, 1, "", "minimum"), ({"exclusiveMinimum": 2}, 2, "", "exclusiveMinimum"),
    ({"maxLength": 2}, "abc", "", "maxLength"), ({"minLength": 2}, "😀", "", "minLength"),
    ({"pattern": "^a$"}, "a\n", "", "pattern"), ({"format": "date"}, "2026-02-30", "", "format"),
    ({"contentEncoding": "base64"}, "YWI", "", "contentEncoding"),
    ({"contentEncoding": "base64"}, "YW I=", "", "contentEncoding"),
    ({"maxItems": 1}, [1, 2], "", "maxItems"), ({"minItems": 1}, [], "", "minItems"),
    ({"uniqueItems": True}, [1, 1.0], "", "uniqueItems"), ({"uniqueItems": True}, [{"a": 1},
    {"a": 1.0}], "", "uniqueItems"),
    ({"contains": {"const": 1}}, [2], "", "contains"), ({"contains": True}, [], "", "contains"),
    ({"contains": {"const": 1}, "minContains": 2}, [1], "", "minContains"),
    ({"contains": {"const": 1}, "maxContains": 1}, [1, 1], "", "maxContains"),
    ({"prefixItems": [True, {"type": "integer"}]}, [1, "x"], "/1", "type"),
    ({"items": {"type": "integer"}}, [1, "x"], "/1", "type"),
    ({"prefixItems": [True], "items": False}, [1, 2], "/1", "false"), ({"maxProperties": 1},
    {"a": 1, "b": 2}, "", "maxProperties"),
    ({"minProperties": 1}, {}, "", "minProperties"), ({"required": ["a"]}, {}, "/a", "required"),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "/b", "dependentRequired"),
    ({"properties": {"a": {"type": "integer"}}}, {"a": "x"}, "/a", "type"), ({"properties": {"a": False}},
    {"a": 1}, "/a", "false"),
    ({"patternProperties": {"^x": {"type": "integer"}}}, {"xy": "s"}, "/xy", "type"),
    ({"properties": {"a": True}, "additionalProperties": False}, {"b": 1}, "/b", "additionalProperties"),
    ({"additionalProperties": {"type": "integer"}}, {"b": "x"}, "/b", "type"),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "/ab", "propertyNames"), ({"propertyNames": False},
    {"a": 1}, "/a", "propertyNames"),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "/b", "required"),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 4, "", "maximum"), ({"anyOf": [{"type": "string"},
    {"minimum": 2}]}, 1, "", "anyOf"),
    ({"oneOf": [{"minimum": 0}, {"minimum": 2}]}, 3, "", "oneOf"), ({"oneOf": [{"type": "string"}]}, 3, "", "oneOf"),
    ({"not": {"type": "string"}}, "x", "", "not"), ({"if": {"const": 1}, "then": False}, 1, "", "false"),
    ({"if": {"const": 1}, "else": {"type": "integer"}}, "x", "", "type"),
    ({"$ref": "#/$defs/A", "minimum": 5, "$defs": {"A": {"type": "integer"}}}, 1, "", "minimum"),
    (
        {"$ref": "#/$defs/A", "$defs": {"A": {"items": {"$ref": "#/$defs/A"}, "maxItems": 1}}},
        [[[1, 2]]], "/0/0", "maxItems",
    ),
    ({"properties": {"a/b~c": False}}, {"a/b~c": 1}, "/a~1b~0c", "false"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "path", "rule"), INVALID, ids=str)
def test_invalid(schema, value, path, rule):
    assert found(schema, value) == [(path, rule)]


def test_all_are_told_in_the_order_of_the_schema_and_none_twice():
    schema = {
        "type": "object",
        "required": ["z", "id"],
        "properties": {"id": {"type": "integer", "minimum": 3}, "tags": {"items": {"type": "string"}, "minItems": 3}},
        "allOf": [{"properties": {"id": {"minimum": 3}}}],
    }
    assert found(schema, {"id": 1, "tags": [1, 2]}) == [
        ("/z", "required"), ("/id", "minimum"), ("/tags", "minItems"), ("/tags/0", "type"), ("/tags/1", "type"),
    ]  # fmt: skip


WAYS = {"properties": {"way": {"oneOf": [ref("Mail"), ref("Desk")]}}, "$defs": schemas.DEFS}


class TestTaggedUnions:
    @pytest.mark.parametrize(
        ("way", "expected"),
        [
            ({"kind": "mail", "to": "a"}, []),
            ({"kind": "mail"}, [("/way/to", "required")]),
            ({"kind": "desk", "number": "1"}, [("/way/number", "type")]),
            ({"kind": "?"}, [("/way", "oneOf")]),
            ({}, [("/way", "oneOf")]),
            ("desk", [("/way", "oneOf")]),
            ({"kind": ["mail"]}, [("/way", "oneOf")]),
        ],
        ids=str,
    )
    def test_the_branch_of_the_tag_tells_what_is_wrong(self, way, expected):
        assert found(WAYS, {"way": way}) == expected


INNER = obj("Inner", {"a": True})
TYPED = {
    **obj(
        "Root",
        {
            "one": ref("Inner"), "list": {"type": "array", "items": ref("Inner")},
            "map": {"type": "object", "additionalProperties": ref("Inner")},
            "maybe": {"anyOf": [ref("Inner"), {"type": "null"}]}, "way": {"oneOf": [ref("Mail"), ref("Desk")]},
            "pair": {"type": "array", "prefixItems": [True, ref("Inner")], "minItems": 2, "maxItems": 2},
            "free": {"type": "object"}, "open": obj("Open", {"a": True}, additionalProperties=True),
            "both": {**obj("Both", {"a": True}), "allOf": [{"properties": {"b": True}}]},
        },
    ),
    "$defs": {**schemas.DEFS, "Inner": INNER},
}  # fmt: skip


class TestModes:
    THEME = enum("Theme", "light", "dark")

    @pytest.mark.parametrize(
        ("schema", "value", "strict", "read"),
        [
            (THEME, "neon", ["enum"], []),
            (THEME, 3, ["type", "enum"], ["type", "enum"]),
            ({**THEME, "x-closed": True}, "neon", ["enum"], ["enum"]),
            ({"enum": ["a", 1]}, "b", ["enum"], ["enum"]),
            ({"items": THEME}, ["neon"], ["enum"], []),
            ({"anyOf": [THEME, {"type": "null"}]}, "neon", ["anyOf"], []),
            ({"oneOf": [THEME, {"type": "null"}]}, "neon", ["oneOf"], []),
            ({"oneOf": [{"enum": ["a"]}, {"pattern": "^x"}]}, "xq", [], []),
            ({"oneOf": [{"enum": ["a"]}, {"pattern": "^x"}]}, "q", ["oneOf"], ["oneOf"]),
            ({"not": {"enum": ["a"]}}, "b", [], []),
            ({"if": {"enum": ["a"]}, "then": False}, "b", [], []),
            ({"contains": {"enum": ["a"]}, "maxContains": 1}, ["a", "b"], [], []),
            ({"propertyNames": {"enum": ["a"]}}, {"b": 1}, ["propertyNames"], []),
        ],
        ids=str,
    )
    def test_a_reader_lets_new_values_of_an_open_enum_pass(self, schema, value, strict, read):
        assert [rule for _, rule in found(schema, value)] == strict
        assert [rule for _, rule in found(schema, value, "read")] == read

    @given(schemas.roots(), schemas.objects)
    @settings(max_examples=150, deadline=None)
    def test_a_reader_takes_all_that_is_valid_and_a_writer_nothing_else(self, schema, value):
        strict = found(schema, value)
        if not strict:
            assert found(schema, value, "read") == []
        assert [pair for pair in found(schema, value, "write") if pair[1] != "undeclared"] == strict

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"x": 1}, ["/x"]), ({"one": {"x": 1}}, ["/one/x"]), ({"list": [{}, {"x": 1}]}, ["/list/1/x"]),
            ({"map": {"k": {"x": 1}}}, ["/map/k/x"]), ({"maybe": {"x": 1}}, ["/maybe/x"]), ({"maybe": None}, []),
            ({"way": {"kind": "desk", "x": 1}}, ["/way/x"]), ({"pair": [{"x": 1}, {"x": 1}]}, ["/pair/1/x"]),
            ({"free": {"x": 1}}, []), ({"open": {"x": 1}}, []), ({"both": {"a": 1, "b": 2}}, []),
            ({"both": {"x": 1}}, ["/both/x"]),
        ],
        ids=str,
    )  # fmt: skip
    def test_a_writer_refuses_undeclared_fields_of_typed_objects(self, value, expected):
        assert found(TYPED, value) == []
        assert found(TYPED, value, "write") == [(path, "undeclared") for path in expected]


DEEP = {"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}


def nest(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


class TestDeepValues:
    @pytest.mark.parametrize(
        "schema", [DEEP, {"uniqueItems": True}, {"enum": [[1]]}], ids=["$ref", "uniqueItems", "enum"]
    )
    @pytest.mark.parametrize("mode", ["strict", "read", "write"])
    def test_too_deep_a_value_is_one_violation(self, schema, mode):
        value = nest(100_000)
        assert found(schema, [value, value], mode) == [("", "depth")]

    def test_a_hundred_levels_are_no_problem(self):
        assert found(DEEP, nest(100)) == []


@given(schemas.roots(), schemas.objects)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_another_validator_agrees(schema, value):
    text = repr(schema)
    # It doesn't assert formats and encodings, and takes NaN for a number.
    assume(
        "'format'" not in text
        and "contentEncoding" not in text
        and "nan" not in repr(value)
        and "inf" not in repr(value)
    )
    expected = {
        "/".join(map(str, error.absolute_path)) for error in jsonschema.Draft202012Validator(schema).iter_errors(value)
    }
    assert bool(found(schema, value)) == bool(expected)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_python_value_breaks_the_checker(data):
    schema = data.draw(schemas.roots())
    odd = st.one_of(
        schemas.values, st.binary(max_size=2), st.sampled_from([object(), {1}, (1,), Decimal("NaN"), Decimal("1.5")])
    )
    value = data.draw(st.one_of(odd, st.dictionaries(st.sampled_from(schemas.NAMES), odd, max_size=3)))
    for mode in ("strict", "read", "write"):
        assert isinstance(compile_checks(schema, mode=mode)(value), list)


KINDS = {
    "oneOf": [
        obj("Bucket", {"kind": {"const": "bucket"}}, required=["kind"]),
        obj("Disk", {"kind": {"const": "disk"}}, required=["kind"]),
        {"type": "null"},
    ]
}


def messages(schema, value):
    return [violation.message for violation in compile_checks(schema)(value)]


@pytest.mark.parametrize(
    ("value", "came"),
    [({"kind": "bukket"}, "got 'bukket'"), ({"kind": None}, "got null"), ({}, "and it is missing")],
    ids=["unknown", "null", "missing"],
)
def test_a_value_of_no_branch_is_told_by_its_tag(value, came):
    schema = obj("Upload", {"target": KINDS})
    assert found(schema, {"target": value}) == [("/target", "oneOf")]
    [message] = messages(schema, {"target": value})
    assert message == f"expected the field 'kind' to be 'bucket' or 'disk', {came}"


def test_a_sensitive_tag_is_not_shown():
    secret = {"type": "string", "x-sensitive": True}
    branches = [obj(name, {"kind": {**secret, "const": name}}, required=["kind"]) for name in ("A", "B")]
    [message] = messages({"oneOf": branches}, {"kind": "topsecret"})
    assert message.endswith("got a value that is not shown")


@pytest.mark.parametrize(
    ("missing", "there", "told"),
    [
        ("image_id", ["id", "name"], "id"),
        ("id", ["image_id"], "image_id"),
        ("badge_id", ["badgeId"], "badgeId"),
        ("company", ["compnay", "b"], "compnay"),
        ("id", ["width"], None),
        ("image_id", ["size"], None),
        ("image_id", ["x" * 100 + "image_id"], None),
        ("image_id", [], None),
    ],
)
def test_a_missing_field_is_told_with_an_undeclared_one_like_it(missing, there, told):
    schema = obj("Image", {missing: {}, "size": {}}, required=[missing])
    value = {**dict.fromkeys(there, 1), "more": 1}
    assert found(schema, value) == [(f"/{missing}", "required")]
    more = "" if told is None else f"; the undeclared field {told!r} is there"
    assert messages(schema, value) == [f"expected this field, and it is missing{more}"]


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_decimals_that_are_no_numbers_are_refused(kind):
    for value in map(Decimal, ("NaN", "sNaN", "Infinity")):
        assert found({"type": kind}, value) == [("", "type")]
    assert found({"type": kind}, Decimal("1e400")) == []
