"""How long to wait before the database is asked again."""

from __future__ import annotations

import random


class RetryDelay:
    """Delays that double from `first` to `longest` seconds, with 25 % of jitter either way; `reset` after a success."""

    def __init__(self, first: float = 0.1, longest: float = 3.0) -> None:
        self._first = first
        self._longest = longest
        self.failures = 0

    def next(self) -> float:
        """Return the next delay in seconds."""
        delay: float = min(self._first * 2.0 ** min(self.failures, 20), self._longest)
        self.failures += 1
        return delay * random.uniform(0.75, 1.25)  # noqa: S311 - jitter is no secret

    def reset(self) -> None:
        """Begin again with the first delay."""
        self.failures = 0
