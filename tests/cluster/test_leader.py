"""One Python node leads, another takes over, and Elixir's leases are nobody's business."""

import asyncio
import json
import sys
import time
from datetime import timedelta

import asyncpg
import pytest
from maintenance.test_stager import lease
from proxy import wire_to
from queues.rig import PATIENCE, connected, until

from bridge.errors import InvalidSetting, SchemaError

from .rig import leases, poor_role


async def test_the_first_node_leads_and_the_second_waits(node, conn):
    first, second = await node("a"), await node("b")
    await first.run_once()
    before = await left(conn)
    election = await second.run_once()
    assert first.is_leader
    assert not second.is_leader
    assert (election.won, election.node) == (False, "a")
    assert 30 >= before >= election.remaining >= await left(conn) > 0
    assert await leases(conn) == {"Oban@python": "a"}


async def left(conn):
    """Seconds that the lease lasts."""
    statement = "select extract(epoch from expires_at - timezone('UTC', clock_timestamp()))::float8 from oban_peers"
    return await conn.fetchval(statement)


async def test_of_many_that_try_at_once_one_leads(node):
    nodes = [await node(f"n{nth}") for nth in range(6)]
    for _ in range(10):
        elections = await asyncio.gather(*(each.run_once() for each in nodes))
        assert sum(election.won for election in elections) == 1
        assert sum(each.is_leader for each in nodes) == 1


async def test_a_lease_that_is_renewed_starts_anew(node, conn):
    leader = await node("a")
    await leader.run_once()
    before = await conn.fetchrow("select * from oban_peers")
    await leader.run_once()
    after = await conn.fetchrow("select * from oban_peers")
    assert after["started_at"] > before["started_at"]
    assert after["expires_at"] - after["started_at"] == timedelta(seconds=30)


async def test_a_lease_that_ran_out_is_taken(node, conn):
    first, second = await node("a"), await node("b")
    await first.run_once()
    await conn.execute("update oban_peers set expires_at = timezone('UTC', now()) - interval '1 second'")
    await second.run_once()
    assert second.is_leader
    # The first one learns of it at its next election, and gives up.
    await first.run_once()
    assert not first.is_leader
    assert await leases(conn) == {"Oban@python": "b"}


@pytest.mark.parametrize(("minutes", "taken"), [(59, False), (61, True)])
async def test_a_lease_from_before_the_databases_clock_was_set_back_is_taken(node, conn, minutes, taken):
    """No node may ask for one that lasts for more than an hour."""
    first, second = await node("a"), await node("b")
    await first.run_once()
    later = "update oban_peers set expires_at = timezone('UTC', now()) + $1 * interval '1 minute'"
    await conn.execute(later, minutes)
    await second.run_once()
    assert second.is_leader is taken


@pytest.mark.parametrize(("seconds", "taken"), [(25, False), (45, True), (3_000, True)])
async def test_a_dead_leaders_lease_holds_nobody_up_where_the_databases_clock_was_set_back(node, conn, seconds, taken):
    """By less than an hour: the lease itself is none that a node couldn't have asked for."""
    dead, other = await node("a"), await node("b")
    await dead.run_once()
    await dead.run_once()
    back = "update oban_peers set started_at = started_at + $1::interval, expires_at = expires_at + $1::interval"
    await conn.execute(back, timedelta(seconds=seconds))
    election = await other.run_once()
    assert other.is_leader is taken
    assert election.remaining <= 2 * 30
    assert await leases(conn) == {"Oban@python": "b" if taken else "a"}


async def test_a_lease_that_began_long_ago_and_lasts_for_long_is_its_holders(node, conn):
    """Nodes may have intervals of their own."""
    first, second = await node("a", interval=3_600), await node("b", interval=20)
    await first.run_once()
    await conn.execute("update oban_peers set started_at = started_at - interval '10 days'")
    await second.run_once()
    assert not second.is_leader


async def test_elixirs_lease_is_left_alone_where_the_databases_clock_was_set_back(node, conn):
    later = "timezone('UTC', now()) + interval '50 minutes'"
    await conn.execute(f"insert into oban_peers values ('Oban', 'ex@host', {later}, {later} + interval '30 seconds')")
    before = await conn.fetchrow("select * from oban_peers")
    leader = await node("a")
    await leader.run_once()
    assert leader.is_leader
    assert await conn.fetchrow("select * from oban_peers where name = 'Oban'") == before


async def test_instances_have_leaders_of_their_own(node, conn):
    one, other = await node("a"), await node("b", instance="MyApp.Oban")
    await one.run_once()
    await other.run_once()
    assert one.is_leader
    assert other.is_leader
    assert await leases(conn) == {"Oban@python": "a", "MyApp.Oban@python": "b"}


async def test_elixirs_leases_are_left_alone_even_when_they_ran_out(node, conn):
    insert = (
        "insert into oban_peers values ($1, $2, timezone('UTC', now()), timezone('UTC', now()) + $3 * interval '1 s')"
    )
    await conn.execute(insert, "Oban", "ex@host", 30)
    await conn.execute(insert, "MyApp.Oban", "ex@host", -30)
    before = await conn.fetch("select * from oban_peers order by name")
    leader = await node("a")
    leader.start()
    async with asyncio.timeout(10):
        await leader.wait_for_leadership()
    await leader.stop()
    assert await conn.fetch("select * from oban_peers order by name") == before


async def test_leadership_ends_with_the_lease_though_nobody_says_so(node, conn, monkeypatch):
    now = 1_000.0
    monkeypatch.setattr("bridge.cluster.leader.elapsed", lambda: now)
    leader = await node("a", interval=30)
    await leader.run_once()
    now += 29
    assert leader.is_leader
    now += 1
    assert not leader.is_leader
    assert await leases(conn) == {"Oban@python": "a"}


async def test_a_leader_renews_its_lease_before_it_runs_out(node, conn):
    leader = await node("a", interval=5)
    leader.start()
    async with asyncio.timeout(10):
        await leader.wait_for_leadership()
    first = await conn.fetchrow("select * from oban_peers")
    again = "select started_at from oban_peers where started_at > $1"
    renewed = await until(lambda: conn.fetchval(again, first["started_at"]))
    assert renewed < first["expires_at"]
    assert leader.is_leader


async def test_a_follower_leads_as_soon_as_the_lease_of_a_dead_node_runs_out(node, conn):
    begun = time.monotonic()
    await lease(conn, "Oban@python", seconds=1.5, node="gone")
    follower = await node("b", interval=30)
    follower.start()
    async with asyncio.timeout(10):
        await follower.wait_for_leadership()
    assert time.monotonic() - begun >= 1.5


async def test_a_failed_election_gives_leadership_up_and_the_next_regains_it(node, installed, caplog):
    async with wire_to(installed) as wire:
        leader = await node("a", dsn=wire.dsn)
        leader.start()
        async with asyncio.timeout(10):
            await leader.wait_for_leadership()
        await wire.cut()
        leader.wake()
        await until(lambda: asyncio.sleep(0, not leader.is_leader))
        await wire.open()
        async with asyncio.timeout(20):
            await leader.wait_for_leadership()
    assert sum("the election failed" in record.getMessage() for record in caplog.records) == 1


async def test_a_stop_while_the_database_is_away_takes_no_longer_than_it_may(node, installed, monkeypatch):
    monkeypatch.setattr("bridge.cluster.leader.RELEASE", 1.0)
    async with wire_to(installed) as wire:
        leader = await node("a", dsn=wire.dsn)
        leader.start()
        async with asyncio.timeout(10):
            await leader.wait_for_leadership()
        await wire.cut()
        async with asyncio.timeout(10):
            await leader.stop()
        assert not leader.is_leader


async def test_the_release_tells_the_other_nodes_as_elixir_does(node, conn, installed):
    heard = asyncio.Queue()
    listener = await asyncpg.connect(installed)
    await listener.add_listener("public.oban_leader", lambda *message: heard.put_nowait(json.loads(message[3])))
    leader, follower = await node("a"), await node("b")
    leader.start()
    async with asyncio.timeout(10):
        await leader.wait_for_leadership()
    follower.start()
    await follower.stop()  # has nothing to give up, and says nothing
    assert await leases(conn) == {"Oban@python": "a"}
    await leader.stop()
    assert await asyncio.wait_for(heard.get(), PATIENCE) == {"down": "Oban@python"}
    assert heard.empty()
    assert await leases(conn) == {}
    await listener.close()


@pytest.mark.parametrize("payload", [{"down": "Oban"}, {"down": "Other@python"}, {"down": 1}, {"lock": "ex@host"}, {}])
async def test_other_messages_start_no_election(node, payload):
    leader = await node("a")
    leader.hear("leader", payload)
    assert not leader._wake.is_set()


@pytest.mark.parametrize("options", [{"interval": 0}, {"interval": "30"}, {"interval": 9999}])
async def test_an_interval_that_is_none_is_refused(node, options):
    with pytest.raises(InvalidSetting, match=r"leader\.interval"):
        await node("a", **options)


# Without Elixir's table of leases


async def test_where_oban_has_no_table_of_leases_bridge_has_one(node, conn):
    await conn.execute("drop table oban_peers")  # V9 and V10 have none
    first, second = await node("a"), await node("b")
    elections = await asyncio.gather(first.run_once(), second.run_once())
    assert sum(election.won for election in elections) == 1
    assert list(await leases(conn, "bridge_peers")) == ["Oban@python"]
    await conn.execute("drop table bridge_peers")
    await first.run_once()
    assert first.is_leader


async def test_without_any_table_a_node_does_not_lead(node, conn, installed):
    await conn.execute("drop table oban_peers; revoke create on schema public from public")
    async with poor_role(conn, installed) as dsn:
        leader = await node("a", dsn=dsn)
        with pytest.raises(SchemaError, match="permission denied"):
            await leader.run_once()
        assert not leader.is_leader


# Whole nodes

NODE = """
import asyncio, sys
from bridge import Oban

async def main(dsn):
    async with Oban(dsn=dsn, node="b", queues={"default": 1}) as oban:
        leader = oban._parts.leader
        while not (await oban.peers()) or not oban.notifier.hears:
            await asyncio.sleep(0.01)
        print("follows", leader.is_leader, flush=True)
        await leader.wait_for_leadership()
        print("leads", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_the_next_node_leads_long_before_the_lease_of_one_that_stops_would_have_run_out(start, installed, conn):
    first = await start(node="a", queues={"default": 1})
    await connected(first)
    async with asyncio.timeout(10):
        await first._parts.leader.wait_for_leadership()
    pipe = asyncio.subprocess.PIPE
    second = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, installed, stdout=pipe)
    assert (await second.stdout.readline()).split() == [b"follows", b"False"]
    await first.stop()
    assert await asyncio.wait_for(second.stdout.readline(), PATIENCE) == b"leads\n"  # the lease lasts for 15 s at least
    await second.wait()
    assert await leases(conn) == {}


async def test_a_node_releases_its_lease_before_its_jobs_have_ended(start, worker, gate, conn):
    cls = worker(gate)
    oban = await start(queues={"default": 1}, shutdown_grace_period=60)
    await oban.enqueue(cls.new())
    await gate.entered(1)
    async with asyncio.timeout(10):
        await oban._parts.leader.wait_for_leadership()
    stopping = asyncio.create_task(oban.stop())

    async def free():
        return await leases(conn) == {}

    await until(free)
    assert not stopping.done()
    gate.open()
    await stopping


async def test_a_client_and_a_node_that_may_not_lead_hold_no_lease(start, conn):
    await start(name="Client")
    barred = await start(name="Barred", queues={"default": 1}, leader={"enabled": False})
    leading = await start(name="Leading", queues={"default": 1})
    async with asyncio.timeout(10):
        await leading._parts.leader.wait_for_leadership()
    assert not barred._parts.leader.running
    assert list(await leases(conn)) == ["Leading@python"]
