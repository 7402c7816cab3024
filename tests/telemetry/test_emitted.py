"""What a running instance tells of jobs and operations: each event once, with what it says it holds."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from bridge import Cancel, Job, Oban, Snooze, telemetry
from bridge.jobs import current_job
from bridge.telemetry import events
from tests.queues.rig import PATIENCE

from .rig import SHOP, everything, make_worker, names

# Jobs


async def test_a_jobs_run_is_two_events(shop, registry):
    async def work(job):
        return {"a": 1}

    cls = make_worker(registry, work)
    before, begun_at = time.time_ns(), time.monotonic_ns()
    with everything("oban.job.*") as heard:
        oban = await shop()
        job = await oban.enqueue(cls.new({"n": 1}))
        stop = await heard.until(events.JOB_STOP)
        elapsed = time.monotonic_ns() - begun_at
        await oban.stop()

    assert names(heard) == ["oban.job.start", "oban.job.stop"]
    [begun] = heard.named(events.JOB_START)
    assert (begun.job.id, begun.oban) == (job.id, SHOP)
    assert before <= begun.system_time <= time.time_ns()
    assert stop.job is begun.job
    assert (stop.state, stop.result, stop.recorded, stop.oban) == ("completed", {"a": 1}, True, SHOP)
    assert 0 < stop.duration < elapsed
    assert stop.queue_time == int((stop.job.attempted_at - stop.job.scheduled_at).total_seconds() * 1e9)


@pytest.mark.parametrize(
    ("result", "state"), [(Cancel("no"), "cancelled"), (Snooze(60), "scheduled")], ids=["cancelled", "snoozed"]
)
async def test_an_end_by_a_workers_wish_is_a_stop(shop, registry, result, state):
    async def work(job):
        return result

    with everything("oban.job.*") as heard:
        oban = await shop()
        await oban.enqueue(make_worker(registry, work).new())
        stop = await heard.until(events.JOB_STOP)

    assert (stop.state, stop.result) == (state, result)
    assert names(heard) == ["oban.job.start", "oban.job.stop"]


async def test_a_failure_is_an_exception(shop, registry):
    async def work(job):
        raise ValueError("no")

    with everything("oban.job.*") as heard:
        oban = await shop()
        await oban.enqueue(make_worker(registry, work).new())
        failed = await heard.until(events.JOB_EXCEPTION)

    assert (failed.state, repr(failed.error), failed.oban) == ("retryable", "ValueError('no')", SHOP)
    assert names(heard) == ["oban.job.start", "oban.job.exception"]


async def test_a_jobs_events_are_told_in_its_context(shop, registry):
    seen = []

    def work(job):
        return None

    telemetry.attach("mine", "oban.job.*", lambda name, event: seen.append((name, current_job() is event.job)))
    with everything("oban.job.stop") as heard:
        oban = await shop()
        await oban.enqueue_many(make_worker(registry, work).new() for _ in range(20))
        await heard.first(20)

    assert len(seen) == 40
    assert all(own for _, own in seen)


# Operations


async def test_inserting_one_and_many(shop):
    oban = await shop(queues={})
    with everything("oban.engine.*") as heard:
        one = await oban.enqueue(Job("W"))
        many = await oban.enqueue_many([Job("W"), Job("V")])

    assert names(heard) == [
        "oban.engine.insert_job.start",
        "oban.engine.insert_job.stop",
        "oban.engine.insert_all_jobs.start",
        "oban.engine.insert_all_jobs.stop",
    ]
    single, bulk = heard.named("oban.engine.insert_job.stop") + heard.named("oban.engine.insert_all_jobs.stop")
    assert (single.operation, single.count, single.jobs, single.oban) == ("insert_job", 1, (one,), SHOP)
    assert (bulk.count, bulk.jobs) == (2, tuple(many))
    assert bulk.duration > 0


async def test_an_insertion_that_is_refused(shop):
    oban = await shop(queues={})
    job = Job("W")
    job.queue = ""
    with everything("oban.engine.*") as heard, pytest.raises(ValueError, match="queue"):
        await oban.enqueue(job)

    assert names(heard) == ["oban.engine.insert_job.start", "oban.engine.insert_job.exception"]
    assert "queue" in str(heard[-1][1].error)


async def test_fetching_and_acking(shop, registry):
    async def work(job):
        return None

    cls = make_worker(registry, work)
    oban = await shop()
    with everything("oban.engine.*", "oban.job.stop") as heard:
        job = await oban.enqueue(cls.new())
        await heard.until(events.JOB_STOP)
        acked = await heard.until("oban.engine.ack_jobs.stop")

    fetches = [event for event in heard.named("oban.engine.fetch_jobs.stop") if event.count]
    assert [[job.id for job in event.jobs] for event in fetches] == [[job.id]]
    assert (acked.count, acked.ids) == (1, (job.id,))


async def test_changing_jobs(shop):
    oban = await shop(queues={})
    jobs = await oban.enqueue_many(Job("W", queue=f"q{n}") for n in range(3))
    ids = tuple(job.id for job in jobs)
    with everything("oban.engine.*") as heard:
        await oban.update_jobs(jobs, {"priority": 3})
        await oban.cancel_jobs(jobs)
        await oban.retry_jobs(jobs)
        await oban.delete_jobs(jobs)

    operations = ["update_job", "cancel_all_jobs", "retry_all_jobs", "delete_all_jobs"]
    assert names(heard) == [f"oban.engine.{name}.{part}" for name in operations for part in ("start", "stop")]
    found = {event.operation: event for name, event in heard if name.endswith("stop")}
    assert all(event.count == 3 for event in found.values())
    assert [job.priority for job in found["update_job"].jobs] == [3, 3, 3]
    assert all(tuple(sorted(found[name].ids)) == ids for name in operations[1:])


async def test_jobs_that_are_handed_back(shop, registry):
    begun = asyncio.Event()

    async def work(job):
        begun.set()
        await asyncio.Event().wait()

    with everything("oban.engine.release_jobs.*", "oban.job.*") as heard:
        oban = await shop(shutdown_grace_period=0)
        job = await oban.enqueue(make_worker(registry, work).new())
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        await oban.stop()

    [released] = heard.named("oban.engine.release_jobs.stop")
    assert released.ids == (job.id,)
    assert "oban.job.stop" not in names(heard)


# Several instances


async def test_instances_of_one_process_are_told_apart(start, registry):
    async def work(job):
        return None

    cls = make_worker(registry, work)
    with everything("oban.job.*", "oban.engine.insert_job.stop") as heard:
        shop = await start(name="Shop", queues={"shop": 1})
        bank = await start(name="Bank", queues={"bank": 1})
        await shop.enqueue(cls.new(queue="shop"))
        await bank.enqueue(cls.new(queue="bank"))
        await heard.until(events.JOB_STOP, 2)

    assert {(event.oban.name, event.job.queue) for event in heard.named(events.JOB_STOP)} == {
        ("Shop", "shop"),
        ("Bank", "bank"),
    }
    assert [event.oban.name for event in heard.named("oban.engine.insert_job.stop")] == ["Shop", "Bank"]


async def test_an_instance_without_queues_tells_of_what_it_does(installed):
    with everything("oban.supervisor.*", "oban.engine.*", "oban.plugin.*", "oban.peer.*") as heard:
        async with Oban(dsn=installed) as oban:
            await oban.enqueue(Job("W", scheduled_at=datetime.now(UTC) + timedelta(days=1)))

    assert names(heard) == ["oban.supervisor.init", "oban.engine.insert_job.start", "oban.engine.insert_job.stop"]
