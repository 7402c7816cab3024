"""Queues that both run: who takes whose jobs."""

import asyncio
from collections import Counter

import pytest

from bridge import Job

from .peer import PATIENCE, until
from .rows import THEIRS_AT, check, error, now, ran_by, read_row, since

pytestmark = pytest.mark.item("oban-py: queues that both run")


async def test_bridge_leaves_jobs_that_only_oban_py_can_run(obanpy, peer, ours, start, installed, row_when):
    ours.serve("mail.Send")
    bridge = await start(queues={"shared": 10})
    theirs = [await bridge.enqueue(Job("workers.Echo", queue="shared", args={"n": n})) for n in range(20)]
    mine = [await bridge.enqueue(Job("mail.Send", queue="shared", args={"n": n})) for n in range(20)]
    for job in mine:
        await row_when(job.id, "completed")
    rows = [await read_row(installed, job.id) for job in theirs]
    assert {(row["state"], row["attempt"], row["attempted_by"]) for row in rows} == {("available", 0, None)}

    await obanpy({"shared": 10})
    await peer.events.next("ran", nth=20)
    assert {event["job"]["attempt"] for event in peer.events.all("ran")} == {1}
    assert len(ours.ran) == 20


async def test_oban_py_takes_and_fails_what_only_bridge_can_run(obanpy, ours, start, row_when):
    """So each Python has queues of its own, unless both have the worker."""
    begun = now()
    ours.serve("mail.Send")
    bridge = await start()
    await obanpy({"shared": 10}, node="py@host-p")
    job = await bridge.enqueue(Job("mail.Send", queue="shared"))
    row = await row_when(job.id, "retryable")
    check(
        row,
        id=job.id,
        state="retryable",
        queue="shared",
        worker="mail.Send",
        args={},
        attempt=1,
        errors=[error(1, r"Traceback .*Module 'mail' not found for worker 'mail.Send'\n", THEIRS_AT)],
        inserted_at=since(begun),
        scheduled_at=row["scheduled_at"],
        attempted_at=since(row["inserted_at"]),
        attempted_by=ran_by("py@host-p"),
    )
    # The attempt that it cost is not the last: Bridge runs the job once it gets it.
    await start(queues={"ours": 1}, name="Second")
    await bridge.update_job(job, {"queue": "ours"})
    assert await bridge.retry_job(job)
    assert (await ours.run_of(job.id)).attempt == 2
    assert (await row_when(job.id, "completed"))["attempt"] == 2


@pytest.mark.parametrize("tables", ["elixir's", "oban-py's"], indirect=True)
async def test_a_worker_that_both_have_runs_each_job_once(obanpy, peer, ours, start, installed, tables):
    ours.serve("workers.Echo")
    bridge = await start(queues={"shared": 10})
    theirs = await obanpy({"shared": 10})
    jobs = 0
    async with asyncio.timeout(PATIENCE):  # neither is shut out by the other
        while jobs < 600 or not (ours.ran and peer.events.all("ran")):
            mine, yours = range(jobs, jobs + 50), range(jobs + 50, jobs + 100)
            await bridge.enqueue_many(Job("workers.Echo", queue="shared", args={"n": n}) for n in mine)
            await theirs.call(
                "enqueue", jobs=[{"worker": "workers.Echo", "queue": "shared", "args": {"n": n}} for n in yours]
            )
            jobs += 100

    async def all_ran():
        return await bridge.count_jobs() == {"completed": jobs}

    await until(all_ran)
    there = Counter(event["job"]["args"]["n"] for event in peer.events.all("ran"))
    here = Counter(job.args["n"] for job in ours.ran)
    assert here + there == Counter(range(jobs))
    print(f"bridge ran {len(here)}, oban-py {len(there)}")
