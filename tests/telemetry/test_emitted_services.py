"""What an instance tells of its start and end, its services, its leadership and its messages."""

import asyncio
import time
from datetime import UTC, datetime

import asyncpg
import pytest
from cluster.rig import engine_on
from cron.rig import Clock, node_on

from bridge.cluster import Leader
from bridge.engine.schema import install_own
from bridge.maintenance import Service
from bridge.pubsub import Notifier
from bridge.telemetry import events
from tests.queues.rig import insert_row

from .rig import SHOP, everything, make_worker, names


async def test_a_stopped_queue(shop):
    with everything("oban.queue.*") as heard:
        await (await shop()).stop()

    [shutdown] = heard.named(events.QUEUE_SHUTDOWN)
    assert (shutdown.queue, shutdown.orphaned, shutdown.oban) == ("default", (), SHOP)
    assert shutdown.elapsed > 0


# The instance and its services


async def test_a_start(shop):
    before = time.time_ns()
    with everything("oban.supervisor.*", "oban.plugin.init") as heard:
        oban = await shop()
        await oban.stop()

    [begun] = heard.named(events.SUPERVISOR_INIT)
    assert begun.oban == SHOP
    assert before <= begun.system_time <= time.time_ns()
    plugins = [event.plugin for event in heard.named(events.PLUGIN_INIT)]
    assert sorted(plugins) == sorted(set(plugins))
    assert {"stager", "heartbeat", "lifeline", "pruner"} <= set(plugins)
    assert {event.oban for event in heard.named(events.PLUGIN_INIT)} == {SHOP}


async def test_a_stagers_round_tells_how_many_it_staged(shop, conn):
    for _ in range(3):
        await insert_row(conn, state="scheduled", scheduled_at=datetime(2020, 1, 1), queue="other")  # noqa: DTZ001
    with everything("oban.plugin.stop") as heard:
        await shop(stager={"interval": 0.05, "mode": "on"})
        staged = await heard.until("oban.plugin.stop", where=lambda event: event.staged_count)

    assert (staged.plugin, staged.staged_count, staged.oban) == ("stager", 3, SHOP)
    assert staged.duration > 0
    assert staged.error is None


async def test_a_pruners_round_tells_how_many_it_deleted(shop, conn):
    old = datetime(2020, 1, 1)  # noqa: DTZ001
    for _ in range(2):
        await insert_row(conn, state="completed", scheduled_at=old, completed_at=old, attempted_at=old)
    with everything("oban.plugin.stop", "oban.engine.prune_jobs.*") as heard:
        await shop(pruner={"interval": 0.05, "mode": "on"})
        pruned = await heard.until("oban.plugin.stop", where=lambda event: event.pruned_count)

    assert (pruned.plugin, pruned.pruned_count) == ("pruner", 2)
    assert 2 in [event.count for event in heard.named("oban.engine.prune_jobs.stop")]


async def test_a_lifelines_round_tells_what_it_rescued(shop, conn):
    await install_own(conn, "public")
    with everything("oban.plugin.stop", "oban.engine.rescue_jobs.stop") as heard:
        oban = await shop(lifeline={"rescue_after": 3, "interval": 0.1})
        await heard.until("oban.plugin.stop", where=lambda event: event.plugin == "lifeline")
        dead = "00000000-0000-0000-0000-000000000000"
        columns = "(uuid, name, node, queue, rescue_after, started_at, beat_at)"
        long_ago = "timezone('UTC', now()) - interval '1 hour'"
        values = f"('{dead}', 'Shop', 'web.2', 'default', 1, {long_ago}, {long_ago})"
        row = {"state": "executing", "attempt": 1, "attempted_at": datetime.now(UTC).replace(tzinfo=None)}
        kept = await insert_row(conn, **row, max_attempts=2, attempted_by=["web.2", dead], queue="other")
        spent = await insert_row(conn, **row, max_attempts=1, attempted_by=["web.2", dead], queue="other")
        await conn.execute(f"insert into bridge_producers {columns} values {values}")
        rescue = await heard.until("oban.plugin.stop", where=lambda event: event.rescued_jobs or event.discarded_jobs)
        await oban.stop()

    assert (rescue.plugin, rescue.rescued_jobs, rescue.discarded_jobs) == ("lifeline", (kept,), (spent,))
    assert (2, {kept, spent}) in [
        (event.count, set(event.ids)) for event in heard.named("oban.engine.rescue_jobs.stop")
    ]


async def test_a_cron_round_tells_what_it_inserted(installed, registry):
    async def work(job):
        return None

    make_worker(registry, work, "Daily")
    clock = Clock("2026-03-01 12:00:30")
    entries = [{"expression": "@reboot", "worker": "Daily"}]
    async with node_on(installed, registry, entries, clock=clock) as node:
        await node.leader.run_once()
        await node.run_once()
        clock.pass_(minutes=1)
        with everything("oban.plugin.stop", "oban.engine.insert_job.stop") as heard:
            node.start()
            done = await heard.until("oban.plugin.stop")

    [inserted] = heard.named("oban.engine.insert_job.stop")
    assert (done.plugin, done.jobs) == ("cron", (inserted.jobs[0].id,))


async def test_a_reindexers_round_tells_what_it_built_anew(shop):
    schedule = "* * * * *"
    with everything("oban.plugin.stop") as heard:
        options = {"enabled": True, "schedule": schedule, "indexes": ["oban_jobs_args_index"]}
        oban = await shop(reindexer=options)
        service = oban._runtime.upkeep["reindexer"]
        await oban._runtime.leader.wait_for_leadership()
        await service.stop()
        service._seen, service.interval = None, 0.1  # a round that the stop broke off may hold the index for a moment
        service.start()
        done = await heard.until("oban.plugin.stop", where=lambda event: event.reindexed)

    assert (done.plugin, done.reindexed) == ("reindexer", ("oban_jobs_args_index",))


async def test_a_round_that_fails_is_an_exception():
    class Broken(Service):
        async def run_once(self):
            raise ValueError("no")

    service = Broken("broken", 60, SHOP)
    with everything("oban.plugin.*") as heard:
        service.start()
        failed = await heard.until("oban.plugin.exception")
        await service.stop()

    assert names(heard) == ["oban.plugin.init", "oban.plugin.start", "oban.plugin.exception"]
    assert (failed.plugin, repr(failed.error), failed.oban) == ("broken", "ValueError('no')", SHOP)


async def test_every_round_that_begins_comes_to_an_end(shop):
    with everything("oban.plugin.*") as heard:
        oban = await shop(stager={"interval": 0.01})
        await heard.until("oban.plugin.stop", 20)
        await oban.stop()

    begun = len(heard.named("oban.plugin.start"))
    assert begun == len(heard.named("oban.plugin.stop")) + len(heard.named("oban.plugin.exception"))
    assert all(isinstance(event.error, asyncio.CancelledError) for event in heard.named("oban.plugin.exception"))


# Leaders, messages, links


async def test_an_election_that_is_won_and_given_up(shop):
    with everything("oban.peer.*") as heard:
        oban = await shop()
        won = await heard.until("oban.peer.election.stop")
        await oban.stop()

    assert (won.lease, won.leader, won.was_leader, won.peer) == ("Shop@python", True, False, "web.1")
    assert won.duration > 0
    last = heard.named("oban.peer.election.stop")[-1]
    assert (last.leader, last.was_leader) == (False, True)
    ended = [name for name in names(heard) if not name.endswith("start")]
    assert len(heard.named("oban.peer.election.start")) == len(ended)
    assert {event.oban for _, event in heard} == {SHOP}


async def test_an_election_that_another_node_has_won(installed):
    async with engine_on(installed) as engine:
        await Leader(engine, instance="Shop", node="web.1").run_once()
        with everything("oban.peer.*") as heard:
            await Leader(engine, instance="Shop", node="web.2").run_once()

    [lost] = heard.named("oban.peer.election.stop")
    assert (lost.leader, lost.was_leader, lost.peer) == (False, False, "web.1")


@pytest.fixture
async def cut_off(installed):
    """An engine whose pool is closed."""
    async with engine_on(installed) as engine:
        engine.oban = SHOP
    return engine


async def test_an_election_that_fails(cut_off):
    with everything("oban.peer.*") as heard, pytest.raises(asyncpg.InterfaceError):
        await Leader(cut_off, instance="Shop", node="web.1").run_once()

    assert names(heard) == ["oban.peer.election.start", "oban.peer.election.exception"]
    failed = heard[-1][1]
    assert (failed.leader, failed.was_leader) == (False, False)
    assert isinstance(failed.error, asyncpg.InterfaceError)


async def test_messages_that_are_sent(shop):
    oban = await shop()
    with everything("oban.notifier.notify.*") as heard:
        await oban.notifier.notify("mine", [{"a": 1}, {"b": 2}])

    sent = [event for event in heard.named("oban.notifier.notify.stop") if event.channel == "mine"]
    assert [event.payloads for event in sent] == [({"a": 1}, {"b": 2})]
    assert sent[0].oban == SHOP
    assert sent[0].duration > 0


async def test_messages_that_could_not_be_sent(cut_off):
    notifier = Notifier(connect=None, publish=cut_off.notify, prefix="public", ident="Shop.web.1", oban=SHOP)
    with everything("oban.notifier.*") as heard, pytest.raises(asyncpg.InterfaceError):
        await notifier.notify("mine", {"a": 1})

    assert names(heard) == ["oban.notifier.notify.start", "oban.notifier.notify.exception"]
    assert isinstance(heard[-1][1].error, asyncpg.InterfaceError)


async def test_a_message_that_is_refused_is_none(cut_off):
    notifier = Notifier(connect=None, publish=cut_off.notify, prefix="public", ident="Shop.web.1", oban=SHOP)
    with everything("oban.notifier.*") as heard, pytest.raises(ValueError, match="mapping"):
        await notifier.notify("mine", "text")

    assert heard == []


async def test_a_node_that_learns_whom_it_hears(shop):
    with everything("oban.notifier.switch", "oban.stager.switch") as heard:
        await shop()
        # Where its first message is late, it has to take itself for isolated meanwhile.
        switched = await heard.until(events.NOTIFIER_SWITCH, where=lambda event: event.status != "isolated")
        mode = await heard.until(events.STAGER_SWITCH, where=lambda event: event.mode != "local")

    assert (switched.status, switched.oban) == ("solitary", SHOP)
    assert (mode.mode, mode.oban) == ("global", SHOP)
    statuses = [event.status for event in heard.named(events.NOTIFIER_SWITCH)]
    modes = [event.mode for event in heard.named(events.STAGER_SWITCH)]
    assert "isolated" in statuses or (statuses, modes) == (["solitary"], ["global"])
