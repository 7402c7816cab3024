"""The machine, watched beside the faults: how much of the time it kept those waiting who wanted to run."""

from __future__ import annotations

import asyncio
import os
import time
from array import array
from bisect import bisect_right
from pathlib import Path
from threading import Lock, Thread
from typing import Final

#: Seconds between two looks.
_PERIOD: Final = 0.05

#: Seconds by which a look may be late; one that is later was kept waiting, as all others were.
_LATE: Final = 0.1

#: As many as this may want each processor: what gets half of one is as fast as bounds ask for.
_CROWD: Final = 2.0

#: Seconds to which a moment is looked for.
_NEAR: Final = 0.001

_LOAD: Final = Path("/proc/loadavg")


class Machine:
    """Says how many seconds of a time were withheld, by a machine that stood still, or on which too many wanted to run.

    On one that wakes in time who sleeps, and gives at least half of a processor to each who computes, that is nothing.
    """

    def __init__(self) -> None:
        #: Limits that were kept only as what was withheld does not count: seconds that it took, of how many.
        self.stretched: dict[str, tuple[float, float]] = {}
        self._processors = os.cpu_count() or 1  # of all, as the load is that of all
        self._times = array("d")
        self._withheld = array("d")  # since the first of these times
        self._lock = Lock()
        self._thread: Thread | None = None

    def watch(self) -> None:
        """Look at it from now on, for as long as this process lives; once is enough."""
        with self._lock:
            if self._thread is None:
                self._times.append(time.monotonic())
                self._withheld.append(0.0)
                self._thread = Thread(target=self._watch, name="faults-machine", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        while True:
            time.sleep(_PERIOD)
            self.look(time.monotonic(), _runnable())

    def look(self, now: float, runnable: int) -> None:
        """Take that so many others can run at a moment by `time.monotonic()`, the next one."""
        with self._lock:
            seconds = now - self._times[-1]
            late = _late(seconds)
            crowd = runnable / self._processors / _CROWD
            self._withheld.append(self._withheld[-1] + late + (seconds - late) * (1 - 1 / max(1.0, crowd)))
            self._times.append(now)

    def withheld(self, since: float, until: float) -> float:
        """Return how many of the seconds between two moments were withheld."""
        with self._lock:
            return self._until(until) - self._until(since)

    def _until(self, moment: float) -> float:
        """Return how many were until a moment."""
        place = bisect_right(self._times, moment)
        if place == 0:
            return 0.0
        if place == len(self._times):  # it may stand still, or have, since the last look
            return self._withheld[-1] + _late(moment - self._times[-1])
        first, last = self._times[place - 1], self._times[place]
        share = (moment - first) / (last - first)
        return self._withheld[place - 1] + share * (self._withheld[place] - self._withheld[place - 1])

    def before(self, moment: float, seconds: float) -> float:
        """Return a moment so many seconds before another one, not counting those that were withheld."""
        found = moment - seconds
        while (earlier := moment - seconds - self.withheld(found, moment)) < found - _NEAR:
            found = earlier
        return earlier

    def __str__(self) -> str:
        if not self._times:
            return "the machine was not watched"
        lasted, withheld = self._times[-1] - self._times[0], self._withheld[-1]
        return f"the machine withheld {withheld:.1f} s of {lasted:.1f} s" + "".join(
            f"\n  {what} took {took:.1f} s, more than {limit:g} s by less than was withheld"
            for what, (took, limit) in sorted(self.stretched.items())
        )


#: The one that this runs on.
MACHINE: Final = Machine()


class Limit:
    """Seconds within which something must be, not counting those that the machine withholds.

    Args:
        what: That takes these, for people.
        seconds: How many.
        since: From when on they count, by `time.monotonic()`; default now.
        machine: Which it is.
    """

    def __init__(self, what: str, seconds: float, since: float | None = None, machine: Machine = MACHINE) -> None:
        self.what = what
        self.seconds = seconds
        self._since = time.monotonic() if since is None else since
        self._machine = machine

    def is_over(self, now: float | None = None) -> bool:
        """Tell whether they are over by now, or by another moment."""
        now = time.monotonic() if now is None else now
        took = now - self._since
        if took <= self.seconds:
            return False
        if took - self._machine.withheld(self._since, now) > self.seconds:
            return True
        known, _ = self._machine.stretched.get(self.what, (0.0, 0.0))
        if took > known:
            self._machine.stretched[self.what] = (took, self.seconds)
        return False

    def check(self, why: str = "") -> None:
        """Refuse that they are over.

        Raises:
            AssertionError: They are.
        """
        if self.is_over():
            raise AssertionError(f"{self.what} took more than {self.seconds:g} s" + (f": {why}" if why else ""))


async def rest(seconds: float, machine: Machine = MACHINE) -> None:
    """Sleep so many seconds, not counting those that the machine withholds: whoever needs these to go on has them."""
    began = now = time.monotonic()
    while (left := seconds - (now - began) + machine.withheld(began, now)) > 0:
        await asyncio.sleep(max(left, _NEAR))
        now = time.monotonic()


def _late(seconds: float) -> float:
    """Return how many of the seconds between two looks were too many."""
    late = seconds - _PERIOD
    return late if late > _LATE else 0.0


def _runnable() -> int:
    """Return how many threads run or could, beside this one; 0 where nobody knows."""
    try:
        return int(_LOAD.read_text().split()[3].partition("/")[0]) - 1
    except (OSError, IndexError, ValueError):
        return 0
