"""The report: tables and a chart out of raw measurements.

`python bench/compare/report.py docs/benchmarks` writes them anew from `results.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import tables
import targets
from chart import draw
from figures import Figures, Results
from notation import mebibytes, whole

BEGIN: Final = "<!-- results -->"
END: Final = "<!-- end of results -->"
_SETTLING: Final = 100_000  # jobs after which growth counts
_LONGEST: Final = 160  # characters of an error


def write(results: Results, out: Path) -> str:
    """Write the page's results, the chart and the raw measurements; return what was written where."""
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    found = Figures(results)
    (out / "drain.svg").write_text(_chart(found))
    page = out / "index.md"
    text = page.read_text() if page.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{_body(results, found)}\n{END}{rest.partition(END)[2]}")
    return f"{page}, {out / 'drain.svg'}, {out / 'results.json'}"


def _chart(found: Figures) -> str:
    drains = [(limit, f"drain-{limit}") for limit in (10, 50, 200, 1000)]
    groups = {
        f"limit {limit:,}": [(title, found.value(key, case, "rate")) for key, title in found.entrants.items()]
        for limit, case in drains
        if case in found.cases
    }
    return draw("Jobs a second, medians; each limit by its own scale", groups)


def _body(results: Results, found: Figures) -> str:
    parts = ["## Results", _describe(results, found), "![Jobs a second, medians by entrant and limit](drain.svg)"]
    parts += tables.render(found, results.get("sizes", {}))
    if memory := _memory(found):
        parts += ["### Memory", memory]
    parts += _lacks(results, found)
    parts += ["### Targets", *_targets(results, found)]
    return "\n" + "\n\n".join(parts) + "\n"


def _describe(results: Results, found: Figures) -> str:
    machine = results["machine"]
    versions = results.get("versions", {})
    names = [f"{name} {number}" for each in versions.values() for name, number in each.items()]
    told = ", ".join(dict.fromkeys(names))
    return (
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, PostgreSQL {results['postgresql']}. {told}. {_rounds(found.rounds)} MiB are 2^20 "
        "bytes."
    )


def _rounds(number: int) -> str:
    if number == 1:
        return "One round."
    return f"Medians of {number} rounds, with the least and the most in brackets; what has no brackets has one round."


def _memory(found: Figures) -> str:
    settled, grown = found.value("bridge", "memory", "settled"), found.value("bridge", "memory", "grown")
    jobs = found.value("bridge", "memory", "jobs")
    if settled is None or grown is None or jobs is None:
        return ""
    rate = found.value("bridge", "memory", "rate")
    pace = f", at {whole(rate)} jobs a second with the client that inserts them beside it" if rate else ""
    return (
        f"Over {jobs:,.0f} jobs in one life{pace}, Bridge's resident memory grew by {mebibytes(grown)} MiB after the "
        f"first {min(_SETTLING, jobs):,.0f}, from {mebibytes(settled)} MiB."
    )


def _lacks(results: Results, found: Figures) -> list[str]:
    """Return what the tables don't show: who stayed out, what failed, and rounds that never came."""
    told = []
    if absent := results.get("absent"):
        told.append(f"Not at hand, and so left out: {'; '.join(absent)}.")
    if found.failed:
        lines = [f"- {each['title']}, {each['case']}, round {each['round']}: {_line(each)}" for each in found.failed]
        told += ["Measurements that failed, and that no figure above contains:", "\n".join(lines)]
    if found.rounds < results["rounds"]:
        told.append(f"The run ended early: it was to have {results['rounds']} rounds, and {found.rounds} began.")
    return told


def _line(failure: Results) -> str:
    first = str(failure["error"]).strip().partition("\n")[0].replace("`", "'")[:_LONGEST]
    return f"`{first}`"


def _targets(results: Results, found: Figures) -> list[str]:
    if results.get("quick"):
        return ["The project's goals are for a run at full size, which a quick one isn't."]
    intro = "The project's goals. A ratio is taken within each round, and the median of the ratios counts."
    reduced = [f"{name} {results['sizes'][name]:,} of {full:,}" for name, full in results.get("reduced", {}).items()]
    smaller = [f"Sizes of this run are smaller than those of the goals: {', '.join(reduced)}."] if reduced else []
    return [intro, *smaller, targets.render(found)]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(write(json.loads((folder / "results.json").read_text()), folder))
