"""Rules that every row of the table must keep, as SQL that finds those that break them."""

from __future__ import annotations

from typing import Any, Final

_AT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

#: What is wrong, and the condition by which a row is. Each is true of no row that Oban 2.23 writes for these jobs.
RULES: Final = {
    "executing, though all nodes are at rest": "state = 'executing'",
    "available without attempts left": "state = 'available' and attempt >= max_attempts",
    "more attempts than there may be": "attempt not between 0 and max_attempts or max_attempts < 1",
    "attempted, and nobody attempted it": (
        "attempt > 0 and (attempted_at is null or coalesce(cardinality(attempted_by), 0) <> 2)"
    ),
    "never attempted, and somebody attempted it": (
        "attempt = 0 and (attempted_at is not null or attempted_by is not null)"
    ),
    "attempted by no producer": f"attempted_by is not null and (attempted_by[1] = '' or attempted_by[2] !~ '{_UUID}')",
    "executing, retryable or ended, and never attempted": (
        "attempt = 0 and state in ('executing', 'retryable', 'completed', 'discarded')"
    ),
    "completed without its time, or the other way round": "(state = 'completed') <> (completed_at is not null)",
    "cancelled without its time, or the other way round": "(state = 'cancelled') <> (cancelled_at is not null)",
    "discarded without its time, or the other way round": "(state = 'discarded') <> (discarded_at is not null)",
    "a state that nobody wrote": "state::text = 'suspended'",
    "args or meta that are no objects": (
        "jsonb_typeof(args) is distinct from 'object' or jsonb_typeof(meta) is distinct from 'object'"
    ),
    "columns that are null and must not be": (
        "tags is null or errors is null or inserted_at is null or scheduled_at is null"
    ),
    "a priority, queue or worker that can't be": (
        "priority not between 0 and 9 or length(queue) not between 1 and 127 or length(worker) not between 1 and 127"
    ),
    "an error that is none": f"""exists (
        select from unnest(errors) as e
        where jsonb_typeof(e) <> 'object'
          or jsonb_typeof(e -> 'attempt') is distinct from 'number'
          or jsonb_typeof(e -> 'error') is distinct from 'string'
          or (e ->> 'at') !~ '{_AT}' is not false
          or (e ->> 'attempt')::numeric not between 1 and attempt
    )""",
    "two errors of one attempt": """cardinality(errors) > 1 and cardinality(errors) > (
        select count(distinct e -> 'attempt') from unnest(errors) as e
    )""",
    "retryable without the error of its attempt": """state = 'retryable' and not exists (
        select from unnest(errors) as e where (e ->> 'attempt')::numeric = attempt
    )""",
    "completed by an attempt that failed": """state = 'completed' and exists (
        select from unnest(errors) as e where (e ->> 'attempt')::numeric = attempt
    )""",
}


async def broken_rules(conn: Any) -> dict[str, list[int]]:
    """Return the ids of rows that break a rule, by what is wrong; one pass over the table for all of them."""
    found: dict[str, list[int]] = {}
    names = list(RULES)
    columns = ", ".join(f"({condition}) is true as r{nth}" for nth, condition in enumerate(RULES.values()))
    anything = " or ".join(f"r{nth}" for nth in range(len(names)))
    for row in await conn.fetch(
        f"select * from (select id, {columns} from oban_jobs) as held where {anything} order by id"
    ):
        for nth, name in enumerate(names):
            if row[f"r{nth}"]:
                found.setdefault(name, []).append(row["id"])
    return found
