"""The faults of a run as causes: what each may explain, in the light of those before and after it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from .faults import UNDER_WAY, Hit
from .machine import Limit, Machine
from .node import RESCUE_AFTER

if TYPE_CHECKING:
    from .ledger import Execution

#: Seconds after a fault in which outcomes that it held up may be under way yet: who waits looks about every three.
_AFTERMATH: Final = 5.0

#: Seconds before and after a fault of clocks in which a node whose clock is wrong may be there.
_JOINING: Final = 30.0


#: What struck where no fault did, and a live node could not be heard in the time that it has for it.
MACHINE_ITSELF: Final = "the machine itself"

#: Seconds before a job of a live node begins elsewhere in which that was not heard: its silence, and the next look.
_SILENCE: Final = RESCUE_AFTER + 1.0


class Cause(NamedTuple):
    """A fault that struck.

    Attributes:
        hit: What it did.
        since: An execution that ended before that had its outcome written when the fault began.
        rescued: When the jobs that it hit must have begun to run again, with what faults after it may add.
    """

    hit: Hit
    since: float
    rescued: float | None


class Written(NamedTuple):
    """That all outcomes were seen to be written of what had ended until a moment, which is earlier than that."""

    seen: float
    until: float


class Causes:
    """Says which faults may have to do with an execution, or with an attempt that never began.

    Args:
        hits: What faults did.
        written: When outcomes were seen to be written, in order.
        pids: The processes of each node that are known to have run jobs.
        machine: What it withheld, no time that is told of counts; default nothing.
    """

    def __init__(
        self,
        hits: Iterable[Hit],
        written: Sequence[Written] = (),
        pids: Mapping[str, Collection[int]] | None = None,
        machine: Machine | None = None,
    ) -> None:
        self._machine = machine or Machine()
        self._hits = sorted(hits, key=lambda hit: hit.began)
        self._written = written
        self._pids = pids or {}
        self._all = [Cause(hit, self._lost_since(hit), self._rescued(hit)) for hit in self._hits if hit.is_harmful]
        self._of: dict[int | str, list[int]] = {}  # the places of those that hit a process or a node
        for place, cause in enumerate(self._all):
            struck: set[int | str] = {*cause.hit.pids, *cause.hit.nodes}
            for name in struck:
                self._of.setdefault(name, []).append(place)

    def of(self, run: Execution) -> list[Cause]:
        """Return the faults that caught an execution in flight, in their order."""
        places = sorted({*self._of.get(run.pid, ()), *self._of.get(run.node, ())})
        return [cause for cause in map(self._all.__getitem__, places) if cause.hit.explains(run, cause.since)]

    def of_attempt(
        self, after: float, before: float, claimed: float | None = None, node: str | None = None
    ) -> list[Cause]:
        """Return the faults that may have caught an attempt between its claim and its beginning.

        Args:
            after: When the attempt before it began.
            before: When the one after it did.
            claimed: When it was claimed, where that is known.
            node: Who claimed it, where that is known.
        """
        return [
            cause
            for cause in self._all
            if cause.hit.began <= before
            and cause.hit.ended >= after
            and (claimed is None or cause.since <= claimed <= cause.hit.ended)
            and (node is None or self._hits_node(cause.hit, node))
        ]

    def of_machine(self, run: Execution, later: float) -> list[Cause]:
        """Return that the machine kept the node of an execution from being heard until its job began elsewhere.

        That is where it withheld two thirds of a silence in the time before: else that was not its doing.
        """
        since = later - _SILENCE
        if run.began > later or self._machine.withheld(since, later) < RESCUE_AFTER * 2 / 3:
            return []
        return [Cause(Hit(MACHINE_ITSELF, since, later, nodes=frozenset([run.node]), overlaps=True), since, None)]

    def is_too_late(self, cause: Cause, began: float, waiting: float) -> bool:
        """Tell whether an execution began too late that a fault had made necessary, and that others could delay."""
        if cause.rescued is None:
            return False
        since = cause.hit.ended
        return Limit("rescues", cause.rescued + waiting - since, since, self._machine).is_over(began)

    def is_long_ago(self, moment: float, later: float) -> bool:
        """Tell whether what was done at a moment was no longer under way at another one."""
        return moment < self._machine.before(later, UNDER_WAY)

    def is_wrong_clock(self, since: float, until: float) -> bool:
        """Tell whether a clock may have been wrong between two moments."""
        return any(hit.clocks and hit.began - _JOINING < until and since < hit.ended + _JOINING for hit in self._hits)

    def _hits_node(self, hit: Hit, node: str) -> bool:
        known = {pid for pids in self._pids.values() for pid in pids}
        # A process that never came to run a job is of no node that the ledger knows.
        return node in hit.nodes or bool(hit.pids & set(self._pids.get(node, ())) or hit.pids - known)

    def under_way_since(self, moment: float) -> float:
        """Return when the oldest of the outcomes ended that may be under way at a moment.

        It is no longer ago than a little while, or than the beginning of a fault that is hardly over, which may have
        begun when another one was hardly over; but not before all that had ended was seen to be written.
        """
        since = moment
        for hit in reversed(self._hits):
            if hit.began < since and hit.ended > self._machine.before(since, _AFTERMATH):
                since = hit.began
        seen = bisect_right(self._written, moment, key=lambda written: written.seen)
        return max(self._machine.before(since, UNDER_WAY), self._written[seen - 1].until if seen else 0.0)

    def _lost_since(self, hit: Hit) -> float:
        # What had been written may be among the transactions that such a one has lost.
        return hit.began - _AFTERMATH if hit.repeats else self.under_way_since(hit.began)

    def _rescued(self, hit: Hit) -> float | None:
        """Return the hit's own time, put off by those that struck before it was over, and took as long to get over."""
        if hit.rescued is None:
            return None
        last, allowed = hit.rescued, hit.rescued - hit.ended
        for later in self._hits:
            if hit.began < later.began <= last:
                last = max(last, later.ended + allowed)
        return last
