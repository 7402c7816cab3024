"""Every supported keyword and format, through the generated classes of both languages: `conformance.json`."""

import json
from pathlib import Path

import pytest

from bridge.contracts.keywords import FORMATS, KEYWORDS
from contracts.elixir.beam import MISSING, Elixir, is_missing
from contracts.outside.groups import Group, ask_elixir, ask_python, build

ROWS = json.loads(Path(__file__).with_name("conformance.json").read_text("utf-8"))
SHOWN_ALONE = {"title", "description", "default", "deprecated", "examples"}
OURS = {"x-closed", "x-was", "x-reserved", "x-sensitive"}


def group_of(row) -> Group:
    values = [*row["valid"], *row["invalid"]]
    return Group(
        file=row["keyword"],
        name=row["about"],
        schema=row["schema"],
        values=values,
        expected=[True] * len(row["valid"]) + [False] * len(row["invalid"]),
        descriptions=[json.dumps(value, ensure_ascii=False) for value in values],
    )


GROUPS = [group_of(row) for row in ROWS]
IDS = [f"{row['keyword']}: {row['about']}" for row in ROWS]


@pytest.fixture(scope="module")
def built() -> list[Group]:
    for number, group in enumerate(GROUPS):
        build(group, number)
    return GROUPS


@pytest.fixture(scope="module")
def judged_by_elixir(built) -> list[Group]:
    with Elixir() as running:
        ask_elixir(built, running)
    return built


@pytest.mark.parametrize("at", range(len(ROWS)), ids=IDS)
def test_the_generated_python_class_knows_valid_values_from_invalid_ones(built, at):
    ask_python(built[at])
    assert built[at].disagreements("python") == []


@pytest.mark.skipif(is_missing(), reason=MISSING)
def test_the_generated_elixir_modules_know_them_too(judged_by_elixir):
    assert [line for group in judged_by_elixir for line in group.disagreements("elixir")] == []


def test_every_keyword_and_format_that_decides_about_values_has_a_group_with_both_verdicts():
    keywords = {name for name, row in KEYWORDS.items() if row.status == "supported"} - SHOWN_ALONE - OURS - {"format"}
    formats = {f"format {name}" for name, row in FORMATS.items() if row.status == "supported"}
    assert {row["keyword"] for row in ROWS} == keywords | formats
    assert all(row["valid"] and row["invalid"] for row in ROWS)
    assert all(row["keyword"].removeprefix("format ") in json.dumps(row["schema"]) for row in ROWS)
