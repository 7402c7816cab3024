"""The support module's checks, and that Python's find the same."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bridge.contracts.keywords import FORMATS, KEYWORDS
from bridge.contracts.normalise import normalise
from bridge.contracts.runtime import formats
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract
from contracts.elixir.beam import Elixir, Pairs
from contracts.elixir.models import model_of
from contracts.elixir.random_schemas import documents, values

pytestmark = pytest.mark.timeout(600)  # compilers and hundreds of examples, on machines of any speed

TREE = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
TAGGED = {
    "oneOf": [
        {"type": "object", "required": ["kind", "a"], "properties": {"kind": {"const": "x"}, "a": {"type": "integer"}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "y"}}},
        {"type": "null"},
    ]
}
CASES: list[tuple[Any, Any, set[tuple[str, str]]]] = [
    (False, None, {("", "false")}),
    (True, {"a": [1]}, set()),
    (TREE, {"next": {"next": {"n": "x"}}}, {("/next/next/n", "type")}),
    ({"type": "integer"}, 1.0, set()),
    ({"type": "integer"}, 1.5, {("", "type")}),
    ({"type": ["integer", "null"]}, True, {("", "type")}),
    ({"type": "boolean"}, 0, {("", "type")}),
    ({"enum": [1, "a", None]}, 1.0, set()),
    ({"enum": [1, "a", None]}, True, {("", "enum")}),
    ({"enum": [9007199254740993]}, 9007199254740992.0, {("", "enum")}),
    ({"const": {"a": [1, 2.0]}}, {"a": [1.0, 2]}, set()),
    ({"const": False}, 0, {("", "const")}),
    ({"const": None}, None, set()),
    ({"multipleOf": 0.01}, 19.99, set()),
    ({"multipleOf": 0.1}, 0.30000000000000004, {("", "multipleOf")}),
    ({"multipleOf": 1e-10}, 1e308, set()),
    ({"multipleOf": 3}, 10**40, {("", "multipleOf")}),
    ({"maximum": 3}, 3.5, {("", "maximum")}),
    ({"maximum": 9007199254740992}, 9007199254740993, {("", "maximum")}),
    ({"exclusiveMaximum": 9007199254740993}, 9007199254740992.0, set()),
    ({"exclusiveMaximum": 3}, 3.0, {("", "exclusiveMaximum")}),
    ({"minimum": 3}, 10**400, set()),
    ({"minimum": 3}, -(10**400), {("", "minimum")}),
    ({"exclusiveMinimum": 3}, 3, {("", "exclusiveMinimum")}),
    ({"minimum": 3}, "2", set()),
    ({"maxLength": 6}, "é😀👨‍👩‍👧", {("", "maxLength")}),
    ({"maxLength": 7}, "é😀👨‍👩‍👧", set()),
    ({"minLength": 3}, "é😀", {("", "minLength")}),
    ({"pattern": "^[a-z]+$"}, "abc\n", {("", "pattern")}),
    ({"pattern": "b"}, "abc", set()),
    ({"pattern": r"^\d$"}, "٣", {("", "pattern")}),
    ({"format": "date"}, "2023-02-29", {("", "format")}),
    ({"format": "date"}, 5, set()),
    ({"contentEncoding": "base64"}, "QQ=", {("", "contentEncoding")}),
    ({"contentEncoding": "base64"}, "QQ==", set()),
    ({"maxItems": 1}, [1, 2], {("", "maxItems")}),
    ({"minItems": 1}, [], {("", "minItems")}),
    ({"uniqueItems": True}, [1, True, {"a": 1}, {"a": 1.0}], {("", "uniqueItems")}),
    ({"uniqueItems": True}, [1, True, 0, False, "1", [1], [True]], set()),
    ({"uniqueItems": False}, [1, 1], set()),
    ({"contains": {"type": "string"}}, [1], {("", "contains")}),
    ({"contains": {"type": "string"}, "minContains": 2}, [1, "a"], {("", "minContains")}),
    ({"contains": {"type": "string"}, "minContains": 0, "maxContains": 1}, ["a", "b"], {("", "maxContains")}),
    ({"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, ["a", 1], {("/0", "type"), ("/1", "type")}),
    ({"prefixItems": [True], "items": False}, [1, 2, 3], {("/1", "false"), ("/2", "false")}),
    ({"maxProperties": 1}, {"a": 1, "b": 2}, {("", "maxProperties")}),
    ({"minProperties": 1}, {}, {("", "minProperties")}),
    ({"required": ["a/b", "c~"]}, {}, {("/a~1b", "required"), ("/c~0", "required")}),
    ({"dependentRequired": {"a": ["b", "c"]}}, {"a": 1, "c": 1}, {("/b", "dependentRequired")}),
    ({"properties": {"a": False, "b": {"minimum": 1}}}, {"a": 1, "b": 0}, {("/a", "false"), ("/b", "minimum")}),
    ({"patternProperties": {"^x": {"type": "null"}, r"\d": False}}, {"x1": 1}, {("/x1", "type"), ("/x1", "false")}),
    ({"patternProperties": {r"^\d": True, "^[0-9]": {"type": "null"}}}, {"1": 1}, {("/1", "type")}),
    ({"properties": {"a": True}, "additionalProperties": False}, {"a": 1, "b": 2}, {("/b", "additionalProperties")}),
    ({"patternProperties": {"^x": True}, "additionalProperties": {"type": "null"}}, {"x": 1, "y": 1}, {("/y", "type")}),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1, "c": 1}, {("/ab", "propertyNames")}),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, {("/b", "required")}),
    ({"allOf": [{"minimum": 1}, {"multipleOf": 2}]}, -1, {("", "minimum"), ("", "multipleOf")}),
    ({"allOf": [{"minimum": 1}, {"minimum": 1}]}, 0, {("", "minimum")}),
    ({"anyOf": [{"type": "string"}, {"minimum": 1}]}, 0, {("", "anyOf")}),
    ({"oneOf": [{"type": "number"}, {"minimum": 1}]}, 1, {("", "oneOf")}),
    (TAGGED, {"kind": "x", "a": "1"}, {("/a", "type")}),
    (TAGGED, {"kind": "z"}, {("", "oneOf")}),
    (TAGGED, {}, {("", "oneOf")}),
    (TAGGED, {"kind": None}, {("", "oneOf")}),
    (TAGGED, None, set()),
    ({"not": {"type": "string"}}, "a", {("", "not")}),
    ({"if": {"minimum": 1}, "then": {"multipleOf": 2}, "else": False}, 3, {("", "multipleOf")}),
    ({"if": {"minimum": 1}, "then": {"multipleOf": 2}, "else": False}, 0, {("", "false")}),
    ({"then": False}, 0, set()),
]
OPEN = {"enum": ["a", "b"]}
READ: list[tuple[Any, Any, set[tuple[str, str]]]] = [
    (OPEN, "c", set()),
    (OPEN, 1, {("", "enum")}),
    ({**OPEN, "x-closed": True}, "c", {("", "enum")}),
    ({"enum": ["a", 1]}, "c", {("", "enum")}),
    ({"not": OPEN}, "c", set()),
    ({"if": OPEN, "then": False}, "c", set()),
    ({"contains": OPEN}, ["c"], {("", "contains")}),
    ({"anyOf": [OPEN, {"type": "null"}]}, "c", set()),
    ({"oneOf": [OPEN, {"type": "null"}]}, "c", set()),
    ({"oneOf": [OPEN, {"enum": ["d"]}]}, "c", {("", "oneOf")}),
    ({"properties": {"a": OPEN}}, {"a": "c", "more": 1}, set()),
]
NOT_CHECKED = {"title", "description", "default", "deprecated", "examples", "x-was", "x-reserved", "x-sensitive"}
TEXTS = [
    "", "0", "-0", "-0.0", "00", "1.", "1.10", "12345678901234567890", "2024-02-29", "2023-02-29", "0000-01-01",
    "0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00-00:01", "9999-12-31T23:59:59-00:01", "2020-01-01T24:00:00Z",
    "9999-12-31T23:59:59.999999Z", "2020-01-01t00:00:00z", "2020-01-01T00:00:00-00:00", "2020-01-01T00:00:00.1234567Z",
    "2020-01-01T00:00:00", "23:59:60Z", "12:00:60Z", "15:59:60-08:00", "12:00:00", "P1W", "P1D", "PT", "P1Y2D", "P",
    "PT1H1S", "PT1H2M3S", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE7DEC11D0A76500A0C91E6BF6", "a@b", "a@b.c",
    "@", "a@[1.2.3.4]", '"a b"@c', "a..b@c", "http://a", "http://[::1]/?q#f", "a:b c", "//h/p", "p#f#g", "a%zz", "é",
    "1.2.3.4", "1.2.3.256", "::", "1::2::3", "::ffff:1.2.3.4", "/a~0", "/a~2", "0#", "01/a", "2020-01-01\n", "1\n",
    "QQ==", "QR==", "Q Q=", "QQ",
]  # fmt: skip
many = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def in_python(schema: Any, value: Any, mode: str = "strict") -> Pairs:
    return frozenset((found.path, found.rule) for found in compile_checks(schema, mode=mode)(value))


def test_each_keyword_finds_what_json_schema_says(running: Elixir) -> None:
    groups = [(normalise(schema), [value]) for schema, value, _ in CASES]
    for (schema, value, expected), [found] in zip(CASES, running.verdicts(groups), strict=True):
        assert found == expected, (schema, value)
        assert found == in_python(normalise(schema), value)


def test_every_supported_keyword_has_a_case() -> None:
    text = json.dumps([schema for schema, *_ in CASES + READ])
    supported = {name for name, row in KEYWORDS.items() if row.status == "supported"} - NOT_CHECKED - {"$defs"}
    assert {name for name in supported if f'"{name}"' not in text} == set()


def test_readers_let_new_members_of_open_enums_pass(running: Elixir) -> None:
    groups = [(normalise(schema), [value]) for schema, value, _ in READ]
    for (schema, value, expected), [found] in zip(READ, running.verdicts(groups, "read"), strict=True):
        assert found == expected, (schema, value)
        assert found == in_python(normalise(schema), value, "read")


def test_formats_have_pythons_expressions(running: Elixir) -> None:
    assert running.ask("patterns") == formats.PATTERNS


def test_formats_take_and_refuse_the_same_texts(running: Elixir) -> None:
    known = [name for name, row in FORMATS.items() if row.status == "supported"]
    schemas = [*({"format": name} for name in known), {"contentEncoding": "base64"}]
    found = running.verdicts([(normalise(schema), TEXTS) for schema in schemas])
    for schema, group in zip(schemas, found, strict=True):
        assert group == [in_python(schema, text) for text in TEXTS], schema
        assert frozenset() in group[1:]
        assert len(set(group)) == 2


def test_long_texts_are_matched_to_their_end(running: Elixir) -> None:
    cases = [
        ({"contentEncoding": "base64"}, "QUJD" * 500_000, "QUJD" * 500_000 + "!"),
        ({"format": "uri"}, "http://a/" + "b" * 100_000, "http://a/" + "b" * 100_000 + " "),
        ({"format": "decimal"}, "1" * 100_000, "1" * 100_000 + "x"),
    ]
    found = running.verdicts([(normalise(schema), values) for schema, *values in cases])
    assert [[bool(pairs) for pairs in group] for group in found] == [[False, True]] * len(cases)


def test_deeply_nested_values_are_followed(running: Elixir) -> None:
    value: Any = {"n": "x"}
    for _ in range(120):
        value = {"next": value}
    [[found]] = running.verdicts([(normalise(TREE), [value])])
    assert found == {("/next" * 120 + "/n", "type")}


@pytest.mark.parametrize(
    "term", ["{1}", ":other", "%{a: 1}", "<<255>>", "[1 | 2]", "~D[2020-01-01]", "%{<<255>> => 1}"]
)
def test_what_json_does_not_have_is_told_at_its_place(running: Elixir, term: str) -> None:
    check = f'Sample.Contracts.Runtime.Check.check(%{{"a" => [{term}]}}, true, :strict)'
    assert running.evaluate(f"{check} |> Enum.map(&{{&1.path, &1.rule}})") == '[{"/a/0", "type"}]'


def test_messages_say_what_was_expected_and_what_came(running: Elixir) -> None:
    schema = '%{"type" => "integer", "maximum" => 3}'
    found = running.evaluate(f'Sample.Contracts.Runtime.Check.check("x", {schema}, :strict)')
    assert found == '[%{message: "expected an integer, got \\"x\\"", path: "", rule: "type"}]'


def test_sensitive_values_are_never_shown(running: Elixir) -> None:
    schema = '%{"properties" => %{"pin" => %{"x-sensitive" => true, "properties" => %{"a" => %{"type" => "null"}}}}}'
    shown = running.evaluate(
        f'Sample.Contracts.Runtime.Check.check(%{{"pin" => %{{"a" => "geheim"}}}}, {schema}, :read)'
    )
    assert "/pin/a" in shown
    assert "geheim" not in shown


def test_nothing_of_a_value_becomes_an_atom(running: Elixir) -> None:
    value = {f"key {number} of no atom": f"text {number}" for number in range(500)}
    before = int(running.evaluate(":erlang.system_info(:atom_count)"))
    running.verdicts([(normalise({"additionalProperties": False}), [value])])
    assert int(running.evaluate(":erlang.system_info(:atom_count)")) - before < 50


@many
@given(documents(), st.lists(values(), min_size=8, max_size=8))
def test_python_and_elixir_find_the_same(running: Elixir, document: Any, found_in: list[Any]) -> None:
    try:
        schema = normalise(document)
    except InvalidContract:
        assume(False)
    for mode in ("strict", "read"):
        [group] = running.verdicts([(schema, found_in)], mode)
        assert group == [in_python(schema, value, mode) for value in found_in], (mode, schema)


@settings(many, max_examples=60)
@given(st.lists(documents(), min_size=4, max_size=4), st.lists(values(), min_size=12, max_size=12))
def test_writers_refuse_the_same_fields(running: Elixir, numbers: Any, fields: list[Any], found_in: list[Any]) -> None:
    document = {"type": "object", "properties": dict(zip(("a", "b", "c", "d"), fields, strict=True))}
    try:
        model = model_of(document, f"case_{next(numbers)}")
    except InvalidContract:
        assume(False)
    running.load([model])
    [group] = running.verdicts_of([(model, found_in)], "write")
    assert group == [in_python(model.schema, value, "write") for value in found_in], model.schema


def told(running: Elixir, value: Any, schema: str) -> str:
    return running.evaluate(f"Sample.Contracts.Runtime.Check.check({value}, {schema}, :read)")


def test_a_value_of_no_branch_is_told_by_its_tag(running: Elixir) -> None:
    branch = '%{"type" => "object", "required" => ["kind"], "properties" => %{"kind" => %{"const" => "CONST"}}}'
    branches = ", ".join(branch.replace("CONST", kind) for kind in ("bucket", "disk"))
    schema = f'%{{"x-tag" => %{{"name" => "kind", "values" => ["bucket", "disk"]}}, "oneOf" => [{branches}]}}'
    expected = r"expected the field \"kind\" to be \"bucket\" or \"disk\", "
    for value, came in (
        ('%{"kind" => "bukket"}', r"got \"bukket\""),
        ("%{}", "got none"),
        ('%{"kind" => nil}', "got null"),
    ):
        assert told(running, value, schema) == f'[%{{message: "{expected}{came}", path: "", rule: "oneOf"}}]'


@pytest.mark.parametrize("way", ["in the branch", "by a reference", "by allOf"])
def test_a_sensitive_tag_is_not_shown(running: Elixir, way: str) -> None:
    kind = '%{"properties" => %{"kind" => %{"x-sensitive" => true, "const" => "a"}}}'
    branch = {
        "in the branch": kind,
        "by a reference": '%{"$ref" => "#/$defs/A"}',
        "by allOf": '%{"allOf" => [%{"$ref" => "#/$defs/A"}]}',
    }[way]
    tag = '"x-tag" => %{"name" => "kind", "values" => ["a"]}'
    shown = told(running, '%{"kind" => "geheim"}', f'%{{{tag}, "$defs" => %{{"A" => {kind}}}, "oneOf" => [{branch}]}}')
    assert "a value that is not shown" in shown
    assert "geheim" not in shown


@pytest.mark.parametrize(
    ("missing", "there", "found"),
    [
        ("image_id", "id", True),
        ("id", "image_id", True),
        ("badge_id", "badgeId", True),
        ("company", "compnay", True),
        ("id", "width", False),
        ("image_id", "size", False),
    ],
)
def test_a_missing_field_is_told_with_an_undeclared_one_like_it(
    running: Elixir, missing: str, there: str, found: bool
) -> None:
    schema = f'%{{"required" => ["{missing}"], "properties" => %{{"{missing}" => true, "size" => true}}}}'
    shown = told(running, f'%{{"{there}" => 1, "other" => 1}}', schema)
    assert "expected this field, got none" in shown
    assert (rf"the undeclared field \"{there}\" is there" in shown) is found
