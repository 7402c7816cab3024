"""Synchronous workers run in a thread each, so that they hold up nobody."""

import asyncio
import threading
import time

from bridge import current_job
from bridge.jobs import FunctionWorker

from .rig import PATIENCE, row_of, until

QUEUES = {"default": 5}


async def test_a_plain_function_runs_beside_the_event_loop(start, worker, ends):
    free = threading.Event()
    where = []

    def process(job):
        where.append((threading.current_thread().name, threading.current_thread().daemon, current_job() is job))
        assert free.wait(PATIENCE)
        return "done"

    oban = await start(queues=QUEUES)
    job = await oban.enqueue(worker(process).new())
    await until(lambda: asyncio.sleep(0, where))
    free.set()  # The loop is free while the worker waits, or this line would not be reached.
    event = await ends.of(job)
    assert (event.state, event.result) == ("completed", "done")
    assert where == [(f"job-{job.id}", True, True)]


async def test_threads_run_side_by_side(start, worker, ends):
    together = threading.Barrier(5)
    oban = await start(queues=QUEUES)
    await oban.enqueue_many([worker(lambda _job: together.wait(PATIENCE)).new() for _ in range(5)])
    assert {event.state for event in await ends.first(5)} == {"completed"}


async def test_a_thread_that_ran_out_of_time_goes_on_and_says_so(start, worker, ends, conn):
    free, saw = threading.Event(), []

    def process(job):
        assert free.wait(PATIENCE)
        saw.append(job.cancelled())

    oban = await start(queues={"default": 1})
    job = await oban.enqueue(worker(process, timeout=0.05).new())
    await ends.of(job)
    row = await row_of(conn, job)
    assert row["state"] == "retryable"
    headline = row["errors"][0]["error"].splitlines()[0]
    assert headline.endswith("W timed out after 50ms; its thread can't be stopped and goes on")
    # Its slot is free again.
    other = await oban.enqueue(worker(lambda _job: None, "Other").new())
    await ends.of(other)
    free.set()
    assert await until(lambda: asyncio.sleep(0, saw)) == [True]
    assert (await row_of(conn, job))["state"] == "retryable"


async def test_the_current_job_is_known_in_tasks_and_threads_of_a_worker(start, worker, ends):
    seen = []

    async def process(_job):
        seen.append(current_job())
        async with asyncio.TaskGroup() as group:
            group.create_task(look())
        seen.append(await asyncio.to_thread(current_job))

    async def look():
        seen.append(current_job())

    oban = await start(queues=QUEUES)
    job = await oban.enqueue(worker(process).new())
    event = await ends.of(job)
    assert len(seen) == 3
    assert all(each is event.job for each in seen)
    assert current_job() is None


async def test_each_of_many_jobs_knows_itself(start, worker, ends):
    async def in_loop(job):
        await asyncio.sleep(0)
        return current_job() is job

    def in_thread(job):
        time.sleep(0)
        return current_job() is job

    oban = await start(queues={"default": 50})
    kinds = [worker(in_loop, "Loop"), worker(in_thread, "Thread")]
    await oban.enqueue_many([kinds[nth % 2].new() for nth in range(200)])
    assert [event.result for event in await ends.first(200)] == [True] * 200


async def test_functions_get_their_arguments_by_name(start, registry, ends):
    # The decorators register in the process's own registry; these names are this test's alone.
    def add(left, right=2):
        return left + right

    async def add_async(*, left, right=2):
        return left + right

    for function in (add, add_async):
        found = FunctionWorker(function, {"name": f"test_threads.{function.__name__}"})
        registry.register(found.worker, [found.worker.options.name])
        oban = await start(queues=QUEUES, name=f"Oban.{function.__name__}")
        job = await oban.enqueue(found.new(left=40))
        assert (await ends.of(job)).result == 42
        wrong = await oban.enqueue(found.worker.new({"nonsense": 1}))
        assert isinstance((await ends.of(wrong)).error, TypeError)
        await oban.stop()
