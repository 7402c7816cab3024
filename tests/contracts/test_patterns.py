"""Patterns that mean the same to Python and to the BEAM."""

import importlib.util
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.codecs import etf
from bridge.contracts.expressions import parse
from bridge.contracts.normalise import normalise
from bridge.contracts.patterns import translate
from bridge.contracts.polynomial import degree_of
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import InvalidContract

from . import pattern_texts

_spec = importlib.util.spec_from_file_location("beam_oracle", Path(__file__).parents[1] / "codecs" / "beam_oracle.py")
beam_oracle = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(beam_oracle)

OPTIONS = ("[unicode,{capture,none}]", "[unicode,ucp,{capture,none}]")  # `:re`'s unicode, and Elixir's `u`


@pytest.fixture(scope="module")
def beam() -> Iterator[beam_oracle.Beam]:
    if beam_oracle.is_missing():
        pytest.skip(beam_oracle.MISSING)
    with beam_oracle.Beam() as running:
        yield running


def matches(pattern: str, text: str) -> bool:
    return re.search(translate(pattern).python, text) is not None


def binary(text: str) -> str:
    return f"<<{','.join(map(str, text.encode()))}>>"


@settings(max_examples=600, deadline=None)
@given(pattern=pattern_texts.patterns, texts=st.lists(pattern_texts.texts, min_size=4, max_size=8))
def test_python_and_pcre_find_the_same_in_every_text(beam, pattern, texts):
    try:
        found = translate(pattern)
    except InvalidContract:
        return
    runs = ",".join(
        f"try re:run({binary(text)},{binary(found.pcre)},{options}) catch error:badarg -> bad end"
        for text in texts
        for options in OPTIONS
    )
    (answer,) = beam.ask_bytes("evaluate", [f"[{runs}]".encode()])
    expected = ["match" if re.search(found.python, text) else "nomatch" for text in texts for _ in OPTIONS]
    assert list(map(str, etf.decode(answer))) == expected, found


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),
        ("^\\d$", "٣", False),
        ("^\\w$", "é", False),
        ("^\\W$", "é", True),
        ("^\\s$", "\u00a0", True),
        ("^\\s$", "\ufeff", True),
        ("^\\s$", "\x1c", False),
        ("^\\s$", "\x85", False),
        ("^\\S$", "\u2003", False),
        ("^[\\s\\d]+$", "1\u2028", True),
        ("^.$", "\u2028", False),
        ("^.$", "\r", False),
        ("^.$", "😀", True),
        ("^[^a]$", "\n", True),
        ("\\bfoo\\b", "éfoo", True),
        ("\\bfoo\\b", "_foo", False),
        ("\\Bfoo", "xfoo", True),
        ("^[\\b]$", "\b", True),
        ("^\\u{1f600}\\ud83d\\ude00$", "😀😀", True),
        ("^\\cA\\x41\\0$", "\x01A\x00", True),
        ("^[]$", "", False),
        ("^[^]$", "\n", True),
        ("^[[:alpha:]]$", "a]", True),
        ("^[a&&b]$", "&", True),
        ("(?<name>a)b", "ab", True),
        ("^a{0}$", "", True),
        ("^{x}$", "{x}", True),
        ("(?<=ab|cd)e", "cde", True),
        ("a|b$", "ac", True),
    ],
)
def test_a_pattern_has_the_meaning_of_ecma_262(pattern, text, found):
    assert matches(pattern, text) is found


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("\\p{L}", "write the ranges out"),
        ("(a)\\1", "without backreferences"),
        ("(?<x>a)\\k<x>", "repeat the part"),
        ("(?i)a", "flags"),
        ("(?i:a)", "flags"),
        ("(?>a)", "atomic"),
        ("(?P<x>a)", "(?<name>"),
        ("a++", "one quantifier"),
        ("a{2}{3}", "one quantifier"),
        ("*a", "something to repeat"),
        ("^*", "takes characters"),
        ("(?=a)+", "takes characters"),
        ("a{3,1}", "swap them"),
        ("(?<=a|bc)d", "one length"),
        ("(?<!a*)d", "one length"),
        ("[z-a]", "swap them"),
        ("[\\w-a]", "range between two characters"),
        ("[a", "closes the class"),
        ("(a", "closes the group"),
        ("a)", "write \\)"),
        ("\\", "backslash"),
        ("a\\Z", "write $"),
        ("\\A", "write ^"),
        ("\\ud800", "U+D800 is none"),
        ("\\u{110000}", "U+110000 is none"),
        ("((ab){300}){300}", "PCRE can hold"),
        ("a{70000}", "65,535"),
        ("(" * 60 + ")" * 60, "50 deep"),
    ],
)
def test_what_engines_differ_about_is_refused_with_the_mend(pattern, told):
    with pytest.raises(InvalidContract) as refusal:
        translate(pattern)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "^(a|aa)+$",
        "(\\w|\\d)*x",
        "(a{1,3})+",
        "(.*)*",
        "(\\s*,\\s*)*",
        "^(\\w+\\s?)+$",
        "(a|b|ab)*c",
        "(a+){20}b",
        "(?=(a+)+b)",
        "([a-z0-9]+([-.][a-z0-9]+)*\\.)+[a-z]",
        "(a?b?c?)*(x+x+)+y",
        "(\\d+){1,30}x",
        "([^/]+/?)+$",
        "^(?:a?){30}a{30}$",
        "(?:a?){10,}b",
        "(?:a*b?){0,12}c",
    ],
)
def test_a_repetition_that_reads_a_text_in_two_ways_is_refused(pattern):
    with pytest.raises(InvalidContract, match="time can't explode"):
        translate(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(/[a-z]+)+$",
        "^[a-z]+(-[a-z]+)*$",
        "^(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*$",
        "^([a-z]{2}|[a-z]{3}-)*$",
        "^\\S+@\\S+\\.\\S+$",
        "^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$",
        "(a|b)*",
        "a*b*c*",
        "^([a-zA-Z]{2}|[iI]-[a-zA-Z]+)(-[a-zA-Z]{1,8})*$",
        "(ab|cd)+",
        "^(\\d{3}){2,4}$",
        "(\\.\\d+)*",
        "^(a?b)*$",
        "^((25[0-5]|(2[0-4]|1\\d|[1-9]|)\\d)\\.?\\b){4}$",
        "^v?\\d+(\\.\\d+){0,2}(-[\\w.]+)?$",
    ],
)
def test_a_repetition_that_reads_a_text_in_one_way_is_fast(pattern):
    expression = re.compile(translate(pattern).python)
    started = time.process_time()
    for letter in "a/-0.b@ ":
        expression.search(letter * 2000 + "!")
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("pattern", "degree"),
    [
        ("^a*b", 0), ("^[^@]+@[^@]+$", 0), ("^[a-z]+(-[a-z]+)*$", 0), ("\\.json$", 0), ("^(\\d{3}){2,4}$", 0),
        ("a*b", 1), ("^a*a*b", 1), ("^[a-z]+[a-z0-9-]*$", 1), ("^x{0,80}x{0,80}y", 1),
        ("a*a*b", 2), ("^a*a*a*b", 2), ("^\\S+@\\S+\\.\\S+$", 2), ("^\\s*(.*)\\s*$", 2), ("(?=a*a*a*b)", 2),
        ("^a*a*a*a*b", 3),
    ],
)  # fmt: skip
def test_the_ways_to_cut_a_text_grow_by_the_repetitions_that_share_it(pattern, degree):
    assert degree_of(parse(pattern)) == degree


@pytest.mark.parametrize("where", ["pattern", "patternProperties"])
def test_a_pattern_that_a_long_text_keeps_busy_is_refused(where):
    value = "^a*a*a*b" if where == "pattern" else {"^a*a*a*b": True}
    with pytest.raises(InvalidContract, match=f"{where}.*no faster than the square"):
        normalise({where: value}, module="m")


def test_it_is_taken_for_texts_that_may_not_be_long():
    with pytest.raises(InvalidContract, match="maxLength of at most 464"):
        normalise({"pattern": "^a*a*a*b", "maxLength": 465}, module="m")
    check = compile_checks(normalise({"pattern": "^a*a*a*b", "maxLength": 464}, module="m"))
    started = time.process_time()

    assert [found.rule for found in check("a" * 100_000)] == ["maxLength"]
    assert [found.rule for found in check("a" * 464)] == ["pattern"]
    assert check("aaab") == []
    assert time.process_time() - started < 10


def test_a_translated_pattern_stays_readable():
    assert translate("^[A-Z]{2}-[0-9]+(x|y)?$").python == "^[A-Z]{2}-[0-9]+(?:x|y)?\\Z"
    assert translate("^[A-Z]{2}-[0-9]+(x|y)?$").pcre == "^[A-Z]{2}-[0-9]+(?:x|y)?\\z"
