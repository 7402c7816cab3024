"""The rows: those that stop a node, and those that no node should have written."""

from __future__ import annotations

from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Seen, count, ok, problem, warning
from bridge.engine.diagnosis import COUNTED

#: What stops a queue of Elixir's nodes: loading such a row raises, each second again (Oban 2.23).
_POISON: Final = {
    "args": "args that are not a JSON object",
    "meta": "meta that is not a JSON object",
    "errors": "errors with an element that is not a JSON object",
    "infinite": "a time that is infinite",
}

#: What no node writes, and what it costs.
_ODD: Final = {
    "error_at": "an error whose `at` is no time with a zone: Oban Web can't show the job",
    "error_text": "an error without a text",
    "no_start": "executing, though it was never fetched: no node looks after it",
    "no_end": "ended, without the time of its end: it is never pruned",
    "attempts": "attempts that can't be: below zero, or more than max_attempts",
    "priority": "a priority outside of 0 to 9",
    "names": "a queue's or worker's name that is empty or longer than 127 characters",
}


async def exhausted(patient: Patient) -> Seen:
    """Look for waiting jobs without attempts left: with each fetch, an Elixir node spends a place on each of them."""
    found = await patient.ask.exhausted()
    jobs = sum(row["jobs"] for row in found)
    if not found:
        return ok("every waiting job has attempts left", jobs=0)
    details = [
        f"{row['state']}: {count(row['jobs'], 'job', most=COUNTED)} in {', '.join(row['queues'])}, ids {_ids(row)}"
        for row in found
    ]
    mend = "bridge jobs cancel ID …; or, to run one again, then bridge jobs retry ID, which adds an attempt"
    text = f"{count(jobs, 'job', most=COUNTED)} waiting without attempts left"
    cost = "Elixir's nodes lock them with every fetch, and a queue of theirs can starve"
    if not any(row["state"] == "available" for row in found):
        return warning(f"{text}: once they are staged, {cost}", mend, details, jobs=jobs)
    return problem(f"{text}: {cost}", mend, details, jobs=jobs)


async def poison(patient: Patient) -> Seen:
    """Look for rows that stop an Elixir node's whole queue when it loads them."""
    looked_at, found = await _faults(patient, _POISON)
    if not found:
        return ok(f"none among {looked_at:,} rows looked at", looked_at=looked_at, faults={})
    mend = "bridge jobs delete ID …; or put an object, an empty array of errors or a time there by SQL"
    text = f"{_rows(found)} of {looked_at:,} looked at stop an Elixir node's queue for good once it loads them"
    return problem(text, mend, _details(found, _POISON), looked_at=looked_at, faults=_figures(found))


async def odd(patient: Patient) -> Seen:
    """Look for rows in states that no node of Oban's or ours leaves behind."""
    looked_at, found = await _faults(patient, _ODD)
    if not found:
        return ok(f"none among {looked_at:,} rows looked at", looked_at=looked_at, faults={})
    mend = "look at one (`bridge jobs show ID`) and find the program that wrote it; then cancel, retry or delete it"
    text = f"{_rows(found)} of {looked_at:,} looked at are as no node writes them"
    return warning(text, mend, _details(found, _ODD), looked_at=looked_at, faults=_figures(found))


async def _faults(patient: Patient, faults: dict[str, str]) -> tuple[int, list[Any]]:
    rows = await patient.once(patient.ask.faulty_rows)
    return rows[0]["looked_at"], [row for row in rows if row["fault"] in faults]


def _rows(found: list[Any]) -> str:
    return count(sum(row["jobs"] for row in found), "fault")


def _details(found: list[Any], faults: dict[str, str]) -> list[str]:
    return [
        f"{faults[row['fault']]}: {count(row['jobs'], 'row')} ({', '.join(row['states'])}), ids {_ids(row)}"
        for row in found
    ]


def _figures(found: list[Any]) -> dict[str, Any]:
    return {row["fault"]: {"jobs": row["jobs"], "ids": row["ids"]} for row in found}


def _ids(row: Any) -> str:
    return ", ".join(map(str, row["ids"])) + ("…" if row["jobs"] > len(row["ids"]) else "")


CHECKS = (
    Check("exhausted-rows", "rows", exhausted),
    Check("poison-rows", "rows", poison),
    Check("odd-rows", "rows", odd),
)
