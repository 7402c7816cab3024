"""Outcomes whose rows are not their producer's any more are dropped, and each of them is told of."""

import asyncio

import pytest

from bridge.queues import drops

from .rig import PATIENCE, pause, until

TAKEN = "others took this node for dead and have its jobs now: "

#: What a rescue does, and then the fetch of another node.
RESCUE = "update oban_jobs set state = 'available' where id = any($1::bigint[])"
CLAIM = (
    "update oban_jobs set state = 'executing', attempt = 2, attempted_by = array['b', gen_random_uuid()::text] "
    "where id = any($1::bigint[])"
)


@pytest.fixture
def told(caplog):
    def lines():
        found = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        return [text for text in found if "dropped" in text]

    return lines


@pytest.mark.parametrize("change", [RESCUE, CLAIM], ids=["rescued", "claimed"])
async def test_jobs_that_others_took_are_told_of_together_and_so_are_those_that_run_on(
    start, worker, ends, conn, gate, told, change
):
    quick = asyncio.Event()

    async def end_first(_job):
        await quick.wait()

    oban = await start(queues={"default": 5}, stager={"interval": 600})
    first = await oban.enqueue(worker(end_first, "Quick").new())
    rest = await oban.enqueue_many(worker(gate).new() for _ in range(2))
    await gate.entered(2)
    await pause(oban)  # or what a rescue makes available is its own again
    await conn.execute(change, [job.id for job in (first, *rest)])
    quick.set()
    await until(lambda: asyncio.sleep(0, told()))
    gate.open()
    await asyncio.gather(*(ends.of(job, attempt=1) for job in rest))
    await oban.stop()
    ids = ", ".join(str(job.id) for job in (first, *rest))
    assert told() == [f"{TAKEN}{ids}; what comes of these here is dropped"]


async def test_drops_that_come_after_a_line_are_told_of_once_its_time_is_over(
    start, worker, ends, conn, gate, told, monkeypatch
):
    monkeypatch.setattr(drops, "INTERVAL", 0.3)
    oban = await start(queues={"default": 5})
    cls = worker(gate)
    first = await oban.enqueue(cls.new())
    await gate.entered(1)
    await conn.execute("delete from oban_jobs")
    gate.open()
    await until(lambda: asyncio.sleep(0, told()))
    gate.close()
    later = await oban.enqueue_many(cls.new() for _ in range(2))
    await gate.entered(3)
    await conn.execute("delete from oban_jobs")
    gate.open()
    await until(lambda: asyncio.sleep(0, len(told()) > 1))
    assert told() == [
        f"job {first.id} was changed by somebody else while it ran; its outcome is dropped",
        f"jobs {later[0].id}, {later[1].id} were changed by somebody else while they ran; their outcomes are dropped",
    ]


async def test_a_queue_that_stops_tells_of_the_drops_that_are_left(start, worker, ends, conn, gate, told, monkeypatch):
    monkeypatch.setattr(drops, "GATHER", 600)
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    await conn.execute("delete from oban_jobs")
    gate.open()
    await ends.of(job)
    assert told() == []
    await oban.stop()
    assert told() == [f"job {job.id} was changed by somebody else while it ran; its outcome is dropped"]


async def test_a_stop_that_meets_the_look_for_who_took_them_tells_of_the_drops(
    start, worker, ends, conn, gate, told, monkeypatch
):
    oban = await start(queues={"default": 5}, stager={"interval": 600})
    engine, looking = oban._parts.engine, asyncio.Event()
    select = engine.select

    async def slow(*args):
        if not looking.is_set():
            looking.set()
            await asyncio.Event().wait()
        return await select(*args)

    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    monkeypatch.setattr(engine, "select", slow)
    await conn.execute("delete from oban_jobs")
    gate.open()
    await asyncio.wait_for(looking.wait(), PATIENCE)
    await oban.stop()
    assert told() == [f"job {job.id} was changed by somebody else while it ran; its outcome is dropped"]


async def test_many_drops_cost_one_line_and_one_look(start, worker, ends, conn, gate, told, monkeypatch):
    monkeypatch.setattr(drops, "LOOKS", 5)
    oban = await start(queues={"default": 40}, stager={"interval": 600})
    jobs = await oban.enqueue_many(worker(gate).new() for _ in range(30))
    await gate.entered(30)
    await conn.execute(CLAIM, [job.id for job in jobs])
    gate.open()
    await asyncio.gather(*(ends.of(job) for job in jobs))
    await oban.stop()
    [line] = told()
    assert line.startswith(TAKEN)
    assert line.endswith(" and 10 more; what comes of these here is dropped")
