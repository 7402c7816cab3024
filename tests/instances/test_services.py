"""Background services of the application's own."""

import asyncio

import pytest
from queues.rig import PATIENCE, events_of, until

from bridge import Job, Oban
from bridge.errors import InvalidSetting
from bridge.maintenance import Service, service
from bridge.telemetry import events


class Sweep(Service):
    """Enqueues a job each round, and tells who leads."""

    def __init__(self, name="sweep"):
        super().__init__(name, 0.01)
        self.ended = asyncio.Event()

    async def run_once(self):
        oban = Oban.get_instance(self.oban.name)
        self.inserted = await oban.enqueue(Job("Nobody", queue="nowhere"))
        self.led = self.is_leader

    async def stop(self):
        await super().stop()
        self.ended.set()


async def test_a_service_runs_while_its_node_serves(start, caplog):
    sweep = Sweep()
    with events_of(f"{events.PLUGIN}.stop") as rounds:
        oban = await start(name="Mine", node="here", queues={"default": 1}, services=[sweep])
        await asyncio.wait_for(sweep.wait_for_round(), PATIENCE)
    assert (sweep.oban.name, sweep.oban.node, sweep.oban.prefix) == ("Mine", "here", "public")
    assert (await oban.get_job(sweep.inserted.id)).worker == "Nobody"
    assert "sweep" in {event.plugin for _, event in rounds}
    await oban.stop()
    assert sweep.ended.is_set()
    assert not sweep.running
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


async def test_only_the_leaders_service_knows_that_it_leads(start):
    leading, following = Sweep(), Sweep()
    first = await start(queues={"default": 1}, services=[leading])
    await until(lambda: asyncio.sleep(0, first.is_leader))
    await start(name="Oban.Other", queues={"other": 1}, services=[following], leader={"enabled": False})
    for sweep in (leading, following):
        await asyncio.wait_for(sweep.wait_for_round(), PATIENCE)
    assert (leading.led, following.led) == (True, False)


async def test_services_that_can_not_be_ended_hold_up_a_stop_once_and_not_each(start, monkeypatch):
    monkeypatch.setattr(service, "UNWIND", PATIENCE / 5)
    loose, entered = asyncio.Event(), asyncio.Semaphore(0)

    class Stubborn(Service):
        async def run_once(self):
            entered.release()
            while not loose.is_set():
                try:
                    await loose.wait()
                except asyncio.CancelledError:
                    continue

    services = [Stubborn(f"stubborn-{nth}", 60) for nth in range(10)]
    oban = await start(queues={"default": 1}, services=services)
    for _ in services:
        await asyncio.wait_for(entered.acquire(), PATIENCE)
    try:
        await asyncio.wait_for(oban.stop(), PATIENCE)
    finally:
        loose.set()


async def test_what_a_service_raises_when_it_stops_keeps_nothing_else_from_stopping(start):
    class Broken(Sweep):
        async def stop(self):
            await super().stop()
            raise RuntimeError("no end")

    broken, sweep = Broken("broken"), Sweep()
    oban = await start(queues={"default": 1}, services=[broken, sweep])
    with pytest.raises(RuntimeError, match="no end"):
        await oban.stop()
    assert sweep.ended.is_set()
    assert not oban.running_jobs()
    assert all(task.get_name() != "bridge-stager" for task in asyncio.all_tasks())


async def test_a_client_runs_none_until_it_starts_a_queue(start):
    sweep = Sweep()
    oban = await start(services=[sweep])
    assert not sweep.running
    await oban.start_queue("default", 1, local_only=True)
    await asyncio.wait_for(sweep.wait_for_round(), PATIENCE)


async def test_under_test_none_runs(start):
    sweep = Sweep()
    await start(queues={"default": 1}, services=[sweep], testing="manual")
    assert not sweep.running


async def test_a_service_starts_anew_with_its_instance(installed, registry):
    sweep = Sweep()
    oban = Oban(dsn=installed, registry=registry, queues={"default": 1}, services=[sweep])
    for _ in range(2):
        async with oban:
            await asyncio.wait_for(sweep.wait_for_round(), PATIENCE)


def test_an_object_runs_once_in_an_instance():
    sweep = Sweep()
    with pytest.raises(InvalidSetting, match="each object once"):
        Oban(dsn="postgresql://localhost/x", services=[sweep, sweep])
