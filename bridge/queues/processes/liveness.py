"""Whether a child goes on: it answers while its event loop goes round, and its jobs end in their time."""

from __future__ import annotations

import time
from typing import Final

#: Seconds between two looks after a child.
LOOK: Final = 1.0

#: Looks without an answer after which a child gets jobs only where no other answers, after which a job in it whose time
#: is over ends it, and after which the log tells of it.
_SLOW, DEAF, _TOLD = 2, 5, 30

#: Seconds beyond a job's timeout in which the child may end it by itself.
GRACE: Final = 4.0


class Liveness:
    """What a parent knows of that.

    Silence is counted in looks and not in seconds, so that a parent that was stopped itself blames no child.
    """

    def __init__(self) -> None:
        self._unanswered = 0
        self._limits: dict[int, tuple[float, float]] = {}
        self._told = False

    @property
    def slow(self) -> bool:
        """Whether the child didn't answer for a while."""
        return self._unanswered > _SLOW

    def look(self, busy: bool) -> bool:
        """Look once more; return whether the child is to be asked for an answer, which it is while it has jobs."""
        if busy or self._unanswered:
            self._unanswered += 1
        return self._unanswered == 1

    def answered(self) -> None:
        """Hear an answer."""
        self._unanswered = 0
        self._told = False

    def limit(self, number: int, seconds: float) -> None:
        """Hear that a run may take so long from now on."""
        self._limits[number] = (time.monotonic() + seconds + GRACE, seconds)

    def over(self, number: int) -> None:
        """Hear that a run is over."""
        self._limits.pop(number, None)

    def exceeded(self) -> dict[int, float]:
        """Return the runs that should have ended long ago, and their timeouts, of a child that doesn't answer."""
        if self._unanswered <= DEAF:
            return {}
        now = time.monotonic()
        return {number: seconds for number, (end, seconds) in self._limits.items() if end < now}

    def is_news(self) -> bool:
        """Return, once, whether the child has been silent for so long that somebody should know."""
        news = self._unanswered > _TOLD and not self._told
        self._told = self._told or news
        return news
