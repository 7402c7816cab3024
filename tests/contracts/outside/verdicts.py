"""What the checks of both languages say of every instance, beside what the witnesses say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bridge.contracts.runtime.check import compile_checks
from contracts.elixir.beam import Elixir, is_missing
from contracts.outside.catalog import Catalog, Entry
from contracts.outside.witnesses import Witnesses

JUDGES = ("python", "elixir")
NARROWER = {"src/test/chart-lock/chart.lock.json": "a date-time of nine fraction digits, which datetimes can't hold"}
"""Documents that the wire profile refuses on purpose, where formats are asserted."""

_BATCH = 40


@dataclass
class Tally:
    """The verdicts of one run.

    Attributes:
        formats: Whether formats were asserted.
        asked: How many instances were judged.
        schemas: By how many schemas.
        silent: How often a witness could not judge, by its name.
        differences: Each disagreement: the witness, our judge and the instance.
    """

    formats: bool
    asked: int = 0
    schemas: int = 0
    silent: Counter[str] = field(default_factory=Counter)
    differences: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, path: str, ours: dict[str, bool], theirs: dict[str, bool | None], is_valid: bool) -> None:
        """Count one instance's verdicts; the store itself, whose folder tells, is a witness too."""
        self.asked += 1
        for witness, verdict in {**theirs, "SchemaStore": is_valid}.items():
            self.silent[witness] += verdict is None
            for judge, own in ours.items():
                if verdict is not None and own != verdict:
                    said = "valid" if own else "invalid"
                    self.differences.append((witness, judge, f"{judge} says {said}, {witness} doesn't: {path}"))

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each witness: how often each of our judges differs, and how often it could not judge."""
        found = Counter((witness, judge) for witness, judge, _ in self.differences)
        for witness in (*Witnesses.names, "SchemaStore"):
            yield witness, *(found[witness, judge] for judge in JUDGES), self.silent[witness]

    def lines(self, *, ours_only: bool) -> list[str]:
        """Return the disagreements; or only those with both witnesses, which are ours."""
        found = [row for row in self.differences if row[0] in Witnesses.names or not ours_only]
        if not ours_only:
            return [line for _, _, line in found]
        alone = Counter((judge, line.rpartition(": ")[2]) for _, judge, line in found)
        for judge in JUDGES if self.formats else ():
            for path in NARROWER:
                del alone[judge, path]
        return [f"{judge} differs from all: {path}" for (judge, path), count in alone.items() if count > 1]


def judge(catalog: Catalog) -> dict[bool, Tally]:
    """Judge all instances of accepted schemas, with formats asserted and without."""
    found = {formats: Tally(formats) for formats in (False, True)}
    if is_missing():
        for formats, tally in found.items():
            _judge(catalog, formats, tally, None)
        return found
    with Elixir() as running:
        for formats, tally in found.items():
            _judge(catalog, formats, tally, running)
    return found


def _judge(catalog: Catalog, formats: bool, tally: Tally, running: Elixir | None) -> None:
    entries = [entry for entry in catalog.entries.values() if formats in entry.schemas and entry.instances]
    tally.schemas = len(entries)
    for at in range(0, len(entries), _BATCH):
        batch = entries[at : at + _BATCH]
        groups = [(entry.schemas[formats], [instance.value for instance in entry.instances]) for entry in batch]
        answers: list[list[Any]] = [[None] * len(values) for _, values in groups]
        if running:
            answers = [list(answer) for answer in running.verdicts(groups)]
        for entry, answer in zip(batch, answers, strict=True):
            _judge_entry(catalog, entry, formats, tally, answer)


def _judge_entry(catalog: Catalog, entry: Entry, formats: bool, tally: Tally, answer: list[Any]) -> None:
    check = compile_checks(entry.schemas[formats])
    witnesses = _verdicts(catalog, entry, formats)
    for instance, theirs, pairs in zip(entry.instances, witnesses, answer, strict=True):
        ours = {"python": not check(instance.value)} | ({} if pairs is None else {"elixir": not pairs})
        tally.add(instance.path, ours, theirs, instance.is_valid)


def _verdicts(catalog: Catalog, entry: Entry, formats: bool) -> Iterator[dict[str, bool | None]]:
    documents = catalog.cited(entry)
    judges: dict[str, Any] = {}
    for name in Witnesses.names:
        try:
            witnesses = Witnesses(documents, entry.draft)
            judges[name] = witnesses.of(name, entry.original, formats=formats, draft=entry.draft)
        except Exception:  # a schema that the witness doesn't take: it can't judge
            judges[name] = None
    for instance in entry.instances:
        yield {name: _verdict(found, instance.value) for name, found in judges.items()}


def _verdict(judge: Any, value: Any) -> bool | None:
    try:
        return None if judge is None else bool(judge(value))
    except Exception:  # a pattern or a reference that the witness doesn't take
        return None
