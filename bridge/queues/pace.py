"""The pace of a producer: how much a fetch asks for, and how soon the next one follows."""

from __future__ import annotations

import asyncio
from typing import Final

from bridge.queues.options import QueueOptions

#: Seconds between two fetches where a queue has no cool-down of its own and few slots are free (Oban 2.23).
COOLDOWN: Final = 0.005

#: Up to so many free slots are filled by one fetch. Of more, half of the limit is asked for, so that one half runs
#: while the other is fetched; and at most `LARGEST`, so that a limit beyond all bounds needs no endless memory.
SMALL: Final = 100
LARGEST: Final = 2_500


def portion(free: int, options: QueueOptions) -> int:
    """Return how many jobs the next fetch asks for; all that there is room for where a pause of its own follows it."""
    if free <= SMALL or options.dispatch_cooldown is not None:
        return free
    return min(free, max(SMALL, options.limit // 2), LARGEST)


class Pace:
    """Tells when a producer may fetch again: at once where many slots are free and jobs are left, else after a pause.

    Many are half of the limit, or as many as the last fetch filled, where all of its jobs have ended: the rest may be
    taken by jobs that last.

    Args:
        stopping: Ends every pause.
    """

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._ample = asyncio.Event()
        self._backlog = False
        self._fetch = 0
        self._left = 0

    def note(self, found: int, wanted: int) -> bool:
        """Hear what a fetch found; return whether it may have left jobs behind."""
        self._backlog = found == wanted
        self._fetch += 1
        self._left = 0
        return self._backlog

    def begin(self) -> int:
        """Hear that a job of the last fetch begins; return the fetch's number, for `end`."""
        self._left += 1
        return self._fetch

    def end(self, fetch: int) -> None:
        """Hear that a job of a fetch has ended."""
        if fetch == self._fetch:
            self._left -= 1

    def is_ample(self, free: int, limit: int) -> bool:
        """Tell whether another fetch is worth its while, and end a pause where it is."""
        if not self._backlog or (2 * free < limit and (self._left or not free)):
            return False
        self._ample.set()
        return True

    async def pause(self, cooldown: float | None) -> None:
        """Wait for a queue's own cool-down, whatever is free by then; else for the common one, or for many slots."""
        self._ample.clear()
        try:
            async with asyncio.timeout(COOLDOWN if cooldown is None else cooldown):
                await (self._ample if cooldown is None else self._stopping).wait()
        except TimeoutError:
            pass

    def stop(self) -> None:
        """End what pause there is."""
        self._stopping.set()
        self._ample.set()
