"""When a queue fetches, and how much: at once where many slots are free and jobs wait, else after its cool-down."""

import asyncio
import time

import pytest

from bridge.queues import pace, producer
from bridge.queues.pace import Pace

from .rig import PATIENCE, events_of, insert_row, pause, until

HOURS = 3600


@pytest.fixture
def slow(monkeypatch):
    """A cool-down that no test waits for."""
    monkeypatch.setattr(pace, "COOLDOWN", HOURS)


@pytest.fixture
def fetches():
    """The events of fetches."""
    with events_of("oban.engine.fetch_jobs.stop") as found:
        yield found


async def nothing(_job):
    return None


async def test_a_backlog_is_fetched_without_a_pause(start, worker, ends, slow):
    cls = worker(nothing)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(41))

    await start(queues={"default": 4})

    await ends.first(41)


async def test_the_last_slots_wait_for_the_cool_down_or_for_half_of_all(start, worker, ends, slow):
    gates = [asyncio.Event() for _ in range(30)]

    async def process(job):
        await gates[job.args["n"]].wait()

    cls = worker(process)
    client = await start(name="Client")
    await client.enqueue_many(cls.new({"n": n}) for n in range(30))
    oban = await start(queues={"default": 10})
    await until(lambda: asyncio.sleep(0, len(oban.check_queue("default").running) == 10))

    for gate in gates[:4]:
        gate.set()
    await ends.first(4)
    assert len(oban.check_queue("default").running) == 6
    gates[4].set()

    await until(lambda: asyncio.sleep(0, len(oban.check_queue("default").running) == 10))
    for gate in gates:
        gate.set()
    await ends.first(30)


async def test_a_cool_down_that_is_set_is_kept_whatever_waits(start, worker, ends):
    cls = worker(nothing)
    client = await start(name="Client")
    await client.enqueue_many(cls.new({"n": n}) for n in range(5))

    oban = await start(queues={"default": {"limit": 4, "dispatch_cooldown": HOURS}})

    await ends.first(4)
    found = await client.jobs(state="available")
    assert [job.args for job in found] == [{"n": 4}]
    assert oban.check_queue("default").running == ()


async def test_a_wide_queue_is_filled_in_two_fetches(start, worker, gate, fetches, slow):
    cls = worker(gate)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(500))

    await start(queues={"default": 400})

    await gate.entered(400)
    assert [event.count for event in await fetches.first(2)] == [200, 200]
    gate.open()


async def test_a_backlog_of_outcomes_holds_up_fetches_and_nothing_else(start, worker, ends, conn, monkeypatch):
    monkeypatch.setattr(producer, "BACKLOG", 3)
    cls = worker(nothing)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(30))

    async with asyncio.timeout(30):
        await start(queues={"default": 2})
        await ends.first(30)


@pytest.mark.parametrize(("limit", "busy"), [(150, 0), (1000, 300)])
async def test_every_slot_is_filled_though_nothing_ends(start, worker, gate, limit, busy):
    cls = worker(gate)
    client = await start(name="Client")
    oban = await start(queues={"default": {"limit": limit, "paused": True}}, stager={"interval": 600})
    if busy:
        await client.enqueue_many(cls.new() for _ in range(busy))
        await oban.resume_queue("default", local_only=True)
        await gate.entered(busy)
        await pause(oban)
    await client.enqueue_many(cls.new() for _ in range(limit + 50))
    await oban.resume_queue("default", local_only=True)
    try:
        await gate.entered(limit)
    finally:
        gate.open()


async def test_after_a_lost_answer_claims_are_looked_for_no_faster_than_the_cool_down(start, worker, monkeypatch):
    monkeypatch.setattr(producer, "COOLDOWN", HOURS)
    oban = await start(queues={"default": {"limit": 2, "paused": True}})
    queue = oban._parts.queues._producers["default"]
    looks, claimed = [], queue._engine.claimed

    async def counted(*args):
        looks.append(args)
        return await claimed(*args)

    monkeypatch.setattr(queue._engine, "claimed", counted)
    queue._lost._until = time.monotonic() + HOURS
    queue.wake()
    await until(lambda: asyncio.sleep(0, looks))
    for _ in range(20):
        queue.wake()
        await oban.count_jobs()
        await asyncio.sleep(0.01)
    assert len(looks) == 1


# What is worth another fetch at once


def a_pace(*, found, wanted):
    """The pace of a producer whose last fetch found so many jobs, which run; and the numbers by which they end."""
    its = Pace(asyncio.Event())
    its.note(found, wanted)
    return its, [its.begin() for _ in range(found)]


def test_half_of_the_slots_are_worth_a_fetch_whatever_runs():
    its, _ = a_pace(found=4, wanted=4)
    assert [its.is_ample(free, 10) for free in (0, 4, 5, 10)] == [False, False, True, True]


def test_fewer_slots_are_once_all_that_the_last_fetch_brought_has_ended():
    its, running = a_pace(found=4, wanted=4)
    for number in running:
        assert not its.is_ample(4, 10)
        its.end(number)
    assert its.is_ample(4, 10)
    assert not its.is_ample(0, 10)


def test_jobs_of_earlier_fetches_say_nothing_of_the_last_one():
    its, earlier = a_pace(found=6, wanted=6)
    its.note(4, 4)
    running = [its.begin() for _ in range(4)]
    for number in (*earlier, *running[:3]):
        its.end(number)
    assert not its.is_ample(4, 10)
    its.end(running[3])
    assert its.is_ample(4, 10)


def test_nothing_is_worth_a_fetch_where_the_last_one_left_no_jobs():
    its, running = a_pace(found=3, wanted=4)
    for number in running:
        its.end(number)
    assert not its.is_ample(10, 10)


async def test_a_pause_ends_with_the_last_job_of_the_fetch_before_it():
    its, running = a_pace(found=4, wanted=4)
    pausing = asyncio.create_task(its.pause(None))
    await asyncio.sleep(0)
    for number in running:
        its.end(number)
    its.is_ample(4, 10)
    async with asyncio.timeout(PATIENCE):
        await pausing


async def test_long_jobs_leave_quick_ones_more_than_a_few_slots_a_cool_down(start, worker, ends, gate, monkeypatch):
    long, quick = worker(gate, "Long"), worker(nothing, "Quick")
    oban = await start(queues={"default": 10}, stager={"interval": 600})
    await oban.enqueue_many(long.new() for _ in range(6))
    await gate.entered(6)
    await pause(oban)
    await oban.enqueue_many(quick.new() for _ in range(100))
    monkeypatch.setattr(pace, "COOLDOWN", HOURS)

    await oban.resume_queue("default", local_only=True)

    await ends.first(100)
    gate.open()


# Claims of a lost answer


async def test_a_job_that_is_cancelled_while_lost_claims_are_looked_for_ends(
    start, worker, ends, conn, gate, monkeypatch
):
    worker(gate)
    oban = await start(queues={"default": {"limit": 2, "paused": True}})
    queue = oban._parts.queues._producers["default"]
    job = await insert_row(conn, state="executing", attempt=1, attempted_by=["n", queue.uuid])
    asked, answered, claimed = asyncio.Event(), asyncio.Event(), queue._engine.claimed

    async def slow(*args):
        found = await claimed(*args)
        asked.set()
        await answered.wait()
        return found

    monkeypatch.setattr(queue._engine, "claimed", slow)
    queue._lost._until = time.monotonic() + HOURS
    queue.wake()
    async with asyncio.timeout(PATIENCE):
        await asked.wait()
    queue.cancel(job)  # as a pkill does; another one won't come
    answered.set()

    event = await ends.next()
    assert (event.job.id, event.state) == (job, "cancelled")
