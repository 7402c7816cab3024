"""Changes that a contract's owners accept, each with its reason: `x-ignore` at the root of a contract file.

"x-ignore": [{"rule": "FIELD_REMOVED_UNRESERVED", "path": "/properties/note", "reason": "never written",
              "until": "2027-03-01"}]
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from bridge.contracts.evolve.change import Change
from bridge.contracts.evolve.rules import PREFIXES, RULES, rule_of
from bridge.contracts.model import Model
from bridge.errors import InvalidContract

KEY = "x-ignore"
_FULL_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KEYS = ("rule", "path", "reason", "until")


@dataclass(frozen=True)
class Ignore:
    """One accepted change; without `path` wherever the rule is met, with `until` up to and including that day."""

    contract: str
    rule: str
    reason: str
    path: str | None = None
    until: date | None = None

    def covers(self, change: Change) -> bool:
        """Tell whether a change is the accepted one, or lies below its place."""
        if (change.contract, change.rule) != (self.contract, self.rule):
            return False
        return self.path is None or change.path == self.path or change.path.startswith(f"{self.path}/")

    def __str__(self) -> str:
        return f"{self.contract}: {self.rule}{f' at {self.path}' if self.path else ''} ({self.reason})"


def read_ignores(models: Iterable[Model]) -> list[Ignore]:
    """Return what the contracts' files accept.

    Raises:
        InvalidContract: An entry without a rule or a reason, with an unknown rule or key, or with no date.
    """
    found = []
    for model in models:
        document = json.loads(model.path.read_bytes())
        entries = document.get(KEY, [])
        field = f"{model.path.name}#/{KEY}"
        if not isinstance(entries, list):
            raise InvalidContract(field, entries, "a list of objects with rule and reason")
        found += [_ignore(entry, model.name, f"{field}/{index}") for index, entry in enumerate(entries)]
    return found


def apply_ignores(
    changes: Sequence[Change], ignores: Sequence[Ignore], today: date | None = None
) -> tuple[list[Change], list[Ignore], list[Ignore]]:
    """Return the changes, those accepted marked with the reason; the ignores that have expired; those without use."""
    day = today or datetime.now(UTC).date()
    expired = [ignore for ignore in ignores if ignore.until is not None and ignore.until < day]
    valid = [ignore for ignore in ignores if ignore not in expired]
    used: list[Ignore] = []
    marked = []
    for change in changes:
        ignore = next((ignore for ignore in valid if ignore.covers(change)), None)
        if ignore is not None:
            used.append(ignore)
        marked.append(change if ignore is None else replace(change, ignored=ignore.reason))
    return marked, expired, [ignore for ignore in valid if ignore not in used]


def _ignore(entry: Any, contract: str, field: str) -> Ignore:
    if not isinstance(entry, dict):
        raise InvalidContract(field, entry, "an object with rule and reason")
    if extra := sorted(entry.keys() - set(_KEYS)):
        raise InvalidContract(f"{field}/{extra[0]}", extra[0], f"one of {', '.join(_KEYS)}", "remove it")
    for key in ("rule", "reason"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise InvalidContract(f"{field}/{key}", entry.get(key), "text", f"say the {key}")
    if "path" in entry and (not isinstance(entry["path"], str) or not entry["path"].startswith("/")):
        raise InvalidContract(f"{field}/path", entry["path"], "a JSON Pointer, as a check shows it")
    _check_rule(entry["rule"], f"{field}/rule")
    return Ignore(
        contract, entry["rule"], entry["reason"], entry.get("path"), _date(entry.get("until"), f"{field}/until")
    )


def _check_rule(name: str, field: str) -> None:
    try:
        rule_of(name)
    except KeyError:
        known = [*RULES, *(prefix + rule for prefix in PREFIXES for rule in RULES)]
        close = difflib.get_close_matches(name, known, n=1)
        mend = f"did you mean {close[0]}?" if close else "`bridge contracts check` shows the rule of each change"
        raise InvalidContract(field, name, "a rule's name", mend) from None


def _date(value: Any, field: str) -> date | None:
    """Return the date of RFC 3339's full-date; Python alone takes weeks and dates without dashes, too."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and _FULL_DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:  # no such day
        pass
    raise InvalidContract(field, value, "a date such as 2027-03-01")
