"""Rules that every row of the table must keep, as SQL that finds those that break them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

_AT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

#: What Elixir's and Python's `strip` take for space.
_SPACE: Final = r"[\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"

_TIMES: Final = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")

#: Whether there is an error of the last attempt.
_ERROR: Final = "to_jsonb(errors) @> jsonb_build_array(jsonb_build_object('attempt', attempt))"

#: What is wrong, and the condition by which a row is; $1 are the names of all nodes. Each is true of no row that Oban
#: 2.23 writes for these jobs.
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
    "attempted by no producer": f"attempted_by is not null and (attempted_by[2] ~ '{_UUID}') is not true",
    "attempted by a node that nobody knows": (
        "attempted_by is not null and (attempted_by[1] = any($1::text[])) is not true"
    ),
    "executing, retryable or ended, and never attempted": (
        "attempt = 0 and state in ('executing', 'retryable', 'completed', 'discarded')"
    ),
    "completed without its time, or the other way round": "(state = 'completed') <> (completed_at is not null)",
    "cancelled without its time, or the other way round": "(state = 'cancelled') <> (cancelled_at is not null)",
    "discarded without its time, or the other way round": "(state = 'discarded') <> (discarded_at is not null)",
    "a state that nobody wrote": "state::text = 'suspended'",
    "a time that others can't read": " or ".join(
        f"{name} not between '0001-01-01' and '9999-12-31 23:59:59.999999'" for name in _TIMES
    ),
    "args or meta that are no objects": (
        "jsonb_typeof(args) is distinct from 'object' or jsonb_typeof(meta) is distinct from 'object'"
    ),
    "columns that are null and must not be": (
        "tags is null or errors is null or inserted_at is null or scheduled_at is null"
    ),
    "a priority, queue or worker that can't be": (
        "priority not between 0 and 9 or length(queue) not between 1 and 127 or length(worker) not between 1 and 127"
    ),
    "tags that are not as Oban writes them": f"""cardinality(tags) > 0 and (
        cardinality(tags) > (select count(distinct tag) from unnest(tags) as tag)
        or exists (
          select from unnest(tags) as tag
          where tag is null or tag = '' or tag <> lower(tag) or tag ~ '^{_SPACE}|{_SPACE}$'
        )
    )""",
    "an error that is none": f"""cardinality(errors) > 0 and exists (
        select from unnest(errors) as e
        where jsonb_typeof(e) is distinct from 'object'
          or not e ?& array['attempt', 'at', 'error']
          or e - array['attempt', 'at', 'error'] <> '{{}}'
          or jsonb_typeof(e -> 'attempt') <> 'number'
          or jsonb_typeof(e -> 'error') <> 'string'
          or (e ->> 'at') !~ '{_AT}'
    )""",
    "an error whose text is none": r"""cardinality(errors) > 0 and exists (
        select from unnest(errors) as e where (e ->> 'error') !~ '^\*\* \([A-Za-z_][\w.]*\) \s*\S'
    )""",
    "an error of no attempt": """cardinality(errors) > 0 and exists (
        select from unnest(errors) as e
        where not (e -> 'attempt') <@ (select coalesce(jsonb_agg(nth), '[]') from generate_series(1, attempt) as nth)
    )""",
    "two errors of one attempt": """cardinality(errors) > 1 and cardinality(errors) > (
        select count(distinct e -> 'attempt') from unnest(errors) as e
    )""",
    "retryable without the error of its attempt": f"state = 'retryable' and not {_ERROR}",
    "completed by an attempt that failed": f"state = 'completed' and cardinality(errors) > 0 and {_ERROR}",
}


async def broken_rules(conn: Any, nodes: Collection[str]) -> dict[str, list[int]]:
    """Return the ids of rows that break a rule, by what is wrong; one pass over the table for all of them."""
    found: dict[str, list[int]] = {}
    names = list(RULES)
    columns = ", ".join(f"({condition}) is true as r{nth}" for nth, condition in enumerate(RULES.values()))
    anything = " or ".join(f"r{nth}" for nth in range(len(names)))
    query = f"select * from (select id, {columns} from oban_jobs) as held where {anything} order by id"
    for row in await conn.fetch(query, sorted(nodes)):
        for nth, name in enumerate(names):
            if row[f"r{nth}"]:
                found.setdefault(name, []).append(row["id"])
    return found
