"""Cancelling a job that runs stops its task, wherever it runs, and says so in its row."""

import asyncio
import json
import threading

import pytest

from bridge import Job, current_job

from .rig import PATIENCE, connected, heard, notify, row_of, until


async def test_a_cancelled_job_stops_within_moments(start, worker, ends, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 5}, stager={"interval": 600})  # which would find it too
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    assert await oban.cancel_job(job)
    event = await ends.of(job)
    assert (event.state, event.recorded) == ("cancelled", True)
    assert event.result.reason == "the job was cancelled while it ran"
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"], row["completed_at"]) == ("cancelled", 1, None)
    assert row["cancelled_at"] is not None
    [entry] = row["errors"]
    assert entry["error"].startswith("** (bridge.errors.JobCancelled) the job was cancelled while it ran")
    assert oban.check_queue("default").running == ()


async def test_clean_up_runs_to_its_end(start, worker, ends, conn, gate):
    cleaned = []

    async def process(job):
        try:
            await gate(job)
        finally:
            # The signal arrives after the direct call; a second cancellation must not end this.
            await asyncio.sleep(0.1)
            cleaned.append(current_job().cancelled())

    oban = await start(queues={"default": 5})
    await connected(oban)
    job = await oban.enqueue(worker(process).new())
    await gate.entered(1)
    await oban.cancel_job(job)
    await oban.cancel_job(job)
    await notify(conn, "signal", json.dumps({"action": "pkill", "job_id": job.id}))
    await ends.of(job)
    assert cleaned == [True]
    assert (await row_of(conn, job))["state"] == "cancelled"


async def test_a_worker_that_swallows_its_cancellation_stays_cancelled(start, worker, ends, conn, gate):
    async def process(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            return "went on regardless"

    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(process).new())
    await gate.entered(1)
    await oban.cancel_job(job)
    event = await ends.of(job)
    assert event.recorded is False
    assert (await row_of(conn, job))["state"] == "cancelled"


async def test_a_worker_that_answers_its_cancellation_with_an_error_stays_cancelled(start, worker, ends, conn, gate):
    async def process(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            raise ValueError("while it was torn down") from None

    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(process).new())
    await gate.entered(1)
    await oban.cancel_job(job)
    await ends.of(job)
    row = await row_of(conn, job)
    assert row["state"] == "cancelled"
    assert "while it was torn down" in row["errors"][0]["error"]


async def test_a_thread_goes_on_and_the_row_says_so(start, worker, ends, conn):
    free, started, saw = threading.Event(), threading.Event(), []

    def process(job):
        started.set()
        free.wait(PATIENCE)
        saw.append(job.cancelled())
        return "dropped"

    oban = await start(queues={"default": 1})
    job = await oban.enqueue(worker(process).new())
    await asyncio.to_thread(started.wait, PATIENCE)
    await oban.cancel_job(job)
    await ends.of(job)
    row = await row_of(conn, job)
    assert row["state"] == "cancelled"
    assert "its thread can't be stopped and goes on" in row["errors"][0]["error"]
    await ends.of(await oban.enqueue(worker(lambda _job: None, "Next").new()))
    free.set()
    assert await until(lambda: asyncio.sleep(0, saw)) == [True]
    assert (await row_of(conn, job))["state"] == "cancelled"


async def test_a_pkill_of_another_instance_reaches_the_job(start, worker, ends, conn, gate):
    cls = worker(gate)
    owner = await start(name="Owner", node="a", queues={"default": 5}, stager={"interval": 600})
    await connected(owner)
    client = await start(name="Client", node="b")
    jobs = await client.enqueue_many(cls.new() for _ in range(3))
    await gate.entered(3)
    assert await client.cancel_jobs(queue="default", state="executing") == 3
    await ends.first(3)
    for job in jobs:
        row = await row_of(conn, job)
        assert (row["state"], len(row["errors"])) == ("cancelled", 1)


async def test_a_pkill_from_elixir_reaches_the_job(start, worker, ends, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 5})
    await connected(oban)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    async with conn.transaction():
        await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = timezone('UTC', now())")
        await notify(conn, "signal", json.dumps({"action": "pkill", "job_id": job.id}))
    assert (await ends.of(job)).state == "cancelled"


async def test_a_node_that_hears_nothing_finds_out_by_itself(start, worker, ends, conn, gate):
    cls = worker(gate)
    owner = await start(name="Owner", queues={"default": 5}, notifier={"enabled": False}, stager={"interval": 0.05})
    job = await owner.enqueue(cls.new())
    other = await start(name="Other")
    await gate.entered(1)
    await other.cancel_job(job)
    assert (await ends.of(job)).state == "cancelled"


async def test_a_job_that_waits_or_has_ended_is_cancelled_or_left(start, worker, ends, conn):
    cls = worker(lambda _job: None)
    oban = await start(queues={"default": 5})
    waiting = await oban.enqueue(cls.new(schedule_in=3600))
    done = await oban.enqueue(cls.new())
    await ends.of(done)
    assert await oban.cancel_job(waiting)
    assert not await oban.cancel_job(waiting)
    assert not await oban.cancel_job(done)
    assert not await oban.cancel_job(999_999)
    row = await row_of(conn, waiting)
    assert (row["state"], row["attempt"], row["errors"]) == ("cancelled", 0, [])
    assert (await row_of(conn, done))["state"] == "completed"


async def test_a_job_that_is_cancelled_in_the_moment_it_starts_has_an_outcome(start, worker, ends, conn):
    never = asyncio.Event()

    async def process(_job):
        await never.wait()

    cls = worker(process)
    oban = await start(queues={"default": 50})
    producer = oban._parts.queues._producers["default"]
    begin = producer._start_job

    def cancel_at_once(job):
        begin(job)
        producer.cancel(job.id)  # The task was made, and has not run yet.

    producer._start_job = cancel_at_once
    jobs = await oban.enqueue_many(cls.new() for _ in range(10))
    await ends.first(10)
    assert {(await row_of(conn, job))["state"] for job in jobs} == {"cancelled"}
    assert oban.check_queue("default").running == ()


async def test_jobs_that_are_cancelled_while_they_are_fetched_all_end(start, worker, ends, conn):
    never = asyncio.Event()

    async def process(_job):
        await never.wait()

    cls = worker(process)
    oban = await start(queues={"default": {"limit": 200, "dispatch_cooldown": 0.001}})
    for _ in range(30):
        jobs = await oban.enqueue_many(cls.new() for _ in range(20))
        await oban.cancel_jobs(jobs)
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").running == ()))
    found = await conn.fetch("select distinct state::text from oban_jobs")
    assert [row["state"] for row in found] == ["cancelled"]


async def test_an_executing_job_of_nobody_is_only_marked(start, conn):
    oban = await start(queues={"default": 5})
    job_id = await conn.fetchval(
        """
        insert into oban_jobs (worker, state, attempt, attempted_by)
        values ('Elixir.Worker', 'executing', 1, array['ex@host', 'x'])
        returning id
        """
    )
    assert await oban.cancel_job(job_id)
    assert (await row_of(conn, job_id))["state"] == "cancelled"


async def test_a_cancelled_job_can_be_retried_and_runs_again(start, worker, ends, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    await oban.cancel_job(job)
    await ends.of(job)
    await heard(oban)  # the word to all nodes too, which would end the next attempt
    gate.open()
    assert await oban.retry_job(job)
    event = await ends.of(job, attempt=2)
    assert event.state == "completed"
    row = await row_of(conn, job)
    assert (row["state"], row["cancelled_at"], len(row["errors"])) == ("completed", None, 1)


@pytest.mark.parametrize("limit", [None, 5])
async def test_a_cancellation_during_a_timeout_is_a_cancellation(start, worker, ends, gate, limit):
    cls = worker(gate, timeout=limit)
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    await oban.cancel_job(job)
    assert (await ends.of(job)).state == "cancelled"


async def test_a_job_that_cancels_itself_by_the_instance_is_cancelled(start, worker, ends, conn):
    async def process(job):
        await oban.cancel_job(job)
        await asyncio.Event().wait()

    worker(process)
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(Job("W"))
    assert (await ends.of(job)).state == "cancelled"
    assert (await row_of(conn, job))["state"] == "cancelled"
