"""Random schemas of few names, and values that often touch them."""

from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "kind", "x/y~", "")
TEXTS = (
    "",
    "a",
    "b",
    "abc",
    "abc\n",
    "é",
    "😀",
    "x",
    "y",
    "2020-01-01",
    "2020-01-01T00:00:00Z",
    "12.50",
    "QQ==",
    "a@b.c",
    "PT1S",
)
NUMBERS = (0, 1, -1, 2, 3, 1.0, 1.5, 0.1, 0.3, 1e-7, 10**20, 1e20, 9007199254740993, 9007199254740992.0, -0.0)
PATTERNS = ("^a", "b$", r"\d{2}", "^[^b]*$", "a|é", r"^\S+$", "(?:a|b){1,3}c?", r"\bx\b")
FORMATS = ("date", "date-time", "decimal", "email", "duration", "uuid", "bigint", "uri-reference")

_names = st.sampled_from(NAMES)
_scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS))


def values() -> st.SearchStrategy[Any]:
    """JSON values."""
    return st.recursive(
        _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=4), max_leaves=8
    )


def documents() -> st.SearchStrategy[Any]:
    """Schemas, most of which the normaliser takes."""
    return st.recursive(st.booleans() | _leaves(), _around, max_leaves=6)


def _leaves() -> st.SearchStrategy[Any]:
    types = st.sampled_from(("null", "boolean", "integer", "number", "string", "array", "object"))
    sizes, numbers = st.integers(0, 3), st.sampled_from(NUMBERS)
    steps = st.sampled_from((1, 2, 0.1, 0.01, 1e-7, 3.0))
    return st.one_of(
        _some(type=types | st.lists(types, min_size=1, max_size=3, unique=True)),
        _some(minimum=numbers, maximum=numbers, exclusiveMinimum=numbers, exclusiveMaximum=numbers, multipleOf=steps),
        _some(minLength=sizes, maxLength=sizes, pattern=st.sampled_from(PATTERNS), format=st.sampled_from(FORMATS)),
        _some(minItems=sizes, maxItems=sizes, uniqueItems=st.booleans()),
        _some(
            minProperties=sizes,
            maxProperties=sizes,
            required=st.lists(_names, max_size=2, unique=True),
            dependentRequired=st.dictionaries(_names, st.lists(_names, max_size=2, unique=True), max_size=2),
        ),
        st.builds(lambda found: {"enum": found}, st.lists(_scalars, min_size=1, max_size=3, unique_by=repr)),
        st.builds(lambda found: {"enum": found}, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True)),
        st.builds(lambda found: {"const": found}, values()),
        st.just({"type": "string", "contentEncoding": "base64"}),
    )


def _some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=keywords)


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    fields = st.dictionaries(_names, inner, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("object"), "properties": fields}),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": fields},
            optional={
                "additionalProperties": inner,
                "patternProperties": st.dictionaries(st.sampled_from(PATTERNS), inner),
            },
        ),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"prefixItems": some}),
        st.fixed_dictionaries(
            {"contains": inner}, optional={"minContains": st.integers(0, 2), "maxContains": st.integers(0, 2)}
        ),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.builds(_union, st.dictionaries(st.sampled_from(("x", "y", "é")), fields, min_size=2)),
        *(st.builds(lambda found, name=name: {name: found}, some) for name in ("allOf", "anyOf", "oneOf")),
        *(st.builds(lambda found, name=name: {name: found}, inner) for name in ("not", "propertyNames")),
        st.builds(lambda found: {"dependentSchemas": found}, fields),
        st.builds(lambda found: {"oneOf": [found, {"type": "null"}]}, inner),
    )


def _union(kinds: dict[str, Any]) -> Any:
    branches = [
        {"type": "object", "required": ["kind"], "properties": {**fields, "kind": {"const": kind}}}
        for kind, fields in kinds.items()
    ]
    return {"oneOf": branches}
