"""What a check tells: for people, for scripts, and as annotations of a GitHub workflow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.contracts.evolve.change import Change
from bridge.contracts.evolve.ignores import Ignore
from bridge.contracts.evolve.lines import locate
from bridge.contracts.evolve.rules import CATEGORIES, FAILING, Category
from bridge.errors import printable

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Report:
    """A finished comparison.

    Attributes:
        changes: Every change, what breaks first.
        categories: Those that fail.
        expired: Ignores whose day has passed; each fails.
        unused: Ignores that nothing needed.
        files: The file of each contract, by its name, for annotations.
        lenient: Whether a change that could not be proven compatible, nor shown to break anything, is let pass.
    """

    changes: Sequence[Change]
    categories: frozenset[Category] = FAILING
    expired: Sequence[Ignore] = ()
    unused: Sequence[Ignore] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    lenient: bool = False

    @property
    def failed(self) -> bool:
        """Whether something breaks that nobody accepted."""
        return bool(self.expired) or any(map(self.fails, self.changes))

    def fails(self, change: Change) -> bool:
        """Tell whether a change fails the check."""
        return change.fails(self.categories, lenient=self.lenient)

    def level(self, change: Change) -> Level:
        """Return how loudly a change is told."""
        if self.fails(change):
            return "error"
        quiet = change.ignored is not None or set(change.verdicts) <= {"NOTE"}
        return "notice" if quiet else "warning"


def as_text(report: Report) -> str:
    """Return the report for people."""
    lines = [line for change in report.changes for line in _paragraph(report, change)]
    lines += [f"error: an ignore has expired on {ignore.until}: {ignore}" for ignore in report.expired]
    lines += [f"notice: an ignore is of no use any more: {ignore}" for ignore in report.unused]
    return "\n".join([*lines, _summary(report)])


def as_json(report: Report) -> str:
    """Return the report for scripts: one JSON object."""
    document = {
        "failed": report.failed,
        "lenient": report.lenient,
        "categories": [category for category in CATEGORIES if category in report.categories],
        "changes": [_change(report, change) for change in report.changes],
        "expired": [str(ignore) for ignore in report.expired],
        "unused": [str(ignore) for ignore in report.unused],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, default=str)


def as_github(report: Report) -> str:
    """Return the report as workflow commands, which GitHub shows beside the lines."""
    lines = []
    for change in report.changes:
        file, line = _place(report, change)
        text = "\n".join([_headline(change), *_details(change)])
        where = f"file={_property(file)},line={line}," if file else ""
        lines.append(f"::{report.level(change)} {where}title={_property(change.rule)}::{_message(text)}")
    lines += [
        f"::error title=EXPIRED::{_message(f'an ignore has expired on {ignore.until}: {ignore}')}"
        for ignore in report.expired
    ]
    lines += [
        f"::notice title=UNUSED::{_message(f'an ignore is of no use any more: {ignore}')}" for ignore in report.unused
    ]
    return "\n".join([*lines, _summary(report)])


def _paragraph(report: Report, change: Change) -> list[str]:
    return [f"{report.level(change)}: {_headline(change)}", *(f"    {line}" for line in _details(change))]


def _headline(change: Change) -> str:
    against = f" against {change.against}" if change.against else ""
    return printable(f"{change.rule} {change.contract}{change.path}{against}: {change.message}")


def _details(change: Change) -> list[str]:
    lines = []
    for category, verdict in change.verdicts.items():
        if category != "NOTE":
            lines.append(f"{category}: {'breaks' if verdict == 'fail' else 'may break'}, {change.evidence(category)}")
    for example in change.counterexamples:
        writer, reader = ("old", "new") if example.category == "ROWS" else ("new", "old")
        row = json.dumps(example.row, ensure_ascii=False, sort_keys=True)
        said = example.violations[0]
        lines.append(printable(f"row: {row} is written by {writer} code; {reader} code says {said}"))
    if change.ignored is not None:
        lines.append(f"accepted: {change.ignored}")
    elif mend := _mend(change):
        lines.append(f"mend: {mend}")
    return lines


def _mend(change: Change) -> str:
    """Return what to do: where nothing shows that the change breaks something, that is said as well."""
    if "unproven" not in change.verdicts.values() or "fail" in change.verdicts.values():
        return change.about.mend
    accept = "where you know that all rows pass, accept it by x-ignore with the reason, or check with --lenient"
    return f"{change.about.mend}; {accept}" if change.about.mend else accept


def _summary(report: Report) -> str:
    broken = sum(map(report.fails, report.changes)) + len(report.expired)
    accepted = sum(change.ignored is not None for change in report.changes)
    told = f"{len(report.changes)} {'change' if len(report.changes) == 1 else 'changes'}, {broken} failing"
    return f"{told}, {accepted} accepted" if accepted else told


def _change(report: Report, change: Change) -> dict[str, Any]:
    file, line = _place(report, change)
    return {
        "rule": change.rule,
        "level": report.level(change),
        "contract": change.contract,
        "against": change.against,
        "path": change.path,
        "file": file,
        "line": line,
        "message": change.message,
        "verdicts": dict(change.verdicts),
        "evidence": {category: change.evidence(category) for category in change.verdicts},
        "old": change.old,
        "new": change.new,
        "counterexamples": [
            {
                "category": example.category,
                "row": example.row,
                "violations": [violation._asdict() for violation in example.violations],
            }
            for example in change.counterexamples
        ],
        "ignored": change.ignored,
        "mend": _mend(change),
    }


def _place(report: Report, change: Change) -> tuple[str | None, int]:
    path = report.files.get(change.contract)
    if path is None or not path.is_file():
        return None, 1
    found, line = locate(path, change.path)
    return found.as_posix(), line


def _message(text: str) -> str:
    """Escape the text of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property of a workflow command."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def parse_categories(names: Iterable[str]) -> frozenset[Category]:
    """Return the categories of some names; those that fail by default where there are none.

    Raises:
        ValueError: A name that is none of the categories.
    """
    wanted = {part.strip().upper() for name in names for part in name.split(",") if part.strip()}
    if unknown := sorted(wanted - set(CATEGORIES)):
        raise ValueError(f"expected categories out of {', '.join(CATEGORIES)}, got {unknown[0]}")
    return frozenset(category for category in CATEGORIES if category in wanted) or FAILING
