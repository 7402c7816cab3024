"""Recorded output, whoever wrote it."""

import base64
import zlib
from typing import Any

import codec_terms as terms
import msgspec
import pytest
from hypothesis import given, settings

from bridge.codecs import etf
from bridge.codecs.recorded import decode_recorded, encode_recorded
from bridge.errors import DecodeError, EncodeError

FROM_OBAN_PY = "g3QAAAADbQAAAAFhYQFtAAAABGxpc3RsAAAABGEBRkAEAAAAAAAAcwNuaWxzBHRydWVqbQAAAAFzbQAAAALDqQ"
FROM_OBAN_WEB = "g3QAAAABdwRuYW1lbQAAAARvYmFu"


class Sample(msgspec.Struct):
    a: int
    s: str


def test_results_of_other_writers_are_read() -> None:
    assert decode_recorded(FROM_OBAN_PY) == {"a": 1, "list": [1, 2.5, None, True], "s": "é"}
    assert decode_recorded(FROM_OBAN_WEB) == {"name": "oban"}
    assert decode_recorded(FROM_OBAN_PY, type=Sample) == Sample(1, "é")


def test_a_compressed_result_is_read_padded_or_not() -> None:
    content = etf.encode({"text": "a" * 10_001})[1:]
    data = b"\x83P" + len(content).to_bytes(4, "big") + zlib.compress(content)
    text = base64.b64encode(data).decode()
    assert decode_recorded(text) == decode_recorded(text.rstrip("=")) == {"text": "a" * 10_001}


@settings(deadline=None)
@given(terms.json_values)
def test_what_is_written_has_no_padding_and_comes_back(value: Any) -> None:
    text = encode_recorded(value)
    assert text.isascii()
    assert "=" not in text
    assert decode_recorded(text) == value


def test_the_native_profile_can_be_asked_for() -> None:
    assert decode_recorded(encode_recorded((1, etf.Atom("ok")), profile="native")) == (1, "ok")


@pytest.mark.parametrize("size", range(94, 100))
def test_a_result_over_the_limit_is_refused_and_one_at_it_is_not(size: int) -> None:
    value = "x" * size
    length = len(encode_recorded(value))
    assert encode_recorded(value, length)
    with pytest.raises(EncodeError) as caught:
        encode_recorded(value, length - 1)
    assert f"at most {length - 1} characters" in str(caught.value)
    assert f"a result of {length} characters" in str(caught.value)
    assert caught.value.field == "result"


def test_the_default_limit_is_64_million_characters() -> None:
    with pytest.raises(EncodeError, match="at most 64,000,000 characters"):
        encode_recorded(b"\xff" * 48_000_000)


def test_the_largest_result_that_is_written_is_read() -> None:
    value = b"\xff" * 47_999_990
    assert decode_recorded(encode_recorded(value)) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "truncated"),
        ("a", "not base64"),
        ("g3Q!", "not base64"),
        ("g3Q AAAA", "not base64"),
        ("g3é", "not base64"),
        ("g3QAAAAB", "truncated"),
        (None, "a recorded result is text, not NoneType"),
        (b"g2o", "a recorded result is text, not bytes"),
        ({"a": 1}, "a recorded result is text, not dict"),
    ],
)
def test_junk_is_a_decode_error(text: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode_recorded(text)


def test_a_text_over_the_limit_is_not_decoded() -> None:
    with pytest.raises(DecodeError, match="has 1,000 characters, too many for 100 bytes"):
        decode_recorded("A" * 1_000, limits=etf.Limits(size=100))


def test_an_unencodable_result_says_where() -> None:
    with pytest.raises(EncodeError, match=r"^result\.rows\[1\]: expected a finite number"):
        encode_recorded({"rows": [1, float("nan")]})
