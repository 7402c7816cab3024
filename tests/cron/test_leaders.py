"""Whichever node leads, and whatever dies: no minute is done twice, and none that is not over is left out."""

import asyncio

import pytest
from proxy import wire_to
from queues.rig import PATIENCE, until

from bridge.testing.interop.gate import Gate

from .rig import BOOT, EVERY, Clock, a_worker, jobs_of, warnings

__all__ = ["a_worker"]


async def test_a_node_that_does_not_lead_inserts_nothing(node, clock, conn):
    leading, following = await node(EVERY), await node(EVERY, leads=False, node="b")
    await following.leader.run_once()
    clock.pass_(minutes=1)
    await following.run_once()
    assert await jobs_of(conn) == []
    await leading.run_once()
    assert await jobs_of(conn) == ["every"]


async def test_the_next_leader_does_not_repeat_a_minute(node, clock, conn):
    first, second = await node(EVERY), await node(EVERY, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    await second.run_once()
    await first.leader.stop()
    await second.leader.run_once()
    await second.run_once()
    assert await jobs_of(conn) == ["every"]
    clock.pass_(minutes=1)
    await second.run_once()
    assert await jobs_of(conn) == ["every", "every"]


async def test_the_next_leader_does_a_minute_that_was_left_undone(node, clock, conn, caplog):
    first, second = await node(EVERY), await node(EVERY, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    clock.set("2026-03-01 12:02:00")
    await second.run_once()  # doesn't lead yet, and the first one is dead
    await conn.execute("delete from oban_peers")
    clock.set("2026-03-01 12:02:45")
    await second.leader.run_once()
    await second.run_once()
    assert await jobs_of(conn) == ["every", "every"]
    assert warnings(caplog) == []


async def test_two_that_believe_to_lead_insert_a_minute_once(node, clock, conn):
    nodes = [await node(EVERY, node="a")]
    for name in ("b", "c", "d"):
        # A database that crashed has forgotten the lease, and those who hold it don't know.
        await conn.execute("delete from oban_peers")
        nodes.append(await node(EVERY, node=name))
    assert all(each.leader.is_leader for each in nodes)
    for _ in range(5):
        clock.pass_(minutes=1)
        await asyncio.gather(*(each.run_once() for each in nodes))
    assert await jobs_of(conn) == ["every"] * 5


async def test_instances_keep_minutes_of_their_own(node, clock, conn):
    one, other = await node(EVERY), await node({**EVERY, "name": "other"}, instance="Other")
    clock.pass_(minutes=1)
    await one.run_once()
    await other.run_once()
    assert sorted(await jobs_of(conn)) == ["every", "other"]


async def test_a_restart_within_the_minute_repeats_nothing_and_leaves_nothing_out(node, clock, conn):
    first = await node(EVERY)
    clock.pass_(minutes=1)
    await first.run_once()
    await first.leader.stop()
    again = await node(EVERY, node="b")
    assert await jobs_of(conn) == ["every"]
    await again.leader.stop()
    clock.set("2026-03-01 12:02:20")  # it was down when the minute began
    await node(EVERY, node="c")
    assert await jobs_of(conn) == ["every", "every"]


# Reboot


async def test_a_reboot_entry_is_inserted_once_with_the_first_minute_that_a_node_does(node, clock, conn):
    scheduler = await node(BOOT, EVERY)
    assert await jobs_of(conn) == []
    for _ in range(3):
        clock.pass_(minutes=1)
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "every", "every"]


async def test_each_node_that_begins_to_lead_inserts_its_reboot_entries(node, clock, conn):
    first, second = await node(BOOT), await node(BOOT, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    await second.run_once()
    await first.leader.stop()
    await second.leader.run_once()
    for _ in range(2):
        clock.pass_(minutes=1)
        await second.run_once()
    assert await jobs_of(conn) == ["boot", "boot"]


async def test_a_commit_whose_answer_is_lost_is_not_repeated(node, clock, conn, installed):
    async with wire_to(installed) as wire:
        scheduler = await node(BOOT, EVERY, dsn=wire.dsn)
        clock.pass_(minutes=1)
        wire.lose_answer(b"COMMIT")
        with pytest.raises(Exception, match="connection"):
            await scheduler.run_once()
        assert wire.lost.is_set()
        assert await jobs_of(conn) == ["boot", "every"]
        await scheduler.run_once()
        clock.pass_(minutes=1)
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "every"]


async def test_a_round_that_is_broken_off_is_done_again_as_a_whole(node, clock, conn, installed):
    async with wire_to(installed) as wire:
        scheduler = await node(BOOT, EVERY, {**EVERY, "name": "second"}, dsn=wire.dsn)
        clock.pass_(minutes=1)
        wire.lose_answer(b"bridge_crons")
        with pytest.raises(Exception, match="connection"):
            await scheduler.run_once()
        assert await jobs_of(conn) == []
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "second"]


async def test_a_leader_that_is_lost_in_the_midst_of_a_minute_holds_it_up_for_a_moment_only(
    node, clock, conn, installed, monkeypatch
):
    """It is frozen, and the server isn't told: the minute's transaction ends there by itself, and the next leader's
    goes on."""
    monkeypatch.setattr("bridge.engine.crons.LIMITS", ("20s", "3s"))
    holders = """
        select from pg_stat_activity join pg_locks using (pid)
        where state = 'idle in transaction' and relation = 'bridge_crons'::regclass and mode = 'RowExclusiveLock'
    """
    first_clock, second = Clock(), await node(EVERY, leads=False, node="b")
    with Gate(installed) as gate:
        first = await node(EVERY, dsn=gate.url(), clock=first_clock)
        first_clock.pass_(minutes=1)
        gate.delay(0.15)
        lost = asyncio.create_task(first.run_once())
        await until(lambda: conn.fetch(holders))
        gate.freeze()

        await conn.execute("delete from oban_peers")
        await second.leader.run_once()
        clock.pass_(minutes=1)
        async with asyncio.timeout(PATIENCE):
            await second.run_once()

        assert await jobs_of(conn) == ["every"]
        gate.drop()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)
