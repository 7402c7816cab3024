"""The loop that all background services share."""

import asyncio
import logging
import time

import asyncpg
import pytest
from queues.rig import PATIENCE, events_of, until

from bridge.maintenance import Service


class Counting(Service):
    """Counts its rounds; raises what it is given, once each."""

    def __init__(self, interval=0.01):
        super().__init__("counting", interval)
        self.begun = 0
        self.failures = []
        self.held = asyncio.Event()
        self.held.set()

    async def run_once(self):
        self.begun += 1
        await self.held.wait()
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
async def service():
    found = Counting()
    yield found
    await found.stop()


async def test_the_first_round_is_at_once(service):
    service.interval = 3600
    service.start()
    await until(lambda: asyncio.sleep(0, service.rounds))
    assert service.begun == 1


async def test_rounds_follow_each_other_at_the_interval():
    service = Counting(interval=0.05)
    service.start()
    begun = time.monotonic()
    await service.wait_for_round()
    await service.wait_for_round()
    await service.stop()
    # Two calls are at least three gaps, of which each may be 10 % shorter.
    assert time.monotonic() - begun >= 3 * 0.05 * 0.9


async def test_a_round_that_began_before_is_not_waited_for(service):
    service.held.clear()
    service.start()
    await until(lambda: asyncio.sleep(0, service.begun))
    waiting = asyncio.create_task(service.wait_for_round())
    await asyncio.sleep(0)
    service.held.set()
    await waiting
    assert service.begun >= 2


@pytest.mark.parametrize("error", [OSError("away"), asyncpg.InterfaceError("closed"), ValueError("a bug"), KeyError(1)])
async def test_a_round_that_fails_is_followed_by_another(service, error):
    service.failures = [error]
    service.start()
    async with asyncio.timeout(PATIENCE):
        await service.wait_for_round()
    assert service.begun >= 2


async def test_an_outage_is_logged_once_and_then_now_and_then(service, caplog):
    service.interval = 0.001
    service.failures = [OSError("away")] * 21
    service.start()
    async with asyncio.timeout(20):
        await service.wait_for_round()
    records = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in records] == ["counting failed: away"] * 3
    assert all(record.exc_info is None or record.exc_info is False for record in records)


async def test_the_end_of_an_outage_is_logged_once(service, caplog):
    caplog.set_level(logging.INFO)
    service.interval = 0.001
    service.failures = [OSError("away")] * 3
    service.start()
    async with asyncio.timeout(20):
        await service.wait_for_round()
        await service.wait_for_round()
    first, last = [record for record in caplog.records if record.name == "bridge.maintenance"]
    assert (first.levelname, first.getMessage()) == ("WARNING", "counting failed: away")
    assert last.levelname == "INFO"
    assert last.getMessage().startswith("counting works again, after 3 rounds that failed in ")


async def test_events_of_failures_tell_how_many_there_were_in_a_row(service):
    service.interval = 0.001
    service.failures = [OSError("away")] * 3
    with events_of("oban.plugin.exception", "oban.plugin.stop") as heard:
        service.start()
        await heard.first(4)
        service.failures = [OSError("away")]
        await until(lambda: asyncio.sleep(0, len([name for name, _ in heard if name.endswith("exception")]) == 4))
    assert [event.failures for name, event in heard if name.endswith("exception")] == [1, 2, 3, 1]
    assert {event.failures for name, event in heard if name.endswith("stop")} == {0}


async def test_a_bug_is_logged_with_its_traceback(service, caplog):
    service.failures = [ValueError("a bug")]
    service.start()
    async with asyncio.timeout(PATIENCE):
        await service.wait_for_round()
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.exc_info[0] is ValueError


async def test_the_distance_grows_while_rounds_fail_and_ends_somewhere(service):
    delays = []
    for failures in range(50):
        service._failures = failures
        delays.append(service._delay())
    assert delays[0] <= 0.011
    assert max(delays) <= 0.1 * 1.1 + 1e-9
    service.interval = 60
    assert 54 <= service._delay() <= 66


async def test_a_round_that_hangs_is_ended_by_stop(service):
    service.held.clear()
    service.start()
    await until(lambda: asyncio.sleep(0, service.begun))
    async with asyncio.timeout(PATIENCE):
        await service.stop()
    assert not service.running


async def test_a_round_that_ignores_its_end_is_left_behind():
    released = asyncio.Event()

    class Stubborn(Service):
        async def run_once(self):
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue

    service = Stubborn("stubborn", 1)
    service.start()
    await asyncio.sleep(0)
    try:
        await asyncio.wait_for(service.stop(), 10)
    finally:
        released.set()


async def test_stopping_twice_or_before_the_start_does_nothing(service):
    await service.stop()
    service.start()
    await service.stop()
    await service.stop()
    begun = service.begun
    await asyncio.sleep(0)
    assert service.begun == begun
