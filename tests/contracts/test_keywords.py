"""The table of keywords, and the command that prints it."""

import json

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.contracts import source
from bridge.contracts.keywords import FORMATS, KEYWORDS, ORDER, nearest, nearest_format
from bridge.contracts.normalise import normalise
from bridge.errors import InvalidContract

VOCABULARIES = """
    $schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs
    prefixItems items contains additionalProperties properties patternProperties dependentSchemas propertyNames
    if then else allOf anyOf oneOf not unevaluatedItems unevaluatedProperties
    type const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
    minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired
    title description default deprecated readOnly writeOnly examples
    format contentEncoding contentMediaType contentSchema
"""
FORMAT_VOCABULARY = """
    date-time date time duration email idn-email hostname idn-hostname ipv4 ipv6 uri uri-reference iri iri-reference
    uuid uri-template json-pointer relative-json-pointer regex
"""


def test_every_keyword_and_format_of_2020_12_has_a_row():
    assert set(VOCABULARIES.split()) <= set(KEYWORDS)
    assert set(FORMAT_VOCABULARY.split()) <= set(FORMATS)


@pytest.mark.parametrize("name", [name for name, row in KEYWORDS.items() if row.status == "refused"])
def test_a_refused_keyword_is_refused_with_its_mend(name):
    with pytest.raises(InvalidContract) as refusal:
        normalise({"properties": {"x": {name: {}}}})
    assert refusal.value.field == f"schema.json#/properties/x/{name}"
    assert refusal.value.mend == KEYWORDS[name].note != ""


@pytest.mark.parametrize("name", [name for name, row in FORMATS.items() if row.status == "refused"])
def test_a_refused_format_is_refused_with_its_mend(name):
    with pytest.raises(InvalidContract) as refusal:
        normalise({"format": name})
    assert refusal.value.mend == FORMATS[name].note != ""


def test_inert_keywords_are_left_out_and_supported_ones_kept_in_the_order_of_the_table():
    document = {
        "$id": "x", "$anchor": "a", "$comment": "c", "readOnly": True, "writeOnly": False, "x-taplo": {},
        "$vocabulary": {}, "definitions": {"a": True}, "title": "T", "format": "email", "minLength": 1,
        "type": "string", "examples": ["a@b.example"],
    }  # fmt: skip
    assert list(normalise(document)) == [
        "type",
        "minLength",
        "format",
        "title",
        "examples",
    ]


def test_the_contract_schema_knows_the_same_keywords_and_formats_as_the_table():
    schema = json.loads(source.META_SCHEMA.read_text())["$defs"]["schema"]["properties"]
    accepted = {name for name, row in KEYWORDS.items() if row.status != "refused"} - {"x-…"}
    assert set(schema) == accepted
    assert schema["format"]["anyOf"] == [{"enum": [name for name, row in FORMATS.items() if row.status == "supported"]}]
    assert all(part.get("description") for part in schema.values())


def test_every_supported_keyword_has_its_place_in_a_normalised_schema():
    assert {name for name, row in KEYWORDS.items() if row.status == "supported"} | {"x-name", "x-module"} == set(ORDER)
    assert next(iter(ORDER)) == "$ref"
    assert list(ORDER)[-1] == "$defs"


@pytest.mark.parametrize(
    ("name", "mend"),
    [("propertis", "did you mean 'properties'?"), ("minimun", "did you mean 'minimum'?"), ("zzz", "call it 'x-zzz'")],
)
def test_an_unknown_keyword_comes_with_what_may_have_been_meant(name, mend):
    assert mend in nearest(name)


def test_an_unknown_format_comes_with_what_may_have_been_meant():
    assert nearest_format("datetime") == "did you mean 'date-time'?"
    assert "bigint" in nearest_format("zzz")


def test_the_command_prints_every_row():
    shown = CliRunner().invoke(app, ["contracts", "keywords"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for row in (*KEYWORDS.values(), *FORMATS.values()):
        assert row.name in shown.output
    printed = json.loads(CliRunner().invoke(app, ["contracts", "keywords", "--json"]).output)
    assert {row["name"]: row["status"] for row in printed["keywords"]} == {k: row.status for k, row in KEYWORDS.items()}
    assert len(printed["formats"]) == len(FORMATS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("x-sensitiv", "x-sensitive"), ("x-close", "x-closed"), ("x-jobb", "x-job"), ("x-ignr", "x-ignore"),
     ("x-Sensitive", "x-sensitive"), ("x-reservd", "x-reserved")],
)  # fmt: skip
def test_a_slip_in_a_keyword_of_ours_is_refused_with_what_was_meant(name, meant):
    with pytest.raises(InvalidContract, match=f"did you mean '{meant}'") as refusal:
        normalise({"type": "object", "properties": {}, name: True})
    assert refusal.value.field == f"schema.json#/{name}"


@pytest.mark.parametrize("name", ["x-taplo", "x-note", "x-tag", "x-y", "x-order", "x-internal", "x-enum-varnames"])
def test_keywords_of_others_are_still_inert(name):
    assert normalise({"type": "integer", name: {"any": "thing"}}) == {"type": "integer"}
