"""What a comparison finds: changes, whom each breaks, and the rows that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.contracts.evolve.rules import CATEGORIES, Category, Rule, rule_of
from bridge.errors import Violation

Verdict = Literal["fail", "unproven", "note"]


@dataclass(frozen=True)
class Counterexample:
    """A JSON value that one version writes and the other refuses, as both versions' checkers judged.

    Attributes:
        category: ROWS: the old version writes and the new one reads; ROLLING: the new one writes.
        row: The value, as small as it was found.
        violations: What the reader said.
    """

    category: Category
    row: Any
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class Change:
    """One difference between two versions of a contract.

    Attributes:
        rule: The rule's id.
        path: A JSON Pointer into the contract, `$ref` followed; a union's branch goes by its tag.
        verdicts: The categories that it concerns. `fail`: it breaks them; `unproven`: it may, but no row was found
            that shows it, nor could it be shown that there is none. What can't be proven compatible fails too, unless
            a check is lenient.
        message: What happened, in words.
        old: The older version's side of it.
        new: The newer version's.
        counterexamples: A row for each of ROWS and ROLLING that was shown to break.
        contract: The contract's name.
        against: The older version's tag, such as `GenerateBadge@1`.
        ignored: The reason why the change is accepted, where there is one.
    """

    rule: str
    path: str
    verdicts: Mapping[Category, Verdict]
    message: str
    old: Any = None
    new: Any = None
    counterexamples: tuple[Counterexample, ...] = ()
    contract: str = ""
    against: str = ""
    ignored: str | None = field(default=None)

    @property
    def about(self) -> Rule:
        """The rule."""
        return rule_of(self.rule)

    def fails(self, categories: frozenset[Category], *, lenient: bool = False) -> bool:
        """Tell whether the change breaks one of `categories`, or may unless `lenient`, and nobody accepted it."""
        failing = ("fail",) if lenient else ("fail", "unproven")
        return self.ignored is None and any(
            verdict in failing and category in categories for category, verdict in self.verdicts.items()
        )

    def proven(self, category: Category) -> bool:
        """Tell whether a row shows that the category breaks."""
        return any(example.category == category for example in self.counterexamples)

    def evidence(self, category: Category) -> str:
        """Say what the verdict about a category rests on."""
        if self.proven(category):
            return "proven"
        if self.verdicts.get(category) == "unproven":
            return "could not be proven"
        return "by rule" if self.about.policy or category not in ("ROWS", "ROLLING") else "by rule, not proven by a row"

    @property
    def rank(self) -> tuple[int, str, str, str]:
        """The order in reports: what fails first, then by place."""
        worst = min(
            (CATEGORIES.index(category) for category, verdict in self.verdicts.items() if verdict != "note"),
            default=len(CATEGORIES),
        )
        return worst, self.contract, self.path, self.rule
