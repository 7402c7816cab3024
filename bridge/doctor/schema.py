"""The tables and their indexes: what is there, what is missing, what would help."""

from __future__ import annotations

from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Level, Seen, count, note, ok, problem, warning
from bridge.engine.schema import MANAGED_ELSEWHERE, NEWEST_VERSION, quote_ident

_MAKERS = {
    "oban": "Oban's migrations or bridge install",
    "oban-py": "oban-py",
    "elsewhere": "a program that upgrades it itself",
    "unknown": "a program that left no version",
}

#: What `bridge install --unique-index` makes.
UNIQUE_INDEX: Final = "bridge_jobs_unique"

#: From how many rows on an optional index is worth its cost.
_MANY: Final = 100_000


async def schema(patient: Patient) -> Seen:
    """Look for Oban's tables, their version and who made them."""
    catalog = patient.catalog
    figures: dict[str, Any] = {"prefix": catalog.prefix, "version": catalog.version, "origin": catalog.origin}
    where = f"schema {catalog.prefix}"
    if catalog.version is None:
        mend = "run `bridge install`, or name the right schema with --prefix"
        if catalog.in_the_way:
            there = ", ".join(catalog.in_the_way)
            return problem(f"{where} has no table oban_jobs, but {there}", "choose another prefix", **figures)
        return problem(f"{where} has no table oban_jobs", mend, **figures)
    if not catalog.supported:
        text = f"oban_jobs in {where} is of no use to Bridge: it lacks {catalog.shortcomings}"
        mend = "migrate it with Oban's own migrations to version 9 or later, or choose another prefix"
        return problem(text, mend, **figures)
    if catalog.version in (0, MANAGED_ELSEWHERE):
        return ok(f"{where}, no version, made by {_MAKERS[catalog.origin]}", **figures)
    text = f"{where}, version {catalog.version} of {NEWEST_VERSION}, made by {_MAKERS[catalog.origin]}"
    if catalog.version < NEWEST_VERSION:
        mend = "run Oban's migrations to 14, or `bridge upgrade`, once every Elixir node has Oban 2.17 or later"
        return note(text, mend, **figures)
    return ok(text, **figures)


async def lacks(patient: Patient) -> Seen:
    """Look what a full version 14 has and this one doesn't, indexes aside."""
    found = [lack for lack in patient.catalog.lacks if not lack.name.startswith("index ")]
    if not found:
        return ok("it has all columns, checks and states of version 14", lacks=[])
    details = [f"{lack.name}: {lack.consequence}" for lack in found]
    mends = [
        "bridge upgrade" if lack.by_upgrade else _in_one_line(lack.mend) if lack.by_hand else "bridge upgrade --repair"
        for lack in found
    ]
    text = f"it lacks {count(len(found), 'thing')} of version 14"
    level = Level.NOTE if all(lack.by_upgrade for lack in found) else Level.WARNING
    figures = {"lacks": [lack.name for lack in found]}
    return Seen(level, text, "; ".join(dict.fromkeys(mends)), tuple(details), figures)


def _in_one_line(sql: str) -> str:
    return " ".join(sql.split()).removesuffix(";")


async def missing_indexes(patient: Patient) -> Seen:
    """Look for indexes that version 14 has, above all the one of fetches."""
    found = [lack for lack in patient.catalog.lacks if lack.name.startswith("index ")]
    if not found:
        return ok("all indexes of version 14 are there", missing=[])
    details = [f"{lack.name}: {lack.consequence}" for lack in found]
    repair = any(not lack.by_upgrade for lack in found)
    mend = "bridge upgrade --repair, which blocks nobody" if repair else "bridge upgrade"
    text = f"{count(len(found), 'index', 'indexes')} of version 14 missing"
    figures = {"missing": [lack.name for lack in found]}
    if any("priority" in lack.name for lack in found):
        if patient.catalog.version == NEWEST_VERSION:
            text += ", that of fetches too, as Oban 2.21.0's migration to 14 leaves it"
        return problem(text, mend, details, **figures)
    return warning(text, mend, details, **figures)


async def invalid_indexes(patient: Patient) -> Seen:
    """Look for indexes that a build was broken off at: they cost each write and serve nobody."""
    found = await patient.once(patient.ask.indexes)
    broken = [
        row["name"]
        for row in found
        if not row["valid"] and not row["building"] and row["name"] != UNIQUE_INDEX  # which has a check of its own
    ]
    building = [row["name"] for row in found if row["building"]]
    if broken:
        schema_name = quote_ident(patient.catalog.prefix)
        drops = [f"drop index concurrently {schema_name}.{quote_ident(name)}" for name in broken]
        mend = f"{'; '.join(drops)}; then bridge upgrade --repair puts back what version 14 has"
        return warning(
            f"{count(len(broken), 'invalid index', 'invalid indexes')}: {', '.join(broken)}", mend, invalid=broken
        )
    if building:
        return note(f"being built now: {', '.join(building)}", invalid=[], building=building)
    return ok(f"{count(sum(row['valid'] for row in found), 'valid index', 'valid indexes')}", invalid=[])


async def optional_indexes(patient: Patient) -> Seen:
    """Look for indexes beyond version 14 that would help a table of this size."""
    estimate = max((await patient.once(patient.ask.table))["estimate"], 0)
    shares = await patient.once(patient.ask.states)
    shapes = [row["definition"] for row in await patient.once(patient.ask.indexes) if row["valid"]]
    wanted = [
        (what, rows, _optional_sql(patient.catalog.prefix, name, columns, states))
        for name, columns, states, what in _OPTIONAL
        if not (name == _DUE_INDEX and patient.catalog.has_state_index)  # by which staging finds due jobs as fast
        and (rows := round(estimate * sum(shares.get(state, 0.0) for state in states))) >= _MANY
        and not any(_serves(shape, states) for shape in shapes)
    ]
    if not wanted:
        return ok("no further index would help much", helpful=[])
    details = [f"{what}: about {rows:,} jobs are read each time" for what, rows, _ in wanted]
    mend = "; ".join(sql for *_, sql in wanted)
    return note(f"{count(len(wanted), 'index', 'indexes')} beyond version 14 would help", mend, details,
                helpful=[sql for *_, sql in wanted])  # fmt: skip


_DUE_INDEX: Final = "bridge_jobs_due_index"

#: Name, what is indexed, the states whose jobs it spares reading, and what it helps. None of the names begins with
#: oban_jobs: Oban's Reindexer drops those while they are being built.
_OPTIONAL: Final = (
    (_DUE_INDEX, "scheduled_at, id", ("scheduled", "retryable"), "staging, each second"),
    ("bridge_jobs_ended_index", "scheduled_at", ("completed",), "pruning completed jobs, Python's way and Elixir's"),
)


def _serves(definition: str, states: tuple[str, ...]) -> bool:
    """Tell whether an index leads with the time and holds these states."""
    columns, _, condition = definition.partition(" WHERE ")
    return "(scheduled_at" in columns and (not condition or all(f"'{state}'" in condition for state in states))


def _optional_sql(prefix: str, name: str, columns: str, states: tuple[str, ...]) -> str:
    which = ", ".join(f"'{state}'" for state in states)
    table = f"{quote_ident(prefix)}.oban_jobs"
    return f"create index concurrently {name} on {table} ({columns}) where state in ({which})"


async def own_tables(patient: Patient) -> Seen:
    """Look for Bridge's own tables."""
    needed = {
        "bridge_producers": "jobs of Python nodes that die stay executing",
        "bridge_crons": "no cron entries of Python are inserted",
    }
    if not patient.catalog.has_peers:
        needed["bridge_peers"] = "no Python node leads"
    missing = [table for table in needed if table not in patient.catalog.objects]
    if not missing:
        return ok("Bridge's own tables are there", missing=[])
    details = [f"without {table}: {needed[table]}" for table in missing]
    mend = "bridge install, as a role that may create tables; nothing of Oban's is changed"
    text = f"{count(len(missing), 'table')} of Bridge's own missing: nodes make them if their role may"
    return note(text, mend, details, missing=missing)


async def unique_index(patient: Patient) -> Seen:
    """Look at the optional index that holds uniqueness across languages."""
    rows = await patient.once(patient.ask.indexes)
    ours = next((row for row in rows if row["name"] == UNIQUE_INDEX), None)
    if ours is None:
        text = "not installed: unique inserts of Python and Elixir at the same moment don't see each other"
        return ok(text, unique=None)
    if ours["building"]:
        return note(f"{UNIQUE_INDEX} is being built now", unique="building")
    if not ours["valid"]:
        mend = "cancel or delete the jobs that break a rule, then bridge install --unique-index, which builds it anew"
        text = f"{UNIQUE_INDEX} is invalid: its build met two jobs that break a rule, or was broken off"
        return problem(text, mend, unique="invalid")
    return ok(f"{UNIQUE_INDEX} is valid", unique="valid")


CHECKS = (
    Check("schema", "schema", schema, needs_table=False),
    Check("schema-lacks", "schema", lacks),
    Check("missing-indexes", "schema", missing_indexes),
    Check("invalid-indexes", "schema", invalid_indexes),
    Check("optional-indexes", "schema", optional_indexes),
    Check("unique-index", "schema", unique_index),
    Check("own-tables", "schema", own_tables),
)
