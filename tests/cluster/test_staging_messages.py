"""What comes of staging where messages are junk, too many, or don't arrive."""

import asyncio
import json

import asyncpg
import pytest
from proxy import wire_to
from queues.conftest import ends
from queues.rig import PATIENCE, events_of, insert_row, notify, until

from bridge import Oban
from bridge.pubsub import Status
from bridge.telemetry import events

from .staging import DUE, QUICK, clustered, is_available, leading, long_promises, make, node, nothing, resting

__all__ = ["ends", "long_promises", "make", "node"]


# Junk


async def test_promises_that_are_kept_up_for_ever_and_not_kept_stop_nothing(node, conn, monkeypatch):
    monkeypatch.setattr("bridge.maintenance.stager.TRUST", 0.5)
    oban = await node("a", instance="Oban")
    await leading(oban)
    forged = json.dumps({"lease": "A@python", "node": "nobody", "within": 1e300})
    await notify(conn, "stager", forged)
    await resting(oban)
    begun = asyncio.get_running_loop().time()
    oban.statements.clear()
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await until(lambda: is_available(conn, job))
    assert oban._parts.situation.promised() > 0
    most = 1 + (asyncio.get_running_loop().time() - begun) / 0.5
    assert 1 <= len(oban.statements.of("What a stager has to know")) <= most


async def test_a_flood_of_messages_makes_no_flood_of_rounds_or_elections(node, conn):
    oban = await node("a", stager={"interval": 600})
    await leading(oban)
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.SOLITARY)
    oban.statements.clear()
    begun = asyncio.get_running_loop().time()
    for _ in range(200):
        await notify(conn, "leader", '{"down":"a@python"}')
        await asyncio.sleep(0.005)
    for what in ("What a stager has to know", "Takes the lease"):
        await until(lambda what=what: asyncio.sleep(0, len(oban.statements.of(what)) >= 2))
        most = 2 + (asyncio.get_running_loop().time() - begun) / 0.05
        assert len(oban.statements.of(what)) <= most


# Who can't hear


@pytest.mark.parametrize("deaf", [{"notifier": {"enabled": False}}, {"pool": 1}], ids=["by choice", "small pool"])
async def test_a_node_that_can_not_hear_polls(start, installed, registry, make, ends, conn, deaf):
    make(nothing)
    options = {"stager": QUICK, "queues": {"default": 5}}
    if "pool" in deaf:
        async with (
            asyncpg.create_pool(installed, min_size=1, max_size=1) as pool,
            Oban(pool=pool, registry=registry, **options),
        ):
            await insert_row(conn)
            await ends.next()
    else:
        await start(**options, **deaf)
        await insert_row(conn)
        await ends.next()


async def test_a_node_that_loses_its_connection_polls_and_rests_again_later(node, make, ends, conn, installed):
    make(nothing)
    leader = await node("a", instance="A", queues={"other": 1})
    await leading(leader)
    async with wire_to(installed) as wire:
        follower = await node("b", instance="B", notifier={"dsn": wire.dsn})
        await resting(follower)
        await clustered(follower)
        with events_of(events.NOTIFIER_SWITCH, events.STAGER_SWITCH) as switches:
            await wire.cut()
            await insert_row(conn)
            await ends.next()
            async with asyncio.timeout(PATIENCE):
                await follower.notifier.wait_for(Status.ISOLATED)
            await wire.open()
            await clustered(follower)
            await resting(follower)
        found = [(name, getattr(event, "status", None) or event.mode) for name, event in switches]
        assert {event.oban.node for _, event in switches} == {"b"}
        assert [each for name, each in found if name == events.NOTIFIER_SWITCH] == ["isolated", "clustered"]
        assert [each for name, each in found if name == events.STAGER_SWITCH] == ["local", "global"]


async def test_a_cancelled_job_is_found_though_no_message_came(node, make, ends, conn, installed):
    entered = asyncio.Event()

    async def wait(_job):
        entered.set()
        await asyncio.Event().wait()

    make(wait)
    async with wire_to(installed) as wire:
        oban = await node("a", notifier={"dsn": wire.dsn})
        await leading(oban)
        job = await insert_row(conn)
        await entered.wait()
        await wire.cut()
        await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = now() where id = $1", job)
        await ends.next()
