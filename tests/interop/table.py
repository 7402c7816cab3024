"""The conformance table: what was proven beside which version of Oban, as data and as a page."""

import json
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

#: The areas in the table's order; others come after them.
AREAS = ("jobs", "outcomes", "control", "payloads", "pkill", "recorded", "cluster", "schema", "harm", "oban-py")

#: What each version was run beside, by its key and its title.
FACTS = {
    "date": "run on",
    "oban": "Oban",
    "elixir": "Elixir",
    "otp": "OTP",
    "postgresql": "PostgreSQL",
    "python": "Python",
    "oban-py": "Oban for Python",
    "runner": "runner",
}

_INTRO = """# What was exchanged, and with which Oban

<!-- Written by `make interop-test WRITE=1` from interop-results.json. Do not edit. -->

Each line is a fact of `tests/interop`, proven beside a real node of that Oban by as many tests as the number says:
✓ all passed, ✗ some failed, — none ran, for the reason below. [Interop tests](interop.md) tells how to run them.
"""


def shortened(text, most=300):
    """The text, cut where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def facts_of(versions, *, postgresql, oban_py, runner):
    """What a run was beside: `versions` are those of the node."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "oban": versions["oban"],
        "elixir": versions["elixir"],
        "otp": versions["otp"],
        "postgresql": postgresql,
        "python": platform.python_version(),
        "oban-py": oban_py,
        "runner": runner,
    }


def minor(version):
    """The release of a version: 2.23 of 2.23.1."""
    return ".".join(re.match(r"(\d+)\.(\d+)", version).groups())


def merge(results, facts, items, *, whole):
    """Return the results with a run's; items that it did not run stay, unless it was `whole`."""
    release = minor(facts["oban"])
    before = {} if whole else results.get(release, {}).get("items", {})
    items = {**before, **items}
    found = {**results, release: {**facts, "items": {item: items[item] for item in sorted(items)}}}
    return {
        release: found[release] for release in sorted(found, key=lambda each: [int(part) for part in each.split(".")])
    }


def write(facts, items, *, whole, folder=DOCS):
    """Merge a run into `interop-results.json`, and write `interop-results.md` of it."""
    file = folder / "interop-results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    results = merge(results, facts, items, whole=whole)
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (folder / "interop-results.md").write_text(render(results))


def render(results):
    """Return the page."""
    reasons = Reasons()
    items = {item for result in results.values() for item in result["items"]}
    areas = sorted(
        {area_of(item) for item in items}, key=lambda area: (AREAS.index(area) if area in AREAS else 99, area)
    )
    parts = [_INTRO, _summary(results)]
    for area in areas:
        rows = [
            [
                item.partition(": ")[2] or item,
                *(cell(result["items"].get(item), reasons) for result in results.values()),
            ]
            for item in sorted(items)
            if area_of(item) == area
        ]
        parts.append(f"## {area}\n\n{table(['', *results], rows)}")
    return "\n".join([*parts, *reasons.lines()])


def _summary(results):
    rows = [[title, *(result.get(key) or "—" for result in results.values())] for key, title in FACTS.items()]
    for outcome in ("passed", "failed", "skipped"):
        counts = [sum(item[outcome] for item in result["items"].values()) for result in results.values()]
        rows.append([outcome, *(f"{count:,}" for count in counts)])
    return table(["", *(f"Oban {release}" for release in results)], rows)


def area_of(item):
    return item.partition(":")[0]


class Reasons:
    """Why tests were skipped, numbered as they come."""

    def __init__(self):
        self._numbers = {}

    def numbers(self, reasons):
        return ", ".join(str(self._numbers.setdefault(reason, len(self._numbers) + 1)) for reason in reasons)

    def lines(self):
        listed = [f"{number}. {shortened(reason, 500)}" for reason, number in self._numbers.items()]
        return ["## Why some did not run\n", *listed, ""] if listed else []


def cell(counts, reasons):
    """An item with one version: `✓ 3`, `✗ 1 of 3`, `— (1)` with the number of the reason, or nothing."""
    if counts is None:
        return ""
    ran = counts["passed"] + counts["failed"]
    if counts["failed"]:
        return f"✗ {counts['failed']} of {ran}"
    return f"✓ {ran}" if ran else f"— ({reasons.numbers(counts['reasons'])})"


def table(head, rows):
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(value).replace("|", "\\|") for value in line) + " |\n" for line in lines)
