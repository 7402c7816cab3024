"""The shortcut accepts nothing that the checker refuses, and builds what the builder builds."""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bridge.contracts.runtime.build import Builder
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.runtime.fast import compile_reader

from . import schemas
from .rig import classes_of, enum, make_contract, obj, ref


@st.composite
def cases(draw):
    schema = draw(schemas.roots())
    # Most values are made for the fields' kinds, so that whole objects are valid now and then.
    value = draw(schemas.objects)
    for name, field in schema["properties"].items():
        if draw(st.integers(0, 9)):
            value[name] = draw(likely(field))
    return schema, value


def likely(schema):  # noqa: PLR0911 - a kind of schema each
    """Values that may well keep a schema."""
    if not isinstance(schema, dict):
        return schemas.values
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of(st.none(), likely({**schema, "type": kind[0]}))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return st.one_of(*map(likely, schema[keyword]))
    if "format" in schema:
        return st.sampled_from(schemas.FORMATS[schema["format"]])
    if schema.get("$ref") == "#/$defs/Inner":
        return schemas._inner
    if "$ref" in schema or "allOf" in schema:
        return schemas._union
    if "const" in schema:
        return st.just(schema["const"])
    return {
        "string": lambda: st.sampled_from(schema.get("enum", ["a", "ab", "light", "x1", "YWI="])),
        "integer": lambda: schemas.numbers,
        "number": lambda: schemas.numbers,
        "boolean": st.booleans,
        "array": lambda: st.lists(likely(schema.get("items", True)), max_size=3),
        "object": lambda: st.dictionaries(
            st.sampled_from(["a", "b"]), likely(schema.get("additionalProperties", True))
        ),
    }.get(kind, lambda: schemas.values)()


@pytest.mark.parametrize("mode", ["read", "write"])
@given(cases())
@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_shortcut_agrees_with_the_checker_and_the_builder(mode, case):
    schema, value = case
    classes = classes_of(make_contract(schema))
    read = compile_reader(schema, classes, mode)
    violations = compile_checks(schema, mode=mode)(value)
    found = read(value)
    event(f"accepted {found is not None}, valid {not violations}")
    if found is not None:
        assert violations == []
        built = Builder(schema, classes).native.load(value)
        assert repr(found) == repr(built)
        assert found == built


ROOT = {
    **obj(
        "Root",
        {
            "text": {"type": "string", "minLength": 1, "maxLength": 3},
            "note": {"type": ["string", "null"]},
            "number": {"type": "number", "minimum": 0},
            "theme": enum("Theme", "light", "dark"),
            "inner": ref("Inner"),
            "way": {"oneOf": [ref("Mail"), ref("Desk")]},
            "labels": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
            "at": {"type": "string", "format": "date-time"},
            "copies": {"type": "integer", "default": 1},
        },
        required=["text", "note"],
    ),
    "$defs": schemas.DEFS,
}
GOOD = {
    "text": "a", "note": None, "number": 1.5, "theme": "dark", "inner": {"a": 1, "again": {"a": 2}},
    "way": {"kind": "desk", "number": 1}, "labels": ["x"], "at": "2026-05-01T09:30:00Z",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_is_plain_takes_the_shortcut(mode):
    read = compile_reader(ROOT, classes_of(make_contract(ROOT)), mode)
    assert read(GOOD) is not None
    assert read({"text": "a", "note": "b"}) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""}, {"text": "abcd"}, {"text": 1}, {"note": 1}, {"number": -1}, {"number": True},
        {"number": float("nan")}, {"theme": 1}, {"inner": {"a": "1"}}, {"inner": {"a": 1, "again": {"a": None}}},
        {"way": {"kind": "mail"}}, {"way": {"kind": "?"}}, {"way": 1}, {"labels": ["a", "b", "c"]}, {"labels": [1]},
        {"at": "2026-02-30T00:00:00Z"}, {"at": "2026-05-01"}, {"copies": "1"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mode", ["read", "write"])
def test_what_is_wrong_does_not(mode, change):
    value = {**GOOD, **change}
    assert compile_reader(ROOT, classes_of(make_contract(ROOT)), mode)(value) is None
    assert compile_checks(ROOT, mode=mode)(value) != []


NULLS = [
    {"oneOf": [{"type": ["string", "null"]}, {"type": "null"}]},
    {"type": ["integer", "null"], "not": {"const": None}},
    {"type": ["integer", "null"], "enum": [1, 2]},
    {"type": ["integer", "null"], "allOf": [{"type": "integer"}]},
    {"type": ["string", "null"], "maxLength": 3},
    {"oneOf": [{"type": "string"}, {"type": "null"}]},
]
KINDS = [
    *({"type": "string", "format": name} for name in schemas.FORMATS),
    *NULLS,
    *({"type": kind, bound: 2} for kind in ("integer", "number") for bound in ("minimum", "exclusiveMaximum")),
    {"type": "string", "pattern": "^[a-z]+$"},
    {"type": "boolean"},
]


@pytest.mark.parametrize("schema", KINDS, ids=str)
@pytest.mark.parametrize("mode", ["read", "write"])
def test_of_each_kind_no_more_is_accepted_than_is_valid(mode, schema):
    root = obj("Root", {"value": schema})
    cls = make_contract(root)
    read, check = compile_reader(root, classes_of(cls), mode), compile_checks(root, mode=mode)
    native = Builder(root, classes_of(cls)).native
    texts = [text for found in schemas.FORMATS.values() for text in found]
    for item in [*texts, None, True, 0, 1, 2, 3, 1.0, 2.0, 2.5, "a", "a\n", [], {}]:
        found, violations = read({"value": item}), check({"value": item})
        assert found is None or (violations == [] and found == native.load({"value": item})), item


@pytest.mark.parametrize("change", [{"x": 1}, {"theme": "neon"}, {"inner": {"a": 1, "x": 1}}], ids=str)
def test_a_reader_is_open_and_a_writer_closed(change):
    value, classes = {**GOOD, **change}, classes_of(make_contract(ROOT))
    assert compile_reader(ROOT, classes, "read")(value) is not None
    assert compile_reader(ROOT, classes, "write")(value) is None


def test_a_default_made_by_a_factory_is_made_anew_each_time():
    schema = obj("Root", {"labels": {"type": "array", "items": {"type": "string"}, "default": ["x"]}})
    cls = make_contract(schema)
    read = compile_reader(schema, classes_of(cls))
    assert read({}).labels == ["x"]
    assert read({}).labels is not read({}).labels


@pytest.mark.parametrize("mode", ["read", "write"])
def test_an_object_without_fields_has_one_too(mode):
    cls = make_contract(obj("Nothing", {}))
    read = compile_reader(obj("Nothing", {}), classes_of(cls), mode)
    assert read({}) == cls()
    assert read({"more": 1}) == (cls() if mode == "read" else None)
