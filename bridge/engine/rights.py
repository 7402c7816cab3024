"""What a role needs for each purpose that it may have, and the GRANTs that give it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bridge.adapters import adapt
from bridge.engine.schema import OWN_TABLES, quote_ident
from bridge.engine.statements import Statements
from bridge.errors import SchemaError

ALL: Final = ("select", "insert", "update", "delete")
"""What a node needs of each table."""

INSERTED: Final = ("state", "queue", "worker", "args", "meta", "tags", "max_attempts", "priority", "scheduled_at")
"""The columns that a plain insert of jobs writes."""

RETURNED: Final = ("id", "state", "queue", "inserted_at", "scheduled_at")
"""The columns that it returns."""

WRITTEN: Final = (
    "state", "queue", "attempt", "max_attempts", "attempted_at", "attempted_by", "scheduled_at", "completed_at",
    "cancelled_at", "discarded_at", "errors", "meta",
)  # fmt: skip
"""The columns that a node writes which only runs jobs."""

GRANT: Final = "grant the role what it needs, or connect as another one"
"""What to do where a right is missing."""


def enqueuing() -> str:
    """Return what a client that only enqueues needs of the table of jobs, as a GRANT lists it."""
    return f"insert ({', '.join(INSERTED)}), select ({', '.join(RETURNED)})"


def grant(rights: Iterable[str], tables: Iterable[str], schema: str, role: str) -> str:
    """Return the GRANT of rights on tables; the schema and the role are quoted, the tables' names are plain."""
    return f"grant {', '.join(rights)} on {', '.join(f'{schema}.{table}' for table in tables)} to {role}"


async def read_rights(conn: Any, prefix: str) -> list[Any]:
    """Return what the role of a connection may do with each table that is there; every role may ask."""
    values = (prefix, *rights_values())
    rows: list[Any] = await adapt(conn).fetch(Statements(prefix).fill("diagnosis/rights"), values)
    return rows


def rights_values() -> tuple[list[str], ...]:
    """Return what the statement of `read_rights` asks for: tables and columns."""
    return ["oban_jobs", "oban_peers", *OWN_TABLES], list(INSERTED), list(RETURNED), list(WRITTEN)


async def require_rights(conn: Any, prefix: str) -> None:
    """Refuse a role that could never run a job.

    Raises:
        SchemaError: It may not use the schema, or not read jobs and write their states; the message has every GRANT
            that a node needs.
    """
    rows = {row["name"]: row for row in await read_rights(conn, prefix)}
    jobs, schema = rows.get("oban_jobs"), quote_ident(prefix)
    if jobs is None:
        return
    lacks = [] if jobs["may_use_schema"] else [f"usage on schema {schema}"]
    lacks += [f"{right} on oban_jobs" for right in ("select", "update") if not jobs[f"any_{right}"]]
    if lacks:
        mend = "; ".join(worker_grants(prefix, jobs["role"], rows))
        raise SchemaError(f"role {jobs['role']} can't run jobs, because it lacks {', '.join(lacks)}; {GRANT}: {mend}")


def worker_grants(prefix: str, role: str, rows: Mapping[str, Any]) -> list[str]:
    """Return the GRANTs of what a node needs and a role doesn't have."""
    schema, grantee = quote_ident(prefix), quote_ident(role)
    found = []
    if not all(row["may_use_schema"] for row in rows.values()):
        found.append(f"grant usage on schema {schema} to {grantee}")
    if tables := [name for name, row in rows.items() if not all(row[right] for right in ALL)]:
        found.append(grant(ALL, tables, schema, grantee))
    found += sequence_grants(schema, grantee, rows.values())
    return found


def sequence_grants(schema: str, grantee: str, rows: Iterable[Any]) -> Sequence[str]:
    """Return the GRANTs of the sequences from which inserts draw ids, as far as they are missing."""
    return [
        f"grant usage on sequence {schema}.{quote_ident(row['sequence'])} to {grantee}"
        for row in rows
        if row["may_number"] is False
    ]
