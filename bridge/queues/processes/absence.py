"""What is told while children can't be had: once in the log, and all the time to who asks how a queue stands."""

from __future__ import annotations

import logging
from typing import Final

from bridge.queues.log import logger

#: How often the same thing happens before it is told again.
_AGAIN: Final = 100


class NoProcessError(Exception):
    """No child takes jobs, and none will soon."""


class Absence:
    """Why children can't be had.

    All places of a pool fail for one reason mostly, again and again, so that is told once and then each hundredth time.

    Args:
        count: How many children there should be.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._times: dict[str, int] = {}
        self._reason = ""
        self._handed_back = 0

    @property
    def text(self) -> str:
        """Why no job is run, as long as there is no child."""
        return f"none of its {self._count} processes takes jobs: {self._reason or 'they have not started yet'}"

    def note(self, reason: str, who: str, retry: float, trace: str = "") -> None:
        """Hear that a child could not be had, and when it is tried again."""
        self._reason = reason
        times = self._times[reason] = self._times.get(reason, 0) + 1
        level = logging.ERROR if times % _AGAIN == 1 else logging.DEBUG
        trace = f"\n{trace}" if trace else ""
        logger.log(
            level,
            "%s %s; the next one starts in %.1f s, and so on until one can (failure %d)%s",
            who, reason, retry, times, trace,
        )  # fmt: skip

    def hand_back(self) -> None:
        """Hear that a job that was claimed is handed back."""
        self._handed_back += 1
        if self._handed_back == 1:
            logger.error("%s; jobs that were fetched for them are handed back, and no more are fetched", self.text)

    def end(self) -> None:
        """Hear that a child takes jobs."""
        if self._handed_back:
            logger.warning("processes take jobs again; meanwhile %d were handed back", self._handed_back)
            self._handed_back = 0

    def lose(self, reason: str) -> None:
        """Hear that a child ended that had done something: what comes from now on is news."""
        self._times.clear()
        self._reason = f"one {reason}"
