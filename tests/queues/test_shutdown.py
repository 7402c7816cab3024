"""A queue that stops lets its jobs end, hands back what can't, and leaves no row behind."""

import asyncio
import threading
import time

import asyncpg
import pytest

from bridge import Snooze
from bridge.pubsub import signals
from bridge.queues import producer

from .rig import PATIENCE, connected, events_of, row_of, states, until

GRACE = {"shutdown_grace_period": 0.05}


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


async def test_after_the_grace_period_a_job_is_handed_back(start, worker, conn, gate, shutdowns, ends, caplog):
    cls = worker(gate)
    oban = await start(queues={"default": 5}, **GRACE)
    job = await oban.enqueue(cls.new())
    last = await oban.enqueue(cls.new(max_attempts=1))
    await gate.entered(2)
    async with asyncio.timeout(PATIENCE):
        await oban.stop()
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"], row["errors"]) == ("available", 1, [])
    row = await row_of(conn, last)
    assert (row["state"], row["discarded_at"] is not None) == ("discarded", True)
    [error] = row["errors"]
    assert error["attempt"] == 1
    reason = "its queue stopped before its end, and it had no attempt left"
    assert error["error"] == f"** (bridge.queues.outcome.JobInterrupted) {reason}\n"
    [(name, event)] = ends
    assert (name, event.job.id, event.state, event.recorded) == ("oban.job.exception", last.id, "discarded", True)
    assert str(event.error) == reason
    assert event.duration > 0
    event = shutdowns[0][1]
    assert (event.orphaned, event.handed_back, event.discarded) == ((), (job.id,), (last.id,))
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    lost = f"job {last.id} was discarded for good, with no attempt left"
    assert told == [f"queue default stopped before the end of jobs: job {job.id} is available again; {lost}"]


async def test_few_of_many_jobs_that_are_handed_back_are_named(start, worker, gate, caplog):
    cls = worker(gate)
    oban = await start(queues={"default": 30}, **GRACE)
    jobs = await oban.enqueue_many(cls.new() for _ in range(25))
    await gate.entered(25)
    await oban.stop()
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    shown = ", ".join(str(job.id) for job in jobs[:20])
    assert told == f"queue default stopped before the end of jobs: jobs {shown} and 5 more are available again"


async def test_a_queue_whose_jobs_ended_in_time_says_nothing(start, worker, ends, caplog):
    oban = await start(queues={"default": 5}, **GRACE)
    await ends.of(await oban.enqueue(worker(nothing).new()))
    await oban.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []


async def test_a_job_that_was_handed_back_runs_on_another_node(start, worker, ends, gate):
    cls = worker(gate)
    first = await start(name="First", queues={"default": 1}, **GRACE)
    job = await first.enqueue(cls.new())
    await gate.entered(1)
    other = await start(name="Other", queues={"default": 1}, stager={"interval": 600})
    await connected(other)
    await first.stop()
    await gate.entered(2)
    gate.open()
    event = await ends.of(job)
    assert (event.state, event.job.attempt) == ("completed", 2)


async def test_clean_up_of_a_job_that_is_handed_back_is_awaited(start, worker, conn, gate):
    cleaned = asyncio.Event()

    async def process(job):
        try:
            await gate(job)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    oban = await start(queues={"default": 1}, **GRACE)
    job = await oban.enqueue(worker(process).new())
    await gate.entered(1)
    await oban.stop()
    assert cleaned.is_set()
    assert (await row_of(conn, job))["state"] == "available"


@pytest.mark.parametrize(("result", "state"), [(None, "completed"), (Snooze(60), "scheduled")])
async def test_the_outcome_of_a_job_that_ends_while_it_is_stopped_is_written(
    start, worker, conn, gate, ends, result, state
):
    async def process(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            return result

    oban = await start(queues={"default": 1}, **GRACE)
    job = await oban.enqueue(worker(process).new())
    await gate.entered(1)
    await oban.stop()
    assert (await row_of(conn, job))["state"] == state
    assert (await ends.of(job)).recorded


async def test_a_job_that_can_not_be_ended_is_an_orphan(start, worker, conn, shutdowns):
    free, started, loose = threading.Event(), threading.Semaphore(0), asyncio.Event()
    seen = []

    def in_thread(job):
        started.release()
        free.wait(PATIENCE)
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
        begun = time.monotonic()
        await oban.stop()
        assert time.monotonic() - begun < 4
        [(_, event)] = shutdowns
        assert sorted(event.orphaned) == [job.id for job in jobs]
        assert [(await row_of(conn, job))["state"] for job in jobs] == ["executing"] * 2
    finally:
        free.set()
        loose.set()
    assert await until(lambda: asyncio.sleep(0, seen)) == [True]


async def test_no_grace_at_all_still_hands_back(start, worker, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 5}, shutdown_grace_period=0)
    await oban.enqueue_many(cls.new() for _ in range(20))
    await gate.entered(5)
    await oban.stop()
    assert await states(conn) == {"available": 20}


async def test_a_long_cool_down_holds_up_no_stop(start, worker, ends):
    cls = worker(nothing)
    oban = await start(queues={"default": {"limit": 5, "dispatch_cooldown": 3600}}, shutdown_grace_period=60)
    await ends.of(await oban.enqueue(cls.new()))
    async with asyncio.timeout(5):
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


async def test_thirty_restarts_without_grace_leave_nothing_executing(start, worker, conn):
    async def process(_job):
        await asyncio.sleep(0.002)

    cls = worker(process)
    client = await start(name="Client")
    await client.enqueue_many(cls.new(max_attempts=100) for _ in range(2_000))
    for nth in range(30):
        oban = await start(queues={"default": {"limit": 100, "dispatch_cooldown": 0.001}}, shutdown_grace_period=0)
        for _ in range(nth * 3):
            await asyncio.sleep(0)
        await oban.stop()
        assert set(await states(conn)) <= {"available", "completed"}


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


async def test_a_row_that_somebody_holds_keeps_no_other_job_from_being_handed_back(
    start, worker, gate, conn, installed, monkeypatch
):
    monkeypatch.setattr(producer, "UNWIND", PATIENCE)
    cls = worker(gate)
    oban = await start(queues={"default": 5}, **GRACE)
    held, *others = await oban.enqueue_many(cls.new() for _ in range(5))
    await gate.entered(5)
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select from oban_jobs where id = $1 for update", held.id)
            stopping = asyncio.create_task(oban.stop())
            await until(lambda: are_in(conn, {"executing": 1, "available": len(others)}))
            assert not stopping.done()
        await stopping
    finally:
        await other.close()
    assert await states(conn) == {"available": 5}


async def are_in(conn, wanted):
    return await states(conn) == wanted


async def test_a_row_that_somebody_holds_for_longer_is_left_to_be_rescued_and_told_of(
    start, worker, gate, conn, installed, monkeypatch, caplog
):
    monkeypatch.setattr(producer, "UNWIND", 0.3)
    oban = await start(queues={"default": 5}, **GRACE)
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select from oban_jobs where id = $1 for update", job.id)
            await oban.stop()
    finally:
        await other.close()
    assert f"could not hand back jobs [{job.id}]" in caplog.text
    assert "Traceback" not in caplog.text
    assert (await row_of(conn, job))["state"] == "executing"
    assert await conn.fetchval("select count(*) from bridge_producers") == 1


async def test_what_can_not_be_handed_back_at_once_is_tried_again(start, worker, gate, conn, monkeypatch):
    oban = await start(queues={"default": 5}, **GRACE)
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    engine, failures = oban._parts.engine, [ConnectionResetError(), asyncpg.DeadlockDetectedError("deadlock detected")]
    release = engine.release

    async def broken(*args, **options):
        if failures:
            raise failures.pop()
        return await release(*args, **options)

    monkeypatch.setattr(engine, "release", broken)
    await oban.stop()
    assert failures == []
    assert (await row_of(conn, job))["state"] == "available"


async def test_an_attempt_that_is_handed_back_takes_no_later_one_with_it(start, worker, conn):
    """A queue that was rescued while it was silent may run both; the later one can't be ended."""
    entered, loose = asyncio.Semaphore(0), asyncio.Event()

    async def process(job):
        entered.release()
        while job.attempt == 1 or not loose.is_set():
            try:
                await loose.wait()
            except asyncio.CancelledError:
                if job.attempt == 1:
                    raise

    oban = await start(queues={"default": 5}, **GRACE)
    job = await oban.enqueue(worker(process).new())
    async with asyncio.timeout(PATIENCE):
        await entered.acquire()
        await conn.execute("update oban_jobs set state = 'available'")
        oban._parts.queues.wake()
        await entered.acquire()
    try:
        await oban.stop()
        row = await row_of(conn, job)
        assert (row["state"], row["attempt"]) == ("executing", 2)
    finally:
        loose.set()
