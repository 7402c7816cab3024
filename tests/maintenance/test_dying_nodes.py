"""Nodes that die, are stopped, cut off or blocked: real processes, and what becomes of their jobs."""

import asyncio
import os
import signal
from datetime import timedelta

import pytest
from proxy import wire_to
from queues.rig import row_of, until

from bridge import Job

from .rig import RESCUE_AFTER, NodeProcess, producer

QUICK = {"LEADER_INTERVAL": 1, "LIFELINE_RESCUE_AFTER": RESCUE_AFTER, "STAGER_INTERVAL": 0.1}


@pytest.fixture
def spawn(tmp_path, installed):
    """A function that starts a node in a process of its own, and ends it with the test."""
    nodes = []

    def start_one(name, dsn=installed, **settings):
        node = NodeProcess(tmp_path / name, dsn, node=name, **{**QUICK, **settings})
        nodes.append(node)
        return node

    yield start_one
    for node in nodes:
        node.close()


@pytest.fixture
async def client(start):
    return await start()


async def listed(conn):
    return {row["node"] for row in await conn.fetch("select node from bridge_producers")}


async def state(conn, job):
    return (await row_of(conn, job))["state"]


async def test_a_job_of_a_node_that_was_killed_runs_on_another_one_in_time(spawn, client, conn):
    dying = spawn("dying")
    await dying.until("bridge.started")
    job = await client.enqueue(Job("Tests.Hold"))
    await dying.until("held", job=job.id)
    other = spawn("other")
    await other.until("bridge.started")
    before = await row_of(conn, job)
    dying.kill()
    last = await last_beat(conn, "dying")
    held = await other.until("held", job=job.id)  # long before anybody would have taken it for dead by default
    assert held["attempt"] == 2
    after = await row_of(conn, job)
    assert after["attempted_at"] - last >= timedelta(seconds=RESCUE_AFTER)
    assert after["attempted_by"][0] == "other"
    changed = {column for column in before if before[column] != after[column]}
    assert changed == {"attempt", "attempted_at", "attempted_by"}  # those of the second fetch alone


async def test_a_job_without_attempts_left_is_discarded_and_one_of_a_living_node_left_alone(spawn, client, conn):
    dying = spawn("dying")
    await dying.until("bridge.started")
    last = await client.enqueue(Job("Tests.Hold", max_attempts=1))
    await dying.until("held", job=last.id)
    living = spawn("living", queues="default:10,living:1")
    await living.until("bridge.started")
    running = await client.enqueue(Job("Tests.Hold", queue="living", max_attempts=1))
    await living.until("held", job=running.id)
    dying.kill()
    await until(lambda: is_state(conn, last, "discarded"), 30)
    row = await row_of(conn, last)
    assert row["discarded_at"] is not None
    assert row["errors"] == []
    assert await state(conn, running) == "executing"


async def is_state(conn, job, wanted):
    return await state(conn, job) == wanted


async def test_a_node_that_is_started_again_rescues_its_own_past(spawn, client, conn):
    first = spawn("node")
    await first.until("bridge.started")
    job = await client.enqueue(Job("Tests.Hold"))
    await first.until("held", job=job.id)
    first.kill()
    second = spawn("node")
    assert (await second.until("held", job=job.id))["attempt"] == 2


async def test_a_worker_that_blocks_its_event_loop_for_long_keeps_its_job(spawn, client, conn):
    watcher = spawn("watcher", queues="nothing:1")
    await watcher.until("bridge.started")
    blocked = spawn("blocked")
    await blocked.until("bridge.started")
    job = await client.enqueue(Job("Tests.Block", args={"seconds": RESCUE_AFTER * 3}))
    await blocked.until("held", job=job.id)
    # Another node's death proves that somebody looks; it dies while the loop is blocked.
    uuid = await producer(conn, rescue_after=RESCUE_AFTER, node="a third one")
    proof = await conn.fetchval(
        "insert into oban_jobs (worker, queue, state, attempt, attempted_by) "
        "values ('Nobody', 'nowhere', 'executing', 1, $1) returning id",
        ["a third one", uuid],
    )
    await until(lambda: is_state(conn, proof, "available"), 30)
    assert await state(conn, job) == "executing"
    await blocked.until("oban.job.stop", id=job.id)
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"]) == ("completed", 1)


async def test_a_process_that_was_stopped_for_long_comes_back_and_overwrites_nothing(spawn, client, conn):
    stopped = spawn("stopped")
    await stopped.until("bridge.started")
    job = await client.enqueue(Job("Tests.BlockOnce"))
    await stopped.until("held", job=job.id)
    os.kill(stopped.process.pid, signal.SIGSTOP)
    try:
        other = spawn("other")
        await other.until("held", job=job.id, attempt=2)
        theirs = await row_of(conn, job)
        assert (theirs["state"], theirs["attempted_by"][0]) == ("executing", "other")
    finally:
        os.kill(stopped.process.pid, signal.SIGCONT)
    told = "others took this node for dead and have its jobs now: {}; what comes of these here is dropped"
    await stopped.says(told.format(job.id))
    await stopped.says("this process stood still for ")
    assert not [text for text in stopped.messages if "event loop" in text]
    assert await row_of(conn, job) == theirs
    # It is alive and well, and is listed again.
    other.kill()
    after = await client.enqueue(Job("Tests.Run"))
    await stopped.until("ran", job=after.id)
    assert "stopped" in await listed(conn)


async def test_a_node_that_was_cut_off_for_long_finds_its_job_rescued_and_goes_on(spawn, client, conn, installed):
    async with wire_to(installed) as wire:
        cut_off = spawn("cut-off", dsn=wire.dsn, queues="default:10,own:1")
        await cut_off.until("bridge.started")
        job = await client.enqueue(Job("Tests.Hold"))
        await cut_off.until("held", job=job.id)
        other = spawn("other")
        await other.until("bridge.started")
        await wire.cut()
        assert (await other.until("held", job=job.id))["attempt"] == 2
        held = await row_of(conn, job)
        await wire.open()
        await until(lambda: beats(conn, "cut-off"), 30)
        assert await row_of(conn, job) == held
        assert cut_off.process.poll() is None
        # What it takes from now on is its own.
        after = await client.enqueue(Job("Tests.Hold", queue="own"))
        await cut_off.until("held", job=after.id)
        other.kill()
        assert (await cut_off.until("held", job=job.id))["attempt"] == 3
        assert (await row_of(conn, after))["attempt"] == 1


async def beats(conn, node):
    statement = """
        select bool_or(beat_at > timezone('UTC', clock_timestamp()) - interval '1 second')
        from bridge_producers
        where node = $1
    """
    return await conn.fetchval(statement, node)


async def test_an_outage_for_all_costs_no_node_its_jobs(spawn, client, conn, installed):
    """Longer than anybody may be silent. The leader is back before the other, and sees nothing but silence at first."""
    patience = {"LIFELINE_RESCUE_AFTER": 10, "LIFELINE_INTERVAL": 0.1}
    async with wire_to(installed) as first, wire_to(installed) as second:
        late, leader = spawn("late", dsn=first.dsn, **patience), spawn("leader", dsn=second.dsn, **patience)
        for node in (late, leader):
            await node.until("bridge.started")
        jobs = await client.enqueue_many([Job("Tests.Hold") for _ in range(20)])
        await until(lambda: all_executing(conn, len(jobs)), 30)
        before = {job.id: await row_of(conn, job) for job in jobs}
        await asyncio.gather(first.cut(), second.cut())
        await until(lambda: silent(conn, 11), 40)
        await second.open()
        await until(lambda: leads(conn, "leader"), 30)
        since = await last_beat(conn, "leader")
        await until(lambda: beaten_since(conn, "leader", since), 30)  # a dozen rounds of its lifeline
        assert {job.id: await row_of(conn, job) for job in jobs} == before
        await first.open()
        await until(lambda: beats(conn, "late"), 30)
        # The next death is seen, and by then a false one would have been.
        late.kill()
        await until(lambda: rescued_from(conn, "late"), 30)
        after = {job.id: await row_of(conn, job) for job in jobs}
        moved = {job for job in before if before[job] != after[job]}
        assert moved == {job for job, row in before.items() if row["attempted_by"][0] == "late"}


async def leads(conn, node):
    statement = "select exists (select from oban_peers where node = $1 and expires_at > timezone('UTC', now()))"
    return await conn.fetchval(statement, node)


async def last_beat(conn, node):
    return await conn.fetchval("select max(beat_at) from bridge_producers where node = $1", node)


async def beaten_since(conn, node, moment):
    return await last_beat(conn, node) > moment


async def all_executing(conn, count):
    return count == await conn.fetchval("select count(*) from oban_jobs where state = 'executing'")


async def silent(conn, seconds):
    statement = (
        "select min(timezone('UTC', clock_timestamp()) - beat_at) > $1 * interval '1 second' from bridge_producers"
    )
    return await conn.fetchval(statement, float(seconds))


async def rescued_from(conn, node):
    """Whether all jobs of that node are available again, and those of others are not."""
    return await conn.fetchval("select bool_and((state = 'available') = (attempted_by[1] = $1)) from oban_jobs", node)


async def test_a_node_that_stops_in_order_leaves_no_producer_behind(spawn, client, conn):
    node = spawn("node")
    await node.until("bridge.started")
    job = await client.enqueue(Job("Tests.Run"))
    await node.until("oban.job.stop", id=job.id)
    assert await listed(conn) == {"node"}
    node.process.send_signal(signal.SIGTERM)
    await node.until("bridge.stopped")
    assert await listed(conn) == set()


async def test_rescued_jobs_are_told_of(spawn, client, conn):
    nodes = {name: spawn(name) for name in ("one", "two")}
    for node in nodes.values():
        await node.until("bridge.started")
    job = await client.enqueue(Job("Tests.Hold"))
    async with asyncio.timeout(30):
        while (name := await conn.fetchval("select attempted_by[1] from oban_jobs where state = 'executing'")) is None:  # noqa: ASYNC110 - it is another process that runs it
            await asyncio.sleep(0.02)
    dying = nodes.pop(name)
    await dying.until("held", job=job.id)
    dying.kill()
    [other] = nodes.values()
    told = f"job {job.id} of nodes that died ({name}) was made available again"
    assert (await other.until("bridge.log", message=told))["level"] == "warning"


async def test_many_jobs_of_many_dead_nodes_run_once_more_each(spawn, client, conn):
    dying = [spawn(f"dying-{nth}") for nth in range(2)]
    for node in dying:
        await node.until("bridge.started")
    jobs = await client.enqueue_many([Job("Tests.Hold") for _ in range(20)])
    await until(lambda: all_executing(conn, len(jobs)), 30)
    for node in dying:
        node.kill()
    living = [spawn(f"living-{nth}") for nth in range(2)]
    await asyncio.gather(*(node.until("bridge.started") for node in living))
    await until(lambda: twice(conn), 40)


async def twice(conn):
    return await conn.fetchval("select bool_and(attempt = 2 and state = 'executing') from oban_jobs")
