"""The tables: a row for each entrant, a column for each figure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from figures import Figures, ratios
from notation import Form, mebibytes, percent, rate, rough_rate, small, spread, tenths, whole

NOTHING: Final = "-"
PLAIN: Final = "drain-1000"  # what a share is of


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        heading: Its heading; `{finished}` and the like stand for what `headings` knows of the sizes.
        case: The case.
        metric: The case's figure.
        form: Writes the median.
        rough: Writes the range, if it isn't written as the median is.
        share: Whether the part of the plain drain's rate is told too.
    """

    heading: str
    case: str
    metric: str = "rate"
    form: Form = rate
    rough: Form | None = rough_rate
    share: bool = False


def _plain(heading: str, case: str, metric: str, form: Form) -> Column:
    return Column(heading, case, metric, form, None)


TABLES: Final[tuple[tuple[str, tuple[Column, ...]], ...]] = (
    (
        "Draining no-op jobs, jobs a second, by the queue's limit",
        (
            *(Column(f"{limit:,}", f"drain-{limit}") for limit in (10, 50, 200, 1000)),
            Column("2 workers, 1,000 each", "workers-2"),
            Column("4 workers, 1,000 each", "workers-4"),
        ),
    ),
    (
        "What a job costs at limit 1,000",
        (
            _plain("worker CPU, µs", PLAIN, "worker_us", tenths),
            _plain("server CPU, µs", PLAIN, "server_us", tenths),
            _plain("WAL, bytes", PLAIN, "wal", whole),
            _plain("commits", PLAIN, "commits", small),
        ),
    ),
    (
        "Inserting, waiting, sleeping",
        (
            Column("bulk insert, rows/s", "insert"),
            _plain("enqueue to start, ms, p50", "latency", "p50_ms", tenths),
            _plain("p99", "latency", "p99_ms", tenths),
            _plain("scheduled, late by ms, p99", "scheduled", "p99_ms", tenths),
            Column("10 ms jobs at limit 100, jobs/s", "sleep"),
        ),
    ),
    (
        "What changes the drain at limit 1,000, jobs a second, and what is left of the first column",
        (
            Column("empty, good statistics", PLAIN),
            Column("statistics of a bulk load", "stale", share=True),
            Column("statistics of other jobs alone", "stale-seen", share=True),
            Column("{finished}finished rows", "finished", share=True),
            Column("{finished}rows in other queues", "waiting", share=True),
            Column("{foreign}foreign rows first", "foreign", share=True),
            Column("the same with the worker index", "foreign-indexed", share=True),
        ),
    ),
    (
        "A node that waits, with five queues, while another one leads",
        (
            _plain("statements a minute", "idle", "statements", whole),
            _plain("resident memory, MiB", "idle", "rss", mebibytes),
        ),
    ),
)


def render(found: Figures, sizes: Mapping[str, float]) -> list[str]:
    """Return each table that has something in it, under its heading."""
    names = {"finished": _count(sizes.get("grown")), "foreign": _count(sizes.get("foreign"))}
    parts: list[str] = []
    for title, columns in TABLES:
        shown = [column for column in columns if column.case in found.cases]
        # A table about changes is for those who have one to show.
        telling = [column for column in shown if column.share] if any(each.share for each in columns) else shown
        if rows := _rows(found, shown, telling, names):
            parts += [f"### {title}", rows]
    return parts


def _count(number: float | None) -> str:
    """Return how many rows, or nothing where results don't tell."""
    return "" if number is None else f"{number:,.0f} "


def _rows(found: Figures, columns: list[Column], telling: list[Column], names: Mapping[str, str]) -> str:
    lines = []
    for entrant, title in found.entrants.items():
        if any(found.by_round(entrant, column.case, column.metric) for column in telling):
            cells = [_cell(found, entrant, column) for column in columns]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if not lines:
        return ""
    head = "| | " + " | ".join(column.heading.format(**names) for column in columns) + " |"
    return "\n".join([head, "|---" + "|---:" * len(columns) + "|", *lines])


def _cell(found: Figures, entrant: str, column: Column) -> str:
    rounds = found.by_round(entrant, column.case, column.metric)
    if not rounds:
        return NOTHING
    text = spread(list(rounds.values()), column.form, of=found.turns(column.case), rough=column.rough)
    shares = ratios(rounds, found.by_round(entrant, PLAIN, column.metric)) if column.share else []
    return text + (f", {percent(statistics.median(shares))}" if shares else "")
