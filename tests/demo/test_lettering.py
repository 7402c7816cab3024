"""Texts of any length fit their box, as large as can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_demo.fonts import BOLD
from python_demo.lettering import Box, clusters, direction, fit, width

BOX = Box(width=83.6, height=30, largest=46, whole=17, smallest=10)


def fits(lines: tuple[str, ...], size: int) -> bool:
    return len(lines) <= BOX.lines(size) and all(width(line, BOLD) <= BOX.room(size) for line in lines)


def test_a_short_name_is_as_large_as_can_be() -> None:
    assert fit("Bo", BOLD, BOX).size == 46


def test_a_name_breaks_between_words_before_it_shrinks() -> None:
    lettering = fit("Ada Lovelace", BOLD, BOX)
    assert lettering.lines == ("Ada", "Lovelace")
    assert lettering.size > 30


@pytest.mark.parametrize(
    "name",
    [
        "Maximiliana Schwarzenegger-Featherstonehaugh",
        "Adolph Blaine Charles David Earl Frederick Gerald Hubert Irvin John",
        "Nguyễn Thị Phương Thảo Hồng Hạnh Bích Ngọc",
    ],
)
def test_a_name_of_more_than_forty_letters_shrinks_and_keeps_its_words(name: str) -> None:
    lettering = fit(name, BOLD, BOX)
    assert len(name) > 40
    assert 10 <= lettering.size < 30
    assert " ".join(lettering.lines).replace("- ", "-") == name
    assert fits(lettering.lines, lettering.size)


def test_a_word_that_is_too_long_is_broken_rather_than_made_tiny() -> None:
    lettering = fit("Wolfeschlegelsteinhausenbergerdorff", BOLD, BOX)
    assert "".join(lettering.lines) == "Wolfeschlegelsteinhausenbergerdorff"
    assert len(lettering.lines) > 1
    assert lettering.size >= BOX.whole


def test_what_is_too_long_at_every_size_ends_in_an_ellipsis() -> None:
    lettering = fit("lorem ipsum " * 100, BOLD, BOX)
    assert lettering.lines[-1].endswith("…")
    assert lettering.size == BOX.smallest
    assert fits(lettering.lines, lettering.size)


def test_lines_are_even() -> None:
    lettering = fit("Joaquín Núñez de la Peña y Villanueva", BOLD, BOX)
    widths = [width(line, BOLD) for line in lettering.lines]
    assert min(widths) > 0.5 * max(widths)


def test_chinese_breaks_between_any_two_characters() -> None:
    lettering = fit("株式会社ブリッジソフトウェア開発研究所", BOLD, BOX)
    assert len(lettering.lines) > 1
    assert "".join(lettering.lines) == "株式会社ブリッジソフトウェア開発研究所"


def test_no_text_has_no_lines() -> None:
    lettering = fit("", BOLD, BOX)
    assert lettering.lines == ()
    assert lettering.height == 0


def test_clusters_keep_together_what_is_one_character_to_a_reader() -> None:
    assert clusters("e\u0301👩🏽\u200d💻x") == ["e\u0301", "👩🏽\u200d💻", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ada", "ltr"), ("محمد", "rtl"), ("שלום Ada", "rtl"), ("42 شارع", "rtl"), ("123", "ltr"), ("", "ltr")],
)
def test_a_line_has_the_direction_of_its_first_letter(text: str, expected: str) -> None:
    assert direction(text) == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=120))
def test_any_text_fits_its_box_and_loses_nothing_but_to_an_ellipsis(text: str) -> None:
    cleaned = " ".join(text.split())
    lettering = fit(cleaned, BOLD, BOX)
    assert fits(lettering.lines, lettering.size)
    shown = "".join("".join(lettering.lines).split())
    whole = "".join(cleaned.split())
    assert shown == whole or whole.startswith(shown.removesuffix("…"))
