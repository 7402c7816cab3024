"""Strategies for normalised schemas that classes are made for, and for values that nearly or wholly keep them."""

from hypothesis import strategies as st

from .rig import enum, obj, ref

TEXTS = st.sampled_from(["", "a", "light", "dark", "x1", "9", "Grace", "é😀", "a\n", "2026-05-01T09:30:00Z", "12.50"])

FORMATS = {
    "date-time": ["2026-05-01T09:30:00Z", "2026-05-01T09:30:00.123456Z", "2026-05-01t09:30:00+02:00",
                  "2026-02-30T00:00:00Z",
                  "2026-05-01T24:00:00Z", "2026-05-01T09:30:60Z", "2026-05-01T09:30:00", "2026-05-01 09:30:00Z",
                  "0001-01-01T00:00:00+01:00", "2026-05-01T09:30:00.1234567Z", "2026-05-01T09:30:00.1Z",
                  "0000-01-01T00:00:00Z"],
    "date": ["2026-05-01", "2024-02-29", "2026-02-29", "20260501", "2026-W01-1", "0000-01-01", "٢026-05-01"],
    "time": ["09:30:00Z", "23:59:60Z", "09:30:60Z", "09:30:00"],
    "duration": ["P1D", "PT1H30M", "P", "P1Y2D", "P3W"],
    "uuid": ["018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b", "018F3A52-7C3E-7D8A-9B1E-2F6A5C4D3E2B",
             "018f3a527c3e7d8a9b1e2f6a5c4d3e2b", "018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2g",
             "018f3a527-c3e-7d8a-9b1e-2f6a5c4d3e2b"],
    "email": ["a@b.c", "a@", "a b@c.d"],
    "uri": ["http://a.b/c?d#e", "/a", "a b:c"],
    "decimal": ["12.50", "-0.1", "01", "1.", "1e5", "1" * 40 + ".5"],
    "bigint": ["0", "-12", "9" * 700, "01", "+1", "1_0"],
    "ipv4": ["1.2.3.4", "01.2.3.4"],
}  # fmt: skip

texts = st.one_of(TEXTS, *(st.sampled_from(found) for found in FORMATS.values()))
numbers = st.one_of(
    st.integers(-3, 12), st.sampled_from([0.5, 1.0, 2.5, -0.0, 1e300, 2**70, float("nan"), float("inf"), True])
)

strings = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda low, high: {"type": "string", "minLength": low, "maxLength": high}, st.integers(0, 2), st.integers(1, 5)
    ),
    st.sampled_from([{"type": "string", "pattern": "^[a-z]+$"}, {"type": "string", "pattern": "[0-9]"}]),
    st.sampled_from(sorted(FORMATS)).map(lambda name: {"type": "string", "format": name}),
    st.just({"type": "string", "contentEncoding": "base64"}),
)
_bounds = st.dictionaries(
    st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
    st.sampled_from([0, 1, 2.5, 7]),
    max_size=2,
)
numeric = st.builds(lambda kind, bounds: {"type": kind, **bounds}, st.sampled_from(["integer", "number"]), _bounds)
plain = st.one_of(
    strings,
    numeric,
    st.just({"type": "integer", "multipleOf": 2}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, True, {}, {"description": "x"}, {"enum": [1, "a", None]}]),
    st.sampled_from([{"const": "light"}, {"const": 1}, {"const": True}, {"not": {"type": "string"}}]),
    st.sampled_from([enum("Theme", "light", "dark"), enum("Strict", "light", "dark", **{"x-closed": True})]),
    st.sampled_from([ref("Inner"), {**ref("Inner"), "description": "x"}, {**ref("Inner"), "minProperties": 2}]),
    st.just({"oneOf": [ref("Mail"), ref("Desk")]}),
    st.just({"oneOf": [ref("Mail"), {"allOf": [ref("Desk"), {"maxProperties": 2}]}]}),
)
nullable = st.one_of(
    strings.map(lambda schema: {**schema, "type": ["string", "null"]}),
    numeric.map(lambda schema: {**schema, "type": [schema["type"], "null"]}),
    plain.map(lambda schema: {"anyOf": [schema, {"type": "null"}]}),
    plain.map(lambda schema: {"oneOf": [schema, {"type": "null"}]}),
)
fields = st.recursive(
    st.one_of(plain, nullable),
    lambda inner: st.one_of(
        inner.map(lambda schema: {"type": "array", "items": schema}),
        st.builds(lambda schema, most: {"type": "array", "items": schema, "maxItems": most}, inner, st.integers(0, 2)),
        inner.map(lambda schema: {"type": "array", "items": schema, "uniqueItems": True}),
        inner.map(lambda schema: {"type": "object", "additionalProperties": schema}),
        st.lists(inner, min_size=1, max_size=2).map(
            lambda parts: {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
        ),
    ),
    max_leaves=3,
)

DEFS = {
    "Inner": obj("Inner", {"a": {"type": "integer"}, "again": ref("Inner")}, required=["a"]),
    "Mail": obj("Mail", {"kind": {"const": "mail"}, "to": {"type": "string"}}, required=["kind", "to"]),
    "Desk": obj("Desk", {"kind": {"const": "desk"}, "number": {"type": "integer"}}, required=["kind"]),
}
NAMES = ("a", "b", "kind", "from", "c-d")


@st.composite
def roots(draw):
    """A root whose fields are of any kinds, sometimes with more to it than its fields."""
    properties = draw(st.dictionaries(st.sampled_from(NAMES), fields, min_size=1, max_size=4))
    required = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    more = draw(
        st.sampled_from(
            [{}, {}, {}, {"additionalProperties": False}, {"additionalProperties": True}, {"minProperties": 2}]
        )
    )
    return {**obj("Root", properties, required, **more), "$defs": DEFS}


leaves = st.one_of(st.none(), st.booleans(), numbers, texts)
_inner = st.recursive(
    st.one_of(st.just({"a": 1}), st.just({"a": 1, "x": 2}), st.just({"a": "1"})),
    lambda inner: inner.map(lambda value: {"a": 1, "again": value}),
    max_leaves=3,
)
_union = st.sampled_from([
    {"kind": "mail", "to": "a"}, {"kind": "mail"}, {"kind": "desk"}, {"kind": "desk", "number": 1, "x": 1},
    {"kind": "?"},
])  # fmt: skip
values = st.recursive(
    st.one_of(leaves, _inner, _union),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
objects = st.dictionaries(st.sampled_from((*NAMES, "x")), values, max_size=5)
