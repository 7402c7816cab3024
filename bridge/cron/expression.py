"""Cron expressions in Oban's dialect: which there are, which minutes they match, and when the next one is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final, Self

from bridge.cron.fields import DAY, HOUR, LONGEST_MONTHS, MINUTE, MONTH, WEEKDAY, parse_field, refuse
from bridge.errors import InvalidSetting

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)

#: No zone changes its clocks there and back within it.
_STEADY: Final = timedelta(days=7)

NICKNAMES: Final[Mapping[str, str]] = {
    "@annually": "0 0 1 1 *",
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@midnight": "0 0 * * *",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
REBOOT: Final = "@reboot"


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: minute, hour, day of month, month and day of week, all of which must match.

    The day of month AND the day of week, unlike in cron(8): `0 0 13 * FRI` is every Friday 13th (Oban 2.23).

    Attributes:
        source: The text as it was given, nicknames included.
        reboot: Whether it is `@reboot`, which has no minutes, and is due once when a node begins to lead.
    """

    source: str
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    reboot: bool = False

    @classmethod
    def parse(cls, source: Any) -> Self:
        """Read an expression.

        Five fields with white space between: minute 0-59, hour 0-23, day 1-31, month 1-12 or JAN-DEC, day of week 0-6
        or SUN-SAT, names in upper case. A field is a list, with commas between, of `*`, `n`, `a-b`, `*/step`,
        `a-b/step` and `n/step` (from n to the last). Or a nickname: `@yearly`, `@annually`, `@monthly`, `@weekly`,
        `@daily`, `@midnight`, `@hourly`, `@reboot`. What Oban 2.23 refuses is refused, and nothing else.

        Raises:
            InvalidSetting: Anything else, or a date that no year has, such as the 30th of February.
        """
        if not isinstance(source, str):
            raise refuse(source, "a cron expression as text", 'such as "*/5 * * * *"')
        if source == REBOOT:
            return cls(source, reboot=True)
        minute, hour, day, month, weekday = _split(source)
        found = cls(
            source,
            parse_field(MINUTE, minute),
            parse_field(HOUR, hour),
            parse_field(DAY, day),
            parse_field(MONTH, month),
            parse_field(WEEKDAY, weekday),
        )
        _refuse_impossible(found, day, month)
        return found

    def matches(self, moment: datetime) -> bool:
        """Tell whether the minute of `moment` matches, by the clock on the wall that `moment` shows."""
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.month in self.months
            and self._matches_day(moment.date())
        )

    def next_at(self, after: datetime) -> datetime | None:
        """Return the first matching minute after the one of `after`, in the time zone of `after`.

        Each minute that comes is asked for its time in that zone, as the scheduler does: a time that the change to
        summer time leaves out is passed over, and one that comes twice in autumn matches twice.

        Returns:
            None for `@reboot`, and where the calendar ends first.

        Raises:
            InvalidSetting: `after` has no time zone.
        """
        return self._search(after, 1)

    def previous_at(self, before: datetime) -> datetime | None:
        """Return the last matching minute before the one of `before`; otherwise as `next_at`."""
        return self._search(before, -1)

    def __str__(self) -> str:
        return self.source

    def _matches_day(self, day: date) -> bool:
        return day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _search(self, start: datetime, step: int) -> datetime | None:
        zone = start.tzinfo
        if zone is None:
            raise InvalidSetting("after", start, "a datetime with a time zone", "use datetime.now(UTC)")
        try:
            # Arithmetic on datetimes of one zone goes by the wall clock, so it is done in UTC.
            moment = start.astimezone(UTC).replace(second=0, microsecond=0) + step * _MINUTE
            while True:
                local = moment.astimezone(zone).replace(tzinfo=None)
                wall = self._wall(local, step)
                if wall is None:
                    return None
                target = moment + (wall - local)
                change = _first_change(moment, target, zone, step)
                if change is None:
                    return target.astimezone(zone)
                moment = change
        except OverflowError:
            return None

    def _wall(self, wall: datetime, step: int) -> datetime | None:
        """Return the nearest match at or beyond `wall`, where no clock is ever changed."""
        for day in self._days(wall.date(), step):
            for hour in self.hours[::step]:
                for minute in self.minutes[::step]:
                    found = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - a clock on the wall
                    if (found - wall) * step >= timedelta(0):
                        return found
        return None

    def _days(self, day: date, step: int) -> Iterator[date]:
        try:
            while self.months:
                if day.month not in self.months:
                    day = _other_month(day, step)
                    continue
                if self._matches_day(day):
                    yield day
                day += step * _DAY
        except OverflowError:  # the calendar's end
            return


def _other_month(day: date, step: int) -> date:
    """Return the first day of the next month, or the last one of the month before."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) if step > 0 else day.replace(day=1) - _DAY


def _first_change(moment: datetime, target: datetime, zone: tzinfo, step: int) -> datetime | None:
    """Return the first minute on the way from `moment` to `target` that has another offset; None where all have one."""
    offset = moment.astimezone(zone).utcoffset()
    while moment != target:
        ahead = moment + step * min(abs(target - moment), _STEADY)
        if ahead.astimezone(zone).utcoffset() != offset:
            while (minutes := abs(ahead - moment) // _MINUTE) > 1:
                middle = moment + step * (minutes // 2) * _MINUTE
                if middle.astimezone(zone).utcoffset() == offset:
                    moment = middle
                else:
                    ahead = middle
            return ahead
        moment = ahead
    return None


def _split(source: str) -> list[str]:
    # Oban 2.23 trims the front alone, and leaves to the last field what follows the fourth.
    fields = re.split(r"\s+", NICKNAMES.get(source, source).lstrip(" \t\n\v\f\r"), maxsplit=4, flags=re.ASCII)
    if len(fields) != 5 or not fields[-1]:
        if source.startswith("@"):
            raise refuse(source, f"five fields, or one of {', '.join([*NICKNAMES, REBOOT])}")
        raise refuse(source, "five fields: minute, hour, day, month, day of week", "such as 30 6 * * MON-FRI")
    if re.search(r"[0-9*A-Z]\s+[0-9*A-Z]|\s\Z", fields[-1], re.ASCII):
        raise refuse(source, "five fields and nothing after them", "Oban knows neither seconds nor years")
    return fields


def _refuse_impossible(found: Expression, day: str, month: str) -> None:
    if "*" in (day, month):  # as text: only these two are let pass by Oban 2.23
        return
    if not any(each <= LONGEST_MONTHS[number] for number in found.months for each in found.days):
        raise refuse(found.source, f"a date that some year has, and no day of {day} occurs in the months {month}")
