"""What the ledger says of each job's executions, held against its row: why did it run more than once?"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from .ledger import Execution, Ledger
from .workers import ENDS

if TYPE_CHECKING:
    from .faults import Hit

FINAL: Final = ("completed", "discarded", "cancelled")

#: Outcomes after which a worker wants its job to run again.
_OWN: Final = ("failed", "snoozed")

_OUTCOMES: Final = ("-", "completed", "discarded", "cancelled", "failed", "snoozed", "interrupted")
_CODES: Final = {name: code for code, name in enumerate(_OUTCOMES)}


class Row(NamedTuple):
    """What the account needs of a row."""

    id: int
    state: str
    worker: str
    attempt: int
    max_attempts: int


class Tally:
    """One pass over the ledger, eight bytes a job: enough to tell which jobs are worth a closer look."""

    def __init__(self, ledger: Ledger) -> None:
        self.starts, self._ends, self._attempts = array("H"), array("H"), array("H")
        self._outcomes = bytearray()
        self.executions = 0
        for line in ledger.lines():
            self._grow(line.job)
            if line.mark == "S":
                self.executions += 1
                self.starts[line.job] += 1
            else:
                self._ends[line.job] += 1
                self._attempts[line.job] = line.attempt
                self._outcomes[line.job] = _CODES.get(line.outcome, 0)

    def is_plain(self, row: Row) -> bool:
        """Return whether the job ran once, from its start to the end that its row tells of."""
        if row.id >= len(self.starts):
            return False
        once = self.starts[row.id] == self._ends[row.id] == self._attempts[row.id] == row.attempt == 1
        return once and _OUTCOMES[self._outcomes[row.id]] == row.state

    def ran(self, job: int) -> bool:
        """Return whether anything is noted of a job."""
        return job < len(self.starts) and bool(self.starts[job] or self._ends[job])

    def __len__(self) -> int:
        return len(self.starts)

    def _grow(self, job: int) -> None:
        more = job + 1 - len(self.starts)
        if more > 0:
            more += 4096
            for column in (self.starts, self._ends, self._attempts):
                column.extend([0] * more)
            self._outcomes.extend(bytes(more))


@dataclass(slots=True)
class Verdict:
    """What came of the closer looks.

    Attributes:
        own: Executions that a worker's own failures and snoozes asked for.
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


def judge(row: Row, runs: Sequence[Execution], hits: Sequence[Hit], verdict: Verdict) -> None:
    """Hold the executions of a job against its row, and against the faults that there were."""
    ordered = sorted(runs, key=lambda run: (run.attempt, run.began))
    for former, later in pairwise(ordered):
        _judge_pair(former, later, hits, verdict)
    attempts = {run.attempt for run in ordered}
    last = max(attempts, default=0)
    if last > row.attempt:
        verdict.blame("rows overwritten by an older attempt", f"{row} after {ordered[-1]}")
    if unstarted := row.attempt - len(attempts):
        verdict.unstarted += unstarted
        if not hits:
            verdict.blame("attempts that never began, with no fault", f"{row}: {ordered}")
    _judge_state(row, ordered, hits, verdict)


def _judge_pair(former: Execution, later: Execution, hits: Sequence[Hit], verdict: Verdict) -> None:
    reasons = [hit for hit in hits if hit.explains(former)]
    if former.attempt == later.attempt and not any(hit.repeats for hit in reasons):
        verdict.blame("attempts that ran twice", f"{former} and {later}")
    if former.outcome in _OWN and (former.ended or 0) <= later.began:
        verdict.own += 1
        return
    if not reasons:
        verdict.blame("second executions that no fault explains", f"{former}, then {later}")
        return
    # An execution without an end died, or its process is hung up yet: only the former is a fault's that ends processes.
    if former.ended is not None and former.ended > later.began and not any(hit.overlaps for hit in reasons):
        verdict.blame("executions at the same time that no fault explains", f"{former} and {later}")
    hit = reasons[-1]
    verdict.by_fault[hit.fault] += 1
    verdict.slowest[hit.fault] = max(verdict.slowest.get(hit.fault, 0.0), later.began - hit.began)


def _judge_state(row: Row, runs: Sequence[Execution], hits: Sequence[Hit], verdict: Verdict) -> None:
    caught = [run for run in runs if any(hit.explains(run) for hit in hits)]
    used_up = row.attempt >= row.max_attempts and bool(caught or row.attempt > len(runs))
    if row.state in FINAL:
        wanted = {"discarded": ("discarded", "failed")}.get(row.state, (row.state,))
        proof = any(run.attempt == row.attempt and run.outcome in wanted for run in runs)
        if not proof and not (row.state == "discarded" and used_up and hits):
            verdict.blame(f"{row.state} jobs whose last attempt did not end so", f"{row}: {list(runs)}")
        if row.state not in ENDS.get(row.worker, FINAL) and not (row.state == "discarded" and used_up):
            verdict.blame("jobs that ended as they should not", f"{row}: {list(runs)}")
        return
    ended = [run for run in runs if run.attempt == row.attempt and run.outcome in FINAL and run not in caught]
    if ended:
        verdict.blame("jobs that ended and wait yet", f"{row}: {ended}")
