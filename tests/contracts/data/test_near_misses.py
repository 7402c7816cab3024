from collections import Counter
from itertools import islice
from random import Random

import jsonschema
import pytest

from bridge.contracts.data.sample import near_misses
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract

from .forms import HOPELESS, ORDER, SCHEMAS


def some(schema, count=300, mode="write", seed=1):
    return list(islice(near_misses(schema, Random(seed), mode=mode), count))


@pytest.mark.parametrize("mode", ["strict", "read", "write"])
@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "anything"])
def test_each_breaks_exactly_the_rule_that_it_names(name, mode):
    check = compile_checks(SCHEMAS[name], mode=mode)
    found = some(SCHEMAS[name], 200, mode)

    assert found
    for value, broken in found:
        assert {(violation.path, violation.rule) for violation in check(value)} == {broken}


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name not in ("anything", "base64")])
def test_another_validator_refuses_them_too(name):
    oracle = jsonschema.Draft202012Validator(SCHEMAS[name])

    for value, (_, rule) in some(SCHEMAS[name], 200):
        # The other one's `$` matches before a newline too.
        assert rule == "undeclared" or str(value).endswith("\n") or not oracle.is_valid(value)


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("closed", {"additionalProperties", "false", "type"}),
        ("patternProperties", {"additionalProperties", "minProperties", "type"}),
        ("few properties", {"maxProperties", "type"}),
        ("propertyNames", {"propertyNames", "exclusiveMinimum", "exclusiveMaximum", "type"}),
        ("dependents", {"dependentRequired", "required", "minimum", "type"}),
        ("tuple", {"false", "minItems", "type"}),
        ("contains", {"minContains", "maxContains", "maxItems", "type"}),
        ("uniqueItems", {"uniqueItems", "minItems", "enum", "type"}),
        ("pattern with lengths", {"pattern", "minLength", "maxLength", "type"}),
        ("base64", {"contentEncoding", "minLength", "maxLength", "type"}),
        ("big integers", {"multipleOf", "minimum", "type"}),
        ("not", {"not", "minimum", "maximum", "type"}),
        ("anyOf", {"anyOf"}),
        ("oneOf", {"oneOf", "required", "type"}),
        ("oneOf that overlap", {"oneOf"}),
        ("const", {"const"}),
        ("if", {"type", "required", "enum"}),
    ],
)
def test_every_rule_of_a_schema_is_broken_by_some(name, rules):
    assert {rule for _, (_, rule) in some(SCHEMAS[name])} >= rules


def test_every_place_and_rule_of_a_contract_comes_about_as_often():
    found = Counter(broken for _, broken in some(ORDER, 1_000))

    for field in ("id", "email", "kind", "at", "items"):
        assert found[f"/{field}", "required"]
    assert found["", "type"] > 10
    assert found["/code", "pattern"] > 10
    assert found["/note", "maxLength"] > 5
    assert found["/at", "format"] > 10
    assert any(rule == "undeclared" for _, rule in found)


def test_writers_break_open_enums_and_undeclared_fields_and_readers_do_not():
    assert {"enum", "undeclared"} <= {rule for _, (_, rule) in some(ORDER)}
    assert {"enum", "undeclared"}.isdisjoint(rule for _, (_, rule) in some(ORDER, mode="read"))


def test_the_same_seed_gives_the_same_and_a_second_stream_starts_anew():
    assert some(ORDER, 50) == some(ORDER, 50)


def test_where_nothing_can_be_broken_there_is_none():
    assert some(True) == []


def test_a_schema_that_nothing_keeps_is_refused():
    with pytest.raises(InvalidContract, match="a schema that some value keeps"):
        some(HOPELESS["crossed bounds"])
