"""Schemas of older drafts mean the same in draft 2020-12; Python's validators of both drafts are asked."""

import jsonschema
import pytest

from contracts.outside.older_drafts import Translation

DRAFTS = {"draft-04": jsonschema.Draft4Validator, "draft-07": jsonschema.Draft7Validator}
VALUES = [
    0,
    1,
    2,
    2.5,
    3,
    4,
    "a",
    None,
    [],
    [1],
    ["a", 1],
    ["a", "b"],
    [1, 2, 3],
    {},
    {"a": 1},
    {"a": 1, "b": 2},
    {"b": 2, "c": "x"},
]
SAME = [
    ("draft-04", {"minimum": 2, "exclusiveMinimum": True}),
    ("draft-04", {"minimum": 2, "exclusiveMinimum": False}),
    ("draft-04", {"maximum": 3, "exclusiveMaximum": True, "minimum": 1}),
    ("draft-04", {"exclusiveMaximum": True}),
    ("draft-04", {"const": 1, "maximum": 3}),
    ("draft-07", {"const": 1}),
    ("draft-07", {"exclusiveMaximum": 3}),
    ("draft-07", {"items": [{"type": "string"}, {"type": "integer"}]}),
    ("draft-07", {"items": [{"type": "integer"}], "additionalItems": False}),
    ("draft-07", {"items": {"type": "integer"}, "additionalItems": False}),
    ("draft-07", {"items": [], "additionalItems": {"type": "integer"}}),
    ("draft-07", {"dependencies": {"a": ["b"], "c": {"required": ["a"]}}}),
    ("draft-07", {"dependentRequired": {"a": ["b"]}}),
    ("draft-07", {"$ref": "#/definitions/n", "minimum": 3, "definitions": {"n": {"type": "number"}}}),
    ("draft-07", {"items": [{"type": "string"}], "properties": {"a": {"$ref": "#/items/0"}}}),
    ("draft-07", {"dependencies": {"a": {"required": ["b"]}}, "items": {"$ref": "#/dependencies/a"}}),
    (
        "draft-07",
        {
            "properties": {"definitions": {}, "items": {"type": "null"}, "a": {"$ref": "#n"}},
            "definitions": {"n": {"$id": "#n", "type": "string"}},
        },
    ),
]


@pytest.mark.parametrize(("draft", "schema"), SAME)
def test_a_schema_accepts_the_same_values_before_and_after(draft, schema):
    document = {"$schema": f"http://json-schema.org/{draft}/schema#", **schema}
    before = DRAFTS[draft](document)
    after = jsonschema.Draft202012Validator(Translation(document, str).schema)
    assert [after.is_valid(value) for value in VALUES] == [before.is_valid(value) for value in VALUES]


def test_what_the_older_draft_ignores_is_counted():
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": "#",
        "minimum": 3,
        "markdownDescription": "x",
    }
    translation = Translation(document, str)
    assert translation.schema == {"$ref": "#", "x-markdownDescription": "x"}
    assert sum(translation.notes.values()) == 2


def test_a_document_of_draft_2020_12_stays_as_it_is():
    document = {"type": "object", "properties": {"items": {"items": {"enum": [1]}}}, "dependentRequired": {"a": ["b"]}}
    found = Translation({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}, str).schema
    assert found == {**document, "properties": {"items": {"items": {"enum": [1], "x-closed": True}}}}
