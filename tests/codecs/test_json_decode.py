"""What becomes of everything that jsonb can print."""

import json as standard
import time
from decimal import Decimal
from typing import Any

import codec_terms as terms
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.codecs import json
from bridge.codecs.exact import decode_exactly
from bridge.errors import DecodeError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1" * 401, int("1" * 401)),
        ("18446744073709551616", 2**64),
        ("1e400", 10**400),
        ("1" + "0" * 400 + ".0", 10**400),
        ("1" + "0" * 400 + ".5", Decimal("1" + "0" * 400 + ".5")),
        ("0." + "0" * 400 + "12", Decimal("12e-402")),
        ("-0." + "0" * 400 + "1", Decimal("-1e-401")),
        ("0." + "0" * 323 + "50", 5e-324),
        ("0." + "0" * 500, 0.0),
        ("0.1" + "0" * 400, 0.1),
        ("1.0", 1.0),
        ("-0.0", 0.0),
        ("0.12345678901234567890123", 0.12345678901234568),
        ('"\\u0000"', "\0"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "\xc3\xa9"}', {"a": "é"}),
        (bytearray(b"[]"), []),
        (memoryview(b"[]"), []),
    ],
)
def test_no_number_loses_a_digit_that_its_type_could_keep(text: Any, value: Any) -> None:
    decoded = json.decode(text)
    assert decoded == value
    assert type(decoded) is type(value)


def test_the_longest_integer_of_jsonb_keeps_its_digits() -> None:
    assert json.decode("-1" + "0" * 131_071) == -(10**131_071)


@pytest.mark.parametrize("text", ["7" * 131_072 + ".0", "1e131071"], ids=["printed", "short"])
def test_a_whole_number_written_as_a_fraction_takes_no_longer_than_an_integer(text: str) -> None:
    began = time.process_time()
    for _ in range(4):
        value = json.decode(text)
    assert time.process_time() - began < 0.8
    assert type(value) is int
    assert value % 10**9 == (777_777_777 if text[0] == "7" else 0)


def test_any_depth_is_followed_without_recursion() -> None:
    value = json.decode("[" * 100_000 + "]" * 100_000)
    depth = 0
    while value:
        (value,) = value
        depth += 1
    assert depth == 99_999
    assert json.decode('{"a":' * 5_000 + "1" + "}" * 5_000)["a"]["a"]["a"]


@pytest.mark.parametrize(
    ("text", "reason", "offset"),
    [
        ("", "expected a JSON value", 0),
        (" ", "expected a JSON value", 1),
        ("NaN", "expected a JSON value", 0),
        ("[1,]", "expected a JSON value", 3),
        ("[1 2]", "expected a comma or ]", 3),
        ("[1", "expected a comma or ]", 2),
        ('{"é":1,}', "expected a key in quotes", 8),
        ('{"a" 1}', "expected a colon", 5),
        ('{"a":1]', "expected a comma or }", 6),
        ("1 2", "expected nothing after the document", 2),
        ("01", "expected nothing after the document", 1),
        ('"abc', "a string is malformed", 0),
        ('"\n"', "a string is malformed", 0),
        ('["\\ud800"]', "a string holds a lone surrogate", 1),
        ("1e131073", "a number is out of numeric's range", 0),
        ("1e999999999999999999999", "a number is out of numeric's range", 0),
        ("9" * 131_073, "a number is out of numeric's range", 0),
        (b'"\xff"', "JSON text must be UTF-8", 1),
        ("\ud800", "expected a JSON value", 0),
        (None, "JSON text must be str or bytes, not NoneType", None),
        (7, "JSON text must be str or bytes, not int", None),
    ],
)
def test_anything_else_is_a_decode_error_that_says_where(text: Any, reason: str, offset: int | None) -> None:
    with pytest.raises(DecodeError) as caught:
        json.decode(text)
    assert reason in str(caught.value)
    assert caught.value.offset == offset
    assert isinstance(caught.value, ValueError)


@settings(deadline=None)
@given(terms.json_values, st.sampled_from([None, 1]))
def test_the_exact_decoder_reads_what_the_fast_one_does(value: Any, indent: int | None) -> None:
    text = standard.dumps(value, indent=indent)
    assert decode_exactly(text) == json.decode(text) == value


@settings(deadline=None)
@given(st.text(st.sampled_from('[]{}",:019.eE+-\\nulltruefalse \n'), max_size=30))
def test_junk_never_raises_anything_else(text: str) -> None:
    try:
        expected = standard.loads(text, parse_constant=lambda name: standard.loads(f"!{name}"))
    except ValueError:
        with pytest.raises(DecodeError):
            json.decode(text)
        return
    assert json.decode(text) == expected
