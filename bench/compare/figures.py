"""What was measured, by entrant, case, metric and round."""

from __future__ import annotations

import statistics
from typing import Any

Results = dict[str, Any]


class Figures:
    """The figures of all rounds; failed measurements have none.

    Attributes:
        entrants: The titles of those who have figures, by key, in the order of their first turn.
        cases: The cases that have figures.
        failed: The measurements that failed, as they were recorded.
        rounds: How many rounds have begun.
    """

    def __init__(self, results: Results) -> None:
        taken: list[dict[str, Any]] = results["measurements"]
        self._taken = taken
        self._good = [each for each in taken if "error" not in each]
        self.entrants: dict[str, str] = {each["entrant"]: each["title"] for each in self._good}
        self.cases = {each["case"] for each in self._good}
        self.failed = [each for each in taken if "error" in each]
        self.rounds = max((each["round"] for each in taken), default=0)
        self._once = frozenset(results.get("once", ("idle", "memory")))

    def by_round(self, entrant: str, case: str, metric: str) -> dict[int, float]:
        """Return the figure of each round that has one."""
        taken = [each for each in self._good if (each["entrant"], each["case"]) == (entrant, case)]
        return {each["round"]: each[metric] for each in taken if each.get(metric) is not None}

    def values(self, entrant: str, case: str, metric: str) -> list[float]:
        """Return the figures of all rounds."""
        return list(self.by_round(entrant, case, metric).values())

    def value(self, entrant: str, case: str, metric: str) -> float | None:
        """Return the median, or None where nothing was measured."""
        values = self.values(entrant, case, metric)
        return statistics.median(values) if values else None

    def turns(self, case: str) -> int:
        """Return of how many rounds the case should have figures by now."""
        return min(1, self.rounds) if case in self._once else self.rounds

    def took(self, entrant: str, case: str) -> bool:
        """Return whether the entrant had a turn at the case, be it that it failed."""
        return any((each["entrant"], each["case"]) == (entrant, case) for each in self._taken)


def ratios(above: dict[int, float], below: dict[int, float]) -> list[float]:
    """Return the ratio within each round that has both, because rates drift from round to round."""
    return [above[number] / below[number] for number in sorted(above.keys() & below.keys()) if below[number]]
