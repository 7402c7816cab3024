"""Time zones by name; UTC is there without a database of zones."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

from bridge.errors import InvalidSetting

DEFAULT = "Etc/UTC"

_UTC = frozenset({"Etc/UTC", "UTC"})


def find_zone(name: Any) -> tzinfo:
    """Return the time zone of that name, such as `Europe/Vienna`.

    Raises:
        InvalidSetting: There is none.
    """
    if name in _UTC:
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - a node whose cron keeps UTC does without it

    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, TypeError, OSError):
        raise InvalidSetting("timezone", name, "a time zone's name, such as Europe/Vienna", _mend(name)) from None


def _mend(name: Any) -> str:
    import difflib  # noqa: PLC0415 - only a mistake needs it
    from zoneinfo import available_timezones  # noqa: PLC0415 - likewise

    known = available_timezones()
    if not known:
        return "this system has no database of time zones: install the package tzdata"
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else "names are those of the IANA database"
