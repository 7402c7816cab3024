"""The report: tables and a chart out of raw measurements.

`python bench/compare/report.py docs/benchmarks` writes them anew from `results.json`.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any, Final

from chart import draw

BEGIN: Final = "<!-- results -->"
END: Final = "<!-- end of results -->"
NOTHING: Final = "-"

Results = dict[str, Any]
Column = tuple[str, str, str, str]

# A table is its title and its columns: heading, case, metric, format.
TABLES: Final[tuple[tuple[str, tuple[Column, ...]], ...]] = (
    (
        "Draining no-op jobs, jobs a second, by the queue's limit",
        (
            ("10", "drain-10", "rate", "rate"),
            ("50", "drain-50", "rate", "rate"),
            ("200", "drain-200", "rate", "rate"),
            ("1,000", "drain-1000", "rate", "rate"),
            ("2 workers", "workers-2", "rate", "rate"),
            ("4 workers", "workers-4", "rate", "rate"),
        ),
    ),
    (
        "What a job costs at limit 1,000",
        (
            ("worker CPU, µs", "drain-1000", "worker_us", "number"),
            ("server CPU, µs", "drain-1000", "server_us", "number"),
            ("WAL, bytes", "drain-1000", "wal", "number"),
            ("commits", "drain-1000", "commits", "small"),
        ),
    ),
    (
        "Inserting, waiting, sleeping",
        (
            ("bulk insert, rows/s", "insert", "rate", "rate"),
            ("enqueue to start, ms, p50", "latency", "p50_ms", "tenth"),
            ("p99", "latency", "p99_ms", "tenth"),
            ("scheduled, late by ms, p99", "scheduled", "p99_ms", "number"),
            ("10 ms jobs at limit 100, jobs/s", "sleep", "rate", "rate"),
        ),
    ),
    (
        "What changes the drain at limit 1,000, jobs a second",
        (
            ("empty, good statistics", "drain-1000", "rate", "rate"),
            ("statistics of a bulk load", "stale", "rate", "ratio"),
            ("statistics of other jobs alone", "stale-seen", "rate", "ratio"),
            ("1,000,000 finished rows", "finished", "rate", "ratio"),
            ("1,000,000 rows in other queues", "waiting", "rate", "ratio"),
            ("100,000 foreign rows first", "foreign", "rate", "ratio"),
            ("with the worker index", "foreign-indexed", "rate", "ratio"),
        ),
    ),
    (
        "A node that waits, with five queues, while another one leads",
        (
            ("statements a minute", "idle", "statements", "number"),
            ("resident memory, MB", "idle", "rss", "megabytes"),
        ),
    ),
)


def write(results: Results, out: Path) -> str:
    """Write the page's results, the chart and the raw measurements; return what was written where."""
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    found = Medians(results)
    drains = [(limit, f"drain-{limit}") for limit in (10, 50, 200, 1000)]
    groups = {
        f"limit {limit:,}": [(title, found.value(key, case, "rate")) for key, title in found.entrants.items()]
        for limit, case in drains
        if case in found.cases
    }
    (out / "drain.svg").write_text(draw("Jobs a second", groups))
    page = out / "index.md"
    text = page.read_text() if page.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{_body(results, found)}\n{END}{rest.partition(END)[2]}")
    return f"{page}, {out / 'drain.svg'}, {out / 'results.json'}"


class Medians:
    """Medians of all rounds, by entrant, case and metric."""

    def __init__(self, results: Results) -> None:
        good = [each for each in results["measurements"] if "error" not in each]
        self.entrants: dict[str, str] = {each["entrant"]: each["title"] for each in good}
        self.cases = {each["case"] for each in good}
        self._good = good

    def values(self, entrant: str, case: str, metric: str) -> list[float]:
        """Return the figure of each round."""
        taken = [each for each in self._good if (each["entrant"], each["case"]) == (entrant, case)]
        return [each[metric] for each in taken if each.get(metric) is not None]

    def value(self, entrant: str, case: str, metric: str) -> float | None:
        """Return the median, or None where nothing was measured."""
        values = self.values(entrant, case, metric)
        return statistics.median(values) if values else None


def _body(results: Results, found: Medians) -> str:
    parts = [_describe(results, found), "![Jobs a second, by entrant and limit](drain.svg)"]
    for title, columns in TABLES:
        if rows := _rows(found, [column for column in columns if column[1] in found.cases]):
            parts += [f"### {title}", rows]
    if memory := _memory(found):
        parts += ["### Memory", memory]
    return "\n" + "\n\n".join(parts) + "\n"


def _describe(results: Results, found: Medians) -> str:
    machine = results["machine"]
    versions = results.get("versions", {})
    names = [f"{name} {number}" for each in versions.values() for name, number in each.items()]
    told = ", ".join(dict.fromkeys(names))
    return (
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, PostgreSQL {results['postgresql']}. {told}. Medians of {results['rounds']} rounds, the "
        "range in brackets."
    )


def _rows(found: Medians, columns: list[Column]) -> str:
    lines = []
    for entrant, title in found.entrants.items():
        cells = [_cell(found, entrant, column) for column in columns]
        if any(cell != NOTHING for cell in cells):
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    if not lines:
        return ""
    head = "| | " + " | ".join(heading for heading, *_ in columns) + " |"
    return "\n".join([head, "|---" + "|---:" * len(columns) + "|", *lines])


def _cell(found: Medians, entrant: str, column: Column) -> str:
    _, case, metric, form = column
    value, values = found.value(entrant, case, metric), found.values(entrant, case, metric)
    if value is None:
        return NOTHING
    if form == "ratio":
        plain = found.value(entrant, "drain-1000", metric)
        return f"{value:,.0f}" + (f" ({value / plain:.0%})" if plain else "")
    if form == "rate":
        return f"{value:,.0f}" + (f" ({min(values):,.0f} to {max(values):,.0f})" if len(values) > 1 else "")
    if form == "megabytes":
        return f"{value / 2**20:,.0f}"
    return f"{value:,.{ {'number': 0, 'tenth': 1, 'small': 4}[form] }f}"


def _memory(found: Medians) -> str:
    settled, grown = found.value("bridge", "memory", "settled"), found.value("bridge", "memory", "grown")
    jobs = found.value("bridge", "memory", "jobs")
    if settled is None or grown is None or jobs is None:
        return ""
    return (
        f"Over {jobs:,.0f} jobs in one life, Bridge's resident memory changed by {grown / 2**20:+.1f} MB after the "
        f"first tenth, from {settled / 2**20:.1f} MB."
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(write(json.loads((folder / "results.json").read_text()), folder))
