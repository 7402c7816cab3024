"""Metrics as Prometheus would scrape them, of real instances."""

import asyncio
import threading

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bridge import Job, telemetry
from bridge.errors import ValidationError
from bridge.telemetry import Instance, events
from bridge.telemetry.prometheus import Metrics
from tests.queues.rig import ENDS, PATIENCE, events_of, make_worker

SHOP = Instance("Shop", "public", "web.1")


@pytest.fixture(autouse=True)
def patient_scrapes(monkeypatch):
    """A scrape goes without what takes too long."""
    monkeypatch.setattr("bridge.telemetry.watching.PATIENCE", PATIENCE)


@pytest.fixture
def registry_of_metrics():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry_of_metrics):
    found = Metrics(registry_of_metrics)
    yield found
    found.close()


@pytest.fixture
def value(registry_of_metrics):
    return lambda name, **labels: registry_of_metrics.get_sample_value(name, labels)


async def work(job):
    if job.args.get("fail"):
        raise ValueError("no")


@pytest.fixture
def shop(start, registry):
    make_worker(registry, work)
    return lambda **options: start(**{"name": "Shop", "node": "web.1", "queues": {"default": 5}, **options})


async def test_runs_are_counted_and_timed(metrics, value, shop):
    oban = await shop()
    with events_of(*ENDS) as ends:
        await oban.enqueue_many([Job("W"), Job("W"), Job("W", args={"fail": True})])
        found = await ends.first(3)

    labels = {"oban": "Shop", "queue": "default", "worker": "W"}
    assert value("oban_jobs_total", state="completed", **labels) == 2
    assert value("oban_jobs_total", state="retryable", **labels) == 1
    assert value("oban_jobs_inserted_total", **labels) == 3
    assert value("oban_job_duration_seconds_count", **labels) == 3
    expected = sum(event.duration for event in found) / 1e9
    assert value("oban_job_duration_seconds_sum", **labels) == pytest.approx(expected)
    expected = sum(event.queue_time for event in found) / 1e9
    assert value("oban_job_queue_time_seconds_sum", **labels) == pytest.approx(expected)
    fetches = value("oban_engine_duration_seconds_count", oban="Shop", operation="fetch_jobs")
    assert fetches >= 1
    assert value("oban_engine_duration_seconds_count", oban="Shop", operation="insert_all_jobs") == 1


async def test_a_job_that_was_there_already_is_not_inserted(metrics, value, shop):
    oban = await shop(queues={})
    for _ in range(3):
        await oban.enqueue(Job("W", unique=True))

    assert value("oban_jobs_inserted_total", oban="Shop", queue="default", worker="W") == 1


async def test_operations_that_fail(metrics, value, shop):
    oban = await shop(queues={})
    job = Job("W")
    job.queue = ""
    with pytest.raises(ValidationError):
        await oban.enqueue(job)

    assert value("oban_engine_failures_total", oban="Shop", operation="insert_job") == 1


async def test_who_leads_and_whom_a_node_hears(metrics, value, shop):
    oban = await shop()
    names = (f"{events.ELECTION}.stop", events.NOTIFIER_SWITCH, events.STAGER_SWITCH)
    with events_of(*names):
        await oban._runtime.leader.wait_for_leadership()
        async with asyncio.timeout(PATIENCE):
            await oban.notifier.wait_for("solitary")
    assert value("oban_leader", oban="Shop", node="web.1") == 1
    assert value("oban_notifier_status", oban="Shop", node="web.1", status="solitary") == 1
    await oban.stop()
    assert value("oban_leader", oban="Shop", node="web.1") == 0
    assert value("oban_notifier_status", oban="Shop", node="web.1", status="solitary") == 0
    assert value("oban_notifier_status", oban="Shop", node="web.1", status="unknown") == 1


def test_what_services_did(metrics, value):
    for fields in (
        {"plugin": "stager", "staged_count": 3},
        {"plugin": "pruner", "pruned_count": 4, "duration": 2 * 10**9},
        {"plugin": "lifeline", "rescued_jobs": (1, 2), "discarded_jobs": (3,)},
    ):
        telemetry.emit("oban.plugin.stop", events.Plugin(SHOP, **fields))
    telemetry.emit("oban.plugin.exception", events.Plugin(SHOP, "cron", error=ValueError()))

    assert value("oban_jobs_staged_total", oban="Shop") == 3
    assert value("oban_jobs_pruned_total", oban="Shop") == 4
    assert value("oban_jobs_rescued_total", oban="Shop", state="available") == 2
    assert value("oban_jobs_rescued_total", oban="Shop", state="discarded") == 1
    assert value("oban_plugin_duration_seconds_sum", oban="Shop", plugin="pruner") == 2
    assert value("oban_plugin_failures_total", oban="Shop", plugin="cron") == 1
    assert value("oban_plugin_failures_total", oban="Shop", plugin="pruner") is None


def test_a_mode_that_is_another_one_now(metrics, value):
    for mode in ("global", "local"):
        telemetry.emit(events.STAGER_SWITCH, events.StagerSwitch(mode, SHOP))

    assert value("oban_stager_mode", oban="Shop", node="web.1", mode="global") == 0
    assert value("oban_stager_mode", oban="Shop", node="web.1", mode="local") == 1


def test_closed_metrics_leave_nothing_behind(registry_of_metrics, metrics):
    metrics.close()

    assert generate_latest(registry_of_metrics) == b""
    assert not telemetry.wanted(events.JOB_STOP)
    Metrics(registry_of_metrics).close()


def test_a_second_one_needs_an_id_and_leaves_nothing_behind(registry_of_metrics, metrics):
    other = CollectorRegistry()
    with pytest.raises(ValidationError, match="in use"):
        Metrics(other)
    assert generate_latest(other) == b""

    before = generate_latest(registry_of_metrics)
    with pytest.raises(ValueError, match="Duplicated"):
        Metrics(registry_of_metrics, handler_id="other")
    assert generate_latest(registry_of_metrics) == before

    Metrics(other, handler_id="other").close()


# Queues


def in_a_thread(registry):
    """Collect as Prometheus's own server does."""
    return asyncio.get_running_loop().run_in_executor(None, generate_latest, registry)


async def test_queues_as_they_are_now(metrics, value, shop, registry_of_metrics, registry):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hold(job):
        begun.set()
        await ended.wait()

    make_worker(registry, hold, "Hold")
    oban = await shop(queues={"default": 5, "quiet": {"limit": 2, "paused": True}})
    metrics.watch(oban, interval=0)
    await oban.enqueue(Job("Hold"))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    labels = {"oban": "Shop", "node": "web.1"}

    assert value("oban_queue_limit", queue="default", **labels) == 5
    assert value("oban_queue_running", queue="default", **labels) == 1
    assert value("oban_queue_paused", queue="default", **labels) == 0
    assert value("oban_queue_paused", queue="quiet", **labels) == 1
    text = (await in_a_thread(registry_of_metrics)).decode()
    assert 'oban_queue_running{node="web.1",oban="Shop",queue="default"} 1.0' in text
    assert "oban_queue_jobs{" not in text
    ended.set()


async def test_jobs_in_the_table_are_counted_for_a_thread_that_collects(metrics, shop, registry_of_metrics):
    oban = await shop(queues={})
    metrics.watch(oban, interval=60)
    await oban.enqueue_many([Job("W"), Job("W"), Job("W", queue="b", schedule_in=60)])

    text = (await in_a_thread(registry_of_metrics)).decode()
    assert 'oban_queue_jobs{oban="Shop",queue="default",state="available"} 2.0' in text
    assert 'oban_queue_jobs{oban="Shop",queue="b",state="scheduled"} 1.0' in text

    await oban.enqueue(Job("W"))
    text = (await in_a_thread(registry_of_metrics)).decode()
    assert 'oban_queue_jobs{oban="Shop",queue="default",state="available"} 2.0' in text, "asked again too soon"


async def test_collecting_on_the_event_loop_shows_what_was_counted_before(metrics, value, shop, registry_of_metrics):
    oban = await shop(queues={})
    metrics.watch(oban, interval=60)
    await oban.enqueue(Job("W"))
    labels = {"oban": "Shop", "queue": "default", "state": "available"}

    assert value("oban_queue_jobs", **labels) is None
    [counting] = [task for task in asyncio.all_tasks() if task.get_name() == "bridge-metrics"]
    await counting
    assert value("oban_queue_jobs", **labels) == 1


async def test_an_instance_that_has_stopped_has_no_queues(metrics, shop, registry_of_metrics):
    oban = await shop()
    metrics.watch(oban)
    assert b"oban_queue_limit{" in await in_a_thread(registry_of_metrics)
    await oban.stop()

    assert b"oban_queue_limit" not in await in_a_thread(registry_of_metrics)
    assert b"oban_queue_limit" not in generate_latest(registry_of_metrics)


async def test_a_database_that_is_away_costs_no_scrape(metrics, shop, registry_of_metrics, caplog):
    oban = await shop(queues={})
    metrics.watch(oban, interval=0.001)
    await oban._runtime.pool.close()

    assert b"oban_jobs" in await in_a_thread(registry_of_metrics)
    assert "can't count the jobs of Shop" in caplog.text


def test_a_loop_that_has_ended(metrics, registry_of_metrics):
    class Gone:
        name = "Shop"

        def check_all_queues(self):
            raise AssertionError("nobody may ask it")

    async def watch():
        metrics.watch(Gone())

    asyncio.run(watch())
    found = []
    thread = threading.Thread(target=lambda: found.append(generate_latest(registry_of_metrics)))
    thread.start()
    thread.join()

    assert b"oban_queue_limit" not in found[0]
