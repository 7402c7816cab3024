"""New jobs that are the same as others of the same call, as if each were inserted by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bridge.engine.candidates import Candidate, Rule, Sought, group_of, identity_of, rule_of
from bridge.engine.clock import utc_now
from bridge.engine.documents import Document

if TYPE_CHECKING:
    from bridge.engine.inserts import Row

Documents = tuple[Document, Document]


class Settled(NamedTuple):
    """What is to become of new jobs, by their places.

    Attributes:
        kept: Those that are inserted, in order.
        twins: Those that are the same as an earlier one that is inserted, which they name.
    """

    kept: list[int]
    twins: dict[int, int]


def settle(rows: Sequence[Row], candidates: Mapping[int, Candidate], stored: Collection[int]) -> Settled:
    """Go through new jobs in their order; `stored` are the places of those that the database has already."""
    inserted = {rule_of(candidate.unique): _Inserted(rule_of(candidate.unique)) for candidate in candidates.values()}
    found = Settled([], {})
    for nth, row in enumerate(rows):
        candidate = candidates.get(nth)
        if candidate is not None:
            if nth in stored:
                continue
            twin = inserted[candidate.rule].find(candidate, rows)
            if twin is not None:
                found.twins[nth] = twin
                continue
        found.kept.append(nth)
        documents = Document(row[3]), Document(row[4])
        for index in inserted.values():
            index.add(nth, row, documents)
    return found


class _Inserted:
    """The jobs of a call that are inserted so far, in the order of what a rule compares."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._places: dict[tuple[bytes, str], list[int]] = {}
        self._documents: dict[int, Documents] = {}

    def add(self, nth: int, row: Row, documents: Documents) -> None:
        """Take a job."""
        self._documents[nth] = documents
        for key in self._keys_of(row, documents):
            self._places.setdefault(key, []).append(nth)

    def find(self, candidate: Candidate, rows: Sequence[Row]) -> int | None:
        """Return the first one that a new job is the same as."""
        for nth in self._near(candidate):
            args, meta = self._documents[nth]
            if (
                rows[nth][0] in candidate.unique.state_names
                and (candidate.args is None or candidate.args.matches(args))
                and (candidate.meta is None or candidate.meta.matches(meta))
                and _is_recent(rows[nth], candidate)
            ):
                return nth
        return None

    def _near(self, candidate: Candidate) -> list[int]:
        """Return the fewest among which it can be."""
        if not self._rule.keys:
            return self._places.get((candidate.identity, ""), [])
        keys = [
            token
            for name, sought in (("args", candidate.args), ("meta", candidate.meta))
            for token in (_tokens_of(name, sought.document, sought.mode == "empty") if sought else ())
        ]
        return min((self._places.get((candidate.group, token), []) for token in keys), key=len, default=[])

    def _keys_of(self, row: Row, documents: Documents) -> list[tuple[bytes, str]]:
        group = group_of(self._rule, row)
        compared = [(name, document) for name, document in zip(("args", "meta"), documents, strict=True)]
        compared = [(name, document) for name, document in compared if name in self._rule.fields]
        if not self._rule.keys:
            sought = {name: Sought(document, "equal", ()) for name, document in compared}
            return [(identity_of(group, sought.get("args"), sought.get("meta")), "")]
        tokens = [_tokens_of(name, document.pick(self._rule.keys), document.is_empty) for name, document in compared]
        return [(group, token) for found in tokens for token in found]


def _tokens_of(name: str, document: Document, empty: bool) -> list[str]:
    return [f"{name} empty"] if empty else [f"{name}{token}" for token in document.tokens]


def _is_recent(row: Row, candidate: Candidate) -> bool:
    # What the transaction has just inserted lies in every period that counts from its insert.
    if candidate.unique.timestamp == "inserted_at" or candidate.unique.seconds is None or row[8] is None:
        return True
    return row[8] >= utc_now() - timedelta(seconds=candidate.unique.seconds)
