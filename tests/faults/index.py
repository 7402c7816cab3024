"""Where the lines of each job are in the ledger, so that some jobs' executions are found without reading all of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final

#: Lines between two places by which a time is found.
_STRIDE: Final = 1000


class Index:
    """Places of lines, of each job a chain from its last line to its first: 12 bytes a line, and 4 a job."""

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._previous = array("I")  # the job's line before, counted from 1; 0 for none
        self._last = array("I")  # by job
        self._times = array("d")  # the latest time until every so many lines, which only grows
        self._places = array("Q")
        self._latest = 0.0

    def add(self, job: int, time: float, offset: int) -> None:
        """Take the next line."""
        self._latest = max(self._latest, time)
        if len(self._offsets) % _STRIDE == 0:
            self._times.append(self._latest)
            self._places.append(offset)
        if job >= len(self._last):
            self._last.frombytes(bytes((job + 4096 - len(self._last)) * self._last.itemsize))
        self._offsets.append(offset)
        self._previous.append(self._last[job])
        self._last[job] = len(self._offsets)

    def of(self, job: int) -> list[int]:
        """Return the places of a job's lines, in the order in which they were written."""
        found = []
        number = self._last[job] if 0 <= job < len(self._last) else 0
        while number:
            found.append(self._offsets[number - 1])
            number = self._previous[number - 1]
        return found[::-1]

    def since(self, time: float) -> int:
        """Return a place before which no line is of that time, or of a later one."""
        nth = bisect_left(self._times, time)
        return self._places[nth - 1] if nth else 0
