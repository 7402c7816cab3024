"""A clock for leases and silence: it also counts while the machine sleeps, where there is such a clock."""

from __future__ import annotations

import time
from typing import Final

_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed() -> float:
    """Return seconds since some moment that stays the same as long as the machine runs."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
