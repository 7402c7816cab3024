"""Queues are started and stopped at run time, here and by signals; who leads is told."""

import asyncio
import json
from datetime import timedelta

import asyncpg
import pytest
from queues.rig import PATIENCE, connected, notify, until

from bridge import Oban
from bridge.errors import InvalidSignal, NotRunning

LONG = {"limit": 3, "workers": "any", "dispatch_cooldown": 0.02, "refresh_interval": 7}


async def options(oban, queue="default"):
    """The options of a queue, once it runs."""
    await until(lambda: asyncio.sleep(0, oban.check_queue(queue)))
    return oban._parts.queues._producers[queue].options


async def stopped(oban, queue="default"):
    await until(lambda: asyncio.sleep(0, oban.check_queue(queue) is None))


async def test_a_queue_that_is_started_again_has_its_options_back(start):
    oban = await start(queues={"default": LONG})
    await connected(oban)
    before = await options(oban)
    await oban.stop_queue("default")
    await stopped(oban)
    await oban.start_queue("default", 3)
    assert await options(oban) == before
    await oban.stop_queue("default", local_only=True)
    await stopped(oban)
    await oban.start_queue("default", 9, paused=True, refresh_interval=timedelta(minutes=2), local_only=True)
    found = await options(oban)
    assert (found.limit, found.paused, found.refresh_interval) == (9, True, 120)
    assert (found.workers, found.dispatch_cooldown) == ("any", 0.02)


async def test_a_queue_that_never_ran_here_starts_with_what_is_said(start):
    oban = await start(queues={"default": 1})
    await connected(oban)
    await oban.start_queue("new", 2, dispatch_cooldown=0.5)
    found = await options(oban, "new")
    assert (found.limit, found.dispatch_cooldown, found.refresh_interval, found.workers) == (2, 0.5, 60, "known")
    assert oban.check_queue("new").refresh_interval == 60


async def test_intervals_travel_as_oban_has_them(start, conn):
    oban = await start(queues={"default": 1})
    await connected(oban)
    heard = asyncio.Queue()
    listener = await asyncpg.connect(oban._plan.dsn)
    await listener.add_listener("public.oban_signal", lambda *message: heard.put_nowait(json.loads(message[3])))
    await oban.start_queue("new", 2, dispatch_cooldown=0.005, refresh_interval=30)
    assert await asyncio.wait_for(heard.get(), PATIENCE) == {
        "action": "start",
        "ident": "any",
        "queue": "new",
        "limit": 2,
        "dispatch_cooldown": 5,
        "refresh_interval": 30_000,
    }
    await notify(conn, "signal", '{"action":"start","ident":"any","queue":"other","limit":1,"refresh_interval":1500}')
    assert (await options(oban, "other")).refresh_interval == 1.5
    await listener.close()


@pytest.mark.parametrize("interval", [0, -1, 90_000, 0.0001])
async def test_an_interval_that_would_break_a_node_is_refused(start, interval):
    oban = await start()
    with pytest.raises(InvalidSignal, match="refresh_interval"):
        await oban.start_queue("new", 1, refresh_interval=interval)


@pytest.mark.parametrize("node", ["", 1, ["b"], object()])
async def test_a_node_that_is_no_name_is_refused(start, node):
    oban = await start()
    with pytest.raises(InvalidSignal, match="node: expected a node's name"):
        await oban.pause_queue("q", node=node)


async def test_a_stop_for_another_node_stops_nothing_here(start):
    oban = await start(node="a", queues={"default": 1, "other": 1})
    await connected(oban)
    await oban.stop_queue("default", node="b")
    await oban.stop_queue("other", node="a")
    await stopped(oban, "other")
    assert oban.check_queue("default") is not None


async def test_who_leads_is_told(start, installed):
    oban = await start(node="a", queues={"default": 1})
    async with asyncio.timeout(PATIENCE):
        await oban._parts.leader.wait_for_leadership()
    assert oban.is_leader
    assert await oban.get_leader() == "a"
    client = await start(name="Client", node="c")
    assert not client.is_leader
    assert await client.get_leader() is None
    await oban.stop()
    assert not oban.is_leader
    with pytest.raises(NotRunning):
        await oban.get_leader()
    assert not Oban(dsn=installed).is_leader


async def test_a_lease_that_ran_out_is_nobodys(start, conn):
    client = await start()
    now = "timezone('UTC', now())"
    await conn.execute(f"insert into oban_peers values ('Oban@python', 'gone', {now}, {now} - interval '1 s')")
    assert await client.get_leader() is None


async def test_where_there_is_no_table_of_leases_nobody_leads(start, conn):
    await conn.execute("drop table oban_peers")
    client = await start()
    assert await client.get_leader() is None
