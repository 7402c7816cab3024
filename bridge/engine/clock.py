"""The node's clock, as the columns want it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EARLIEST: Final = datetime.min + timedelta(microseconds=1)  # noqa: DTZ901 - as the columns want it
_LATEST: Final = datetime.max - timedelta(microseconds=1)  # noqa: DTZ901 - as the columns want it


def utc_now() -> datetime:
    """Return now as naive UTC: the columns are `timestamp without time zone`, and asyncpg refuses aware values."""
    return datetime.now(UTC).replace(tzinfo=None)


def naive(moment: datetime) -> datetime:
    """Return an aware datetime as naive UTC, and a microsecond off where it is the first or the last there is.

    asyncpg writes these two as -infinity and infinity, and an Elixir node crashes when it loads such a row. They also
    stand for what is infinite in a row that was read, so they are moved and not refused.
    """
    return min(max(moment.astimezone(UTC).replace(tzinfo=None), _EARLIEST), _LATEST)
