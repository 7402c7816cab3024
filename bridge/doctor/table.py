"""The table as PostgreSQL keeps it: size, dead rows, statistics, and jobs that nobody prunes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Seen, count, note, ok, size, span, warning
from bridge.engine.schema import quote_ident


async def table_health(patient: Patient) -> Seen:
    """Look at the size of the table and what vacuum and analyze do for it."""
    found = await patient.once(patient.ask.table)
    rows, dead, live = max(found["estimate"], 0), found["dead"], found["live"]
    figures: dict[str, Any] = {
        "rows_estimate": round(rows),
        "table_bytes": found["table_bytes"],
        "index_bytes": found["index_bytes"],
        "dead": dead,
        "vacuumed_at": found["vacuumed_at"] and found["vacuumed_at"].isoformat(),
        "analyzed_at": found["analyzed_at"] and found["analyzed_at"].isoformat(),
    }
    sizes = f"{size(found['table_bytes'])} and {size(found['index_bytes'])} of indexes"
    text = f"about {count(round(max(rows, live)), 'job')}, {sizes}"
    table = f"{quote_ident(patient.catalog.prefix)}.oban_jobs"
    if found["autovacuum_off"] or found["counts_off"] or found["autovacuum_off_here"]:
        mend = f"alter table {table} reset (autovacuum_enabled)" if found["autovacuum_off_here"] else (
            "set autovacuum and track_counts to on in postgresql.conf"
        )  # fmt: skip
        return warning(f"autovacuum is off, so dead rows stay for ever; {text}", mend, **figures)
    if dead > _DEAD and dead > live * 0.5:
        mend = f"vacuum (analyze) {table}; see the finding long-transactions for what may hold it up"
        return warning(f"{dead:,} dead rows beside {live:,} live ones; {text}", mend, **figures)
    if found["estimate"] < 0 and live + dead >= _UNANALYZED:
        mend = f"analyze {table}"
        return warning(f"statistics were never gathered, so plans are guesses; {text}", mend, **figures)
    if found["index_bytes"] > _FAT and found["index_bytes"] > 2 * found["table_bytes"]:
        return note(f"the indexes are larger than the jobs; {text}", "bridge maintain reindex", **figures)
    return ok(text, **figures)


#: Dead rows, rows without statistics, and bytes of indexes, below which nothing is worth telling.
_DEAD, _UNANALYZED, _FAT = 10_000, 10_000, 256 * 1_048_576


async def ended_jobs(patient: Patient) -> Seen:
    """Look for jobs that ended long ago and that nobody prunes."""
    found = await patient.once(patient.ask.table)
    shares = await patient.once(patient.ask.states)
    ended = round(max(found["estimate"], 0) * sum(shares.get(state, 0.0) for state in _ENDED))
    oldest: datetime | None = await patient.ask.oldest_ended()
    if oldest is None:
        return ok("no job has ended that is still there", ended_estimate=0)
    age = ((await patient.ask.clock()) - oldest).total_seconds()
    figures = {"ended_estimate": ended, "oldest_seconds": round(age)}
    text = f"about {count(ended, 'job')} that ended, one of them {span(max(age, 0))} ago"
    if ended >= _TOO_MANY and age > _LONG_AGO:
        mode = patient.settings.get("pruner.mode")
        here = ", which is off in the settings here" if mode == "off" else ""
        mend = f'switch a pruner on ([pruner] mode = "on", or Elixir\'s plugin){here}; bridge maintain prune --dry-run'
        return warning(f"{text}: nobody prunes them, and each index grows with them", mend, **figures)
    return ok(text, **figures)


_ENDED: Final = ("completed", "cancelled", "discarded")
#: How many jobs that ended, and how old, are a sign that nobody prunes.
_TOO_MANY, _LONG_AGO = 1_000_000, 2 * 86_400


async def long_transactions(patient: Patient) -> Seen:
    """Look for transactions that are open for so long that vacuum can't clear away what jobs leave behind."""
    found = await patient.ask.transactions(_LONG)
    if not found:
        return ok(f"no transaction that can be seen is older than {span(_LONG)}", sessions=[])
    details = [
        f"process {row['pid']}: {span(row['seconds'])}, {row['state']}, role {row['role']}, "
        f"{row['application'] or 'no application named'}"
        for row in found
    ]
    mend = f"end them in their programs, or: select pg_terminate_backend({found[0]['pid']})"
    text = f"{count(len(found), 'transaction')} open for long: meanwhile dead rows stay, and fetches read them all"
    return warning(text, mend, details, sessions=[row["pid"] for row in found])


_LONG: Final = 600.0

CHECKS = (
    Check("table-health", "table", table_health),
    Check("ended-jobs", "table", ended_jobs),
    Check("long-transactions", "table", long_transactions, needs_table=False),
)
