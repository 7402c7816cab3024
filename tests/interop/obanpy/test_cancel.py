"""Jobs that one Python cancels, where they wait and where the other runs them."""

import pytest

from bridge import Job

from .rows import OURS_AT, check, error, matching, now, ran_by, read_row, since
from .signals import hearing

pytestmark = pytest.mark.item("oban-py: cancel")

BOTH = pytest.mark.parametrize("tables", ["elixir's", "oban-py's"], indirect=True)


@BOTH
async def test_bridge_cancels_a_job_that_oban_py_runs(obanpy, peer, start, installed, row_when, tables):
    """The row is cancelled at once; the worker is told, and what it then returns is dropped."""
    begun = now()
    bridge = await start()
    await obanpy({"shared": 1}, node="py@host-p")
    job = await bridge.enqueue(Job("workers.Hold", queue="shared"))
    await peer.events.next("ran", job__id=job.id)
    assert await bridge.cancel_job(job)
    await peer.events.next("stopped", id=job.id)

    # The queue has room again, and what it held has been written.
    after = await bridge.enqueue(Job("workers.Echo", queue="shared"))
    await row_when(after.id, "completed")
    row = await read_row(installed, job.id)
    check(
        row,
        id=job.id,
        state="cancelled",
        queue="shared",
        worker="workers.Hold",
        args={},
        attempt=1,
        inserted_at=since(begun),
        scheduled_at=row["inserted_at"],
        attempted_at=since(row["inserted_at"]),
        attempted_by=ran_by("py@host-p"),
        cancelled_at=since(row["attempted_at"]),
    )


@BOTH
async def test_oban_py_cancels_a_job_that_bridge_runs(obanpy, ours, start, row_when, tables):
    """It leaves the row to whoever runs the job, and sends a message alone."""
    begun = now()
    ours.serve("mail.Send")
    await hearing(await start(queues={"shared": 1}, node="bridge@host-b"))
    theirs = await obanpy()
    job_id = await theirs.enqueue("mail.Send", {"act": "hold"}, queue="shared")
    await ours.run_of(job_id)
    assert await theirs.call("cancel", ids=[job_id]) == 1
    await ours.stop_of(job_id)
    row = await row_when(job_id, "cancelled")
    check(
        row,
        id=job_id,
        state="cancelled",
        queue="shared",
        worker="mail.Send",
        args={"act": "hold"},
        attempt=1,
        errors=[error(1, r"\*\* \(bridge.errors.JobCancelled\) .*", OURS_AT)],
        inserted_at=since(begun),
        scheduled_at=row["inserted_at"],
        attempted_at=since(row["inserted_at"]),
        attempted_by=ran_by("bridge@host-b"),
        cancelled_at=since(row["attempted_at"]),
    )


async def test_a_worker_of_oban_py_that_looks_at_nothing_runs_on_and_its_job_stays_cancelled(
    obanpy, peer, start, installed, row_when
):
    bridge = await start()
    await obanpy({"shared": 1})
    job = await bridge.enqueue(Job("workers.Deaf", queue="shared"))
    await peer.events.next("ran", job__id=job.id)
    assert await bridge.cancel_job(job)
    row = await read_row(installed, job.id)
    assert row["state"] == "cancelled"
    await peer.call("release")
    await peer.events.next("ended", id=job.id)
    after = await bridge.enqueue(Job("workers.Echo", queue="shared"))
    await row_when(after.id, "completed")
    assert await read_row(installed, job.id) == row


@BOTH
async def test_jobs_that_wait_are_cancelled_and_never_run(obanpy, peer, ours, start, installed, tables):
    ours.serve("mail.Send")
    begun = now()
    bridge, theirs = await start(), await obanpy()
    for_them = [
        (await bridge.enqueue(Job("workers.Echo", queue="theirs"))).id,
        (await bridge.enqueue(Job("workers.Echo", queue="theirs", schedule_in=60))).id,
    ]
    for_us = [
        await theirs.enqueue("mail.Send", queue="ours"),
        await theirs.enqueue("mail.Send", queue="ours", scheduled_in=60),
    ]
    assert await theirs.call("cancel", ids=for_them) == 2
    assert await bridge.cancel_jobs(for_us) == 2
    by_them = {"cancel_attempted_at": matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+")}
    for job_id in (*for_them, *for_us):
        row = await read_row(installed, job_id)
        check(
            row,
            id=job_id,
            state="cancelled",
            queue="theirs" if job_id in for_them else "ours",
            worker="workers.Echo" if job_id in for_them else "mail.Send",
            args={},
            attempt=0,
            meta=by_them if job_id in for_them else {},
            inserted_at=since(begun),
            scheduled_at=row["scheduled_at"],
            attempted_at=None,
            attempted_by=None if tables == "elixir's" else [],
            cancelled_at=since(begun),
        )
    await obanpy({"theirs": 2})
    await start(queues={"ours": 2}, name="Second")
    for worker, queue in (("workers.Echo", "theirs"), ("mail.Send", "ours")):
        last = await bridge.enqueue(Job(worker, queue=queue, priority=9))
        await (peer.events.next("ran", job__id=last.id) if queue == "theirs" else ours.run_of(last.id))
    assert [event["job"]["queue"] for event in peer.events.all("ran")] == ["theirs"]
    assert len(ours.ran) == 1


async def test_a_cancelled_job_of_either_is_retried_by_the_other(obanpy, peer, ours, start, row_when):
    ours.serve("mail.Send")
    bridge, theirs = await start(queues={"ours": 1}), await obanpy({"theirs": 1})
    for_them = await theirs.enqueue("workers.Echo", queue="theirs", scheduled_in=60)
    for_us = (await bridge.enqueue(Job("mail.Send", queue="ours", schedule_in=60))).id
    assert await theirs.call("cancel", ids=[for_them]) == 1
    assert await bridge.cancel_job(for_us)
    assert await bridge.retry_job(for_them)
    assert await theirs.call("retry", ids=[for_us]) == 1
    for job_id in (for_them, for_us):
        row = await row_when(job_id, "completed")
        assert (row["attempt"], row["cancelled_at"]) == (1, None)
