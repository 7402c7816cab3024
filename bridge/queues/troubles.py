"""Failures that come in rows: when the log tells of them, and for how long a row lasted once it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: Every so many failures of a row are told of once.
EVERY: Final = 10

#: Seconds from what was told last in which a new row is not worth a word: something may fail and work by turns.
QUIET: Final = 5.0


class Troubles:
    """Counts failures of one kind; those that no success comes between are a row."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._since = 0.0
        self._told = False
        self._last = float("-inf")

    def failed(self) -> bool:
        """Count a failure; return whether to tell of it: of the first of a row, and of every tenth after it."""
        now = self._clock()
        if not self._failures:
            self._since = now
        due = self._failures % EVERY == 0 if self._told else now - self._last >= QUIET
        self._failures += 1
        if due:
            self._told, self._last = True, now
        return due

    def over(self) -> float | None:
        """Hear of a success; return for how many seconds it failed, where that ends a row that was told of."""
        if not self._failures:
            return None
        told, self._told, self._failures = self._told, False, 0
        return self._clock() - self._since if told else None
