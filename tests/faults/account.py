"""The account of a run: what was enqueued is what is there, and each job ran as often as it had to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

from .causes import MACHINE_ITSELF, Causes, Written
from .ledger import Ledger
from .machine import Machine
from .orders import Orders
from .rows import COLUMNS, Row, changes
from .rules import broken_rules
from .runs import FINAL, Judge, Verdict, judge_all
from .tally import Tally

if TYPE_CHECKING:
    from .faults import Hit

#: States in which a job waits for its next, or first, execution.
WAITING: Final = ("available", "scheduled", "retryable")

_SHOWN: Final = 5


@dataclass(slots=True)
class Account:
    """What was found.

    Attributes:
        ordered: Jobs that the client tried to enqueue.
        confirmed: Those of which the database said that they are.
        found: Rows of the client's jobs: the confirmed ones, and of those in doubt what had been committed.
        others: Rows of other jobs, such as probes.
        states: How many of the client's jobs are in which state.
        executions: How often any job began.
        verdict: Why jobs ran more than once.
        hits: How often each fault struck.
        recovered: The longest time from a fault's end until all nodes worked again, by its name.
        skipped: Faults that could not be made here, with why.
        machine: What it withheld, and which limits were kept only because that does not count.
        wrong: Everything that must not be, with examples.
    """

    ordered: int = 0
    confirmed: int = 0
    found: int = 0
    others: int = 0
    states: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    hits: Counter[str] = field(default_factory=Counter)
    recovered: Mapping[str, float] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    wrong: dict[str, list[str]] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """How many of the client's jobs have not come to their end."""
        return sum(self.states[state] for state in WAITING)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def blame(self, kind: str, *what: str) -> None:
        """Note what is wrong, if anything is."""
        if what:
            self.wrong.setdefault(kind, []).extend(what)

    def __str__(self) -> str:
        ends = " + ".join(f"{name} {self.states[name]:,}" for name in FINAL)
        doubtful, runs = self.ordered - self.confirmed, self.verdict
        return "\n".join([
            f"enqueued {self.found:,} = {ends} + waiting {self.waiting:,}",
            f"asked for {self.ordered:,}: confirmed {self.confirmed:,}, in doubt {doubtful:,}",
            f"of those in doubt {self.found - self.confirmed:,} are there; other jobs {self.others:,}",
            f"executions {self.executions:,}: {runs.own:,} again by their worker's wish",
            f"because of faults {runs.by_fault.total():,} again, and {runs.unstarted:,} claimed and never begun",
            *self._of_machine(),
            *self._faults(),
            *(f"skipped {name}: {why}" for name, why in self.skipped.items()),
            *filter(None, [self.machine]),
            *self._wrongs(),
        ])  # fmt: skip

    def _of_machine(self) -> list[str]:
        again = self.verdict.by_fault[MACHINE_ITSELF]
        return [f"{again:,} of these as the machine let no live node be heard"] if again else []

    def _faults(self) -> list[str]:
        rows = [f"{'fault':<32}{'times':>6}{'works after':>13}{'ran again':>11}{'within':>9}"]
        for name, times in sorted(self.hits.items()):
            works, within = _seconds(self.recovered.get(name)), _seconds(self.verdict.slowest.get(name))
            rows.append(f"{name:<32}{times:>6}{works:>13}{self.verdict.by_fault[name]:>11,}{within:>9}")
        return rows if len(rows) > 1 else ["no faults"]

    def _wrongs(self) -> list[str]:
        if self.ok:
            return ["nothing is wrong"]
        lines = []
        for kind, what in self.wrong.items():
            more = f"\n  … {len(what) - _SHOWN:,} more" if len(what) > _SHOWN else ""
            lines.append(f"WRONG: {kind}: {len(what):,}\n  " + "\n  ".join(what[:_SHOWN]) + more)
        return lines


def joined(accounts: Sequence[Account]) -> Account:
    """Return the account of grounds that were struck side by side, each with an account of its own."""
    whole = Account()
    for number, account in enumerate(accounts):
        for name in ("ordered", "confirmed", "found", "others", "executions", "states", "hits"):
            setattr(whole, name, getattr(whole, name) + getattr(account, name))
        whole.recovered = _longest(whole.recovered, account.recovered)
        whole.machine = max(whole.machine, account.machine, key=len)  # they were on the same one
        whole.skipped = {**whole.skipped, **account.skipped}
        whole.verdict.own += account.verdict.own
        whole.verdict.unstarted += account.verdict.unstarted
        whole.verdict.by_fault += account.verdict.by_fault
        whole.verdict.slowest = _longest(whole.verdict.slowest, account.verdict.slowest)
        for kind, what in account.wrong.items():
            whole.blame(kind, *(f"{ascii_uppercase[number]}: {each}" for each in what))
    return whole


def _longest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


async def take_account(
    conn: Any,
    ledger: Ledger,
    orders: Orders,
    hits: Sequence[Hit],
    skipped: Mapping[str, str] | None = None,
    written: Sequence[Written] = (),
    machine: Machine | None = None,
) -> Account:
    """Return the account of a database whose nodes are at rest.

    What takes long goes on in a thread, beside whatever else the harness does.

    Args:
        conn: To the database.
        ledger: What the jobs noted.
        orders: What was asked for.
        hits: What faults did.
        skipped: Faults that could not be made, with why.
        written: When outcomes were seen to be written.
        machine: That all ran on, where it was watched.
    """
    account = Account(ordered=len(orders), confirmed=orders.confirmed, skipped=skipped or {})
    account.hits = Counter(hit.fault for hit in hits)
    await asyncio.to_thread(ledger.sync)
    tally = await asyncio.to_thread(Tally, ledger)
    account.executions = tally.executions
    closer = await _read_rows(conn, orders, tally, account)
    runs = await asyncio.to_thread(ledger.executions, closer.keys())
    judge = Judge(Causes(hits, written, tally.pids, machine), orders, time.monotonic() - time.time())
    account.verdict = await asyncio.to_thread(judge_all, closer, runs, judge)
    # A line that a process did not come to the end of is the last one of a file whose machine died: not of these.
    account.blame("lines of the ledger that are none", *ledger.torn)
    account.blame("answers that can't be", *orders.wrong)
    for name, ids in (await broken_rules(conn, tally.pids)).items():
        account.blame(name, *(f"job {job}" for job in ids))
    for name, what in account.verdict.wrong.items():
        account.blame(name, *what)
    account.machine = "" if machine is None else str(machine)
    return account


async def _read_rows(conn: Any, orders: Orders, tally: Tally, account: Account) -> dict[int, Row]:
    """Hold every row against the orders, and return those whose executions are worth a closer look."""
    closer: dict[int, Row] = {}
    seen, present = bytearray(len(orders)), bytearray(len(tally))
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for record in conn.cursor(f"select {COLUMNS} from oban_jobs order by id", prefetch=2000):
            row = Row(*record)
            if row.id < len(present):
                present[row.id] = 1
            if row.n is None:
                account.others += 1
            else:
                _check_order(row, orders, seen, account)
            if not _is_plain(row, tally, orders):
                closer[row.id] = row
    for number in range(len(orders)):
        if orders.id_of(number) and not seen[number]:
            account.blame("jobs that are missing", f"job {orders.id_of(number)} of order {number}")
    _check_doubts(orders, seen, account)
    for job in range(len(tally)):
        if tally.ran(job) and not present[job]:
            account.blame("executions of jobs that are not there", f"job {job}")
    return closer


def _is_plain(row: Row, tally: Tally, orders: Orders) -> bool:
    """Return whether a job ran once, to the end that its row tells of, and nobody did anything else to it."""
    if row.attempt != 1 or tally.ran_once(row.id) != row.state:
        return False
    if row.errors != (None if row.state == "completed" else "[1]"):
        return False
    number = row.number
    if number is None or number >= len(orders):
        return True
    return row.max_attempts == orders.granted(number) and number not in orders.deeds


def _check_order(row: Row, orders: Orders, seen: bytearray, account: Account) -> None:
    """Hold a row against its order."""
    account.found += 1
    account.states[row.state] += 1
    number = row.number
    if number is None or number >= len(orders):
        account.blame("jobs that nobody ordered", f"job {row.id} of order {row.n}")
        return
    if seen[number]:
        account.blame("jobs that are there twice", f"job {row.id} of order {number}")
    seen[number] = 1
    if orders.id_of(number) not in (0, row.id):
        account.blame("jobs under another id", f"job {row.id} of order {number}, confirmed as {orders.id_of(number)}")
    for kind, what in changes(row, number, orders):
        account.blame(kind, what)


def _check_doubts(orders: Orders, seen: bytearray, account: Account) -> None:
    for first, count in orders.doubts:
        if sum(seen[first : first + count]) not in (0, count):
            account.blame("inserts that were done by half", f"orders {first} to {first + count - 1}")
