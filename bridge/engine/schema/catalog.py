"""What a database has of Oban, read from PostgreSQL's catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from bridge.adapters import adapt
from bridge.engine.schema.lacks import Facts, Lack, Origin, find_lacks
from bridge.engine.schema.refusals import translated
from bridge.engine.schema.statements import OWN_TABLES, quote_ident, statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection

OLDEST_VERSION = 9
"""The oldest version of Oban's migrations that Bridge runs on (Oban 2.3)."""

NEWEST_VERSION = 14
"""The version that `install` makes (Oban 2.21)."""

MANAGED_ELSEWHERE = 1_000_000
"""The version of tables whose comment is `∞`: something else migrates them, and they are newer than all."""

_COLUMNS = frozenset({
    "id", "state", "queue", "worker", "args", "errors", "attempt", "max_attempts", "priority", "tags", "meta",
    "inserted_at", "scheduled_at", "attempted_at", "attempted_by", "completed_at", "cancelled_at",
    "discarded_at",
})  # fmt: skip
_STATES = frozenset({"available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled"})


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one schema has of Oban. Where nothing is installed, `version` is None and the rest says nothing.

    Attributes:
        prefix: The schema's name.
        schema_exists: There is such a schema.
        version: The version in the comment of `oban_jobs`: None without that table, 0 without a number in the
            comment, MANAGED_ELSEWHERE for `∞`.
        states: The labels of the enum, in its order. Versions up to 13 may lack `suspended`.
        objects: The tables, types and functions of Oban's and Bridge's own that are there, by name.
        missing_columns: The columns of version 9 that are not there.
        errors_type: The type of `errors`. `errors || <an object as jsonb>` appends to both.
        announces_inserts: A trigger publishes the insert of an available job (V1 to V11), so that whoever
            inserts need not.
        explicit_ids: The table takes an id that the insert gives.
        max_priority: The highest priority that the table takes: 3 (V10 and V11) or 9.
        max_tag_length: The length in characters that a tag may have, or None for no limit.
        max_attempts_limit: The highest number of attempts that the columns can hold.
        lacks: What a full version 14 has and this database has not. Empty where the tables are of no use to
            Bridge or are managed elsewhere.
        has_unique_index: The index that `install_unique_index` makes is there and usable.
        has_worker_index: The index that `install_worker_index` makes is there and usable.
        has_state_index: Jobs can be found by state, queue and priority, one after the other: there is a usable index
            that begins so, the one of fetches, and no priority is null.
        origin: Who made the tables, as far as can be told: `"oban"` (its migrations or `install`, which leave
            the same), `"oban-py"`, `"elsewhere"` for `∞`, or `"unknown"`.
    """

    prefix: str
    schema_exists: bool
    version: int | None
    states: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()
    errors_type: Literal["jsonb[]", "jsonb"] = "jsonb[]"
    announces_inserts: bool = False
    explicit_ids: bool = True
    max_priority: int = 9
    max_tag_length: int | None = None
    max_attempts_limit: int = 2**31 - 1
    lacks: tuple[Lack, ...] = ()
    has_unique_index: bool = False
    has_worker_index: bool = False
    has_state_index: bool = False
    origin: Origin = "unknown"

    @property
    def has_peers(self) -> bool:
        """Whether the table of leases is there (V11 and later)."""
        return "oban_peers" in self.objects

    @property
    def has_suspended(self) -> bool:
        """Whether the literal `suspended` may be sent as a state."""
        return "suspended" in self.states

    @property
    def supported(self) -> bool:
        """Whether Bridge runs on it: V9 or later, or other tables with the same columns and states."""
        return self.version is not None and not self.missing_columns and set(self.states) >= _STATES

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """What keeps `install` from making the table: leftovers, or another program's view or type."""
        names = ("oban_jobs", "oban_peers", "oban_job_state")
        return tuple(name for name in self.objects if name in names) if self.version is None else ()

    @property
    def shortcomings(self) -> str:
        """The columns and states that Bridge can't do without and that are not there, as text."""
        states = [f"the state {state}" for state in sorted(_STATES - set(self.states))]
        return ", ".join([*(f"the column {column}" for column in self.missing_columns), *states])

    @property
    def outdated(self) -> str:
        """What to tell of tables older than the newest version; empty where they are not, or have no numbers."""
        if not self.version or self.version >= NEWEST_VERSION:
            return ""
        return (
            f"Oban's tables in schema {quote_ident(self.prefix)} have version {self.version} of {NEWEST_VERSION}; they "
            "work, and `bridge status` shows what they lack; bring them up to date by `bridge upgrade`, or by the "
            "migrations of the Elixir app that owns them"
        )

    def require(self) -> Catalog:
        """Return itself.

        Raises:
            SchemaError: Bridge can't run on it; the message says why and what to do.
        """
        if self.supported:
            return self
        where = f"schema {quote_ident(self.prefix)}"
        if self.in_the_way:
            raise SchemaError(
                f"{where} has no table oban_jobs, but it has {', '.join(self.in_the_way)}; "
                "remove it (`bridge uninstall` drops what Oban's migrations leave), or choose another prefix"
            )
        if self.version is None:
            raise SchemaError(f"{where} has no table oban_jobs; run `bridge install`, or name the right prefix")
        if self.version == 0:
            raise SchemaError(
                f"oban_jobs in {where} is not Oban's table, or its version is lost: it lacks {self.shortcomings}; "
                "choose another prefix"
            )
        raise SchemaError(
            f"oban_jobs in {where} has version {self.version}, Bridge runs on {OLDEST_VERSION} and later: "
            f"it lacks {self.shortcomings}; migrate it with Oban's own migrations first"
        )


async def inspect(conn: Connection, prefix: str = "public") -> Catalog:
    """Return what the schema `prefix` has of Oban; a missing schema or table is an answer too.

    Reads the catalog only, which every role may. `conn` may be of any library that `bridge.adapters` knows.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    row = await _read(conn, prefix)
    if not row["installed"]:
        return Catalog(prefix, row["schema_exists"], None, objects=tuple(row["objects"]))
    found = {name: row[name] for name in ("has_unique_index", "has_worker_index", "has_state_index")}
    return replace(_judge(prefix, tuple(row["objects"]), _facts(row)), **found)


async def count_jobs(conn: Connection, prefix: str = "public") -> dict[str, int]:
    """Return how many jobs are in each state that has any. Counts every row, so it takes a while on millions.

    Raises:
        SchemaError: The role may not read the table, or there is none.
    """
    async with translated(conn, prefix, "read"), conn.transaction():
        rows = await conn.fetch(statement("count_jobs", prefix))
    return {row["state"]: row["jobs"] for row in rows}


async def _read(conn: Connection, prefix: str) -> Any:
    query = statement("catalog", prefix), (prefix, list(OWN_TABLES))
    try:
        [row] = await adapt(conn).fetch(*query)
    except asyncpg.InternalServerError:  # "could not open relation": it was dropped while this read its indexes
        if conn.is_in_transaction():
            raise
        [row] = await adapt(conn).fetch(*query)
    return row


def _facts(row: Any) -> Facts:
    return Facts(
        comment=row["comment"],
        columns=dict(zip(row["columns"], row["types"], strict=True)),
        states=tuple(row["states"]),
        checks=frozenset(row["checks"]),
        indexes=frozenset(row["indexes"]),
        broken_indexes=frozenset(row["broken_indexes"]),
        announces_inserts=row["announces_inserts"],
        ids_always_generated=row["ids_always_generated"],
        has_peers="oban_peers" in row["objects"],
    )


def _judge(prefix: str, objects: tuple[str, ...], facts: Facts) -> Catalog:
    version, origin = _version(facts.comment), _origin(facts)
    catalog = Catalog(
        prefix=prefix,
        schema_exists=True,
        version=version,
        states=facts.states,
        objects=objects,
        missing_columns=tuple(sorted(_COLUMNS - facts.columns.keys())),
        errors_type="jsonb" if facts.columns.get("errors") == "jsonb" else "jsonb[]",
        announces_inserts=facts.announces_inserts,
        explicit_ids=not facts.ids_always_generated,
        max_priority=3 if "priority_range" in facts.checks else 9,
        max_tag_length=_max_tag_length(facts.columns.get("tags", "")),
        max_attempts_limit=2**15 - 1 if facts.columns.get("max_attempts") == "smallint" else 2**31 - 1,
        origin=origin,
    )
    if not catalog.supported or origin == "elsewhere":
        return catalog
    return replace(catalog, lacks=find_lacks(facts, prefix, version, origin))


def _version(comment: str | None) -> int:
    if comment == "∞":
        return MANAGED_ELSEWHERE
    return int(comment) if comment is not None and re.fullmatch("[0-9]{1,9}", comment) else 0


def _origin(facts: Facts) -> Origin:
    if facts.comment == "∞":
        return "elsewhere"
    if _version(facts.comment) > 0:
        return "oban"
    if facts.columns.get("errors") == "jsonb" and facts.ids_always_generated:
        return "oban-py"
    return "unknown"


def _max_tag_length(column_type: str) -> int | None:
    length = re.fullmatch(r"character varying\((\d+)\)\[\]", column_type)
    return int(length[1]) if length else None
