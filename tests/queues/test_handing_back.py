"""Jobs whose queue stops before they end are handed back, and another node runs them."""

import asyncio

import asyncpg
import pytest

from bridge import Snooze
from bridge.queues import producer

from .rig import PATIENCE, connected, events_of, row_of, states, until

GRACE = {"shutdown_grace_period": 0.05}


@pytest.fixture
def shutdowns():
    with events_of("oban.queue.shutdown") as found:
        yield found


@pytest.mark.usefixtures("unhurried")
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


@pytest.mark.usefixtures("unhurried")
async def test_few_of_many_jobs_that_are_handed_back_are_named(start, worker, gate, caplog):
    cls = worker(gate)
    oban = await start(queues={"default": 30}, **GRACE)
    jobs = await oban.enqueue_many(cls.new() for _ in range(25))
    await gate.entered(25)
    await oban.stop()
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    shown = ", ".join(str(job.id) for job in jobs[:20])
    assert told == f"queue default stopped before the end of jobs: jobs {shown} and 5 more are available again"


@pytest.mark.usefixtures("unhurried")
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


@pytest.mark.usefixtures("unhurried")
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
@pytest.mark.usefixtures("unhurried")
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


@pytest.mark.usefixtures("unhurried")
async def test_no_grace_at_all_still_hands_back(start, worker, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 5}, shutdown_grace_period=0)
    await oban.enqueue_many(cls.new() for _ in range(20))
    await gate.entered(5)
    await oban.stop()
    assert await states(conn) == {"available": 20}


@pytest.mark.usefixtures("unhurried")
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


@pytest.mark.usefixtures("unhurried")
async def test_a_row_that_somebody_holds_keeps_no_other_job_from_being_handed_back(
    start, worker, gate, conn, installed
):
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


@pytest.mark.usefixtures("unhurried")
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
