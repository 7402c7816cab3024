"""Warnings at a bounded rate: a stream of junk must not become a stream of log lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Throttle:
    """Lets the first occurrence of each kind through, then one an interval, and counts all.

    Attributes:
        total: How many there were, of all kinds.
    """

    def __init__(self, interval: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = 0
        self._interval = interval
        self._clock = clock
        self._last: dict[Hashable, tuple[float, int]] = {}

    def admit(self, kind: Hashable) -> int | None:
        """Count one of `kind`.

        Returns:
            How many were held back since the last that got through, or None to hold this one back too.
        """
        self.total += 1
        now = self._clock()
        since, held_back = self._last.get(kind, (float("-inf"), 0))
        if now - since < self._interval:
            self._last[kind] = (since, held_back + 1)
            return None
        self._last[kind] = (now, 0)
        return held_back

    def note(self, kind: Hashable) -> str | None:
        """Count one of `kind`, as `admit` does, and return its answer as words to end a line of log with."""
        held_back = self.admit(kind)
        if held_back is None:
            return None
        return f" ({held_back} more before)" if held_back else ""
