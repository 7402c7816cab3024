"""Each rule of rows is broken by rows that break it, and by no others."""

import json

import pytest

from .rules import RULES


def entry(value):
    """The change that gives a row an error."""
    return f"errors = array['{json.dumps(value)}'::jsonb]"


#: What breaks each rule, in several ways; rows as Oban and Bridge write them never do.
BREAKS = {
    "executing, though all nodes are at rest": ["state = 'executing', completed_at = null"],
    "available without attempts left": ["state = 'available', completed_at = null, max_attempts = 1"],
    "more attempts than there may be": ["attempt = 21"],
    "attempted, and nobody attempted it": ["attempted_by = '{alone}'", "attempted_at = null", "attempted_by = null"],
    "never attempted, and somebody attempted it": ["attempt = 0"],
    "attempted by no producer": ["attempted_by = '{quiet,not-a-uuid}'", "attempted_by[2] = null"],
    "attempted by a node that nobody knows": ["attempted_by[1] = 'stranger'", "attempted_by[1] = null"],
    "executing, retryable or ended, and never attempted": ["attempt = 0, attempted_at = null, attempted_by = null"],
    "completed without its time, or the other way round": ["completed_at = null"],
    "cancelled without its time, or the other way round": ["cancelled_at = now()"],
    "discarded without its time, or the other way round": ["discarded_at = now()"],
    "a state that nobody wrote": ["state = 'suspended'"],
    "a time that others can't read": [
        "scheduled_at = 'infinity'",
        "inserted_at = '-infinity'",
        "completed_at = '10000-01-01'",
        "attempted_at = '0044-03-15 BC'",
        "discarded_at = 'infinity'",
        "cancelled_at = 'infinity'",
    ],
    "args or meta that are no objects": ["meta = '[1]'", "meta = null", "args = '5'"],
    "columns that are null and must not be": ["tags = null"],
    "a priority, queue or worker that can't be": ["priority = 10"],
    "tags that are not as Oban writes them": [
        "tags = '{Upper}'",
        "tags = '{a,b,a}'",
        "tags = array['']",
        "tags = array[null]::text[]",
        "tags = array[' a']",
        r"tags = array[E'a\u00a0']",
        r"tags = array[E'a\n']",
    ],
    "an error that is none": [
        entry({"attempt": 1, "at": "yesterday", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z"}),
        entry({"attempt": "1", "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x", "more": 1}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": ["** (E) x"]}),
        entry("** (E) x"),
    ],
    "an error whose text is none": [
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (RuntimeError) "}),
    ],
    "an error of no attempt": [
        entry({"attempt": 2, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
        entry({"attempt": 0, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
    ],
    "two errors of one attempt": [
        """attempt = 3, errors = array_fill(
        '{"attempt": 2, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}'::jsonb, array[2]
    )"""
    ],
    "retryable without the error of its attempt": ["state = 'retryable', completed_at = null"],
    "completed by an attempt that failed": [
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"})
    ],
}


def test_every_rule_is_broken_by_something():
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize(("rule", "change"), [(rule, change) for rule in BREAKS for change in BREAKS[rule]])
async def test_a_row_in_an_impossible_state_is_told(books, rule, change):
    for constraint in ("attempt_range", "positive_max_attempts", "non_negative_priority"):
        await books.conn.execute(f"alter table oban_jobs drop constraint {constraint}")
    await books.update(books.job, change)
    account = await books.account()
    assert account.wrong[rule] == [f"job {books.job}"]
