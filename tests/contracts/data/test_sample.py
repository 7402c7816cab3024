import json
import time
from random import Random

import jsonschema
import pytest

from bridge.codecs import json as codec
from bridge.contracts.data.sample import Sampler, sampler, valid
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract

from .forms import HOPELESS, ORDER, SCHEMAS, struct


def many(schema, count=200, mode="write", seed=1, **options):
    make, random = Sampler(schema, mode), Random(seed)
    return [make.valid(random, **options) for _ in range(count)]


def parts(value):
    """Every value inside of a value, and itself."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(item)


@pytest.mark.parametrize("name", SCHEMAS)
def test_samples_keep_their_schema_by_another_validator_too(name):
    oracle = jsonschema.Draft202012Validator(SCHEMAS[name])

    for value in many(SCHEMAS[name]):
        oracle.validate(value)


@pytest.mark.parametrize("mode", ["strict", "read", "write"])
@pytest.mark.parametrize("name", SCHEMAS)
def test_samples_of_each_mode_pass_the_checker_in_that_mode(name, mode):
    check = compile_checks(SCHEMAS[name], mode=mode)

    assert [value for value in many(SCHEMAS[name], mode=mode) if check(value)] == []


@pytest.mark.parametrize("name", HOPELESS)
def test_a_schema_that_nothing_keeps_is_refused_and_does_not_hang(name):
    with pytest.raises(InvalidContract, match="a schema that some value keeps"):
        valid(HOPELESS[name], Random(1))


def test_branches_without_a_condition_decide_nothing():
    schema = {"type": "integer", "then": {"minimum": 5}, "else": False, "maximum": 3}

    assert max(many(schema)) <= 3


def test_the_error_names_the_place_that_has_no_value():
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "enum": ["x"]}}}

    with pytest.raises(InvalidContract) as caught:
        valid(schema, Random(1))

    assert caught.value.field == "/a"


def test_an_optional_field_that_can_have_no_value_is_left_out():
    schema = struct("T", properties={"a": {"type": "integer", "minimum": 2, "maximum": 1}, "b": {"type": "null"}})

    assert {"b": None} in many(schema, 50)


def test_the_same_seed_gives_the_same_samples_and_another_one_others():
    assert many(ORDER, 20, seed=7) == many(ORDER, 20, seed=7)
    assert many(ORDER, 20, seed=7) != many(ORDER, 20, seed=8)


def test_the_same_schema_has_one_sampler():
    assert sampler(json.loads(json.dumps(ORDER))) is sampler(ORDER)
    assert sampler(ORDER, "read") is not sampler(ORDER)


def test_optional_fields_are_absent_null_and_there():
    notes = [value.get("note", ...) for value in many(ORDER)]

    assert ... in notes
    assert None in notes
    assert any(isinstance(note, str) for note in notes)


def test_all_branches_and_enum_values_come():
    assert {value["kind"] for value in many(ORDER)} == {"new", "again", "gift"}
    assert {value["k"] for value in many(SCHEMAS["oneOf"])} == {"a", "b"}
    assert {type(value) for value in many(SCHEMAS["several types"])} == {int, type(None), list}


def test_numbers_reach_their_bounds_and_are_of_all_sizes():
    ids = [value["id"] for value in many(ORDER, 500)]
    free = many({"type": "integer"}, 2_000)
    floats = many({"type": "number"}, 2_000)

    assert {1, 9007199254740991} <= set(ids)
    assert min(free) < -(2**63)
    assert max(free) > 2**64
    assert {5e-324, 1.7976931348623157e308} <= {abs(value) for value in floats}
    assert {int, float} == {type(value) for value in floats}


def test_a_multiple_of_a_fraction_is_exact_in_its_digits():
    values = many({"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 10**6}, 500)

    assert any(isinstance(value, float) for value in values)
    assert all(len(repr(value).partition(".")[2]) <= 2 for value in values)


def test_text_is_empty_and_as_long_as_it_may_be_and_has_odd_characters():
    values = many({"type": "string", "maxLength": 30}, 500)
    characters = set("".join(values))

    assert {0, 30} <= {len(value) for value in values}
    assert {"\U0001f600", "\u0301", "\u2028", '"', "\\", "<"} <= characters


def test_arrays_are_empty_and_as_long_as_they_may_be():
    assert {0, 20} <= {len(value) for value in many({"type": "array", "maxItems": 20, "items": {"type": "null"}}, 500)}


def test_values_can_be_stored():
    for mode in ("write", "read"):
        for value in many({"type": "object", "additionalProperties": {}}, 300, mode):
            assert codec.decode(codec.encode_object(value)) == value
    for text in many({"type": "string", "pattern": "^[^a]*\\D\\W[\\x00-\\uffff]$"}, 300):
        codec.encode(text)


def test_writers_send_no_field_that_is_not_declared_and_others_do():
    declared = set(ORDER["properties"])

    assert all(set(value) <= declared for value in many(ORDER))
    assert any(set(value) - declared for value in many(ORDER, mode="read"))


def test_readers_samples_have_unknown_enum_values_unless_the_enum_is_closed():
    kind = ORDER["properties"]["kind"]
    closed = {**kind, "x-closed": True}

    assert set(many(kind, mode="read")) > set(kind["enum"])
    assert set(many(closed, mode="read")) == set(kind["enum"])
    assert set(many(kind, mode="write")) == set(kind["enum"])


def test_other_writers_integers_may_have_a_point():
    schema = {"type": "integer", "minimum": 0, "maximum": 9}

    assert {type(value) for value in many(schema, mode="read")} == {int, float}
    assert {type(value) for value in many(schema, mode="write")} == {int}


def test_size_bounds_what_is_free():
    small, large = (many(SCHEMAS["recursion through an array"], 100, size=size) for size in (1, 5))

    assert max(len(list(parts(value))) for value in small) < 20
    assert max(len(list(parts(value))) for value in large) > 25


def test_ten_thousand_valid_and_as_many_near_misses_of_ten_fields_take_seconds():
    make, random = Sampler(ORDER), Random(1)
    started = time.process_time()

    for _ in range(1_000):
        make.valid(random)
    for _, _ in zip(range(1_000), make.near_misses(random), strict=False):
        pass

    # A tenth of the work, in more than a tenth of the ten seconds that it may take: machines differ.
    assert time.process_time() - started < 3
