"""What a database lacks of version 14, what that costs, and how to mend it.

Databases differ by the release that migrated them, not only by their version: 2.21.0 lost three indexes while
it added a state, releases before 2.11 gave the main index another name and order, and tags were shorter
before 2.18.1. So nothing here goes by names where a shape can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from bridge.engine.schema.statements import quote_ident, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Origin = Literal["oban", "oban-py", "elsewhere", "unknown"]


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that a full version 14 has and this database does not.

    Attributes:
        name: What is missing.
        consequence: What that costs, or who is harmed.
        mend: The SQL that mends it. Statements with `concurrently` can't run in a transaction.
        by_upgrade: It comes with a version that this database has not reached: `upgrade` mends it, and Oban's
            migrations would trip over some of it if it were there early.
        by_hand: `repair` leaves it to you, because it rewrites the table under an exclusive lock, or is a
            guess.
    """

    name: str
    consequence: str
    mend: str
    by_upgrade: bool = False
    by_hand: bool = False


class Facts(Struct, frozen=True):
    """The catalog of one `oban_jobs`, as far as a judgement needs it.

    Attributes:
        comment: The table's comment, where Oban keeps the version.
        columns: The type of each column, in order.
        states: The labels of the type of `state`, in order.
        checks: The names of the check constraints.
        indexes: The shapes of the usable indexes, as `btree(state,cancelled_at)`.
        broken_indexes: The names of those that a failed or running `create index concurrently` left.
        announces_inserts: A trigger publishes inserts.
        ids_always_generated: Explicit ids are refused.
        has_peers: The table of leases is there.
    """

    comment: str | None
    columns: Mapping[str, str]
    states: tuple[str, ...]
    checks: frozenset[str]
    indexes: frozenset[str]
    broken_indexes: frozenset[str]
    announces_inserts: bool
    ids_always_generated: bool
    has_peers: bool


class _Part(Struct, frozen=True):
    """One part of version 14: since which version, what its absence costs, and the file that puts it back."""

    name: str
    since: int
    consequence: str
    present: Callable[[Facts], bool]
    mend: str
    index: str = ""
    by_hand: bool = False


def find_lacks(facts: Facts, prefix: str, version: int, origin: Origin) -> tuple[Lack, ...]:
    """Return what the database lacks, the most costly first.

    Args:
        facts: Its catalog.
        prefix: Its schema, for the SQL.
        version: The version that its comment tells.
        origin: Who made it.
    """
    reached = version or _version_by_shape(facts)
    if origin == "oban-py":  # it has no versions, so there is none to wait for
        reached = _PARTS[-1].since
    lacks = [_lack(part, facts, prefix, reached) for part in _PARTS if not part.present(facts)]
    return (*_version_comment(facts, prefix, origin), *lacks)


def _lack(part: _Part, facts: Facts, prefix: str, reached: int) -> Lack:
    by_upgrade = part.since > reached
    if by_upgrade:
        mend = statement(f"v{part.since}", prefix)
    elif part.index in facts.broken_indexes:
        mend = statement("mend/broken_index", prefix, index=quote_ident(part.index))
    else:
        mend = statement(part.mend, prefix)
    return Lack(part.name, part.consequence, _without_comments(mend), by_upgrade, part.by_hand)


def _version_comment(facts: Facts, prefix: str, origin: Origin) -> Iterator[Lack]:
    if origin == "unknown":
        mend = statement("set_version", prefix, version=str(_version_by_shape(facts)))
        consequence = (
            "Oban's migrations take the table for version 0 and fail on what is there already"
            if facts.comment is None
            else f"Oban's migrations crash on the comment {facts.comment!r}, where they expect a number"
        )
        yield Lack("version in the comment of oban_jobs", consequence, mend.strip(), by_hand=True)


def _version_by_shape(facts: Facts) -> int:
    if not _has_attempt_checks(facts):
        return 9
    if not facts.has_peers:
        return 10
    if facts.announces_inserts:
        return 11
    if not (_has_ended_index("cancelled")(facts) and _has_ended_index("discarded")(facts)):
        return 12
    return 14 if "suspended" in facts.states else 13


def _without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()


def _has_attempt_checks(facts: Facts) -> bool:
    return {"attempt_range", "positive_max_attempts"} <= facts.checks


def _has_fetch_index(facts: Facts) -> bool:
    # Both are compared with `=`, so their order makes no difference to a fetch.
    order = "priority,scheduled_at,id"
    return not facts.indexes.isdisjoint({f"btree(state,queue,{order})", f"btree(queue,state,{order})"})


def _has_gin_index(column: str) -> Callable[[Facts], bool]:
    return lambda facts: f"gin({column})" in facts.indexes


def _has_ended_index(state: str) -> Callable[[Facts], bool]:
    # oban-py has a partial index instead, which serves the same search.
    whole, partial = f"btree(state,{state}_at)", f"btree({state}_at) where (state = '{state}'::"
    return lambda facts: any(shape == whole or shape.startswith(partial) for shape in facts.indexes)


_PARTS = (
    _Part(
        "index of (state, queue, priority, scheduled_at, id)",
        8,
        "every fetch reads and sorts all jobs that wait (the migration to 14 of Oban 2.21.0 drops this index)",
        _has_fetch_index,
        "mend/fetch_index",
        index="oban_jobs_state_queue_priority_scheduled_at_id_index",
    ),
    _Part(
        "tags of any length",
        8,
        "a tag of more than 255 characters is refused (22001), as the column was made by Oban before 2.18.1",
        lambda facts: facts.columns.get("tags") != "character varying(255)[]",
        "mend/tags",
        by_hand=True,
    ),
    _Part(
        "checks attempt_range and positive_max_attempts",
        10,
        "a faulty program can leave a job with more attempts than it may have, and block a place of a fetch",
        _has_attempt_checks,
        "mend/attempt_checks",
    ),
    _Part(
        "index of args",
        10,
        "a unique insert that compares args reads all jobs, and Oban's Reindexer reports an error each night",
        _has_gin_index("args"),
        "mend/args_index",
        index="oban_jobs_args_index",
    ),
    _Part(
        "index of meta",
        10,
        "a unique insert that compares meta reads all jobs, and Oban's Reindexer reports an error each night",
        _has_gin_index("meta"),
        "mend/meta_index",
        index="oban_jobs_meta_index",
    ),
    _Part(
        "table oban_peers",
        11,
        "no node can lead: an Elixir node of Oban 2.11 or later never stages, prunes or runs cron here",
        lambda facts: facts.has_peers,
        "v11",
    ),
    _Part(
        "priorities from 4 to 9",
        12,
        "the check priority_range refuses a job with a priority above 3",
        lambda facts: "priority_range" not in facts.checks,
        "v12",
    ),
    _Part(
        "inserts announced once",
        12,
        "the trigger oban_notify announces each insert that Oban 2.17 or later announces too",
        lambda facts: not facts.announces_inserts,
        "v12",
    ),
    _Part(
        "index of (state, cancelled_at)",
        13,
        "each pruning reads all cancelled jobs",
        _has_ended_index("cancelled"),
        "mend/cancelled_index",
        index="oban_jobs_state_cancelled_at_index",
    ),
    _Part(
        "index of (state, discarded_at)",
        13,
        "each pruning reads all discarded jobs",
        _has_ended_index("discarded"),
        "mend/discarded_index",
        index="oban_jobs_state_discarded_at_index",
    ),
    _Part(
        "state suspended",
        14,
        "unique inserts of Oban 2.23.1 and later fail (22P02) with any states but an explicit list",
        lambda facts: "suspended" in facts.states,
        "v14",
    ),
)
