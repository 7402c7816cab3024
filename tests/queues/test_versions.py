"""A node works on every database that a release of Oban left behind."""

import asyncio
import json

import asyncpg
import pytest
from engine.schema.oban_databases import ALL, make

from bridge import Cancel, Discard, Record, Snooze

from .rig import connected, notify, row_of

#: Versions without a table of leases can't tell whether an Elixir node stages.
NO_LEASES = ("V9", "V10", "V10 grown by 2.10.1")


PREFIX = "oban"


async def process(job):
    match job.args["outcome"]:
        case "retryable":
            raise ValueError("no")
        case "cancelled":
            return Cancel("enough")
        case "discarded":
            return Discard("enough")
        case "scheduled":
            return Snooze(60)
        case "recorded":
            return Record({"a": 1})
        case "killed":
            await asyncio.Event().wait()
    return None


STATES = {
    "completed": "completed",
    "retryable": "retryable",
    "cancelled": "cancelled",
    "discarded": "discarded",
    "scheduled": "scheduled",
    "recorded": "completed",
    "killed": "cancelled",
}


@pytest.mark.parametrize("kind", ALL)
async def test_every_outcome_is_written(database, start, worker, ends, kind):
    conn = await asyncpg.connect(database)
    await make(conn, kind, PREFIX)
    cls = worker(process)
    oban = await start(queues={"default": {"limit": 10, "paused": True}}, dsn=database, prefix=PREFIX)
    await connected(oban)
    jobs = {each: await oban.enqueue(cls.new({"outcome": each}, tags=["x"], priority=3)) for each in STATES}
    await notify(conn, "signal", json.dumps({"action": "resume", "queue": "default"}), PREFIX)
    for each, job in jobs.items():
        if each != "killed":
            assert (await ends.of(job)).recorded
    await oban.cancel_job(jobs["killed"])
    await ends.of(jobs["killed"])
    for each, state in STATES.items():
        row = await row_of(conn, jobs[each], PREFIX)
        assert (row["state"], row["attempt"], row["tags"], row["priority"]) == (state, 1, ["x"], 3)
        assert all(set(entry) == {"at", "attempt", "error"} for entry in row["errors"])
    assert await oban.fetch_result(jobs["recorded"]) == {"a": 1}
    await conn.close()


@pytest.mark.parametrize("kind", ALL)
async def test_due_jobs_are_staged_where_that_does_no_harm(database, start, worker, ends, kind):
    conn = await asyncpg.connect(database)
    await make(conn, kind, PREFIX)
    cls = worker(process)
    mode = "on" if kind in NO_LEASES else "auto"
    oban = await start(queues={"default": 10}, dsn=database, prefix=PREFIX, stager={"interval": 0.02, "mode": mode})
    job = await oban.enqueue(cls.new({"outcome": "completed"}, schedule_in=0))
    await ends.of(job)
    await oban.stop()
    if kind in NO_LEASES:
        oban = await start(queues={"default": 10}, dsn=database, prefix=PREFIX, stager={"interval": 0.02})
        job = await oban.enqueue(cls.new({"outcome": "completed"}, schedule_in=0))
        await oban._parts.stager.wait_for_round()
        assert (await row_of(conn, job, PREFIX))["state"] == "scheduled"
    await conn.close()
