"""Integers of any size as text, whatever limit the host has set."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.codecs.numerals import format_integer, parse_integer


@pytest.fixture
def lowest_limit() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    yield
    sys.set_int_max_str_digits(before)


@settings(deadline=None)
@given(st.integers() | st.integers(-(2**14_000), 2**14_000))
@example(10**639)
@example(10**640)
@example(-(10**4_000))
@example(10**4_000 + 1)
def test_text_and_integer_agree_with_python(number: int) -> None:
    assert format_integer(number) == str(number)
    assert parse_integer(str(number)) == number


@pytest.mark.usefixtures("lowest_limit")
@pytest.mark.parametrize("digits", [640, 641, 4_301, 131_072])
def test_no_limit_of_the_interpreter_gets_in_the_way(digits: int) -> None:
    text = "-" + "1234567890" * (digits // 10 + 1)
    text = text[: digits + 1]
    assert format_integer(parse_integer(text)) == text
