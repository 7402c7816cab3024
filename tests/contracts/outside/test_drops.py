"""What a normalised schema has lost is found, wherever it was."""

import copy

import pytest
from referencing import Registry

from bridge.contracts.normalise import normalise
from contracts.outside.drops import Comparison

DOCUMENT = {
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"$ref": "#/$defs/n", "minimum": 1},
        "b": {"oneOf": [{"type": "string", "pattern": "^x"}, {"type": "array", "items": {"const": 1}}]},
        "c": {"patternProperties": {"^y": {"maxLength": 3}}, "dependentRequired": {"p": ["q"]}},
    },
    "$defs": {"n": {"type": "integer", "not": {"const": 5}}, "unused": {"title": "Unused", "type": "null"}},
}


def lost(schema) -> list[str]:
    return Comparison(DOCUMENT, schema, Registry(), "urn:x", formats=True).lost


def test_a_normalised_schema_has_lost_nothing():
    found = Comparison(DOCUMENT, normalise(DOCUMENT, all_defs=True), Registry(), "urn:x", formats=True)
    assert (found.lost, found.count) == ([], 20)


@pytest.mark.parametrize(
    ("way", "place"),
    [
        (("required",), "#/required"),
        (("properties", "a", "minimum"), "#/properties/a/minimum"),
        (("properties", "b", "oneOf", 0, "pattern"), "#/properties/b/oneOf/0/pattern"),
        (("properties", "b", "oneOf", 1), "#/properties/b/oneOf"),
        (("properties", "b", "oneOf", 1, "items", "const"), "#/properties/b/oneOf/1/items/const"),
        (("properties", "c", "patternProperties", "^y"), "#/properties/c/patternProperties"),
        (("properties", "c", "dependentRequired"), "#/properties/c/dependentRequired"),
        (("$defs", "N", "not"), "#/properties/a/$ref/not"),
        (("$defs", "Unused"), "#/$defs/unused"),
    ],
)
def test_a_keyword_that_is_missing_is_found(way, place):
    schema = copy.deepcopy(normalise(DOCUMENT, all_defs=True))
    part = schema
    for token in way[:-1]:
        part = part[token]
    del part[way[-1]]
    [found] = lost(schema)
    assert found.startswith(f"{place}: ")


def test_a_keyword_with_another_value_is_found():
    schema = copy.deepcopy(normalise(DOCUMENT, all_defs=True))
    schema["properties"]["a"]["minimum"] = 2
    assert lost(schema) == ["#/properties/a/minimum: 1 became 2"]
