"""Jobs that outlive the stop of their queue: on a node that goes on, what they come to is written when they end."""

import asyncio
import threading

import asyncpg
import pytest

from bridge import Snooze

from .rig import PATIENCE, row_of, until

OPTIONS = {"queues": {"default": 5}, "shutdown_grace_period": 0.05}

HOUR = 3600  # the fixture ends it


@pytest.fixture
def free():
    event = threading.Event()
    yield event
    event.set()


async def stopped(oban, conn):
    """Stop the queue by a signal, and wait until that is done; the node goes on."""
    await oban.stop_queue("default", local_only=True)
    await until(lambda: asyncio.sleep(0, not oban._parts.queues.check_all() and oban._parts.queues._lingering))
    assert await conn.fetchval("select count(*) from bridge_producers where queue = 'default'") == 1


async def outlived(oban, conn, job, free):
    """Return the row of a job that goes on beyond the stop of its queue, once it has ended."""
    await until(lambda: asyncio.sleep(0, oban.running_jobs()))
    await stopped(oban, conn)
    assert (await row_of(conn, job))["state"] == "executing"
    free.set()

    async def is_over():
        row = await row_of(conn, job)
        return row if row["state"] != "executing" else None

    return await until(is_over)


async def test_what_a_thread_comes_to_is_written_and_the_producer_is_forgotten(start, worker, conn, free, ends):
    oban = await start(**OPTIONS)
    job = await oban.enqueue(worker(lambda _job: free.wait(HOUR) and None).new())

    row = await outlived(oban, conn, job, free)

    assert (row["state"], row["attempt"], row["errors"]) == ("completed", 1, [])
    assert (await ends.of(job)).recorded
    await until(lambda: is_forgotten(conn))


async def is_forgotten(conn):
    return not await conn.fetchval("select count(*) from bridge_producers where queue = 'default'")


async def test_a_thread_that_fails_fails_its_job(start, worker, conn, free):
    def process(_job):
        free.wait(HOUR)
        raise ValueError("too late")

    oban = await start(**OPTIONS)
    row = await outlived(oban, conn, await oban.enqueue(worker(process).new()), free)
    assert row["state"] == "retryable"
    assert "too late" in str(row["errors"])


async def test_a_thread_may_put_its_job_off(start, worker, conn, free):
    oban = await start(**OPTIONS)
    job = await oban.enqueue(worker(lambda _job: Snooze(60) if free.wait(HOUR) else None).new())
    assert (await outlived(oban, conn, job, free))["state"] == "scheduled"


async def test_a_thread_that_was_told_to_give_up_may_have_and_its_job_is_handed_back(start, worker, conn, free):
    def process(job):
        free.wait(HOUR)
        return None if job.cancelled() else Snooze(60)

    oban = await start(**OPTIONS)
    row = await outlived(oban, conn, await oban.enqueue(worker(process).new()), free)
    assert (row["state"], row["attempt"], row["errors"]) == ("available", 1, [])


async def test_a_coroutine_that_ignores_its_cancellation_is_written_too(start, worker, conn):
    loose = asyncio.Event()

    async def stubborn(_job):
        while not loose.is_set():
            try:
                await loose.wait()
            except asyncio.CancelledError:
                continue

    oban = await start(**OPTIONS)
    job = await oban.enqueue(worker(stubborn).new())
    assert (await outlived(oban, conn, job, loose))["state"] == "completed"


async def test_a_node_that_stops_waits_for_none_of_them(start, worker, conn, free):
    oban = await start(**OPTIONS)
    job = await oban.enqueue(worker(lambda _job: free.wait(HOUR) and None).new())
    await until(lambda: asyncio.sleep(0, oban.running_jobs()))
    await stopped(oban, conn)
    async with asyncio.timeout(PATIENCE):
        await oban.stop()
    assert (await row_of(conn, job))["state"] == "executing"


async def test_a_queue_whose_fetch_was_cut_short_stays_on_the_list_so_that_its_claims_are_rescued(
    start, worker, conn, installed
):
    """The server may not have heard of it, and claim jobs when it comes to it."""
    oban = await start(**OPTIONS)
    cls = worker(lambda _job: None)
    holder = await asyncpg.connect(installed)
    async with holder.transaction():
        await holder.execute("lock table oban_jobs in share mode")
        oban._parts.queues.wake()
        waiting = """
            select count(*)
            from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '-- Claims%'
        """
        await until(lambda: conn.fetchval(waiting))
        await oban.stop_queue("default", local_only=True)
        await until(lambda: asyncio.sleep(0, not oban._parts.queues.check_all()))
    await holder.close()
    assert await conn.fetchval("select count(*) from bridge_producers where queue = 'default'") == 1
    assert oban._parts.heartbeat._producers == {}
    assert cls.options.name
