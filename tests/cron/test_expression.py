"""Expressions: the verdicts and times of Oban's own parser, and what zones do to them."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.cron import Expression
from bridge.cron.expression import NICKNAMES
from bridge.errors import InvalidSetting

OBAN = json.loads((Path(__file__).parent / "data" / "oban_expressions.json").read_text())
MINUTE = timedelta(minutes=1)


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def moment(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(("source", "time", "following", "previous"), OBAN["accepted"])
def test_what_oban_accepts_has_its_times(source, time, following, previous):
    found = Expression.parse(source)
    assert found.next_at(at(time)) == at(following)
    assert found.previous_at(at(time)) == at(previous)
    assert found.matches(at(following))
    assert str(found) == source


@pytest.mark.parametrize("source", OBAN["refused"])
def test_what_oban_refuses_is_refused(source):
    with pytest.raises(InvalidSetting):
        Expression.parse(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("* * * *", "expected five fields: minute, hour, day, month, day of week"),
        ("* * * * * *", "nothing after them, got '\\* \\* \\* \\* \\* \\*'; Oban knows neither seconds nor years"),
        ("0 0 * * 7", "a day of week from 0 to 6, got '7'; Sunday is 0"),
        ("0 0 * * fri", "names are SUN, MON"),
        ("60 * * * *", "a minute from 0 to 59, got '60'"),
        ("0 24 * * *", "expected an hour from 0 to 23, got '24'"),
        ("0 22-5 * * *", "with a comma: 22-23,0-5"),
        ("0 0 30 FEB *", "no day of 30 occurs in the months FEB"),
        ("@every 5m", "or one of @annually"),
        (None, "as text"),
        (5, "as text"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_to_do(source, message):
    with pytest.raises(InvalidSetting, match=message):
        Expression.parse(source)


@pytest.mark.parametrize(("nickname", "source"), NICKNAMES.items())
def test_a_nickname_stands_for_five_fields(nickname, source):
    start = moment("2026-07-15 10:17")
    found = Expression.parse(nickname)
    assert found.next_at(start) == Expression.parse(source).next_at(start)
    assert found.source == nickname


def test_reboot_matches_no_minute():
    found = Expression.parse("@reboot")
    now = moment("2026-01-01 00:00")
    assert found.reboot
    assert not found.matches(now)
    assert found.next_at(now) is None
    assert found.previous_at(now) is None


def test_the_day_and_the_weekday_must_both_match():
    friday_13th = Expression.parse("0 0 13 * FRI")
    assert friday_13th.next_at(moment("2026-01-01")) == moment("2026-02-13")
    assert not friday_13th.matches(moment("2026-01-13"))
    assert not friday_13th.matches(moment("2026-02-20"))


def test_the_minute_of_the_time_itself_is_neither_next_nor_previous():
    every = Expression.parse("* * * * *")
    assert every.next_at(moment("2026-01-01 10:00:59.999999")) == moment("2026-01-01 10:01")
    assert every.previous_at(moment("2026-01-01 10:00:59")) == moment("2026-01-01 09:59")


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(InvalidSetting, match="with a time zone"):
        Expression.parse("* * * * *").next_at(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_the_calendars_ends_end_the_search():
    yearly = Expression.parse("@yearly")
    assert yearly.next_at(moment("9999-06-01")) is None
    assert yearly.previous_at(moment("0001-01-01 00:00")) is None
    assert Expression.parse("* * * * *").next_at(moment("9999-12-31 23:59")) is None


# Zones

VIENNA = ZoneInfo("Europe/Vienna")


def test_a_time_that_summer_time_leaves_out_is_passed_over():
    found = Expression.parse("30 2 * * *")
    assert found.next_at(moment("2026-03-28 12:00", VIENNA)) == moment("2026-03-30 02:30", VIENNA)


def test_a_time_that_comes_twice_matches_twice():
    found = Expression.parse("30 2 * * *")
    first = found.next_at(moment("2026-10-24 12:00", VIENNA))
    second = found.next_at(first)
    assert (first.isoformat(), second.isoformat()) == ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00")
    assert found.previous_at(second).isoformat() == first.isoformat()
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)


def test_a_fixed_offset_is_a_zone_too():
    found = Expression.parse("0 6 * * *").next_at(moment("2026-01-01", timezone(timedelta(hours=5, minutes=45))))
    assert found.astimezone(UTC) == moment("2026-01-01 00:15")


def walk(expression, start, zone, step, most):
    """Ask every minute, as the scheduler does."""
    minute = start.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(most):
        minute += step * MINUTE
        if expression.matches(minute.astimezone(zone)):
            return minute
    return None


CHANGES = [
    ("Europe/Vienna", "2026-03-29 01:00"),
    ("Europe/Vienna", "2026-10-25 01:00"),
    ("America/New_York", "2026-11-01 06:00"),
    ("Australia/Lord_Howe", "2026-04-04 15:00"),  # half an hour
    ("America/St_Johns", "2006-10-29 02:31"),  # a minute past midnight, back into the day before
    ("Pacific/Apia", "2011-12-30 10:00"),  # a day that never was
    ("Asia/Beirut", "2026-10-24 21:00"),  # midnight comes twice
    ("Africa/Casablanca", "2026-02-15 02:00"),
    ("Antarctica/Troll", "2026-03-29 01:00"),  # two hours
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_around_a_change_of_clocks_the_search_finds_what_a_walk_finds(name, change):
    zone, chance = ZoneInfo(name), random.Random(name + change)
    for _ in range(60):
        fields = [str(chance.randrange(60)), chance.choice(["*", "0-3", "1", "2", "*/5", "23"]), "*", "*", "*"]
        if chance.random() < 0.3:
            fields[2] = str((moment(change) + timedelta(days=chance.randrange(-1, 2))).day)
        expression = Expression.parse(" ".join(fields))
        near = chance.choice([90, 2500])  # a time that comes twice is passed between its two
        start = moment(change) + timedelta(minutes=chance.randrange(-near, near))
        for search, step in ((expression.next_at, 1), (expression.previous_at, -1)):
            found = search(start.astimezone(zone))
            walked = walk(expression, start, zone, step, 5_000)
            if walked is not None:
                # Two zones' datetimes are never equal where the clock shows a time twice.
                assert found.astimezone(UTC) == walked, (expression, start, step)
            else:
                assert abs(found - start) > timedelta(minutes=4_999)


def test_a_rare_date_in_a_zone_is_found_quickly():
    found = Expression.parse("30 2 29 FEB MON")
    assert found.next_at(moment("2026-01-01", VIENNA)) == moment("2044-02-29 02:30", VIENNA)
    assert found.previous_at(moment("2026-01-01", VIENNA)) == moment("2016-02-29 02:30", VIENNA)
