"""Several instances in a process, schemas in a database, nodes on one table: none is in the way of another."""

import asyncio
import json
import os
import sys

import asyncpg
import pytest
from queues.rig import PATIENCE, connected, insert_row, make_worker, row_of, states, until

from bridge import Oban
from bridge.engine.schema import install
from bridge.errors import InstanceNotFound, NotRunning
from bridge.jobs import Registry
from bridge.pubsub import Status

ODD_PREFIXES = ["Upper", "with space", 'a"quote', "semi;colon", "{prefix}", "$$", "%s", "$1", "é☃", "select", "x" * 51]


async def nothing(_job):
    return None


async def test_instances_of_a_process_have_queues_registries_and_names_of_their_own(start, installed, ends):
    one, other = Registry(), Registry()
    make_worker(one, nothing, "One")
    make_worker(other, nothing, "Other")
    first = await start(name="First", registry=one, queues={"one": 1})
    second = await start(name="Second", registry=other, queues={"other": 2})
    assert Oban.get_instance("First") is first
    assert Oban.get_instance("Second") is second
    with pytest.raises(NotRunning, match="Second"):
        await Oban(dsn=installed, name="Second").start()
    conn = await asyncpg.connect(installed)
    left = [await insert_row(conn, worker="One", queue="other"), await insert_row(conn, worker="Other", queue="one")]
    taken = [await insert_row(conn, worker="One", queue="one"), await insert_row(conn, worker="Other", queue="other")]
    found = {event.job.id: event.oban.name for event in await ends.first(2)}
    assert found == {taken[0]: "First", taken[1]: "Second"}
    assert [(await row_of(conn, job))["state"] for job in left] == ["available"] * 2
    await first.stop()
    with pytest.raises(InstanceNotFound):
        Oban.get_instance("First")
    assert second.check_queue("other").limit == 2
    await conn.close()


async def test_a_signal_for_one_instance_on_a_node_leaves_the_other_alone(start):
    first = await start(name="First", node="a", queues={"default": 1})
    second = await start(name="Second", node="a", queues={"default": 1})
    await connected(first)
    await connected(second)
    await first.pause_queue("default", local_only=True)
    await until(lambda: asyncio.sleep(0, first.check_queue("default").paused))
    await second.scale_queue("default", 7, node="a")
    await until(lambda: asyncio.sleep(0, second.check_queue("default").limit == 7))
    assert (first.check_queue("default").limit, second.check_queue("default").paused) == (1, False)


@pytest.mark.parametrize("prefix", ODD_PREFIXES, ids=ascii)
async def test_a_schema_of_any_name_works_from_end_to_end(start, database, worker, ends, gate, prefix):
    cls = worker(gate)
    conn = await asyncpg.connect(database)
    await install(conn, prefix)
    oban = await start(dsn=database, prefix=prefix, queues={"default": 5}, stager={"interval": 0.05})
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.SOLITARY)
        await oban._parts.leader.wait_for_leadership()
    scheduled = await oban.enqueue(cls.new(schedule_in=0.1))
    await gate.entered(1)
    await oban.pause_queue("default")
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").paused))
    assert await oban.get_leader() == oban.node
    await oban.cancel_job(scheduled)
    assert (await ends.of(scheduled)).state == "cancelled"
    assert await states(conn, prefix) == {"cancelled": 1}
    await conn.close()


async def test_schemas_of_one_database_share_nothing(start, database, worker, gate):
    cls = worker(gate)
    conn = await asyncpg.connect(database)
    for prefix in ("one", "two"):
        await install(conn, prefix)
    one = await start(dsn=database, name="One", prefix="one", node="a", queues={"default": 5})
    two = await start(dsn=database, name="Two", prefix="two", node="b", queues={"default": 5})
    async with asyncio.timeout(PATIENCE):
        for oban in (one, two):
            await oban._parts.leader.wait_for_leadership()
            await oban.notifier.wait_for(Status.SOLITARY)
    await one.enqueue(cls.new())
    await gate.entered(1)
    await one.pause_all_queues()
    await until(lambda: asyncio.sleep(0, one.check_queue("default").paused))
    assert not two.check_queue("default").paused
    assert (await states(conn, "one"), await states(conn, "two")) == ({"executing": 1}, {})
    assert [peer.name for peer in await two.peers()] == ["Two@python"]
    gate.open()
    await conn.close()


async def test_an_instance_without_queues_has_no_loops_and_asks_for_nothing(installed, registry, worker):
    cls = worker(nothing)
    conn = await asyncpg.connect(installed)
    before = asyncio.all_tasks()
    listed = """
        select pid, state_change
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    """
    async with Oban(dsn=installed, registry=registry, pool_options={"max_size": 3}) as oban:
        await asyncio.gather(*(oban.enqueue(cls.new()) for _ in range(20)))
        assert asyncio.all_tasks() == before
        assert oban.notifier.status() is Status.UNKNOWN
        assert not oban.is_leader
        idle = await conn.fetch(listed)
        assert 1 <= len(idle) <= 3
        await asyncio.sleep(2.5)  # nothing tells of what doesn't happen
        assert await conn.fetch(listed) == idle
        assert asyncio.all_tasks() == before
    assert asyncio.all_tasks() == before
    assert await conn.fetchval("select count(*) from oban_peers") == 0
    await conn.close()


async def test_a_client_becomes_a_node_when_it_starts_a_queue(start, worker, ends):
    cls = worker(nothing)
    oban = await start(stager={"interval": 0.05})
    assert not oban._parts.stager.running
    await oban.start_queue("default", 3, local_only=True)
    await ends.of(await oban.enqueue(cls.new(schedule_in=0.1)))
    assert oban.check_queue("default").limit == 3


NODE = """
import asyncio, json, sys
from bridge import Oban, Worker, worker

@worker(queue="default", name="W")
class W(Worker):
    async def process(self, job):
        await asyncio.sleep(0.05)  # so that none does it all while the others don't get to it
        print(json.dumps({"job": job.id, "attempt": job.attempt}), flush=True)

async def main(dsn, node):
    async with Oban(dsn=dsn, node=node, queues={"default": 5}) as oban:
        await oban.notifier.wait_for("clustered")
        print(json.dumps({"nodes": sorted(oban.notifier.nodes), "leader": await oban.get_leader()}), flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_nodes_of_one_instance_share_a_table_and_run_each_job_once(installed, conn):
    pipe = asyncio.subprocess.PIPE
    nodes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", NODE, installed, name, stdin=pipe, stdout=pipe, env={**os.environ}
        )
        for name in ("a", "b", "c")
    ]
    told = [json.loads(await asyncio.wait_for(each.stdout.readline(), 60)) for each in nodes]
    assert all(len(each["nodes"]) >= 2 for each in told)
    async with Oban(dsn=installed, name="Client") as client:
        from bridge import Job

        await client.enqueue_many(Job(worker="W", queue="default") for _ in range(300))

    async def done():
        return await states(conn) == {"completed": 300}

    await until(done, patience=60)
    for each in nodes:
        each.stdin.close()
    ran = [json.loads(line) for each in nodes for line in (await each.stdout.read()).splitlines()]
    assert sorted(each["job"] for each in ran) == sorted({each["job"] for each in ran})
    assert len(ran) == 300
    assert [await each.wait() for each in nodes] == [0, 0, 0]
    assert len({row[0] for row in await conn.fetch("select attempted_by[1] from oban_jobs")}) >= 2
