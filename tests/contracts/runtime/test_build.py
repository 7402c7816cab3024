"""Native values of each shape, from JSON and back."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings

from bridge.contracts.runtime import Duration
from bridge.contracts.runtime.build import Builder
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import ContractError, EncodeError, InvalidContract, shorten

from . import schemas
from .rig import classes_of, enum, make_contract, module_of, obj, ref

KEY = "018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b"


def field(schema):
    """A contract of one field, and that field's conversions."""
    cls = make_contract({**obj("Root", {"value": schema}, required=["value"]), "$defs": schemas.DEFS})
    return cls, lambda value: cls.cast({"value": value}).value, lambda value: cls(value=value).dump()["value"]


def label(value):
    return shorten(value, 40)


TEXT = {"type": "string"}
ROUND = [
    ({"type": "integer"}, 3, 3),
    ({"type": "number"}, 1.5, 1.5),
    ({"type": "boolean"}, True, True),
    ({"type": "null"}, None, None),
    (TEXT, "é", "é"),
    ({**TEXT, "format": "date-time"}, "2026-05-01T09:30:00Z", datetime(2026, 5, 1, 9, 30, tzinfo=UTC)),
    ({**TEXT, "format": "date-time"}, "0001-01-01T00:00:00.000001Z", datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ({**TEXT, "format": "date"}, "2024-02-29", date(2024, 2, 29)),
    ({**TEXT, "format": "time"}, "09:30:00+02:00", "09:30:00+02:00"),
    ({**TEXT, "format": "duration"}, "P1DT12H", Duration("P1DT12H")),
    ({**TEXT, "format": "uuid"}, KEY, UUID(KEY)),
    ({**TEXT, "format": "email"}, "a@b.c", "a@b.c"),
    ({**TEXT, "format": "decimal"}, "12.50", Decimal("12.50")),
    ({**TEXT, "format": "decimal"}, "0.0000000001", Decimal("1e-10")),
    ({**TEXT, "format": "bigint"}, "9" * 5000, int("9" * 4000) * 10**1000 + int("9" * 1000)),
    ({**TEXT, "contentEncoding": "base64"}, "AP8=", b"\x00\xff"),
    ({"const": "light"}, "light", "light"),
    ({"type": "array", "items": {**TEXT, "format": "date"}}, ["2026-01-01"], [date(2026, 1, 1)]),
    ({"type": "object", "additionalProperties": {**TEXT, "format": "decimal"}}, {"a": "1.0"}, {"a": Decimal("1.0")}),
    (
        {"type": "array", "prefixItems": [{**TEXT, "format": "date"}, TEXT], "minItems": 2, "maxItems": 2},
        ["2026-01-01", "a"],
        (date(2026, 1, 1), "a"),
    ),
    ({"anyOf": [{**TEXT, "format": "date"}, {"type": "null"}]}, None, None),
    ({"anyOf": [{**TEXT, "format": "date"}, {"type": "null"}]}, "2026-01-01", date(2026, 1, 1)),
    (True, {"any": ["thing", 1.5, None]}, {"any": ["thing", 1.5, None]}),
]


@pytest.mark.parametrize(("schema", "wire", "native"), ROUND, ids=label)
def test_round(schema, wire, native):
    _, load, dump = field(schema)
    found = load(wire)
    assert (found, type(found)) == (native, type(native))
    assert dump(native) == wire
    assert type(dump(native)) is type(wire)


READ = [
    ({"type": "integer"}, 3.0, 3),
    ({"type": "number"}, 3, 3.0),
    (
        {**TEXT, "format": "date-time"},
        "2026-05-01t09:30:00.5+02:00",
        datetime(2026, 5, 1, 7, 30, 0, 500000, tzinfo=UTC),
    ),
    ({**TEXT, "format": "uuid"}, KEY.upper(), UUID(KEY)),
    ({"const": 1}, 1.0, 1),
]


@pytest.mark.parametrize(("schema", "wire", "native"), READ, ids=str)
def test_read(schema, wire, native):
    found = field(schema)[1](wire)
    assert (found, type(found)) == (native, type(native))
    assert not isinstance(found, datetime) or found.tzinfo is UTC


def test_a_number_beyond_a_floats_range_stays_what_it_is():
    assert field({"type": "number"})[1](10**400) == 10**400


WRITTEN = [
    (
        {**TEXT, "format": "date-time"},
        datetime(2026, 5, 1, 9, tzinfo=timezone(timedelta(hours=2))),
        "2026-05-01T07:00:00Z",
    ),
    ({"type": "array", "items": TEXT}, ("a", "b"), ["a", "b"]),
    ({**TEXT, "format": "decimal"}, Decimal("1E+3"), "1000"),
    ({**TEXT, "contentEncoding": "base64"}, bytearray(b"a"), "YQ=="),
    (enum("Theme", "light"), "light", "light"),
    (True, {"when": date(2026, 1, 1), "pair": (1, 2)}, {"when": "2026-01-01", "pair": [1, 2]}),
    (ref("Inner"), {"a": 1}, {"a": 1}),
    ({"oneOf": [ref("Mail"), ref("Desk")]}, {"kind": "desk"}, {"kind": "desk"}),
]


@pytest.mark.parametrize(("schema", "native", "wire"), WRITTEN, ids=label)
def test_written(schema, native, wire):
    assert field(schema)[2](native) == wire


def test_a_constrained_field_of_any_type_is_checked_as_the_json_it_becomes():
    dump = field({"contains": {"const": 1}})[2]
    assert dump((1, 2)) == [1, 2]
    with pytest.raises(ContractError, match="/value"):
        dump((2,))
    with pytest.raises(EncodeError):
        dump({1, 2})


WRONG = [
    ({"type": "integer"}, "1"), ({"type": "number"}, math.nan), ({"type": "number"}, Decimal("NaN")), (TEXT, 1),
    (TEXT, b"x"),
    ({**TEXT, "format": "date-time"}, datetime(2026, 5, 1)),  # noqa: DTZ001 - that is what is wrong with it
    ({**TEXT, "format": "date-time"}, "yesterday"),
    ({**TEXT, "format": "date-time"}, datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
    ({**TEXT, "format": "date"}, datetime(2026, 5, 1, tzinfo=UTC)), ({**TEXT, "format": "date"}, 3),
    ({**TEXT, "format": "decimal"}, Decimal("NaN")), ({**TEXT, "format": "decimal"}, Decimal("Infinity")),
    ({**TEXT, "format": "decimal"}, 1.5), ({**TEXT, "format": "bigint"}, True), ({**TEXT, "format": "bigint"}, 1.0),
    ({**TEXT, "format": "uuid"}, 3), ({**TEXT, "contentEncoding": "base64"}, "é"), (enum("Theme", "light"), "neon"),
    ({"type": "array", "items": TEXT}, "ab"), ({"type": "array", "items": TEXT}, {"a"}),
    ({"type": "object", "additionalProperties": TEXT}, []),
    ({"type": "array", "prefixItems": [TEXT, TEXT], "minItems": 2, "maxItems": 2}, ("a",)),
    ({"type": "array", "prefixItems": [TEXT, TEXT], "minItems": 2, "maxItems": 2}, ("a", "b", "c")),
    (ref("Inner"), Ellipsis), (ref("Inner"), None), ({"oneOf": [ref("Mail"), ref("Desk")]}, 3), ({"const": "a"}, "b"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "native"), WRONG, ids=label)
def test_what_is_not_of_the_type_is_told_and_not_written(schema, native):
    _, _, dump = field(schema)
    with pytest.raises((ContractError, ValueError)) as caught:
        dump(native)
    assert "value" in str(caught.value)


SCHEMA = {
    **obj(
        "Root",
        {
            "from": TEXT, "theme": enum("Theme", "light",
            "dark"), "inner": ref("Inner"), "maybe": {"type": ["string", "null"]},
            "way": {"oneOf": [ref("Mail"), ref("Desk")]}, "copies": {"type": "integer", "default": 1}, "note": TEXT,
        },
        required=["from"],
    ),
    "$defs": schemas.DEFS,
}  # fmt: skip


class TestStructs:
    @pytest.fixture
    def cls(self):
        return make_contract(SCHEMA)

    def test_a_default_is_materialised_and_written(self, cls):
        assert cls.cast({"from": "a"}).copies == 1
        assert cls.cast({"from": "a"}).dump() == {"from": "a", "copies": 1}

    @pytest.mark.parametrize(
        "value", [{"from": "a"}, {"from": "a", "maybe": None}, {"from": "a", "maybe": "b"}], ids=str
    )
    def test_absent_null_and_value_stay_apart(self, cls, value):
        assert cls.cast(value).dump() == {**value, "copies": 1}

    def test_what_is_unknown_is_ignored(self, cls):
        assert cls.cast({"from": "a", "x": 1}) == cls.cast({"from": "a"})

    def test_a_union_becomes_the_class_of_its_tag(self, cls):
        found = cls.cast({"from": "a", "way": {"kind": "desk", "number": 3}})
        assert type(found.way) is module_of(cls).Desk
        assert found.dump()["way"] == {"kind": "desk", "number": 3}

    def test_a_recursive_struct_is_followed(self, cls):
        inner = cls.cast({"from": "a", "inner": {"a": 1, "again": {"a": 2}}}).inner
        assert inner.again == module_of(cls).Inner(a=2)

    def test_an_enum_is_its_member_and_an_unknown_value_survives(self, cls):
        theme = module_of(cls).Theme
        assert cls.cast({"from": "a", "theme": "dark"}).theme is theme.DARK
        found = cls.cast({"from": "a", "theme": "neon"})
        assert (found.theme, found.theme.is_unknown, type(found.theme)) == ("neon", True, theme)
        with pytest.raises(ContractError, match="/theme: expected one of 'light', 'dark', got 'neon'"):
            found.dump()

    def test_a_missing_class_is_told(self, cls):
        del module_of(cls).Inner
        with pytest.raises(InvalidContract, match="run bridge contracts build"):
            cls.cast({"from": "a", "inner": {"a": 1}})


@given(schemas.roots(), schemas.objects)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_what_was_built_is_written_as_a_value_that_builds_the_same(schema, value):
    checks = compile_checks(schema, mode="write")
    # A field that is required and not declared has no place in a class.
    assume(set(schema["required"]) <= schema["properties"].keys() and not checks(value))
    builder = Builder(schema, classes_of(make_contract(schema)))
    found = builder.native.load(value)
    written = builder.native.dump(found)
    assert checks(written) == []
    assert repr(builder.native.load(written)) == repr(found)
