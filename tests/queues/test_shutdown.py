"""A queue that stops lets its jobs end, hands back what can't, and leaves no row behind."""

import asyncio
import threading

import pytest

from bridge.pubsub import signals

from .rig import PATIENCE, events_of, row_of, states, until

GRACE = {"shutdown_grace_period": 0.05}

HOUR = 3600


@pytest.fixture
def shutdowns():
    with events_of("oban.queue.shutdown") as found:
        yield found


async def nothing(_job):
    return None


async def test_jobs_that_run_get_the_grace_period(start, worker, ends, conn, gate, shutdowns):
    cls = worker(gate)
    oban = await start(queues={"default": 5}, shutdown_grace_period=PATIENCE)
    jobs = await oban.enqueue_many(cls.new() for _ in range(3))
    await gate.entered(3)
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: asyncio.sleep(0, oban.check_queue("default") is None))
    gate.open()
    await stopping
    assert [(await row_of(conn, job))["state"] for job in jobs] == ["completed"] * 3
    assert len(ends) == 3
    [(_, event)] = shutdowns
    assert (event.queue, event.orphaned) == ("default", ())
    assert 0 < event.elapsed < PATIENCE * 1e9


async def test_a_stopping_queue_starts_nothing_more(start, worker, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 1}, shutdown_grace_period=PATIENCE)
    await oban.enqueue_many(cls.new() for _ in range(3))
    await gate.entered(1)
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: asyncio.sleep(0, oban.check_queue("default") is None))
    gate.open()
    await stopping
    assert gate.total == 1
    assert await states(conn) == {"completed": 1, "available": 2}


@pytest.mark.usefixtures("unhurried")
async def test_a_queue_whose_jobs_ended_in_time_says_nothing(start, worker, ends, caplog):
    oban = await start(queues={"default": 5}, **GRACE)
    await ends.of(await oban.enqueue(worker(nothing).new()))
    await oban.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []


async def test_a_job_that_can_not_be_ended_is_an_orphan(start, worker, conn, shutdowns):
    free, started, loose = threading.Event(), threading.Semaphore(0), asyncio.Event()
    seen = []

    def in_thread(job):
        started.release()
        free.wait(HOUR)
        seen.append(job.cancelled())

    async def stubborn(_job):
        started.release()
        while not loose.is_set():
            try:
                await loose.wait()
            except asyncio.CancelledError:
                continue

    oban = await start(queues={"default": 5}, **GRACE)
    jobs = [
        await oban.enqueue(worker(in_thread, "Thread").new()),
        await oban.enqueue(worker(stubborn, "Stubborn").new()),
    ]
    for _ in jobs:
        assert await asyncio.to_thread(started.acquire, timeout=PATIENCE)
    try:
        async with asyncio.timeout(PATIENCE):
            await oban.stop()
        [(_, event)] = shutdowns
        assert sorted(event.orphaned) == [job.id for job in jobs]
        assert [(await row_of(conn, job))["state"] for job in jobs] == ["executing"] * 2
    finally:
        free.set()
        loose.set()
    assert await until(lambda: asyncio.sleep(0, seen)) == [True]


async def test_a_long_cool_down_holds_up_no_stop(start, worker, ends):
    cls = worker(nothing)
    oban = await start(queues={"default": {"limit": 5, "dispatch_cooldown": HOUR}}, shutdown_grace_period=HOUR)
    await ends.of(await oban.enqueue(cls.new()))
    async with asyncio.timeout(PATIENCE):
        await oban.stop()


async def test_thirty_restarts_under_load_lose_and_repeat_nothing(start, worker, conn):
    runs = {}

    async def process(job):
        await asyncio.sleep(0.0005)
        runs[job.id] = runs.get(job.id, 0) + 1

    cls = worker(process)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(2_000))
    for nth in range(30):
        oban = await start(
            queues={"default": {"limit": 10, "dispatch_cooldown": 0.001}}, shutdown_grace_period=PATIENCE
        )
        # A different moment each time: before, in and after the first fetch, and in the midst of it all.
        for _ in range(nth * 3):
            await asyncio.sleep(0)
        await oban.stop()
        assert "executing" not in await states(conn)
    oban = await start(queues={"default": 50})
    await until(lambda: asyncio.sleep(0, len(runs) == 2_000))
    await oban.stop()
    assert await states(conn) == {"completed": 2_000}
    assert set(runs.values()) == {1}


async def test_one_queue_stops_and_the_others_go_on(start, worker, ends, gate, shutdowns):
    cls = worker(gate)
    oban = await start(queues={"one": 1, "other": 1}, shutdown_grace_period=PATIENCE)
    job = await oban.enqueue(cls.new(queue="one"))
    await gate.entered(1)
    await oban.stop_queue("one", local_only=True)
    gate.open()
    await ends.of(job)
    await shutdowns.next()
    assert [info.queue for info in oban.check_all_queues()] == ["other"]
    await ends.of(await oban.enqueue(cls.new(queue="other")))


async def test_a_queue_that_stopped_can_be_started_again(start, worker, ends, shutdowns):
    cls = worker(nothing, queue="one")
    oban = await start(queues={"one": 1})
    await oban.stop_queue("one", local_only=True)
    await shutdowns.next()
    waiting = await oban.enqueue(cls.new())
    await oban.start_queue("one", 3, local_only=True)
    await ends.of(waiting)
    assert oban.check_queue("one").limit == 3


async def test_starting_a_queue_that_runs_changes_nothing(start):
    oban = await start(queues={"one": 1})
    before = oban.check_queue("one")
    await oban.start_queue("one", 9, paused=True, local_only=True)
    assert oban.check_queue("one") == before


async def test_no_queue_starts_while_the_instance_stops(start, worker, gate, conn):
    cls = worker(gate)
    oban = await start(queues={"one": 1}, shutdown_grace_period=PATIENCE)
    queues = oban._parts.queues
    await oban.enqueue(cls.new(queue="one"))
    await gate.entered(1)
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: asyncio.sleep(0, oban.check_queue("one") is None))
    queues.apply(signals.Start("two", 5))
    queues.apply(signals.Stop("one"))
    await oban.enqueue(cls.new(queue="two"))
    gate.open()
    await stopping
    assert queues.names() == []
    assert await states(conn) == {"completed": 1, "available": 1}


async def test_a_stop_signal_is_waited_for_by_a_stop_of_all(start, worker, gate, conn):
    cls = worker(gate)
    oban = await start(queues={"one": 1}, shutdown_grace_period=PATIENCE)
    await oban.enqueue(cls.new(queue="one"))
    await gate.entered(1)
    await oban.stop_queue("one", local_only=True)
    await until(lambda: asyncio.sleep(0, oban.check_queue("one") is None))
    stopping = asyncio.create_task(oban.stop())
    await asyncio.wait([stopping], timeout=0.3)
    assert not stopping.done()
    gate.open()
    await stopping
    assert await states(conn) == {"completed": 1}


async def test_a_stop_that_is_cancelled_leaves_no_task(start, worker, gate, caplog):
    cls = worker(gate)
    before = asyncio.all_tasks()
    oban = await start(queues={"one": 1, "two": 1}, shutdown_grace_period=PATIENCE)
    await oban.enqueue_many([cls.new(queue="one"), cls.new(queue="two")])
    await gate.entered(2)
    queues = oban._parts.queues
    stopping = asyncio.create_task(oban.stop())
    await until(lambda: asyncio.sleep(0, queues.names() == []))
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await until(lambda: asyncio.sleep(0, asyncio.all_tasks() <= before))
    assert gate.inside == 0
