"""What the ledger says of each job in a few bytes: enough to tell which jobs are worth a closer look."""

from __future__ import annotations

from array import array
from typing import Final

from .ledger import Ledger

_OUTCOMES: Final = ("-", "completed", "discarded", "cancelled", "failed", "snoozed", "interrupted", "timeout")
_CODES: Final = {name: code for code, name in enumerate(_OUTCOMES)}


class Tally:
    """One pass over the ledger, seven bytes a job."""

    def __init__(self, ledger: Ledger) -> None:
        self._starts, self._ends, self._attempts = array("H"), array("H"), array("H")
        self._outcomes = bytearray()
        self.executions = 0
        #: The processes of each node that have noted anything.
        self.pids: dict[str, set[int]] = {}
        for mark, job, attempt, pid, node, _, outcome in ledger.lines():
            if job >= len(self._starts):
                self._grow(job)
            if mark == "S":
                self.executions += 1
                self._starts[job] += 1
                self.pids.setdefault(node, set()).add(pid)
            else:
                self._ends[job] += 1
                self._attempts[job] = attempt
                self._outcomes[job] = _CODES.get(outcome, 0)

    def ran_once(self, job: int) -> str | None:
        """Return the outcome of a job whose first attempt, and no other, ran from its start to its end; else None."""
        if job >= len(self._starts) or not self._starts[job] == self._ends[job] == self._attempts[job] == 1:
            return None
        return _OUTCOMES[self._outcomes[job]]

    def ran(self, job: int) -> bool:
        """Return whether anything is noted of a job."""
        return job < len(self._starts) and bool(self._starts[job] or self._ends[job])

    def __len__(self) -> int:
        return len(self._starts)

    def _grow(self, job: int) -> None:
        more = job + 4096 - len(self._starts)
        for column in (self._starts, self._ends, self._attempts):
            column.frombytes(bytes(more * column.itemsize))
        self._outcomes.extend(bytes(more))
