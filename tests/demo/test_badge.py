"""What is read from a badge job's args, and the look of each type."""

from typing import Any

import pytest

from python_demo.badge import THEMES, Attendee

ARGS = {"id": 7, "name": "Ada Lovelace", "company": "Analytical Engines", "type": "speaker"}


def contrast_with_white(color: str) -> float:
    """The contrast ratio of WCAG 2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05)


def test_args_become_an_attendee() -> None:
    attendee = Attendee.from_args(ARGS)
    assert attendee == Attendee(7, "Ada Lovelace", "Analytical Engines", "speaker")
    assert attendee.filename == "badge-7.pdf"


@pytest.mark.parametrize("value", [None, "", True, 1.5, "../etc/passwd", "a/b", ".hidden", "-1", -1, "x" * 65, ["7"]])
def test_an_id_that_can_not_be_part_of_a_filename_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"args\.id: expected"):
        Attendee.from_args({**ARGS, "id": value})


@pytest.mark.parametrize("value", [None, "", " \t\n", 5, ["Ada"], "\u202e"])
def test_a_badge_needs_a_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"args\.name: expected text"):
        Attendee.from_args({**ARGS, "name": value})


def test_args_of_another_shape_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"args\.id"):
        Attendee.from_args({"badge_id": 7, "name": "Ada"})


@pytest.mark.parametrize("absent", [{}, {"company": None, "type": None}, {"company": "", "type": ""}])
def test_company_and_type_may_be_absent(absent: dict[str, Any]) -> None:
    attendee = Attendee.from_args({"id": 1, "name": "Ada", **absent})
    assert attendee.company == ""
    assert attendee.theme is THEMES["attendee"]


def test_control_characters_can_not_disturb_the_badge() -> None:
    attendee = Attendee.from_args({**ARGS, "name": "  Ada\x00\n\u202eLovelace\x1b[31m ", "company": "e\u0301"})
    assert attendee.name == "Ada Lovelace [31m"
    assert attendee.company == "é"


def test_each_type_has_colours_of_its_own_that_carry_white_text() -> None:
    themes = [Attendee.from_args({**ARGS, "type": type_}).theme for type_ in (*THEMES, "volunteer")]
    assert len({theme.color for theme in themes}) == len({theme.tint for theme in themes}) == 5
    assert all(contrast_with_white(theme.color) >= 4.5 for theme in themes)


def test_an_unknown_type_shows_its_own_word_in_grey() -> None:
    theme = Attendee.from_args({**ARGS, "type": "press & media"}).theme
    assert theme.label == "Press & media"
    assert theme.color == "#475569"


def test_the_type_may_be_in_capitals() -> None:
    assert Attendee.from_args({**ARGS, "type": "SPEAKER"}).theme is THEMES["speaker"]
