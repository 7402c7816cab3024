"""What the ledger says of each job's executions, held against its row: why did it run more than once?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from .workers import ENDS, LONG, QUEUE, SNOOZE, backoff_after

if TYPE_CHECKING:
    from .causes import Cause, Causes
    from .ledger import Execution
    from .orders import Deed, Orders
    from .rows import Row

FINAL: Final = ("completed", "discarded", "cancelled")

#: Outcomes after which a worker wants its job to run again.
_OWN: Final = ("failed", "snoozed", "timeout")

#: Outcomes that come with an error in the row, and those that don't.
_WITH_ERROR: Final = ("failed", "timeout", "cancelled", "discarded")
_WITHOUT_ERROR: Final = ("completed", "snoozed")

#: Seconds that a job may wait for a place in the queue of those that last: as long as the others there do.
_LASTING: Final = 10.0

#: Seconds by which a wait may seem too short: the database's clock is set while it goes, by a little at a time.
_SLEWED: Final = 0.05


@dataclass(slots=True)
class Verdict:
    """What came of the closer looks.

    Attributes:
        own: Executions that a worker's own failures and snoozes asked for, or somebody from outside.
        by_fault: Second executions that a fault explains, by its name.
        slowest: Seconds from a fault's begin until the last of the jobs that it hit ran again, by its name.
        unstarted: Attempts that are counted in rows, and began nowhere: they were claimed, and died on the way.
        wrong: What nothing explains, by its kind.
    """

    own: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    unstarted: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def blame(self, kind: str, what: str) -> None:
        """Note something wrong."""
        self.wrong.setdefault(kind, []).append(what)


class Judge:
    """Holds the executions of jobs against their rows, their orders, and the faults that there were.

    Args:
        causes: The faults.
        orders: What was ordered, and done to jobs from outside.
        offset: What is added to Unix time to have that of `time.monotonic()`.
    """

    def __init__(self, causes: Causes, orders: Orders, offset: float = 0.0) -> None:
        self.verdict = Verdict()
        self._causes = causes
        self._orders = orders
        self._offset = offset

    def judge(self, row: Row, runs: Sequence[Execution]) -> None:
        """Take a job."""
        _Case(row, runs, self._deeds(row), self._causes, self.verdict).judge(self._granted(row), self._offset)

    def _deeds(self, row: Row) -> Sequence[Deed]:
        return () if row.number is None else self._orders.deeds.get(row.number, ())

    def _granted(self, row: Row) -> int | None:
        """Return the attempts that an order was given; None where nobody knows."""
        number = row.number
        return None if number is None or number >= len(self._orders) else self._orders.granted(number)


class _Case:
    """One job."""

    def __init__(
        self, row: Row, runs: Sequence[Execution], deeds: Sequence[Deed], causes: Causes, verdict: Verdict
    ) -> None:
        self._row = row
        self._runs = sorted(runs, key=lambda run: (run.attempt, run.began))
        self._causes = causes
        self._verdict = verdict
        self._cancels = [deed for deed in deeds if deed.what == "cancel" and deed.done is not False]
        self._retries = [deed for deed in deeds if deed.what == "retry" and deed.done is not False]
        self._why = {run: causes.of(run) for run in self._runs}
        for former, later in pairwise(self._runs):
            if not self._why[former]:
                self._why[former] = self._of_machine(former, later)

    def judge(self, granted: int | None, offset: float) -> None:
        for former, later in pairwise(self._runs):
            self._judge_pair(former, later)
        if self._runs and self._runs[-1].attempt > self._row.attempt:
            self._blame("rows overwritten by an older attempt", f"after {self._runs[-1]}")
        lost, handed_back = self._judge_unstarted(offset)
        if granted is not None:
            self._judge_granted(granted, lost, handed_back)
        self._judge_state(lost)
        if self._cancels:
            self._judge_cancelled()
        else:
            self._judge_errors()

    def _blame(self, kind: str, what: str = "") -> None:
        self._verdict.blame(kind, f"{self._row}: {what or self._runs}")

    # Why it ran again

    def _judge_pair(self, former: Execution, later: Execution) -> None:
        reasons = [cause.hit for cause in self._why[former]]
        if former.attempt == later.attempt and not any(hit.repeats for hit in reasons):
            self._blame("attempts that ran twice", f"{former} and {later}")
        if self._is_own(former, later):
            self._verdict.own += 1
            self._judge_wait(former, later)
            return
        if not reasons:
            self._blame("second executions that no fault explains", f"{former}, then {later}")
            return
        # One without an end died, or its process is hung up yet: only the former is a fault's that ends processes.
        if former.ended is not None and former.ended > later.began and not any(hit.overlaps for hit in reasons):
            self._blame("executions at the same time that no fault explains", f"{former} and {later}")
        cause = self._why[former][-1]
        self._verdict.by_fault[cause.hit.fault] += 1
        took = later.began - cause.hit.began
        self._verdict.slowest[cause.hit.fault] = max(self._verdict.slowest.get(cause.hit.fault, 0.0), took)
        if self._causes.is_too_late(cause, later.began, self._waiting()):
            self._blame("jobs that ran again too late", f"{former}, then {later}, {took:.1f} s after {cause.hit.fault}")

    def _of_machine(self, former: Execution, later: Execution) -> list[Cause]:
        """Return that a live node was taken for dead, where nobody wanted its job to run again."""
        if self._is_own(former, later):
            return []
        return self._causes.of_machine(former, later.began)

    def _is_own(self, former: Execution, later: Execution) -> bool:
        """Tell whether the worker, or somebody from outside, wanted the job to run again."""
        if former.ended is None or former.ended > later.began:
            return False
        return former.outcome in _OWN or any(
            deed.asked <= later.began and (deed.answered is None or deed.answered >= former.ended)
            for deed in self._retries
        )

    def _judge_wait(self, former: Execution, later: Execution) -> None:
        """Hold a job that its worker wanted to run again against the time that it was to wait for."""
        since = former.ended or former.began
        excused = self._why[former] or any(deed.asked <= later.began for deed in self._retries)
        if self._row.worker not in ENDS or excused or self._causes.is_wrong_clock(since, later.began):
            return
        wait = SNOOZE if former.outcome == "snoozed" else backoff_after(former.attempt)
        if later.began < since + wait - _SLEWED:
            self._blame("jobs that ran again too soon", f"{former}, then {later}, after {later.began - since:.2f} s")

    def _waiting(self) -> float:
        """Return for how long others may rightly be before it once it is rescued."""
        if self._row.priority > 0:
            return math.inf
        # A queue of a node's own waits for that node.
        return {QUEUE: 0.0, LONG: _LASTING}.get(self._row.queue, math.inf)

    # Attempts

    def _judge_unstarted(self, offset: float) -> tuple[int, int]:
        """Look for a fault in which each attempt got lost that began nowhere.

        Return how many may be lost, and how many can only have been handed back.
        """
        lost = handed_back = 0
        begun = {run.attempt for run in self._runs}
        missing = [attempt for attempt in range(1, self._row.attempt + 1) if attempt not in begun]
        self._verdict.unstarted += len(missing)
        for attempt in missing:
            after = max((run.began for run in self._runs if run.attempt < attempt), default=-math.inf)
            before = min((run.began for run in self._runs if run.attempt > attempt), default=math.inf)
            claimed, node = None, None
            if attempt == self._row.attempt:
                if self._cancels:  # between its claim and its beginning
                    lost += 1
                    continue
                claimed, node = (self._row.attempted_at or math.inf) + offset, self._row.node
                if not after <= claimed <= before:  # by a clock that was wrong
                    claimed = None
            causes = self._causes.of_attempt(after, before, claimed, node)
            if not causes:
                self._blame("attempts that never began, and no fault hit", f"attempt {attempt}: {self._runs}")
            if causes and all(cause.hit.keeps_claims for cause in causes):
                handed_back += 1
            else:
                lost += 1
        return lost, handed_back

    def _judge_granted(self, granted: int, lost: int, handed_back: int) -> None:
        """Hold `max_attempts` against what was ordered: a snooze adds one, and so may handing a claim back."""
        snoozed = {run.attempt for run in self._runs if run.outcome == "snoozed"}
        sure = {run.attempt for run in self._runs if run.outcome == "snoozed" and not self._why[run]}
        most = granted + len(snoozed) + lost + handed_back
        if self._retries:  # one more than there were, where none was left
            most = max(most, self._row.attempt + 1)
        if not granted + len(sure) <= self._row.max_attempts <= most:
            self._blame("attempts that nobody granted", f"{granted} and {len(snoozed)} snoozes: {self._runs}")
        elif self._row.max_attempts < granted + len(sure) + handed_back:
            self._blame("attempts that a stop in order has cost", f"{handed_back} of {granted}: {self._runs}")

    # Its end

    def _judge_state(self, lost: int) -> None:
        row = self._row
        used_up = row.attempt >= row.max_attempts and (lost > 0 or any(self._why.values()))
        if row.state in FINAL:
            by_fault = row.state == "discarded" and used_up
            by_somebody = row.state == "cancelled" and bool(self._cancels)
            if not (self._is_proven() or by_fault or by_somebody):
                self._blame(f"{row.state} jobs whose last attempt did not end so")
            if row.state not in ENDS.get(row.worker, FINAL) and not by_fault and not by_somebody:
                self._blame("jobs that ended as they should not")
        elif not self._retries:
            ended = [run for run in self._runs if run.attempt == row.attempt and run.outcome in FINAL]
            if any(not self._why[run] for run in ended):
                self._blame("jobs that ended and wait yet")

    def _is_proven(self) -> bool:
        wanted = {"discarded": ("discarded", "failed", "timeout")}.get(self._row.state, (self._row.state,))
        return any(run.attempt == self._row.attempt and run.outcome in wanted for run in self._runs)

    def _judge_errors(self) -> None:
        failed = self._row.failed
        for run, later in zip(self._runs, [*self._runs[1:], None], strict=False):
            if any(later is None or later.began >= cause.hit.began for cause in self._why[run]):
                continue  # what came of it may be lost, or told by its node, which outlived it
            if run.outcome in _WITH_ERROR and run.attempt not in failed:
                self._blame("outcomes without their error", str(run))
            if run.outcome in _WITHOUT_ERROR and run.attempt in failed:
                self._blame("errors of attempts that did not fail", str(run))

    def _judge_cancelled(self) -> None:
        """Hold a job against the cancellations from outside that were not refused."""
        confirmed = [deed for deed in self._cancels if deed.done]
        if confirmed and self._row.state != "cancelled":
            self._blame("cancelled jobs that are not")
        for run in self._runs:
            written = run.ended is not None and all(
                run.ended < self._causes.under_way_since(deed.asked) for deed in confirmed
            )
            if confirmed and written and run.outcome in FINAL and not self._why[run]:
                self._blame("jobs that were cancelled after their end", str(run))
            if any(self._causes.is_long_ago(deed.answered or math.inf, run.began) for deed in confirmed):
                self._blame("cancelled jobs that ran", str(run))


def judge_all(rows: Mapping[int, Row], runs: Mapping[int, Sequence[Execution]], judge: Judge) -> Verdict:
    """Judge every row by its executions, and return the verdict."""
    for job, row in rows.items():
        judge.judge(row, runs.get(job, ()))
    return judge.verdict
