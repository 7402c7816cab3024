"""What a violation says of a value, and what it never shows."""

import msgspec
import pytest

from bridge.contracts.runtime.check import compile_checks

from .rig import obj, ref


class TestMessages:
    def message(self, schema, value):
        [violation] = compile_checks(schema)(value)
        return violation.message

    @pytest.mark.parametrize(
        ("schema", "value", "message"),
        [
            ({"type": ["integer", "null"]}, "x", "expected an integer or null, got 'x'"),
            ({"enum": ["a", None, True]}, 1, "expected one of 'a', null, true, got 1"),
            (
                {"enum": list(range(20))},
                99,
                f"expected one of {', '.join(map(str, range(12)))} or one of 8 more, got 99",
            ),
            ({"type": "string"}, {"a": 1}, "expected text, got an object"),
            ({"type": "string"}, [1, 2], "expected text, got a list of 2 items"),
            ({"uniqueItems": True}, [3, 1, 3], "expected different items, and items 0 and 2 are equal"),
            ({"minimum": 3}, 1, "expected at least 3, got 1"),
        ],
        ids=str,
    )
    def test_say_what_was_expected_and_what_came(self, schema, value, message):
        assert self.message(schema, value) == message

    def test_are_short(self):
        assert len(self.message({"type": "integer"}, "x" * 10**6)) < 150

    @pytest.mark.parametrize(
        "schema",
        [
            {"properties": {"pin": {"type": "string", "maxLength": 3, "x-sensitive": True}}},
            {"properties": {"pin": ref("Pin")}, "$defs": {"Pin": {"maxLength": 3, "x-sensitive": True}}},
            {"properties": {"pin": {"x-sensitive": True}}, "allOf": [{"properties": {"pin": {"maxLength": 3}}}]},
            {"properties": {"pin": {"x-sensitive": True, "anyOf": [{"maxLength": 3}]}}},
            {"properties": {"pin": {"x-sensitive": True, "items": {"maxLength": 3}}}},
        ],
        ids=str,
    )
    def test_never_show_what_is_sensitive(self, schema):
        for value in ("topsecret", ["topsecret"]):
            for violation in compile_checks(schema)({"pin": value}):
                assert "secret" not in violation.message
        assert compile_checks(schema)({"pin": "topsecret"}) + compile_checks(schema)({"pin": ["topsecret"]})

    @pytest.mark.parametrize(
        ("inner", "value", "expected"),
        [
            ({"additionalProperties": {"type": "integer"}}, {"4711": "x"}, [("/secret/*", "type")]),
            ({"additionalProperties": False}, {"4711": 1}, [("/secret/*", "additionalProperties")]),
            ({"patternProperties": {"^4": {"type": "integer"}}}, {"4711": "x"}, [("/secret/*", "type")]),
            ({"propertyNames": {"maxLength": 3}}, {"4711": 1}, [("/secret/*", "propertyNames")]),
            ({"required": ["pin"], "properties": {"pin": {}}}, {"pin_4711": 1}, [("/secret/pin", "required")]),
        ],
    )
    def test_the_keys_of_a_sensitive_map_are_not_in_paths(self, inner, value, expected):
        root = {"type": "object", "properties": {"secret": {"type": "object", "x-sensitive": True, **inner}}}
        found = compile_checks(root)({"secret": value})

        assert [(path, rule) for path, rule, _ in found] == expected
        assert "4711" not in str(found)

    def test_nor_are_those_of_fields_that_nobody_declares_below_it(self):
        line = obj("Line", {"count": {"type": "integer"}})
        lines = {"type": "object", "additionalProperties": line, "x-sensitive": True}
        found = compile_checks(obj("Root", {"lines": lines}), mode="write")({"lines": {"4711": {"0815": 1}}})

        assert [(path, rule) for path, rule, _ in found] == [("/lines/*/*", "undeclared")]
        assert "4711" not in str(found)

    @pytest.mark.parametrize("wrap", [lambda pin: (pin,), lambda pin: {pin}, lambda pin: Holder(pin=pin)])
    def test_never_show_what_an_object_or_a_collection_holds(self, wrap):
        [violation] = compile_checks({"type": "string"})(wrap("topsecret"))
        assert "secret" not in violation.message


class Holder(msgspec.Struct):
    pin: str
