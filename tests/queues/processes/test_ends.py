"""Processes that crash, jobs that are ended in them, and nodes that stop."""

import asyncio
import os
import signal
import time

import pytest

from bridge.errors import JobTimeout, ProcessEnded
from bridge.queues.processes import process
from queues.rig import PATIENCE, events_of, row_of, states, until

from .conftest import ready, wait_of

WAYS = {
    "kill": "ended with SIGKILL; memory may have run out",
    "exit": "ended with exit status 3",
    "segfault": "ended with SIGSEGV",
}


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def same(value):
    return value


@pytest.mark.parametrize("how", WAYS)
async def test_a_crash_fails_the_job_as_any_error_does(begin, app, ends, conn, said, how):
    oban = await begin(processes=2)
    before = oban._parts.processes.pids()
    job = await oban.enqueue(app.Crash.new({"how": how}))
    event = await ends.of(job)
    told = f"the process that ran it {WAYS[how]}"
    assert (event.state, type(event.error), str(event.error)) == ("retryable", ProcessEnded, told)
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"]) == ("retryable", 1)
    assert row["errors"][0]["error"].startswith(f"** (bridge.errors.ProcessEnded) {told}\n")
    assert wait_of(row) == 777
    await said.of(f"{WAYS[how]}; another one takes its place")
    await said.of("last words")
    await until(lambda: same(len(ready(oban)) == 2), 30)
    assert len({*oban._parts.processes.pids()} & {*before}) == 1


async def test_the_last_attempt_is_discarded(begin, app, ends):
    oban = await begin()
    event = await ends.of(await oban.enqueue(app.Crash.new({"how": "kill"}, max_attempts=1)))
    assert event.state == "discarded"


async def test_a_process_that_is_killed_takes_its_own_jobs_alone(begin, app, begun, ended, go, until_go):
    oban = await begin()
    jobs = dict([await begun(oban, app.Slow.new(until_go)) for _ in range(4)])
    victim = jobs[next(iter(jobs))]
    os.kill(victim, signal.SIGKILL)
    lost = [job for job, pid in jobs.items() if pid == victim]
    kept = [job for job, pid in jobs.items() if pid != victim]
    assert len(lost) == len(kept) == 2
    await ended(*lost, states=("retryable",))
    go.touch()
    await ended(*kept)
    await until(lambda: same(len(ready(oban)) == 2), 30)
    again = await oban.enqueue_many(app.Meet.new({"count": 2}) for _ in range(4))
    await ended(*again)
    assert len({await oban.fetch_result(job) for job in again}) == 2


async def test_jobs_wait_while_no_process_is_there(begin, app, ended):
    oban = await begin()
    for pid in oban._parts.processes.pids():
        os.kill(pid, signal.SIGKILL)
    jobs = await oban.enqueue_many(app.Where.new() for _ in range(20))
    await ended(*jobs)


async def test_cancelling_reaches_the_task(begin, app, begun, ends, said, go, until_go):
    oban = await begin()
    job, _ = await begun(oban, app.Slow.new())
    other, _ = await begun(oban, app.Slow.new(until_go))
    assert await oban.cancel_job(job)
    event = await ends.of(job)
    assert (event.state, event.result.reason) == ("cancelled", "the job was cancelled while it ran")
    await said.of(f"cleaned {job.id}")
    go.touch()
    assert (await ends.of(other)).state == "completed"


async def test_a_thread_may_see_that_its_job_was_cancelled(begin, app, begun, ends, said):
    oban = await begin()
    job, pid = await begun(oban, app.SlowThread.new({"polite": True}))
    await oban.cancel_job(job)
    event = await ends.of(job)
    assert event.result.reason.endswith("its thread can't be stopped and goes on")
    await said.of(f"cleaned {job.id}")
    assert pid in [child.pid for child in ready(oban)]


async def test_a_thread_that_goes_on_ends_with_its_process_once_nothing_else_runs_there(
    begin, app, begun, ends, said, ended, go, until_go
):
    oban = await begin()
    stuck, pid = await begun(oban, app.SlowThread.new())
    beside = [await begun(oban, app.Slow.new(until_go)) for _ in range(3)]
    await oban.cancel_job(stuck)
    assert (await ends.of(stuck)).state == "cancelled"
    await said.of(f"process {pid} gets no more jobs")
    assert alive(pid)
    await until(lambda: same(len(ready(oban)) == 2), 30)
    go.touch()
    await ended(*(job for job, _ in beside))
    await said.of(f"process {pid} was ended")
    assert not alive(pid)


async def test_a_blocked_process_is_ended_with_a_cancelled_job(begin, app, begun, ends, monkeypatch):
    monkeypatch.setattr(process, "HEARING", 0.5)
    oban = await begin()
    job, pid = await begun(oban, app.Blocked.new())
    await oban.cancel_job(job)
    event = await ends.of(job)
    assert event.state == "cancelled"
    assert "did not hear for 0.5 s" in event.result.reason
    await until(lambda: same(not alive(pid)))


async def given(oban, worker, pid, count, **options):
    """Give jobs to a process that does not begin them."""
    jobs = await oban.enqueue_many(worker.new(**options) for _ in range(count))
    [child] = [child for child in oban._parts.processes._children if child.pid == pid]
    await until(lambda: same(len(child.running) > 1))
    return [job for job in jobs if (await oban.get_job(job.id)).state == "executing"]


async def test_a_job_that_a_blocked_process_has_not_begun_is_cancelled_alone(
    begin, app, begun, ends, ended, monkeypatch, go, until_go
):
    monkeypatch.setattr(process, "HEARING", 3)  # in which the other process hears, too
    oban = await begin()
    blocked, pid = await begun(oban, app.Blocked.new(until_go))
    waiting = await given(oban, app.Slow, pid, 4)
    for job in waiting:
        await oban.cancel_job(job)
    for job in waiting:
        event = await ends.of(job)
        assert (event.state, event.result.reason) == ("cancelled", "the job was cancelled while it ran")
    assert oban.check_queue("default").running == (blocked.id,)
    go.touch()
    await ended(blocked)
    assert pid in [child.pid for child in ready(oban)]


async def test_a_queue_that_stops_hands_back_what_a_blocked_process_has_not_begun(
    begin, app, begun, ended, conn, go, until_go
):
    oban = await begin(queues={"default": 1, "other": 4}, shutdown_grace_period=0.1)
    blocked, pid = await begun(oban, app.Blocked.new(until_go))
    await given(oban, app.Slow, pid, 4, queue="other")
    await oban.stop_queue("other")
    await until(lambda: _in_states(conn, {"available": 4, "executing": 1}))
    go.touch()
    await ended(blocked)
    assert pid in [child.pid for child in ready(oban)]
    assert await states(conn) == {"available": 4, "completed": 1}


async def _in_states(conn, expected):
    return await states(conn) == expected


@pytest.mark.parametrize(("name", "more"), [("Slow", ""), ("SlowThread", "; its thread can't be stopped and goes on")])
async def test_a_timeout_holds_there(begin, app, ends, name, more):
    oban = await begin()
    event = await ends.of(await oban.enqueue(getattr(app, name).new({"timeout": 0.1, "polite": True})))
    assert (event.state, type(event.error)) == ("retryable", JobTimeout)
    assert str(event.error) == f"Processes.{name} timed out after 100ms{more}"


async def test_jobs_get_the_grace_period_of_their_node(begin, app, begun, conn, go, until_go):
    oban = await begin(shutdown_grace_period=60)
    jobs = [await begun(oban, app.Slow.new(until_go)) for _ in range(3)]
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: same(oban.check_queue("default") is None))
    go.touch()
    await stopping
    assert await states(conn) == {"completed": 3}
    assert not any(alive(pid) for _, pid in jobs)


@pytest.mark.usefixtures("unhurried")
async def test_what_does_not_end_in_time_is_handed_back_and_no_process_is_left(begin, app, begun, conn):
    oban = await begin(shutdown_grace_period=0.1)
    pids = oban._parts.processes.pids()
    jobs = [await begun(oban, worker.new()) for worker in (app.Slow, app.SlowThread, app.Blocked, app.Slow)]
    with events_of("oban.queue.shutdown") as shutdowns:
        async with asyncio.timeout(PATIENCE * 2):
            await oban.stop()
    assert await states(conn) == {"available": 4}
    assert shutdowns[0][1].orphaned == ()
    assert not any(alive(pid) for pid in {*pids, *(pid for _, pid in jobs)})


@pytest.mark.usefixtures("unhurried")
async def test_a_process_that_takes_its_time_to_be_gone_leaves_no_job_executing(begin, app, begun, conn, monkeypatch):
    wait = process.wait

    def slow(*args):
        code = wait(*args)
        time.sleep(1.5)
        return code

    monkeypatch.setattr(process, "wait", slow)
    oban = await begin(shutdown_grace_period=0.1)
    job, _ = await begun(oban, app.SlowThread.new())
    with events_of("oban.queue.shutdown") as shutdowns:
        await oban.stop()
    assert (shutdowns[0][1].handed_back, shutdowns[0][1].orphaned) == ((job.id,), ())
    assert await states(conn) == {"available": 1}


async def test_a_node_that_stops_at_once_leaves_no_process(begin, app, start, conn):
    oban = await start(queues={"default": 1}, processes=2, registry=app_registry())
    pids = oban._parts.processes
    await oban.stop()
    assert pids.pids() == []


def app_registry():
    from bridge.jobs import registry

    return registry


async def test_a_queue_that_stops_leaves_the_jobs_of_others_alone(begin, app, begun, ended, go, until_go):
    oban = await begin(queues={"default": 5, "other": 5}, shutdown_grace_period=0.1)
    kept = [await begun(oban, app.Slow.new(until_go, queue="other")) for _ in range(2)]
    job, _ = await begun(oban, app.Slow.new())
    await oban.stop_queue("default", local_only=True)
    await ended(job, states=("available",))
    go.touch()
    await ended(*(job for job, _ in kept))


async def test_a_cancellation_while_no_process_is_there_is_one(begin, app, ends, conn):
    oban = await begin()
    producer = oban._parts.queues._producers["default"]
    pool = oban._parts.processes
    pool._program = "bridge.nowhere"  # so that no others come
    for child in list(pool._children):
        os.kill(child.pid, signal.SIGKILL)
        child._why_ended = "the test wants none"  # takes no jobs from now on; the event comes later
    job = await oban.enqueue(app.Where.new(schedule_in=3600))
    await conn.execute(
        "update oban_jobs set state = 'executing', attempt = 1, attempted_by = array['here', $1], attempted_at = now()"
        " at time zone 'utc'",
        producer.uuid,
    )
    producer._start_job(await oban.get_job(job.id))
    await asyncio.sleep(0)
    await oban.cancel_job(job)
    assert (await ends.of(job)).state == "cancelled"
