"""One node stages for all; the others rest while they hear it, and help themselves when they don't."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

import asyncpg
from maintenance.test_stager import lease
from queues.conftest import ends
from queues.rig import PATIENCE, insert_row, row_of, states, until

from .staging import DUE, clustered, is_available, leading, long_promises, make, node, nothing, resting

__all__ = ["ends", "long_promises", "make", "node"]


async def test_a_node_that_hears_the_stager_asks_for_nothing(node):
    leader = await node("a", instance="A")
    await leading(leader)
    follower = await node("b", instance="B", leader={"enabled": False}, queues={f"q{n}": 1 for n in range(5)})
    await resting(follower)
    await clustered(follower)
    follower.statements.clear()
    leader.statements.clear()
    for _ in range(30):
        await leader._parts.stager.wait_for_round()
    assert len(leader.statements.of("What a stager has to know")) >= 30
    assert follower.statements.of("What a stager has to know") == []
    assert follower.statements.of("Makes due jobs available") == []
    assert len(follower.statements.of("Claims jobs for one producer")) <= 5  # a first look of five queues


async def test_of_two_instances_the_leader_of_one_stages_for_both(node, conn):
    first, second = await node("a", instance="A"), await node("b", instance="B")
    await leading(first)
    await resting(second)
    assert first.is_leader
    assert second.is_leader
    second.statements.clear()
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE, queue="elsewhere")
    await until(lambda: is_available(conn, job))
    assert second.statements.of("Makes due jobs available") == []


async def test_a_job_starts_on_a_node_that_rests(node, make, ends, conn):
    make(nothing)
    leader = await node("a", instance="A", queues={"other": 1})
    await leading(leader)
    follower = await node("b", instance="B", stager={"interval": 600})
    await resting(follower)
    soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=0.3)
    scheduled = await insert_row(conn, state="scheduled", scheduled_at=soon)
    silent = await insert_row(conn)  # by somebody who announces nothing
    await ends.first(2)
    for job in (scheduled, silent):
        assert (await row_of(conn, job))["attempted_by"][0] == "b"
    row = await row_of(conn, scheduled)
    assert row["attempted_at"] >= row["scheduled_at"]


async def test_a_leader_that_stops_leaves_staging_to_the_next_at_once(node, make, ends, conn):
    make(nothing)
    first = await node("a", instance="A", queues={"other": 1}, stager={"interval": 60})
    await leading(first)
    second = await node("b", instance="B", stager={"interval": 60})
    await resting(second)
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await first.stop()
    await ends.next()  # long before the first one's promise or a round of the second's own


NODE = """
import asyncio, sys
from bridge import Oban

async def main(dsn):
    async with Oban(dsn=dsn, name="A", node="a", queues={"other": 1}, stager={"interval": 0.05}) as oban:
        await oban._parts.leader.wait_for_leadership()
        await oban._parts.stager.wait_for_round()
        print("leads", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""


async def test_others_stage_within_moments_when_the_leader_is_killed_whose_lease_lives_on(node, conn, installed):
    """Its own promises are short."""
    leader = await asyncio.create_subprocess_exec(sys.executable, "-c", NODE, installed, stdout=asyncio.subprocess.PIPE)
    assert await leader.stdout.readline() == b"leads\n"
    follower = await node("b", instance="B", leader={"interval": 30})
    await resting(follower)
    leader.kill()
    await leader.wait()
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await until(lambda: is_available(conn, job))
    assert await conn.fetchval(
        "select count(*) from oban_peers where name = 'A@python' and expires_at > now() at time zone 'UTC'"
    )


async def test_a_follower_stands_in_for_a_leader_that_fell_silent(node, conn):
    """The leader's own instance has a follower, that holds no lease: it is the lease that tells it from a leader."""
    await lease(conn, "Oban@python", node="gone", seconds=300)
    follower = await node("b", instance="Oban")
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await until(lambda: is_available(conn, job))
    assert not follower.is_leader


async def test_the_leader_announces_every_queue_with_jobs_once_a_round(node, conn, installed):
    heard = asyncio.Queue()
    listener = await asyncpg.connect(installed)
    await listener.add_listener(
        "public.oban_insert", lambda *message: heard.put_nowait(json.loads(message[3])["queue"])
    )
    for queue in ("one", "two", "two", 'th"ree'):
        await insert_row(conn, queue=queue)
    await insert_row(conn, queue="later", state="scheduled", scheduled_at=datetime(2999, 1, 1))  # noqa: DTZ001
    oban = await node("a", queues={"mine": 1}, stager={"interval": 600})
    await leading(oban)
    async with asyncio.timeout(PATIENCE):
        found = [await heard.get() for _ in range(3)]
    assert sorted(found) == ["one", 'th"ree', "two"]
    assert await states(conn) == {"available": 4, "scheduled": 1}
    await listener.close()


WORKERS = """
import asyncio, sys
from bridge import Oban, Worker, worker
from bridge.maintenance import stager

stager.MARGIN, stager.TRUST = 25.0, 600.0  # whoever waits for a promise to run out comes too late

@worker(queue="default", name="W")
class W(Worker):
    async def process(self, job):
        pass

async def main(dsn, node):
    async with Oban(dsn=dsn, node=node, queues={"default": 20, node: 1}) as oban:
        await oban.notifier.wait_for("clustered")
        while (leader := await oban.get_leader()) is None:
            await asyncio.sleep(0.01)
        print(leader, flush=True)
        await asyncio.to_thread(sys.stdin.read)
    print(oban.node, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_jobs_start_in_time_on_every_node_also_while_the_leader_hands_over(installed, conn):
    pipe = asyncio.subprocess.PIPE
    nodes = {
        name: await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKERS, installed, name, stdin=pipe, stdout=pipe
        )
        for name in ("a", "b", "c")
    }
    told = [await asyncio.wait_for(each.stdout.readline(), 60) for each in nodes.values()]
    leader = told[0].decode().strip()
    later = """
        insert into oban_jobs (worker, queue, state, scheduled_at)
        select 'W', $1, 'scheduled', timezone('UTC', now()) + ($2 + nth / 200.0) * interval '1 second'
        from generate_series(1, $3) as nth
    """
    await conn.execute(later, "default", 1.0, 600)
    for name in nodes:
        await conn.execute(later, name, 1.0, 1)
    await until(lambda: over(conn, 3, *nodes))
    nodes[leader].stdin.close()
    await nodes[leader].wait()
    for name in (others := nodes.keys() - {leader}):
        await conn.execute(later, name, 1.0, 1)
    await until(lambda: over(conn, 605, "default", *nodes), 30)
    rows = await conn.fetch("select queue, attempt, attempted_by[1] as node from oban_jobs")
    most = await conn.fetchval("select max(attempted_at - scheduled_at) from oban_jobs")
    for each in nodes.values():
        each.stdin.close()
        await each.wait()
    assert most < timedelta(seconds=PATIENCE)
    assert {row["attempt"] for row in rows} == {1}
    assert sorted(row["node"] for row in rows if row["queue"] in nodes) == sorted([*nodes, *others])


async def over(conn, count, *queues):
    statement = "select count(*) from oban_jobs where state = 'completed' and queue = any($1)"
    return await conn.fetchval(statement, queues) >= count
