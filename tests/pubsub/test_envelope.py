"""Messages are written for the oldest reader and read from any writer."""

import base64
import json
import os
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.errors import DecodeError, InvalidPayload
from bridge.pubsub import envelope

from .forms import (
    JUNK,
    golden,
    marked,
    read_as_2_14,
    read_as_2_15,
    read_as_2_21,
    read_as_oban_py,
    squeeze,
)

#: Whether an example took long tells of the machine.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def payload_of(json_bytes):
    """A message whose JSON has just that many bytes, and can't be compressed much."""
    noise = os.urandom(json_bytes).hex()
    return {"a": noise[: json_bytes - len('{"a":""}')]}


def repetitive(json_bytes):
    return {"a": "x" * (json_bytes - len('{"a":""}'))}


class TestEncode:
    def test_a_small_message_is_plain_json_without_spaces(self):
        assert envelope.encode({"queue": "alpha"}) == '{"queue":"alpha"}'

    def test_plain_up_to_7999_bytes_where_elixir_would_compress_from_513(self):
        text = envelope.encode(repetitive(7_999))
        assert len(text) == 7_999
        assert text.startswith("{")

    def test_compressed_from_8000_bytes(self):
        text = envelope.encode(repetitive(8_000))
        assert text.startswith("H4sI")
        assert envelope.decode(text) == repetitive(8_000)

    def test_the_limit_counts_bytes_and_not_characters(self):
        four_thousand_characters = {"a": "ü" * 4_000}
        assert envelope.encode(four_thousand_characters).startswith("H4sI")

    def test_the_same_message_gives_the_same_text(self, monkeypatch):
        first = envelope.encode(repetitive(9_000))
        monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
        assert envelope.encode(repetitive(9_000)) == first

    def test_a_message_too_long_even_compressed_is_refused_with_the_mend(self):
        with pytest.raises(InvalidPayload) as caught:
            envelope.encode(payload_of(40_000))
        assert "at most 7999 bytes" in str(caught.value)
        assert "it has 40000" in str(caught.value)
        assert "send less" in str(caught.value)

    def test_a_message_that_only_we_could_compress_so_far_is_refused(self):
        with pytest.raises(InvalidPayload, match="1000000 before"):
            envelope.encode(repetitive(1_000_001))

    @pytest.mark.parametrize("value", [None, 1, "text", [], [{"a": 1}], (), {1, 2}, b"{}", '{"a":1}'])
    def test_what_is_no_object_is_refused(self, value):
        with pytest.raises(InvalidPayload, match="payload: expected a JSON object"):
            envelope.encode(value)

    @pytest.mark.parametrize(
        "value",
        [float("nan"), float("inf"), -float("inf"), "\ud800", "\0", object(), {1, 2}, b"bytes", 10**1_024],
        ids=["NaN", "inf", "-inf", "surrogate", "NUL", "object", "set", "bytes", "huge"],
    )
    def test_what_json_or_an_elixir_node_cant_hold_is_refused(self, value):
        with pytest.raises(InvalidPayload) as caught:
            envelope.encode({"a": [value]})
        assert caught.value.field.startswith("payload")

    def test_a_refusal_names_the_path(self):
        with pytest.raises(InvalidPayload) as caught:
            envelope.encode({"checks": [{"limit": float("nan")}]})
        assert caught.value.field == "payload.checks[0].limit"

    def test_what_is_nested_deeper_than_readers_follow_is_refused(self):
        deep: dict = {}
        for _ in range(envelope.MAX_DEPTH - 1):
            deep = {"a": deep}
        assert envelope.decode(envelope.encode(deep)) == deep
        with pytest.raises(InvalidPayload, match="nested more than 100 levels"):
            envelope.encode({"a": deep})

    def test_a_value_that_holds_itself_is_refused(self):
        circle: dict = {}
        circle["a"] = circle
        with pytest.raises(InvalidPayload):
            envelope.encode(circle)

    @pytest.mark.parametrize("size", [10, 512, 513, 7_999])
    def test_every_release_reads_a_plain_message(self, size):
        payload = repetitive(size)
        text = envelope.encode(payload)
        for read in (read_as_2_14, read_as_2_15, read_as_2_21, read_as_oban_py):
            assert read(text) == payload

    @pytest.mark.parametrize("size", [8_000, 100_000])
    def test_every_release_since_2_15_reads_a_compressed_message(self, size):
        payload = repetitive(size)
        text = envelope.encode(payload)
        for read in (read_as_2_15, read_as_2_21, read_as_oban_py):
            assert read(text) == payload


class TestEncodeParts:
    def test_a_message_that_fits_stays_one(self):
        payload = {"checks": [{"queue": "alpha"}], "name": "Oban"}
        assert envelope.encode_parts(payload, "checks") == [envelope.encode(payload)]

    def test_a_long_list_is_shared_among_messages_that_repeat_the_rest(self):
        checks = [{"uuid": os.urandom(16).hex(), "queue": f"q{n}"} for n in range(1_000)]
        parts = [
            envelope.decode_strict(text) for text in envelope.encode_parts({"checks": checks, "name": "Oban"}, "checks")
        ]
        assert len(parts) > 2
        assert [check for part in parts for check in part["checks"]] == checks
        assert {part["name"] for part in parts} == {"Oban"}

    def test_one_item_that_is_too_long_is_refused(self):
        with pytest.raises(InvalidPayload, match="at most 7999 bytes"):
            envelope.encode_parts({"checks": [{"a": 1}, payload_of(40_000)]}, "checks")

    @pytest.mark.parametrize("key", ["missing", "a"])
    def test_without_a_list_to_share_it_is_refused(self, key):
        with pytest.raises(InvalidPayload, match="at most 7999 bytes"):
            envelope.encode_parts(payload_of(40_000), key)


_any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too


class TestDecode:
    @pytest.mark.parametrize("sample", golden("elixir_messages"), ids=lambda sample: sample["elixir_call"])
    def test_reads_what_elixir_writes(self, sample):
        assert envelope.decode(sample["raw"]) == sample["decoded"]

    @pytest.mark.parametrize("sample", golden("oban_py_messages"), ids=lambda sample: sample["channel"])
    def test_reads_what_oban_py_writes(self, sample):
        assert envelope.decode(sample["raw"]) == sample["decoded"]

    @pytest.mark.parametrize("sample", golden("trigger_messages"), ids=lambda sample: sample["channel"])
    def test_reads_what_the_old_triggers_write(self, sample):
        assert envelope.decode(sample["raw"])["queue"] == "q"

    @pytest.mark.parametrize("form", [str, squeeze, marked], ids=["plain", "H4sI", "Z:"])
    def test_reads_each_form(self, form):
        payload = {"action": "scale", "limit": 7, "rate": 0.5, "name": "größe 🦉", "none": None, "list": [1, [2]]}
        assert envelope.decode(form(json.dumps(payload, ensure_ascii=False))) == payload

    def test_reads_a_message_of_the_allowed_depth_and_brackets_within_text(self):
        assert envelope.decode('{"a":' + "[" * 99 + "]" * 99 + "}") is not None
        assert envelope.decode('{"a":"' + "[{" * 1_000 + '"}') == {"a": "[{" * 1_000}

    def test_many_objects_side_by_side_are_not_deep(self):
        payload = {"checks": [{"running": [n]} for n in range(300)]}
        assert envelope.decode(json.dumps(payload)) == payload

    def test_reads_up_to_a_megabyte_and_no_more(self):
        exact = json.dumps(repetitive(envelope.MAX_JSON_BYTES), separators=(",", ":"))
        assert envelope.decode(marked(exact)) == repetitive(envelope.MAX_JSON_BYTES)
        assert envelope.decode(marked(exact + " ")) is None

    @pytest.mark.parametrize("text", JUNK.values(), ids=JUNK.keys())
    def test_junk_is_none_with_a_reason(self, text):
        assert envelope.decode(text) is None
        with pytest.raises(DecodeError) as caught:
            envelope.decode_strict(text)
        assert caught.value.reason

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("array", "expected a JSON object, got a value of type list"),
            ("bomb", "longer than 1000000 bytes once unpacked"),
            ("gzip truncated in its data", "the gzip stream ends too early"),
            ("gzip and more", "something follows the gzip stream"),
            ("gzip with a wrong checksum", "not gzip in base64"),
            ("nested 101 levels", "nested more than 100 levels deep"),
            ("nested 1,000 objects", "nested more than 100 levels deep"),
            ("NaN", "not JSON"),
        ],
    )
    def test_the_reason_tells_what_is_wrong(self, name, reason):
        with pytest.raises(DecodeError, match=reason):
            envelope.decode_strict(JUNK[name])

    def test_a_bomb_is_given_up_before_it_is_unpacked(self):
        bomb = squeeze(b"\0" * 50_000_000)
        tracemalloc.start()
        assert envelope.decode(bomb) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000

    @patient
    @given(_any_text)
    @example('{"a":"\ud800"}')
    def test_never_raises_on_text(self, text):
        assert envelope.decode(text) is None or isinstance(envelope.decode(text), dict)

    @patient
    @given(_any_text, st.sampled_from(["Z:", "H4sI", "{", '{"a":', "Z:H4sI"]))
    def test_never_raises_on_text_that_begins_well(self, text, start):
        envelope.decode(start + text)

    @patient
    @given(st.binary())
    def test_never_raises_on_what_was_compressed(self, data):
        envelope.decode(squeeze(data))
        envelope.decode(marked(data))

    @patient
    @given(st.binary(min_size=1), st.integers(min_value=0, max_value=100), st.booleans())
    def test_never_raises_on_damaged_gzip(self, damage, at, marks):
        data = base64.b64decode(squeeze('{"queue":"alpha","state":"available"}'))
        text = base64.b64encode(data[:at] + damage + data[at + len(damage) :]).decode()
        envelope.decode("Z:" + text if marks else text)

    @patient
    @given(st.recursive(st.lists(st.none()), lambda inner: st.lists(inner, max_size=2), max_leaves=20))
    def test_never_raises_on_nesting(self, nested):
        text = json.dumps({"a": nested})
        assert envelope.decode(text) == {"a": nested}


_letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(_letters),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(_letters), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(_letters), _values), st.integers(min_value=0, max_value=9_000))
@patient
def test_what_is_encoded_is_decoded_the_same_by_everybody(payload, padding):
    payload = {**payload, "padding": "x" * padding}
    text = envelope.encode(payload)
    assert len(text.encode()) <= envelope.MAX_BYTES
    assert not text.startswith("Z:")
    assert envelope.decode(text) == payload
    assert read_as_2_15(text) == read_as_2_21(text) == read_as_oban_py(text) == payload
