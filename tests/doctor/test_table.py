"""The table as PostgreSQL keeps it."""

import asyncpg
import pytest

from .rig import examined, found, put


async def by_hand(conn):
    """Let autovacuum be on, and not come: it would do what the test does, or mend what the test looks for."""
    thresholds = ("vacuum_threshold", "vacuum_insert_threshold", "analyze_threshold")
    options = ", ".join(f"autovacuum_{name} = 1000000" for name in thresholds)
    await conn.execute(f"alter table oban_jobs set ({options})")


async def test_autovacuum_that_is_off_for_the_table_is_a_warning_until_it_is_on(installed, own):
    await own.execute("alter table oban_jobs set (autovacuum_enabled = false)")
    finding = await found(installed, "table-health", "warning")
    assert "autovacuum is off" in finding.seen

    await own.execute(finding.mend)
    await found(installed, "table-health", "ok")


async def test_dead_rows_are_a_warning_until_they_are_vacuumed(installed, own):
    await by_hand(own)
    await own.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 30000)")
    await own.execute("delete from oban_jobs where id % 10 > 0")
    await own.execute("select pg_stat_force_next_flush()")
    finding = await found(installed, "table-health", "warning")
    assert finding.figures["dead"] == 27_000
    assert "27,000 dead rows beside 3,000 live ones" in finding.seen

    await own.execute(finding.mend.partition(";")[0])
    await found(installed, "table-health", "ok")


async def test_statistics_that_were_never_gathered_are_a_warning_until_they_are(installed, own):
    await by_hand(own)
    await own.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 12000)")
    await own.execute("select pg_stat_force_next_flush()")
    finding = await found(installed, "table-health", "warning")
    assert "never gathered" in finding.seen

    await own.execute(finding.mend)
    await found(installed, "table-health", "ok")


@pytest.mark.parametrize(("days", "level"), [(9, "warning"), (1, "ok")])
async def test_a_million_jobs_that_ended_long_ago_are_a_warning(installed, own, days, level):
    """The count is PostgreSQL's own estimate, so statistics that say a million stand for a million."""
    await put(own, state="'completed'", completed_at=f"now() - interval '{days} days'")
    await own.execute("insert into oban_jobs (worker, state, completed_at) select worker, state, completed_at "
                      "from oban_jobs, generate_series(1, 99)")  # fmt: skip
    await own.execute("analyze oban_jobs")
    await found(installed, "ended-jobs", "ok")
    await own.execute("update pg_class set reltuples = 1500000 where oid = 'oban_jobs'::regclass")

    finding = await found(installed, "ended-jobs", level)

    assert finding.figures["ended_estimate"] == 1_500_000


async def test_a_transaction_that_stays_open_is_a_warning_until_it_ends(installed, own, monkeypatch):
    monkeypatch.setattr("bridge.doctor.table._LONG", 0.05)
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            pid = await other.fetchval("select pg_backend_pid() from pg_sleep(0.1)")
            finding = await found(installed, "long-transactions", "warning")
            assert finding.figures == {"sessions": [pid]}
            assert f"pg_terminate_backend({pid})" in finding.mend
        assert pid not in (await examined(installed))["long-transactions"].figures["sessions"]
    finally:
        await other.close()
