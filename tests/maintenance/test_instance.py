"""The services of an instance: which run, on which rights, and what a queue that stops leaves behind."""

import asyncio
import logging
import threading

import asyncpg
import pytest
from cluster.rig import poor_role
from queues.rig import insert_row, row_of, until

from bridge import Oban
from bridge.config import load_settings
from bridge.errors import InvalidSetting

from .rig import engine_on, producer

QUICK = {"rescue_after": 3.0}


async def nothing(_job):
    return None


def running(oban):
    return {name for name, service in oban._parts.upkeep.items() if service.running}


async def listed(conn):
    return {row["queue"] for row in await conn.fetch("select queue from bridge_producers")}


async def orphan(conn, **columns):
    """A job that a node left behind an hour ago; the list of producers is there already."""
    dead = await producer(conn, silent=3600)
    await conn.execute("update bridge_producers set rescue_after = 1 where uuid = $1", dead)
    return await insert_row(conn, state="executing", attempt=1, attempted_by=["py@gone", dead], **columns)


async def has_state(conn, job, wanted):
    return (await row_of(conn, job))["state"] == wanted


# Which run


async def test_a_node_with_queues_rescues_and_prunes_and_does_not_reindex_unless_asked(start):
    assert running(await start(queues={"default": 5})) == {"lifeline", "pruner"}


async def test_each_service_can_be_switched_off_and_on(start):
    options = {"lifeline": {"enabled": False}, "pruner": {"mode": "off"}, "reindexer": {"enabled": True}}
    assert running(await start(queues={"default": 5}, **options)) == {"reindexer"}


async def test_a_client_does_nothing_of_all_that(start, conn):
    oban = await start()
    assert running(oban) == set()
    assert not oban._parts.heartbeat.running
    assert await conn.fetchval("select to_regclass('bridge_producers')") is None


async def test_a_client_that_starts_a_queue_does_all_of_it(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start()
    await oban.start_queue("default", 5, local_only=True)
    await ends.of(await oban.enqueue(cls.new()))
    assert running(oban) == {"lifeline", "pruner"}
    assert await listed(conn) == {"default"}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"lifeline": {"rescue_afer": 5}}, "lifeline"),
        ({"lifeline": {"rescue_after": 9, "interval": 4}}, "lifeline.interval"),
        ({"pruner": {"max_ages": 5}}, "pruner"),
        ({"pruner": {"workers": {"W": {"limit": 5}}}}, "pruner.workers.W"),
        ({"reindexer": {"schedule": "60 * * * *"}}, "reindexer: cron expression"),
        ({"reindexer": {"schedule": "@reboot"}}, "reindexer: schedule"),
        ({"reindexer": {"timezone": "Europe/Nowhere"}}, "reindexer: timezone"),
        ({"reindexer": {"indexes": "x"}}, "reindexer.indexes"),
    ],
)
def test_options_that_cant_be_are_refused_before_anything_is_opened(options, field):
    with pytest.raises(InvalidSetting) as caught:
        Oban(dsn="postgresql://h/d", **options)
    assert caught.value.field == field


# How soon


async def test_with_the_defaults_jobs_of_a_node_that_was_killed_run_again_within_a_minute(start, tmp_path):
    oban = await start(queues={"default": 5})
    parts = oban._parts
    lifeline, leader = parts.upkeep["lifeline"], parts.leader
    interval = max(lifeline._delay() for _ in range(5_000))
    said = load_settings(environment={}, folder=tmp_path)["lifeline.rescue_after"].value

    assert lifeline.rescue_after == parts.heartbeat.rescue_after == said
    # Its silence, a look of the leader's, and a look of the queues where no message tells them; the rest is for these
    # looks themselves.
    assert lifeline.rescue_after + interval + parts.stager.interval < 57
    # If it led, another node leads by then, and has watched for as long as it has been there.
    assert leader.interval * 1.1 < lifeline.rescue_after
    # A heart that misses two beats is not taken for dead.
    assert 3 * 1.1 * parts.heartbeat.interval < lifeline.rescue_after


# Whose lease


async def test_the_leader_rescues(start, conn, installed):
    async with engine_on(installed) as engine:
        await engine.prepare_producers()
    job = await orphan(conn, queue="elsewhere")
    await start(queues={"default": 5}, lifeline=QUICK, leader={"interval": 1})
    await until(lambda: has_state(conn, job, "available"))


async def test_a_node_that_may_not_lead_rescues_nothing(start, conn, installed):
    async with engine_on(installed) as engine:
        await engine.prepare_producers()
    job = await orphan(conn, queue="elsewhere")
    oban = await start(queues={"default": 5}, lifeline=QUICK, leader={"enabled": False})
    lifeline = oban._parts.upkeep["lifeline"]
    for _ in range(4):  # two rounds each, longer than a leader watches before it rescues
        await lifeline.wait_for_round()
    assert await has_state(conn, job, "executing")


async def test_where_no_lease_can_be_had_each_node_rescues(start, conn, installed):
    await conn.execute("drop table oban_peers; comment on table oban_jobs is '10'")
    async with engine_on(installed) as engine:
        await engine.prepare_producers()
    job = await orphan(conn, queue="elsewhere")
    await start(queues={"default": 5}, lifeline=QUICK)
    await until(lambda: has_state(conn, job, "available"))


# Producers


async def test_a_queue_is_listed_with_its_first_claim_and_taken_off_with_its_end(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": 5, "other": {"limit": 1, "paused": True}})
    await ends.of(await oban.enqueue(cls.new()))
    assert await listed(conn) == {"default"}
    [uuid] = [row["uuid"] for row in await conn.fetch("select uuid from bridge_producers")]
    assert uuid == oban.check_queue("default").uuid
    await oban.stop_queue("default", local_only=True)
    await until(lambda: is_listed(conn, set()))


async def is_listed(conn, wanted):
    return await listed(conn) == wanted


async def test_the_heart_beats_until_the_last_job_has_ended(installed, registry, worker, gate, conn):
    cls = worker(gate)
    oban = await Oban(
        dsn=installed, registry=registry, queues={"default": 5}, lifeline=QUICK, shutdown_grace_period=30
    ).start()
    await oban.enqueue(cls.new())
    await gate.entered(1)
    stopping = asyncio.create_task(oban.stop())
    first = await beat(conn)
    await until(lambda: beaten_after(conn, first))
    assert not stopping.done()
    gate.open()
    await stopping
    assert await listed(conn) == set()


async def beat(conn):
    return await conn.fetchval("select max(beat_at) from bridge_producers")


async def beaten_after(conn, moment):
    return await beat(conn) > moment


async def test_a_job_in_a_thread_that_outlives_its_node_leaves_the_producer_to_be_found(start, worker, conn):
    entered, release = threading.Event(), threading.Event()

    def stubborn(_job):
        entered.set()
        release.wait(30)

    cls = worker(stubborn)
    oban = await start(queues={"default": 5}, shutdown_grace_period=0)
    job = await oban.enqueue(cls.new())
    assert await asyncio.to_thread(entered.wait, 10)
    await oban.stop()
    row = await row_of(conn, job)
    assert row["state"] == "executing"
    assert await conn.fetchval("select uuid from bridge_producers") == row["attempted_by"][1]
    release.set()


async def test_an_instance_on_the_applications_pool_beats_without_a_thread(installed, registry, worker, ends, conn):
    cls = worker(nothing)
    before = set(hearts())  # another test's may be about to end
    async with asyncpg.create_pool(installed, min_size=1, max_size=4) as pool:
        async with Oban(pool=pool, registry=registry, queues={"default": 5}) as oban:
            await ends.of(await oban.enqueue(cls.new()))
            assert await listed(conn) == {"default"}
            assert set(hearts()) <= before
        assert await listed(conn) == set()


def hearts():
    return [thread for thread in threading.enumerate() if thread.name == "bridge-heartbeat"]


async def test_a_role_that_may_make_no_tables_runs_jobs_and_is_told_once(start, worker, ends, conn, installed, caplog):
    cls = worker(nothing)
    async with poor_role(conn, installed) as dsn:
        oban = await start(dsn=dsn, queues={"default": 5, "other": 5}, lifeline=QUICK)
        await ends.of(await oban.enqueue(cls.new()))
        await oban._parts.upkeep["lifeline"].wait_for_round()
        await oban._parts.heartbeat.wait_for_round()
        await oban.stop()
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([line for line in told if "bridge_producers" in line]) == 1
    assert [line for line in told if "bridge_producers" not in line] == []
