"""Words for lines of the log that name jobs: few ids, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: How many ids a line shows.
SHOWN: Final = 20


def ids_of(jobs: Sequence[int | None]) -> str:
    """Return ids as a line shows them: `1, 2, 3`, or the first twenty `and 480 more`."""
    shown = ", ".join(map(str, jobs[:SHOWN]))
    more = len(jobs) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def named(jobs: Sequence[int | None], one: str = "was", many: str = "were") -> str:
    """Return `job 5 was`, or `jobs 5, 6 were`."""
    return f"job {ids_of(jobs)} {one}" if len(jobs) == 1 else f"jobs {ids_of(jobs)} {many}"
