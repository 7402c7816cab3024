"""What becomes of new jobs in each mode, and how far a switch of it reaches."""

import asyncio
import threading

import pytest

from bridge import Oban
from bridge.errors import InvalidSetting
from bridge.testing import mode


async def stored(oban):
    return sum((await oban.count_jobs()).values())


async def test_a_manual_instance_stores_jobs_and_runs_none_of_its_queues(pool, registry, worker):
    done = []
    made = worker(lambda job: done.append(job.id))
    options = {"queues": {"default": 5}, "cron": [("* * * * *", made)], "reindexer": {"enabled": True}}
    async with Oban(pool=pool, registry=registry, testing="manual", **options) as oban:
        await oban.enqueue(made.new())

        assert oban.check_all_queues() == []
        assert await stored(oban) == 1
        assert await oban.peers() == []
        assert oban._parts.cron.lines == []
        assert oban._parts.upkeep == {}
        assert not oban._parts.stager.running
        await oban.drain_queue("default")
    assert len(done) == 1


async def test_no_queue_starts_in_a_testing_mode(manual, worker):
    await manual.start_queue("default", 5)
    await manual.start_queue("default", 5, local_only=True)

    assert manual.check_all_queues() == []
    assert not manual._parts.stager.running


@pytest.mark.parametrize("testing", ["manual", "inline"])
async def test_options_are_checked_though_nothing_runs_by_them(pool, testing):
    with pytest.raises(InvalidSetting, match="queues"):
        Oban(pool=pool, queues={"default": 0}, testing=testing)


async def test_an_unknown_mode_is_refused(pool):
    with pytest.raises(InvalidSetting, match=r"testing: expected one of disabled, manual, inline, got 'automatic'"):
        Oban(pool=pool, testing="automatic")
    with pytest.raises(InvalidSetting, match="'manual' or 'inline'"), mode("disabled"):
        pass


async def test_a_block_switches_and_its_end_switches_back(manual, worker):
    made = worker(lambda _job: 1)

    with mode("inline"):
        ran = await manual.enqueue(made.new())
        with mode("manual"):
            await manual.enqueue(made.new())
    with pytest.raises(LookupError), mode("inline"):
        raise LookupError
    await manual.enqueue(made.new())

    assert ran.state == "completed"
    assert await manual.count_jobs() == {"available": 2}


async def test_a_switch_reaches_tasks_that_are_started_within_it_and_no_others(manual, worker):
    made = worker(lambda _job: 1)
    inside = asyncio.Event()

    async def other():
        await inside.wait()
        return await manual.enqueue(made.new())

    outer = asyncio.create_task(other())
    await asyncio.sleep(0)  # it has its context now
    with mode("inline"):
        inner = asyncio.create_task(manual.enqueue(made.new()))
        inside.set()
        assert (await inner).state == "completed"
        assert (await outer).state == "available"


async def test_a_switch_does_not_reach_other_threads(manual, worker, installed, registry):
    made = worker(lambda _job: 1)
    found = []

    async def enqueue():
        async with Oban(dsn=installed, registry=registry, name="Other") as oban:
            found.append(await oban.enqueue(made.new()))

    with mode("inline"):
        thread = threading.Thread(target=lambda: asyncio.run(enqueue()))
        thread.start()
        await asyncio.to_thread(thread.join)

    assert found[0].state == "available"


async def test_an_instance_that_is_inline_is_switched_to_manual(inline, worker):
    made = worker(lambda _job: 1)
    with mode("manual"):
        await inline.enqueue_many([made.new(), made.new()])
    assert await inline.count_jobs() == {"available": 2}
