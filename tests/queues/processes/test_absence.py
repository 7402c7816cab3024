"""Nodes whose processes can't be had."""

import asyncio
import os
import signal
import sys

import pytest
from doctor.rig import opened

from bridge.doctor import examine
from bridge.queues.processes import pool
from queues.rig import PATIENCE, connected, row_of, until

from .conftest import IMPORTING, ready
from .test_ends import same

HOUR = 3600


@pytest.fixture
def strand(said, begin, app, monkeypatch):
    """A function that leaves a node with jobs it has claimed, whose processes died before they began one.

    It can start no others; jobs wait so many seconds for one.
    """

    async def strand_one(patience, **options):
        monkeypatch.setattr(pool, "PATIENCE", HOUR)
        oban = await begin(lifeline={"enabled": False}, **options)
        await connected(oban)
        processes = oban._parts.processes
        pids = processes.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        jobs = await oban.enqueue_many(app.Where.new(max_attempts=1) for _ in range(4))
        await until(lambda: same(sum(len(child.running) for child in processes._children) == 4))
        processes._program = "bridge.nowhere"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # Once both are gone, and the next ones have failed to start, why that is has come to stay.
        await until(lambda: same(not {*pids} & {*processes.pids()}))
        await until(lambda: same("exit status 1" in processes._absence.text))
        await until(lambda: same(len(processes._waiting) == 4))
        # Those that wait look again, and wait so long from then on.
        monkeypatch.setattr(pool, "PATIENCE", patience)
        processes._free.set()
        return oban, jobs

    return strand_one


@pytest.fixture
async def stranded(strand):
    return await strand(0.5)


async def test_jobs_that_were_claimed_are_handed_back_with_their_attempts(stranded, conn, ended, said):
    oban, jobs = stranded
    for row in await ended(*jobs, states=("scheduled", "available")):
        assert (row["attempt"], row["max_attempts"], row["errors"]) == (1, 2, [])
    told = await said.of("jobs that were fetched for them are handed back, and no more are fetched")
    assert told.levelname == "ERROR"
    assert "none of its 2 processes takes jobs: ended with exit status 1 before it was ready" in told.getMessage()
    oban._parts.processes._program = "bridge.oban.child"
    await ended(*jobs)
    await said.of("processes take jobs again; meanwhile 4 were handed back")


async def test_it_is_told_once_and_tried_again(stranded, said, ended):
    oban, jobs = stranded
    await ended(*jobs, states=("scheduled", "available"))
    places = oban._parts.processes._absence._times
    # Again, where one had failed to start before the second of the old ones was gone.
    told = sum("the next one starts in" in text for text in said.texts())
    assert told in (1, 2)
    failures = max(places.values())
    await until(lambda: same(max(places.values()) >= failures + 4), 60)
    assert sum("the next one starts in" in text for text in said.texts()) == told
    assert sum("handed back" in text for text in said.texts()) == 1


async def test_who_asks_is_told_why_nothing_is_fetched(stranded, said, installed, ended):
    oban, jobs = stranded
    await said.of("no more are fetched")
    info = oban.check_queue("default")
    told = "none of its 2 processes takes jobs: ended with exit status 1 before it was ready for jobs"
    assert info.stalled == told
    found = {each.id: each async for each in examine(lambda: opened(installed), patience=10)}["child-processes"]
    assert (found.level, found.seen) == ("problem", "1 node can't run jobs")
    assert found.details == (f"{oban.node}: default; {told}",)
    oban._parts.processes._program = "bridge.oban.child"
    await ended(*jobs)
    assert oban.check_queue("default").stalled == ""
    found = {each.id: each async for each in examine(lambda: opened(installed), patience=10)}["child-processes"]
    assert (found.level, found.figures["answered"]) == ("ok", 1)


async def test_a_node_that_stops_meanwhile_hands_them_back_at_once(strand, conn):
    oban, jobs = await strand(HOUR, shutdown_grace_period=600)
    await until(lambda: same(len(oban._parts.processes._waiting) == 4))
    async with asyncio.timeout(PATIENCE):
        await oban.stop()
    for job in jobs:
        row = await row_of(conn, job)
        assert (row["state"], row["attempt"], row["max_attempts"]) == ("scheduled", 1, 2)


async def test_a_node_that_stops_waits_for_no_process_in_the_place_of_one_that_dies(begin, app, monkeypatch, conn):
    monkeypatch.setattr(pool, "PATIENCE", HOUR)
    oban = await begin(shutdown_grace_period=600)
    pids = oban._parts.processes.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    jobs = await oban.enqueue_many(app.Where.new() for _ in range(4))
    await until(lambda: same(sum(len(child.running) for child in oban._parts.processes._children) == 4))
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: same(oban._parts.processes._resting.is_set()))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(stopping, PATIENCE)
    assert {(await row_of(conn, job))["state"] for job in jobs} == {"scheduled"}


async def test_while_others_start_the_end_of_the_last_ones_is_the_reason(begin, app, ended, imported):
    imported.touch()
    oban = await begin(processes=IMPORTING)
    imported.unlink()
    await ended(*await oban.enqueue_many(app.Meet.new({"count": 2}) for _ in range(4)))
    for pid in oban._parts.processes.pids():
        os.kill(pid, signal.SIGKILL)
    told = "none of its 2 processes takes jobs: one ended with SIGKILL; memory may have run out"
    await until(lambda: same(oban.check_queue("default").stalled == told))


async def test_a_system_that_starts_no_process_is_asked_again(begin, app, ended, said, monkeypatch):
    oban = await begin()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        for pid in oban._parts.processes.pids():
            os.kill(pid, signal.SIGKILL)
        await said.of("a process for jobs can't be started: [Errno 2] No such file or directory")
        await until(lambda: same("can't be started: [Errno 2]" in oban.check_queue("default").stalled))
        job = await oban.enqueue(app.Where.new())
    await ended(job)


async def test_jobs_that_a_killed_process_had_not_begun_run_in_another(begin, app, ended):
    oban = await begin()
    processes = oban._parts.processes
    victim = ready(oban)[0]
    os.kill(victim.pid, signal.SIGSTOP)
    jobs = await oban.enqueue_many(app.Where.new(max_attempts=1) for _ in range(6))
    await until(lambda: same(len(victim.running) == 3))
    os.kill(victim.pid, signal.SIGKILL)
    for row in await ended(*jobs):
        assert (row["attempt"], row["max_attempts"], row["errors"]) == (1, 1, [])
    assert victim.pid not in processes.pids()


async def test_nothing_is_lost_while_processes_are_killed_at_any_moment(begin, app, conn, ended, said):
    oban = await begin(queues={"default": 20})
    jobs = await oban.enqueue_many(app.Where.new(max_attempts=1) for _ in range(600))
    for nth in range(6):
        await until(lambda count=60 * nth: _completed(conn, count), 60)
        if children := ready(oban):
            os.kill(children[nth % len(children)].pid, signal.SIGKILL)
    rows = await ended(*jobs, states=("completed", "discarded"))
    failed = [row for row in rows if row["state"] == "discarded"]
    assert all("ended with SIGKILL" in row["errors"][0]["error"] for row in failed)
    assert len(failed) <= 6 * 20


async def _completed(conn, count):
    return await conn.fetchval("select count(*) from oban_jobs where state = 'completed'") >= count
