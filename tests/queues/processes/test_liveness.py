"""Processes that don't go on: blocked by a job, or stopped from outside."""

import asyncio
import os
import signal
import time

import pytest

from bridge.errors import JobTimeout, ProcessEnded
from bridge.jobs import registry
from bridge.queues.processes import liveness, pool, process
from queues.rig import row_of, until

from .conftest import IMPORTING, ready
from .test_ends import alive, same

BLOCKING = ["Blocked", "Hold"]


@pytest.fixture
def quick(monkeypatch):
    """Looks that follow each other soon."""
    monkeypatch.setattr(pool, "LOOK", 0.1)
    monkeypatch.setattr(liveness, "GRACE", 0.3)


@pytest.fixture
def patient(monkeypatch):
    """The same, but a process has three seconds for an answer: a busy machine may take one of them."""
    monkeypatch.setattr(pool, "LOOK", 0.5)
    monkeypatch.setattr(liveness, "GRACE", 0.3)


@pytest.fixture
def by_hand(monkeypatch):
    """No looks but those that a test lets happen."""
    monkeypatch.setattr(pool, "LOOK", 3600)
    monkeypatch.setattr(liveness, "GRACE", 0.3)

    async def look(oban):
        while True:
            for child in oban._parts.processes._children:
                child.look()
            await asyncio.sleep(0.1)

    return look


def child_of(oban, pid):
    return next(child for child in oban._parts.processes._children if child.pid == pid)


@pytest.mark.parametrize("name", BLOCKING)
async def test_a_timeout_ends_a_process_that_its_job_holds_up(quick, begin, app, begun, ends, conn, said, name):
    oban = await begin()
    job, pid = await begun(oban, getattr(app, name).new({"timeout": 0.2}))
    event = await ends.of(job)
    told = f"Processes.{name} timed out after 200ms; its process did not go on meanwhile, and was ended"
    assert (event.state, type(event.error), str(event.error)) == ("retryable", JobTimeout, told)
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"]) == ("retryable", 1)
    assert row["errors"][0]["error"].startswith(f"** (bridge.errors.JobTimeout) {told}\n")
    await said.of(f"process {pid} (jobs in it: 1) was ended, because it did not go on, and 1 of its jobs")
    await until(lambda: same(not alive(pid)))
    await until(lambda: same(len(ready(oban)) == 2), 30)


async def test_its_other_jobs_fail_with_it_and_those_not_begun_run_elsewhere(by_hand, begin, app, begun, ends, ended):
    oban = await begin()
    beside = [await begun(oban, app.Slow.new()) for _ in range(2)]
    _, pid = await begun(oban, app.Blocked.new({"timeout": 1}))
    waiting = await oban.enqueue_many(app.Where.new() for _ in range(5))
    await until(lambda: same(len(child_of(oban, pid).running) > 2))
    looking = asyncio.create_task(by_hand(oban))
    [lost] = [job for job, where in beside if where == pid]
    event = await ends.of(lost)
    assert (event.state, type(event.error)) == ("retryable", ProcessEnded)
    assert "it did not go on, and 1 of its jobs should have ended by their timeout" in str(event.error)
    for row in await ended(*waiting):
        assert (row["attempt"], row["errors"]) == (1, [])
    assert pid not in [await oban.fetch_result(job) for job in waiting]
    assert [(await oban.get_job(job.id)).state for job, where in beside if where != pid] == ["executing"]
    looking.cancel()
    await oban.cancel_job(next(job for job, where in beside if where != pid))


async def test_a_stopped_process_is_ended_by_a_timeout(quick, begin, app, begun, ends):
    oban = await begin()
    job, pid = await begun(oban, app.Slow.new({"timeout": 0.5}))
    os.kill(pid, signal.SIGSTOP)
    assert isinstance((await ends.of(job)).error, JobTimeout)
    await until(lambda: same(not alive(pid)))


async def test_a_process_that_answers_may_take_its_time_after_a_timeout(patient, begin, app, begun, ends):
    oban = await begin()
    job, pid = await begun(oban, app.Linger.new({"timeout": 0.1, "seconds": 5}))
    event = await ends.of(job)
    assert (event.state, str(event.error)) == ("retryable", "Processes.Linger timed out after 100ms")
    assert pid in oban._parts.processes.pids()


async def test_a_job_without_a_timeout_may_block_and_others_go_elsewhere(
    quick, begin, app, begun, ended, said, go, until_go
):
    oban = await begin()
    job, pid = await begun(oban, app.Blocked.new(until_go))
    await until(lambda: same(child_of(oban, pid).liveness.slow))
    others = await oban.enqueue_many(app.Where.new() for _ in range(6))
    await ended(*others)
    assert pid not in [await oban.fetch_result(job) for job in others]
    told = await said.of(f"process {pid} doesn't answer: a job blocks its event loop, or it was stopped; jobs in it: 1")
    assert told.levelname == "WARNING"
    go.touch()
    await ended(job)
    assert pid in oban._parts.processes.pids()
    await until(lambda: same(not child_of(oban, pid).liveness.slow))
    assert sum(f"process {pid} doesn't answer" in text for text in said.texts()) == 1


async def test_processes_that_import_for_long_are_told_of(quick, start, app, said, monkeypatch, ended, imported):
    monkeypatch.setattr(process, "_UNREADY", 0.5)
    oban = await start(queues={"default": 10}, processes=IMPORTING, registry=registry)
    await until(lambda: same(len(oban._parts.processes.pids()) == 2))
    for pid in oban._parts.processes.pids():
        told = await said.of(f"process {pid} is not ready for jobs after 0.5 s: it still imports")
        assert told.levelname == "WARNING"
    assert oban.check_queue("default").stalled.endswith("they have not started yet")
    imported.touch()
    await ended(await oban.enqueue(app.Where.new()))


async def test_a_parent_that_stood_still_blames_no_process(patient, begin, app, begun, ends):
    oban = await begin()
    job, pid = await begun(oban, app.Linger.new({"timeout": 0.2, "seconds": 8}))
    time.sleep(5)  # noqa: ASYNC251 - as if it had been stopped
    event = await ends.of(job)
    assert str(event.error) == "Processes.Linger timed out after 200ms"
    assert pid in oban._parts.processes.pids()


@pytest.mark.parametrize("how", ["kill", "block"])
async def test_programs_of_a_job_end_with_its_process(quick, begin, app, ends, said, how):
    oban = await begin()
    job = await oban.enqueue(app.Spawn.new({"how": how}))
    program = int((await said.of("started ")).getMessage().split()[1])
    assert (await ends.of(job)).state == "retryable"
    await until(lambda: same(not alive(program)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_a_job_may_have_processes_of_its_own(begin, app, ended, said, method):
    oban = await begin()
    job = await oban.enqueue(app.Fork.new({"method": method}))
    await ended(job)
    assert await oban.fetch_result(job) == [0, 2, 4, 6, -signal.SIGTERM]
    await ended(*await oban.enqueue_many(app.Talk.new() for _ in range(6)))
    await until(lambda: same(sum(text == "hello there" for text in said.texts()) == 6))  # their log is whole
