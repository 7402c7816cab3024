"""Leaders of both Pythons side by side, and what that does to jobs with a time and to jobs of nodes that died."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bridge import Job

from .peer import PATIENCE, ObanPy, until
from .rows import read_row

pytestmark = pytest.mark.item("oban-py: leaders, staging and rescue")

BOTH = pytest.mark.parametrize("tables", ["elixir's", "oban-py's"], indirect=True)

#: Seconds that a job may be late, whoever stages it: less than the half minute that a leader's lease lasts which nobody
#: renews, as it would be where one had to wait for the other's.
LATE = 20.0


@BOTH
async def test_each_language_of_python_has_a_leader_of_its_own(obanpy, start, installed, tables):
    bridge = await start(queues={"ours": 1}, node="bridge@host-b")
    theirs = await obanpy({"theirs": 1}, node="py@host-p")

    async def both_lead():
        return bridge.is_leader and await theirs.call("leads")

    await until(both_lead)
    conn = await asyncpg.connect(installed)
    peers = "oban_peers" if tables == "elixir's" else "bridge_peers"
    leases = await conn.fetch(f"select name, node from oban_leaders union all select name, node from {peers}")
    await conn.close()
    assert {tuple(row) for row in leases} == {("Oban", "py@host-p"), ("Oban@python", "bridge@host-b")}


@BOTH
async def test_scheduled_jobs_run_once_and_in_time_though_both_stage(obanpy, peer, ours, start, installed, tables):
    """Both lock what they stage and look at it again, so neither undoes what the other did."""
    ours.serve("workers.Echo")
    bridge = await start(queues={"shared": 20, "ours": 20})
    theirs = await obanpy({"shared": 20, "theirs": 20}, stager={"interval": 0.05})
    await obanpy({"shared": 20}, stager={"interval": 0.05}, node="py@host-q")
    begun = datetime.now(UTC)
    jobs = [
        {"queue": queue, "args": {"n": n}, "at": begun + timedelta(seconds=0.5 + 1.5 * n / 400)}
        for n, queue in enumerate(("shared", "shared", "ours", "theirs") * 100)
    ]
    await bridge.enqueue_many(
        Job("workers.Echo", queue=job["queue"], args=job["args"], scheduled_at=job["at"]) for job in jobs[::2]
    )
    await theirs.call(
        "enqueue",
        jobs=[
            {
                "worker": "workers.Echo",
                "queue": job["queue"],
                "args": job["args"],
                "scheduled_in": (job["at"] - datetime.now(UTC)).total_seconds(),
            }
            for job in jobs[1::2]
        ],
    )
    await all_in(bridge, completed=len(jobs))
    runs = Counter(event["job"]["args"]["n"] for event in peer.events.all("ran")) + Counter(
        job.args["n"] for job in ours.ran
    )
    assert runs == Counter(range(len(jobs)))
    conn = await asyncpg.connect(installed)
    late = await conn.fetchval("select max(extract(epoch from attempted_at - scheduled_at))::float8 from oban_jobs")
    attempts = await conn.fetch("select distinct attempt from oban_jobs")
    await conn.close()
    assert [row[0] for row in attempts] == [1]
    print(f"late by {late:.2f} s at most; bridge ran {len(ours.ran)}, oban-py {len(peer.events.all('ran'))}")
    assert late < LATE


@BOTH
async def test_a_row_that_somebody_holds_makes_bridge_stage_no_job_twice(obanpy, peer, start, installed, tables):
    """A stager that waited for the row would go on with what it saw before, and undo what others have run since."""
    client = await start()
    due = datetime.now(UTC)
    jobs = await client.enqueue_many(
        Job("workers.Echo", queue="theirs", args={"n": n}, scheduled_at=due) for n in range(100)
    )
    conn, watcher = await asyncpg.connect(installed), await asyncpg.connect(installed)
    async with conn.transaction():
        held = [jobs[0].id, jobs[50].id, jobs[-1].id]
        await conn.execute("select from oban_jobs where id = any($1) for update", held)
        bridge = await start(queues={"ours": 1}, name="Second", stager={"interval": 0.05})

        async def staged_or_stuck():
            waits = """
                select from pg_stat_activity
                where datname = current_database() and wait_event in ('tuple', 'transactionid')
            """
            return await bridge.count_jobs(state="available") == {"available": 97} or await watcher.fetch(waits)

        await until(staged_or_stuck)
        await obanpy({"theirs": 20}, stager={"interval": 0.05})
        await all_in(bridge, completed=97, scheduled=3)
    await all_in(bridge, completed=100)
    await conn.close()
    await watcher.close()

    async def told():
        return len(peer.events.all("ran")) >= 100

    await until(told)
    assert sorted(event["job"]["args"]["n"] for event in peer.events.all("ran")) == list(range(100))


async def test_bridge_goes_on_staging_when_oban_py_is_killed_and_leaves_its_running_jobs_alone(
    obanpy_python, ours, start, installed, row_when, peer
):
    ours.serve("mail.Send")
    bridge = await start(queues={"ours": 5}, lifeline={"rescue_after": 1, "interval": 0.1})
    dying = await asyncio.to_thread(ObanPy, obanpy_python)
    node = await dying.node(installed, queues={"theirs": 5})
    held = await node.enqueue("workers.Hold", queue="theirs")
    await dying.events.next("ran", job__id=held)
    dying.kill()
    await asyncio.to_thread(dying.wait)

    job = await bridge.enqueue(Job("mail.Send", queue="ours", schedule_in=1.5))
    row = await row_when(job.id, "completed")
    assert (row["attempted_at"] - row["scheduled_at"]).total_seconds() < LATE
    # It is no node of Bridge's, so nobody but another oban-py rescues its jobs, by their age.
    assert (await read_row(installed, held))["state"] == "executing"

    lifeline = {"interval": 0.1, "rescue_after": 0.5}
    await peer.node(installed, queues={"theirs": 5}, name="Heir", lifeline=lifeline)
    again = (await peer.events.next("ran", job__id=held))["job"]
    assert (again["attempt"], again["meta"]) == (2, {"rescued": 1})


async def test_oban_py_runs_long_jobs_of_bridge_again_and_the_late_outcome_is_dropped(
    obanpy, ours, start, installed, row_when, caplog
):
    """Its lifeline goes by age, five minutes if nobody says otherwise, and takes jobs of every node and language."""
    ours.serve("mail.Send")
    bridge = await start(queues={"ours": 5})
    job = await bridge.enqueue(Job("mail.Send", queue="ours", args={"act": "hold"}))
    await ours.run_of(job.id, attempt=1)
    # It began an hour ago, as it were, and begins again now; so its age tells between the two runs, however slow.
    conn = await asyncpg.connect(installed)
    await conn.execute("update oban_jobs set attempted_at = attempted_at - interval '1 hour'")
    await conn.close()
    theirs = await obanpy({"theirs": 1}, lifeline={"interval": 0.1, "rescue_after": 600})
    second = await ours.run_of(job.id, attempt=2)
    await theirs.stop()
    assert (second.id, second.meta) == (job.id, {"rescued": 1})
    ours.release()
    row = await row_when(job.id, "completed")
    assert (row["attempt"], row["errors"]) == (2, [])
    told = f"job {job.id} was changed by somebody else while it ran; its outcome is dropped"
    async with asyncio.timeout(PATIENCE):
        while [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()] != [told]:  # noqa: ASYNC110 - a line sets no Event
            await asyncio.sleep(0.01)


async def all_in(bridge, **states):
    """Wait until so many jobs are in these states, and none in another."""

    async def counted():
        return await bridge.count_jobs() == states

    await until(counted)
