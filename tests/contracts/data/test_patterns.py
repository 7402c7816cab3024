import re
from random import Random

import pytest

from bridge.contracts.data.patterns import matching
from bridge.contracts.patterns import translate


@pytest.mark.parametrize(
    "pattern",
    [
        "^[0-9a-f]{64}$",
        "^-?(0|[1-9]\\d*)(\\.\\d+)?$",
        "^[^\\s@]+@[^\\s@]+$",
        "^(?:foo|bar)-\\w{3}(?<tail>a)?$",
        "^[\\]\\-a-c\\u00e9]*\\x41\\u{1f600}$",
        "^\\D\\S\\W.$",
        "^[^a-z]$",
        "^[^\\d\\D]?x$",
        "^$",
    ],
)
def test_a_pattern_matches_the_text_that_is_made_for_it(pattern):
    matcher, random = re.compile(translate(pattern).python), Random(1)

    for most in (0, 1, 5):
        for text in (matching(pattern, random, most) for _ in range(50)):
            assert matcher.search(text)


def test_free_repetition_is_bounded_by_what_was_asked_for():
    assert {len(matching("^a*$", Random(seed), 3)) for seed in range(50)} == {0, 1, 2, 3}
    assert {len(matching("^a{2,}$", Random(seed), 1)) for seed in range(50)} == {2, 3}


def test_text_holds_neither_surrogates_nor_nul():
    for seed in range(300):
        matching("^[\\u0000-\\uffff]{9}[^a]$", Random(seed), 1).replace("\0", "\ud800").encode()
