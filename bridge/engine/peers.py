"""The leases by which nodes lead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self

from msgspec import Struct


class Peer(Struct, frozen=True):
    """A live lease in `oban_peers`: `node` leads the instance `name` until `expires_at`, unless it renews the lease.

    The names of Python nodes' leases end in `@python`; any other lease is an Elixir node's. `started_at` tells when an
    Elixir node began to lead, and when a Python node renewed its lease.
    """

    name: str
    node: str
    started_at: datetime
    expires_at: datetime

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """Make a lease from its row."""
        times = (row["started_at"].replace(tzinfo=UTC), row["expires_at"].replace(tzinfo=UTC))
        return cls(row["name"], row["node"], *times)
