"""When a queue fetches, and how much: at once where many slots are free and jobs wait, else after its cool-down."""

import asyncio
import time

import pytest

from bridge.queues import pace, producer

from .rig import events_of, until

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
        await oban.pause_queue("default", local_only=True)
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
    queue._unanswered_until = time.monotonic() + HOURS
    for _ in range(20):
        queue.wake()
        await oban.count_jobs()
        await asyncio.sleep(0.01)
    assert len(looks) == 1
