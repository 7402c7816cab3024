"""What a new unique job is compared by, and how the database is asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from bridge.engine.documents import Document, digest
from bridge.errors import InvalidJob
from bridge.jobs import Job, Unique
from bridge.jobs.unique import parse_unique

if TYPE_CHECKING:
    from bridge.engine.inserts import Row
    from bridge.engine.schema import Catalog

#: How a document is looked for. `equal`: the whole, in which there is no array, so that `=` will do. `alike`: the
#: whole, with arrays, whose order doesn't count. `holding`: only these keys. `empty`: what has no keys at all.
Mode = Literal["equal", "alike", "holding", "empty"]

#: How many places are compared by `=` where a part of a document is looked for among many.
_PATHS: Final = 4


class Sought(NamedTuple):
    """A document that a stored one must equal or hold."""

    document: Document
    mode: Mode
    paths: tuple[tuple[str, ...], ...]

    def matches(self, stored: Document) -> bool:
        """Tell whether a stored document is the same by it."""
        if self.mode == "empty":
            return stored.is_empty
        return stored.contains(self.document) if self.mode == "holding" else stored.equals(self.document)


class Shape(NamedTuple):
    """What candidates have in common that one statement looks for."""

    states: tuple[str, ...]
    timestamp: str
    worker: bool
    queue: bool
    args: Mode | None
    meta: Mode | None
    args_paths: tuple[tuple[str, ...], ...]
    meta_paths: tuple[tuple[str, ...], ...]


class Rule(NamedTuple):
    """The part of a rule that says what is compared, whatever the time and state."""

    fields: tuple[str, ...]
    keys: tuple[str, ...]


class Candidate(NamedTuple):
    """A new job that may be there already.

    Attributes:
        unique: Its rule.
        row: Its values.
        args: What is looked for in args, if anything; `meta` likewise.
        group: What its rule, worker and queue come to, as far as they are compared.
        identity: All that is compared: jobs that are the same for each other have the same.
    """

    unique: Unique
    row: Row
    args: Sought | None
    meta: Sought | None
    group: bytes
    identity: bytes

    @property
    def rule(self) -> Rule:
        """What of it is compared."""
        return rule_of(self.unique)

    def shape(self, catalog: Catalog) -> Shape:
        """Return what its statement looks like; states that the database doesn't have can't be sent."""
        fields, args, meta = self.unique.fields, self.args, self.meta
        return Shape(
            tuple(state for state in catalog.states if state in self.unique.state_names),
            self.unique.timestamp,
            "worker" in fields,
            "queue" in fields,
            args.mode if args else None,
            meta.mode if meta else None,
            args.paths if args else (),
            meta.paths if meta else (),
        )

    @property
    def values(self) -> tuple[str, str, str, str, float | None]:
        """What fills its place in the statement."""
        args, meta = (sought.document.text if sought else "{}" for sought in (self.args, self.meta))
        return self.row[2], self.row[1], args, meta, self.unique.seconds


def rule_of(unique: Unique) -> Rule:
    """Return what of a rule is compared."""
    return Rule(tuple(sorted(unique.fields)), tuple(sorted(unique.keys)))


def find_candidates(jobs: Iterable[Job[Any]], rows: Sequence[Row]) -> dict[int, Candidate]:
    """Return the unique ones among new jobs, by their places.

    Raises:
        InvalidJob: A `unique` that was set to what none can be.
    """
    found = {}
    for nth, job in enumerate(jobs):
        if (unique := parse_unique(job.unique, InvalidJob)) is not None:
            found[nth] = _candidate(unique, rows[nth])
    return found


def _candidate(unique: Unique, row: Row) -> Candidate:
    args = _sought(row[3], unique.keys) if "args" in unique.fields else None
    meta = _sought(row[4], unique.keys) if "meta" in unique.fields else None
    group = group_of(rule_of(unique), row)
    return Candidate(unique, row, args, meta, group, identity_of(group, args, meta))


def group_of(rule: Rule, row: Row) -> bytes:
    """Return what a rule, and a row's worker and queue as far as it compares them, come to."""
    worker = row[2] if "worker" in rule.fields else ""
    queue = row[1] if "queue" in rule.fields else ""
    return digest((*rule.fields, "", *rule.keys, "", worker, queue))


def identity_of(group: bytes, args: Sought | None, meta: Sought | None) -> bytes:
    """Return what all that is compared comes to."""
    return digest([group.hex(), *(sought.document.digest.hex() if sought else "" for sought in (args, meta))])


def _sought(text: str, keys: tuple[str, ...]) -> Sought:
    document = Document(text).pick(keys) if keys else Document(text)
    if document.is_empty:
        return Sought(document, "empty", ())
    if keys:
        return Sought(document, "holding", tuple(document.scalar_paths()[:_PATHS]))
    return Sought(document, "alike" if document.has_arrays else "equal", ())
