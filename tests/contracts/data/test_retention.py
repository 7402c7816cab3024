from datetime import UTC, datetime

from bridge.contracts.data.retention import needs, refusals
from bridge.contracts.source import load_text

MARCH, FEBRUARY = datetime(2026, 3, 1, 9, 30), datetime(2026, 2, 1)  # noqa: DTZ001 - as the columns have them
BADGE = "demo.GenerateBadge"
MODEL = load_text(
    '{"title": "GenerateBadge", "x-job": {"worker": "demo.GenerateBadge", "serves": "python", "version": 2,'
    ' "aliases": ["demo.OldBadge"]}, "type": "object", "properties": {}}'
)
GROUPS = [
    (BADGE, "GenerateBadge@1", "scheduled", 12, MARCH),
    (BADGE, "GenerateBadge@1", "retryable", 3, FEBRUARY),
    (BADGE, "GenerateBadge@1", "completed", 400, MARCH),
    (BADGE, "GenerateBadge@2", "completed", 5, MARCH),
    (BADGE, None, "available", 1, FEBRUARY),
    ("Gone", "Gone@1", "available", 2, FEBRUARY),
    ("Never", None, "available", 2, FEBRUARY),
]


def refused(*dropping, released=None, models=(MODEL,)):
    return [str(refusal) for refusal in refusals(needs(GROUPS), models, dropping, released)]


def test_a_version_needs_its_live_rows_until_the_last_of_them():
    found = {need.contract: need for need in needs(GROUPS) if need.worker == BADGE}

    assert found["GenerateBadge@1"].live == {"scheduled": 12, "retryable": 3}
    assert found["GenerateBadge@1"].kept == 400
    assert found["GenerateBadge@1"].until == MARCH.replace(tzinfo=UTC)
    assert (found["GenerateBadge@2"].live, found["GenerateBadge@2"].until) == ({}, None)


def test_it_is_told_in_a_sentence():
    assert [str(need) for need in needs(GROUPS[:4])] == [
        "GenerateBadge@1: rows are yet to run: 12 scheduled, 3 retryable",
        "GenerateBadge@2: no live rows, 5 ended ones kept",
    ]
    assert str(needs(GROUPS[4:5])[0]) == (
        "demo.GenerateBadge (rows without a contract): rows are yet to run: 1 available"
    )


def test_a_version_with_live_rows_is_not_to_be_dropped_and_one_without_is():
    gone = "CONTRACT_REMOVED_LIVE: Gone@1: rows are yet to run: 2 available"

    assert refused("GenerateBadge@1") == [
        gone,
        "CONTRACT_REMOVED_LIVE: GenerateBadge@1: rows are yet to run: 12 scheduled, 3 retryable",
    ]
    assert refused("GenerateBadge@3") == [gone]


def test_rows_without_a_tag_need_the_version_that_there_is():
    assert [line.split(":")[1] for line in refused("GenerateBadge@2", released={})] == [
        " demo.GenerateBadge (rows without a contract)"
    ]


def test_a_name_stands_for_all_versions():
    assert len(refused("GenerateBadge", released={})) == 2


def test_live_rows_of_a_contract_that_is_gone_are_refused():
    assert len(refused()) == 1
    assert len(refused(models=())) == 2  # the tagged rows of GenerateBadge, too


def test_with_a_lock_only_released_workers_ask_for_a_contract():
    assert refused(released={}) == []
    assert len(refused(released={"Never@1": "Never"})) == 1


def test_an_alias_answers_for_its_rows():
    found = needs([("demo.OldBadge", "OldBadge@1", "available", 1, None)])

    assert list(refusals(found, [MODEL])) == []
    assert str(found[0]) == "OldBadge@1: rows are yet to run: 1 available"
