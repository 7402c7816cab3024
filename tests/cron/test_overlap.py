"""A cron entry that is unique is not inserted while its last job is there."""

import pytest

from bridge.cron import Entry
from bridge.errors import InvalidSetting

from .rig import jobs_of

WAITING = {"period": "infinity", "states": "incomplete"}


async def nothing(_job):
    return None


async def pass_minutes(scheduler, clock, *minutes):
    for minute in minutes:
        clock.set(f"2026-03-01 12:{minute:02}:00")
        await scheduler.run_once()


@pytest.mark.parametrize("where", ["entry", "worker", "dict"])
async def test_a_minute_is_left_out_while_a_job_of_it_waits_or_runs(node, clock, conn, worker, where, caplog):
    worker(nothing, name="W", **({"unique": WAITING} if where == "worker" else {}))
    options = {} if where == "worker" else {"unique": WAITING}
    entry = {"expression": "* * * * *", "worker": "W", "name": "every", **options}
    scheduler = await node(Entry(**entry) if where == "entry" else entry)

    await pass_minutes(scheduler, clock, 1, 2, 3)
    assert await jobs_of(conn) == ["every"]
    await conn.execute("update oban_jobs set state = 'completed'")
    await pass_minutes(scheduler, clock, 4, 5)

    assert await jobs_of(conn) == ["every", "every"]
    assert [record for record in caplog.records if record.levelname != "INFO" and record.name == "bridge.cron"] == []


async def test_other_entries_of_the_minute_are_inserted(node, clock, conn, worker):
    worker(nothing, name="W")
    held = {"expression": "* * * * *", "worker": "W", "name": "held", "args": {"a": 1}, "unique": WAITING}
    scheduler = await node(held, {"expression": "* * * * *", "worker": "W", "name": "every"})

    await pass_minutes(scheduler, clock, 1, 2)

    assert await jobs_of(conn) == ["held", "every", "every"]


async def test_a_rule_that_none_can_be_is_refused_with_its_place(node, worker):
    worker(nothing, name="W")

    with pytest.raises(InvalidSetting, match=r"cron\[0\]: unique.period: expected more than 0"):
        await node({"expression": "* * * * *", "worker": "W", "unique": {"period": 0}})
