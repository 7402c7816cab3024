"""The node's clock, as the columns want it."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return now as naive UTC: the columns are `timestamp without time zone`, and asyncpg refuses aware values."""
    return datetime.now(UTC).replace(tzinfo=None)


def naive(moment: datetime) -> datetime:
    """Return an aware datetime as naive UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)
