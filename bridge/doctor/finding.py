"""One thing that a doctor saw, how bad it is, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a finding is.

    `ok` is as it should be; a `note` is worth knowing and asks for nothing; a `warning` costs something, or could not
    be looked at; a `problem` keeps jobs from running, or harms a node.
    """

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"

    @property
    def rank(self) -> int:
        """0 for ok to 3 for a problem."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check saw.

    Attributes:
        level: How bad it is.
        text: What was seen, in a sentence with its figures.
        mend: What to do, a command where one of ours does it; empty where there is nothing to do.
        details: A line for each thing in the sentence: an index, a queue, a node.
        figures: The same for programs.
    """

    level: Level
    text: str
    mend: str = ""
    details: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw, with the check's name.

    Attributes:
        id: The check, such as `poison-rows`; ids are stable.
        topic: What it is about: connection, schema, nodes, queues, rows or table; or the examination itself.
        level: How bad it is.
        seen: What was seen, in a sentence with its figures.
        mend: What to do; empty where there is nothing to do.
        details: A line for each thing in the sentence.
        figures: The same for programs; what is in there depends on the check.
        looked: False where the check could not look; `seen` says why.
    """

    id: str
    topic: str
    level: Level
    seen: str
    mend: str = ""
    details: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    looked: bool = True


def ok(text: str, **figures: Any) -> Seen:
    """Return that all is well."""
    return Seen(Level.OK, text, figures=figures)


def note(text: str, mend: str = "", details: Iterable[str] = (), **figures: Any) -> Seen:
    """Return something worth knowing."""
    return Seen(Level.NOTE, text, mend, tuple(details), figures)


def warning(text: str, mend: str, details: Iterable[str] = (), **figures: Any) -> Seen:
    """Return something that costs."""
    return Seen(Level.WARNING, text, mend, tuple(details), figures)


def problem(text: str, mend: str, details: Iterable[str] = (), **figures: Any) -> Seen:
    """Return something that keeps jobs from running, or harms a node."""
    return Seen(Level.PROBLEM, text, mend, tuple(details), figures)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level of all; ok where there are none."""
    return max((finding.level for finding in findings), key=lambda level: level.rank, default=Level.OK)


def count(number: int, one: str, many: str = "", *, most: int | None = None) -> str:
    """Return `1 job`, `2,000 jobs`, or `more than 10,000 jobs` where counting stopped at `most`."""
    noun = one if number == 1 else many or f"{one}s"
    if most is not None and number >= most:
        return f"more than {most - 1:,} {noun}"
    return f"{number:,} {noun}"


def span(seconds: float) -> str:
    """Return a time of the length `40 s`, `12 min`, `5 h` or `3 days`."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def size(amount: float) -> str:
    """Return bytes as `1.5 MiB` or `3.2 GiB`."""
    mebibytes = amount / 1_048_576
    return f"{mebibytes / 1_024:.1f} GiB" if mebibytes >= 1_024 else f"{mebibytes:.1f} MiB"
