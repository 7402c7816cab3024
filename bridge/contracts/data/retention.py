"""Which versions of contracts the rows of a database still need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bridge.contracts.model import Model

RULE: Final = "CONTRACT_REMOVED_LIVE"
"""A contract, or a version of it, is gone while rows that it wrote wait to run."""

_FINAL: Final = ("completed", "cancelled", "discarded")


@dataclass(frozen=True)
class Need:
    """The rows of one version of one worker's contract.

    Attributes:
        worker: The worker's name in the rows.
        contract: The tag in their meta, such as `GenerateBadge@1`; None where they have none.
        live: How many rows are yet to run, by state.
        kept: How many have ended and are still there; a retry brings them back.
        until: When the last live row is due, an aware time, which may be over; None without live rows.
    """

    worker: str
    contract: str | None
    live: Mapping[str, int]
    kept: int
    until: datetime | None

    def __str__(self) -> str:
        name = self.contract or f"{self.worker} (rows without a contract)"
        if not self.live:
            return f"{name}: no live rows, {self.kept:,} ended ones kept"
        counts = ", ".join(f"{count:,} {state}" for state, count in self.live.items())
        return f"{name}: rows are yet to run: {counts}"  # however long ago they were due

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object; times are ISO 8601."""
        until = self.until.isoformat() if self.until else None
        return {**vars(self), "live": dict(self.live), "until": until}


@dataclass(frozen=True)
class Refusal:
    """Why a version may not go yet."""

    need: Need
    rule: str = RULE

    def __str__(self) -> str:
        return f"{self.rule}: {self.need}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"rule": self.rule, **self.need.as_json()}


def needs(groups: Iterable[tuple[str, str | None, str, int, datetime | None]]) -> list[Need]:
    """Return what each version of each worker's contract is still needed for.

    Args:
        groups: (worker, contract tag, state, rows, latest scheduled time) of each group of rows.
    """
    found: dict[tuple[str, str | None], list[tuple[str, int, datetime | None]]] = {}
    for worker, contract, state, count, until in groups:
        found.setdefault((worker, contract), []).append((state, count, until))
    return [
        _need(*key, states) for key, states in sorted(found.items(), key=lambda pair: (pair[0][0], pair[0][1] or ""))
    ]


def refusals(
    found: Iterable[Need],
    models: Iterable[Model],
    dropping: Iterable[str] = (),
    released: Mapping[str, str] | None = None,
) -> Iterator[Refusal]:
    """Yield each need of live rows that nothing answers once `dropping` is gone.

    Args:
        found: What rows need.
        models: The contracts that there are.
        dropping: What is to go: tags such as `GenerateBadge@1`, or a name for all of its versions. Rows without a tag
            need their worker's contract as it is.
        released: The workers of released contracts by tag, as the lock has them: other teams' rows are none of our
            business. None asks for a contract wherever a row says that it was written by one.
    """
    dropped = set(dropping)
    tags = {name: model.tag for model in models if model.job for name in (model.job.worker, *model.job.aliases)}
    ours = None if released is None else {*released.values()}
    for need in found:
        tag = need.contract or tags.get(need.worker, "")
        is_dropped = not dropped.isdisjoint((tag, tag.partition("@")[0]))
        is_removed = need.worker not in tags and bool(need.contract if ours is None else need.worker in ours)
        if need.live and (is_dropped or is_removed):
            yield Refusal(need)


def _need(worker: str, contract: str | None, states: Iterable[tuple[str, int, datetime | None]]) -> Need:
    live, kept, times = dict[str, int](), 0, list[datetime]()
    for state, count, until in states:
        if state in _FINAL:
            kept += count
            continue
        live[state] = live.get(state, 0) + count
        times += [until] if until else []
    order = sorted(live, key=lambda state: (-live[state], state))
    until = max(times, default=None)
    return Need(worker, contract, {state: live[state] for state in order}, kept, until and until.replace(tzinfo=UTC))
