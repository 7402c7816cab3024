"""What rows say about their contracts: how many keep them, how others break them, and what is never used.

Values are never part of a report, only places, rules and counts: args hold what people entrusted to the system.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bridge.codecs import json
from bridge.contracts.data.usage import Usage
from bridge.contracts.model import Model
from bridge.contracts.runtime.check import compile_checks
from bridge.errors import DecodeError, Violation

_UNREADABLE: Final = Violation("", "unreadable", "expected JSON that can be read")
#: Rules of values that the checker didn't follow to their ends.
_NOT_FOLLOWED: Final = ("depth", _UNREADABLE.rule)
_SHOWN: Final = 20


@dataclass(frozen=True)
class Breach:
    """Rows that break one rule at one place; `job` is the id of the newest of them."""

    place: str
    rule: str
    rows: int
    job: int


@dataclass(frozen=True)
class VersionReport:
    """The rows of one worker that one version of its contract wrote.

    Attributes:
        worker: The name in the rows.
        model: The contract that they were checked against, by its tag.
        contract: The tag in their meta; None where they have none.
        rows: How many were read.
        valid: How many keep the contract as it is now, read by today's readers.
        breaches: How the others break it, the most frequent first.
        unknown_fields: Places of fields that the contract doesn't declare, and the rows that have them.
        former_names: Places that rows have by a name of before, `x-was`, and how many: it must stay readable.
        unused_fields: Optional fields that no row has.
        unseen_values: Values of enums that no row has, by place.
        unseen_branches: Branches of unions that no row has, by place.
    """

    worker: str
    model: str
    contract: str | None
    rows: int
    valid: int
    breaches: list[Breach] = field(default_factory=list)
    unknown_fields: dict[str, int] = field(default_factory=dict)
    former_names: dict[str, int] = field(default_factory=dict)
    unused_fields: list[str] = field(default_factory=list)
    unseen_values: dict[str, list[str]] = field(default_factory=dict)
    unseen_branches: dict[str, list[str]] = field(default_factory=dict)

    @property
    def invalid(self) -> int:
        """How many rows break the contract."""
        return self.rows - self.valid


class Drift:
    """Compares rows with contracts, one after the other."""

    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {name: model for model in models if model.job for name in (model.job.worker, *model.job.aliases)}
        self._checks: dict[str, Callable[[Any], Sequence[Violation]]] = {}
        self._found: dict[tuple[str, str | None], _Version] = {}
        self.uncontracted: Counter[str] = Counter()
        """Rows of workers without a contract, by worker."""

    @property
    def workers(self) -> list[str]:
        """Every worker, by all of its names, that has a contract."""
        return list(self._models)

    def observe(self, job_id: int, worker: str, contract: str | None, args: str | None) -> None:
        """Take one row into account: `args` as JSON text, `contract` as its meta says."""
        model = self._models.get(worker)
        if model is None:
            self.uncontracted[worker] += 1
            return
        key = (worker, contract)
        if key not in self._found:
            self._found[key] = _Version(model, self._check_of(model))
        self._found[key].observe(job_id, args)

    def reports(self) -> list[VersionReport]:
        """Return what was found, by worker and version; rows without a version come first."""
        keys = sorted(self._found, key=lambda key: (key[0], key[1] or ""))
        return [self._found[key].report(*key) for key in keys]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
        reports = [{**asdict(report), "invalid": report.invalid} for report in self.reports()]
        return {"contracts": reports, "uncontracted": dict(self.uncontracted.most_common())}

    def lines(self) -> Iterator[str]:
        """Yield all of it as text."""
        for report in self.reports():
            yield from _lines(report)
        if self.uncontracted:
            yield "workers without a contract"
            yield from (f"  {worker}  {_rows(count)}" for worker, count in self.uncontracted.most_common())

    def _check_of(self, model: Model) -> Callable[[Any], Sequence[Violation]]:
        if model.name not in self._checks:
            self._checks[model.name] = compile_checks(model.schema, mode="read")
        return self._checks[model.name]


class _Version:
    def __init__(self, model: Model, check: Callable[[Any], Sequence[Violation]]) -> None:
        self._model = model
        self._check = check
        self._usage = Usage(model.schema)
        self._rows = 0
        self._valid = 0
        self._breaches: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], int] = {}

    def observe(self, job_id: int, args: str | None) -> None:
        self._rows += 1
        value, violations = self._checked(args)
        self._valid += not violations
        for breach in {(self._usage.place_of(violation.path), violation.rule) for violation in violations}:
            self._breaches[breach] += 1
            self._examples.setdefault(breach, job_id)
        if isinstance(value, dict) and not any(violation.rule in _NOT_FOLLOWED for violation in violations):
            self._usage.observe(value)

    def _checked(self, args: str | None) -> tuple[Any, Sequence[Violation]]:
        try:
            value = None if args is None else json.decode(args)
            return value, self._check(value)
        except (DecodeError, RecursionError, TypeError, ValueError):
            # A number beyond floats, or nesting beyond the stack: no runtime takes such a row, and the report goes on.
            return None, [_UNREADABLE]

    def report(self, worker: str, contract: str | None) -> VersionReport:
        usage = self._usage
        return VersionReport(
            worker=worker,
            model=self._model.tag,
            contract=contract,
            rows=self._rows,
            valid=self._valid,
            breaches=[Breach(key[0], key[1], rows, self._examples[key]) for key, rows in _by_count(self._breaches)],
            unknown_fields=dict(_by_count(usage.unknown)),
            former_names=dict(_by_count(usage.former)),
            unused_fields=usage.unused_fields,
            unseen_values=usage.unseen_values,
            unseen_branches=usage.unseen_branches,
        )


def _by_count(counter: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))


def _lines(report: VersionReport) -> Iterator[str]:
    wrote = f"written as {report.contract}" if report.contract else "written without a contract"
    yield f"{report.worker}, {wrote}, read as {report.model}"
    yield f"  {_rows(report.rows)}, {_share(report)} valid"
    yield from _section(
        "violations",
        [
            f"{breach.place or '(root)'}  {breach.rule}  {_rows(breach.rows)}, such as job {breach.job}"
            for breach in report.breaches
        ],
    )
    yield from _section(
        "fields that the contract doesn't know",
        [f"{place}  {_rows(rows)}" for place, rows in report.unknown_fields.items()],
    )
    yield from _section(
        "former names that rows still have", [f"{place}  {_rows(rows)}" for place, rows in report.former_names.items()]
    )
    yield from _section("optional fields that no row has", report.unused_fields)
    for title, unseen in (
        ("enum values that no row has", report.unseen_values),
        ("branches that no row has", report.unseen_branches),
    ):
        yield from _section(title, [f"{place}  {', '.join(values)}" for place, values in unseen.items()])


def _section(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"  {title}"
        yield from (f"    {item}" for item in items[:_SHOWN])
        if len(items) > _SHOWN:
            yield f"    and {len(items) - _SHOWN} more"


def _share(report: VersionReport) -> str:
    if report.valid == report.rows:
        return "all"
    # Rounded down: nothing short of all is 100 %.
    return f"{report.valid * 10_000 // report.rows / 100:.2f} %"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
