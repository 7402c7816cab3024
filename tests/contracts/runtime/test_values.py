"""Enums that may grow, and durations."""

import copy
import pickle
from datetime import timedelta

import pytest

from bridge.contracts.runtime import Duration, OpenEnum


class Theme(OpenEnum):
    LIGHT = "light"


class TestOpenEnum:
    def test_a_known_value_is_its_member(self):
        assert Theme("light") is Theme.LIGHT
        assert not Theme.LIGHT.is_unknown

    def test_an_unknown_value_is_kept(self):
        neon = Theme("neon")
        assert (neon, neon.value, str(neon), neon.is_unknown) == ("neon", "neon", "neon", True)
        assert isinstance(neon, Theme)
        assert neon == Theme("neon")
        assert {neon: 1}["neon"] == 1
        assert neon != Theme.LIGHT

    def test_it_is_no_member(self):
        Theme("neon")
        assert list(Theme) == [Theme.LIGHT]
        assert Theme("light") is Theme.LIGHT

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
    def test_it_can_be_copied(self, again):
        found = again(Theme("neon"))
        assert (found, found.is_unknown) == ("neon", True)
        assert again(Theme.LIGHT) is Theme.LIGHT

    @pytest.mark.parametrize("value", [1, None, ["light"], b"light"], ids=repr)
    def test_what_is_no_text_is_refused(self, value):
        with pytest.raises(ValueError, match="is not a valid Theme"):
            Theme(value)


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("P1W", timedelta(weeks=1)),
            ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
            ("PT0S", timedelta(0)),
        ],
    )
    def test_as_a_timedelta(self, text, expected):
        assert Duration(text).timedelta == expected

    @pytest.mark.parametrize("text", ["P1M", "P1Y", "P", "PT", "P1DT", "", "1D", "P1.5D", "P9999999999D", "P1D\n"])
    def test_one_that_is_none_of_fixed_length_is_refused(self, text):
        with pytest.raises(ValueError, match=r"expected a duration|counts years or months|longer than a timedelta"):
            _ = Duration(text).timedelta

    def test_is_text(self):
        assert Duration("P1D") == "P1D"
        assert f"{Duration('P1D')}" == "P1D"
