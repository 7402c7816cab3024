"""Schemas in their one form: references bundled, classes named, contradictions refused."""

import json

import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bridge.contracts.normalise import normalise
from bridge.errors import InvalidContract

STRUCT = {"type": "object", "properties": {"a": {"type": "integer"}}}


def registry(**documents) -> Registry:
    return Registry().with_resources(
        (f"file:///{name}.json", DRAFT202012.create_resource(document)) for name, document in documents.items()
    )


def names_in(schema) -> dict[str, str]:
    """Each class by the JSON Pointer of its schema."""
    found = {}

    def visit(node, pointer):
        if isinstance(node, dict):
            if isinstance(node.get("x-name"), str):
                found[pointer] = node["x-name"]
            for key, part in node.items():
                visit(part, f"{pointer}/{key}")
        elif isinstance(node, list):
            for at, part in enumerate(node):
                visit(part, f"{pointer}/{at}")

    visit(schema, "")
    return found


def refusal_of(document, **options) -> InvalidContract:
    with pytest.raises(InvalidContract) as refusal:
        normalise(document, **options)
    return refusal.value


@pytest.mark.parametrize(
    "schema", [True, False, {}, {"maximum": 3}, {"properties": {"a": {"type": "null"}}}, {"not": {}}]
)
def test_any_schema_may_be_normalised_as_it_is(schema):
    assert normalise(schema) == schema


def test_the_order_of_keywords_is_always_the_same_and_that_of_fields_is_kept():
    schema = {"required": ["b"], "properties": {"b": {"default": 1, "type": "integer"}, "a": True}, "type": "object"}
    found = normalise(schema, name="T")
    assert list(found) == ["type", "required", "properties", "x-name", "x-module"]
    assert list(found["properties"]) == ["b", "a"]
    assert list(found["properties"]["b"]) == ["type", "default"]


@pytest.mark.parametrize(
    ("reference", "inner"),
    [
        ("#/$defs/page_size", {}),
        ("#size", {"$anchor": "size"}),
        ("https://a.example/size", {"$id": "https://a.example/size"}),
        ("#/properties/b", {}),
    ],
)
def test_a_reference_of_any_kind_becomes_one_to_defs(reference, inner):
    size = {"type": "integer", **inner}
    document = {
        "properties": {"a": {"$ref": reference, "maximum": 3}, "b": {"type": "integer"}},
        "$defs": {"page_size": size},
    }
    found = normalise(document, name="T")
    (name,) = found["$defs"]
    assert found["properties"]["a"] == {"$ref": f"#/$defs/{name}", "maximum": 3}
    assert found["$defs"] == {name: {"type": "integer"}}
    assert name == ("TB" if reference == "#/properties/b" else "PageSize")


def test_pointers_are_unescaped():
    document = {"$ref": "#/$defs/a~1b%25~0c", "$defs": {"a/b%~c": {"type": "null"}}}
    assert normalise(document)["$defs"] == {"ABC": {"type": "null"}}


def test_a_schema_that_contains_itself_stays_so():
    document = {"type": "object", "properties": {"next": {"$ref": "#"}, "tree": {"$ref": "#/$defs/tree"}}, "$defs": {
        "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}  # fmt: skip
    found = normalise(document, module="node")
    assert found["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert found["$defs"]["Node"] == {key: value for key, value in found.items() if key != "$defs"}
    assert found["$defs"]["Tree"]["items"] == {"$ref": "#/$defs/Tree"}


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [True, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"},
        {"$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}, "items": {"$ref": "#/$defs/a"}},
        {"properties": {"a": {"if": {"dependentSchemas": {"x": {"$ref": "#/properties/a"}}}}}},
    ],
)
def test_a_reference_that_leads_back_without_a_step_into_the_value_is_refused(document):
    assert "leads back to itself" in refusal_of(document).mend


def test_what_lies_in_another_file_keeps_its_names_and_its_module():
    other = {"title": "BadgeFile", **STRUCT, "$defs": {"inner_thing": {"enum": ["a", "b"]}}}
    document = {
        "type": "object",
        "properties": {"x": {"$ref": "files.json"}, "y": {"$ref": "files.json#/$defs/inner_thing"}},
    }
    found = normalise(document, registry=registry(files=other), base_uri="file:///badge.json", module="badge")
    assert (found["x-name"], found["x-module"]) == ("Badge", "badge")
    assert {key: part["x-module"] for key, part in found["$defs"].items()} == {
        "BadgeFile": "files",
        "InnerThing": "files",
    }
    assert found["properties"]["x"] == {"$ref": "#/$defs/BadgeFile"}


def test_files_may_refer_to_each_other():
    documents = {"a": {"items": {"$ref": "b.json"}}, "b": {"properties": {"c": {"$ref": "a.json"}}}}
    found = normalise(documents["a"], registry=registry(**documents), base_uri="file:///a.json", module="a")
    assert found["items"] == {"$ref": "#/$defs/B"}
    assert found["$defs"]["B"]["properties"]["c"] == {"$ref": "#/$defs/A"}


def test_classes_are_named_by_root_defs_parents_and_titles():
    document = {
        "type": "object",
        "properties": {
            "paper_size": {"enum": ["a4", "a6"]},
            "attendee": {**STRUCT, "properties": {"home": STRUCT}},
            "titled": {**STRUCT, "title": "PaperThing"},
            "described": {**STRUCT, "title": "A thing of paper"},
            "list": {"type": "array", "items": STRUCT},
            "map": {"type": "object", "additionalProperties": STRUCT},
            "pair": {"type": "array", "prefixItems": [STRUCT, True], "minItems": 2, "items": False},
            "maybe": {"anyOf": [STRUCT, {"type": "null"}]},
            "nullable": {**STRUCT, "type": ["object", "null"]},
            "either": {"oneOf": [
                {**STRUCT, "properties": {"kind": {"const": "e_mail"}}, "required": ["kind"]},
                {**STRUCT, "properties": {"kind": {"enum": ["s3"]}}, "required": ["kind"]}]},
            "named": {"$ref": "#/$defs/post-address"},
        },
        "$defs": {"post-address": STRUCT},
    }  # fmt: skip
    assert set(names_in(normalise(document, module="generate_badge")).values()) == {
        "GenerateBadge", "GenerateBadgePaperSize", "GenerateBadgeAttendee", "GenerateBadgeAttendeeHome", "PaperThing",
        "GenerateBadgeDescribed", "GenerateBadgeListItem", "GenerateBadgeMapValue", "GenerateBadgePairItem1",
        "GenerateBadgeMaybe", "GenerateBadgeNullable", "GenerateBadgeEitherEMail", "GenerateBadgeEitherS3",
        "GenerateBadgeEitherS3Kind", "PostAddress",
    }  # fmt: skip


def test_what_code_never_meets_as_a_typed_value_has_no_class():
    document = {
        "anyOf": [STRUCT, {"type": "string"}],
        "not": STRUCT,
        "contains": STRUCT,
        "if": STRUCT,
        "properties": {"a": STRUCT},
    }
    assert names_in(normalise(document)) == {}


def test_another_definition_renames_nothing():
    document = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}, "b": STRUCT}, "$defs": {"a": STRUCT}}
    more = {
        **document,
        "properties": {"z": {"enum": ["x"]}, **document["properties"]},
        "$defs": {"A2": STRUCT, **document["$defs"]},
    }
    before, after = (names_in(normalise(part, all_defs=True)) for part in (document, more))
    assert before.items() <= after.items()


def test_unused_definitions_are_kept_on_demand():
    document = {"$defs": {"a": STRUCT}, "definitions": {"b": True}}
    assert normalise(document) == {}
    assert list(normalise(document, all_defs=True)["$defs"]) == ["A", "B"]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/x_y"}, "b": {"$ref": "#/$defs/x-y"}},
         "$defs": {"x_y": STRUCT, "x-y": STRUCT}},
        {"type": "object", "properties": {"size": STRUCT, "a": {"$ref": "#/$defs/TSize"}}, "$defs": {"TSize": STRUCT}},
    ],
)  # fmt: skip
def test_two_classes_of_one_name_are_refused_with_the_mend(document):
    assert "title" in refusal_of(document, name="T").mend


def test_the_same_place_by_two_ways_is_one_class():
    document = {"type": "object", "properties": {"a": STRUCT, "b": {"$ref": "#/properties/a"}}}
    found = normalise(document, name="T")
    assert found["properties"]["a"] == found["$defs"]["TA"]


@pytest.mark.parametrize(
    ("schema", "field", "told"),
    [
        ({"type": "strnig"}, "/type", "one of null"),
        ({"type": "int"}, "/type", "write integer"),
        ({"type": []}, "/type", "leave the keyword out"),
        ({"type": 5}, "/type", "a list"),
        ({"minLength": -1}, "/minLength", "at least 0"),
        ({"minLength": 1.5}, "/minLength", "whole number"),
        ({"minimum": "1"}, "/minimum", "a number"),
        ({"exclusiveMinimum": True}, "/exclusiveMinimum", "a number"),
        ({"multipleOf": 0}, "/multipleOf", "above 0"),
        ({"required": ["a", "a"]}, "/required", "all different"),
        ({"required": True}, "/required", "a list"),
        ({"items": [True]}, "/items", "an object or a boolean"),
        ({"properties": []}, "/properties", "an object"),
        ({"properties": {"a": 1}}, "/properties/a", "an object or a boolean"),
        ({"allOf": []}, "/allOf", "leave the keyword out"),
        ({"enum": []}, "/enum", "leave the keyword out"),
        ({"enum": [1, 1.0]}, "/enum/1", "each member once"),
        ({"type": "string", "enum": ["a", None]}, "/enum/1", "add null to its type"),
        ({"type": "string", "const": 1}, "/const", "a value of type string"),
        ({"pattern": "("}, "/pattern", "closes the group"),
        ({"patternProperties": {"\\p{L}": True}}, "/patternProperties/\\p{L}", "ranges"),
        ({"format": "datetime"}, "/format", "did you mean 'date-time'?"),
        ({"contentEncoding": "base32"}, "/contentEncoding", "base64"),
        ({"minimum": 3, "maximum": 2}, "/minimum", "less than maximum"),
        ({"exclusiveMinimum": 2, "maximum": 2}, "/exclusiveMinimum", "less than maximum"),
        ({"minItems": 3, "maxItems": 2}, "/minItems", "no value is within"),
        ({"default": "x", "type": "integer"}, "/default", "expected an integer"),
        ({"$defs": {"a": {"minimum": 2}}, "$ref": "#/$defs/a", "default": 1}, "/default", "its own schema"),
        ({"examples": [1, "x"], "type": "integer"}, "/examples/1", "expected an integer"),
        ({**STRUCT, "examples": [{"b": 1}]}, "/examples/0", "declare"),
        ({**STRUCT, "required": ["b"]}, "/required", "add it to properties"),
        ({"type": "object", "properties": {"a-b": True, "a_b": True}}, "/properties", "both are a_b"),
        ({"enum": ["in progress", "in-progress"]}, "/enum", "both are IN_PROGRESS"),
        ({**STRUCT, "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "/properties/a", "optional or nullable"),
        ({"x-reserved": ["a"], **STRUCT}, "/x-reserved/0", "another name"),
        ({"x-closed": True, "type": "string"}, "/x-closed", "where the enum is"),
        ({"properties": {"a": {"x-job": {}}}}, "/properties/a/x-job", "root of a contract file"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
        ({"$ref": 5}, "/$ref", "text"),
        ({"$ref": "#/examples/0", "examples": [{}]}, "/$ref", "leads to a schema"),
        ({"$ref": "#/properties"}, "/$ref", "leads to a schema"),
        ({"$ref": "#nowhere"}, "/$ref", "$anchor that exists"),
        (
            {"properties": {"a": {"$id": 5, "$anchor": 7, "oneOf": 1}}, "$ref": "#/properties/a"},
            "/properties/a/oneOf",
            "a list",
        ),
    ],
)
def test_what_both_languages_can_t_keep_is_refused_with_its_place(schema, field, told):
    refusal = refusal_of(schema)
    assert refusal.field == f"schema.json#{field}"
    assert told in str(refusal)


def test_a_refusal_in_another_file_names_that_file():
    refusal = refusal_of(
        {"$ref": "b.json#/$defs/x"}, registry=registry(b={"$defs": {"x": {"tpye": "null"}}}), base_uri="file:///a.json"
    )
    assert refusal.field == "b.json#/$defs/x/tpye"


def test_schemas_that_are_nested_too_deep_are_refused():
    document: dict = {}
    for _ in range(300):
        document = {"items": document}
    assert "100 deep" in str(refusal_of(document))


def test_formats_may_be_annotations_alone():
    schema = {"format": "hostname", "contentEncoding": "base32", "type": "string"}
    assert normalise(schema, formats_assert=False) == {"type": "string"}


def test_sizes_are_integers_whatever_the_file_writes():
    assert json.dumps(normalise({"minLength": 2.0})) == '{"minLength": 2}'


@pytest.mark.parametrize(
    ("schema", "keyword", "told"),
    [
        ({"type": "integer", "maxLength": 5}, "maxLength", "it does nothing on an integer"),
        ({"type": "object", "format": "date"}, "format", "it does nothing on an object"),
        ({"type": ["string", "null"], "minimum": 1}, "minimum", "it does nothing on a string or null"),
        ({"type": "string", "items": {}}, "items", "it does nothing on a string"),
    ],
)
def test_a_keyword_that_its_type_excludes_is_refused(schema, keyword, told):
    refusal = refusal_of(schema)
    assert refusal.field == f"schema.json#/{keyword}"
    assert told in refusal.mend


@pytest.mark.parametrize(
    "schema", [{"maxLength": 5}, {"type": ["integer", "string"], "maxLength": 5}, {"type": "number", "minimum": 1}]
)
def test_a_keyword_that_some_value_may_meet_is_kept(schema):
    assert normalise(schema) == schema


def _branch(kind, **more):
    properties = {"kind": {"const": kind}, **{name: {"const": value} for name, value in more.items()}}
    return {"type": "object", "required": list(properties), "properties": properties}


def test_two_branches_of_one_tag_are_refused():
    refusal = refusal_of({"oneOf": [_branch("a"), _branch("b"), _branch("a")]})
    assert refusal.field == "schema.json#/oneOf/2"
    assert "two branches have this 'kind'" in refusal.mend


def test_branches_that_another_constant_tells_apart_are_kept():
    assert (
        len(normalise({"oneOf": [_branch("a", size="s"), _branch("a", size="l"), _branch("b", size="s")]})["oneOf"])
        == 3
    )
