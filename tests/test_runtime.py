"""A started instance in odd surroundings: prefixes, poolers, the application's own pool, other processes."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import asyncpg
import pytest
from proxy import wire_to
from queues.conftest import ends, gate, worker
from queues.rig import PATIENCE, connected, insert_row, notify, row_of, until

from bridge import Oban
from bridge.engine.schema import install
from bridge.pubsub import Link

__all__ = ["ends", "gate", "worker"]


ODD_PREFIX = 'my-app "x" {y} é'


LONG_PREFIX = "p" * 60


async def nothing(_job):
    return None


@asynccontextmanager
async def prefixed(dsn, prefix):
    """A connection to a database with Oban's tables in a schema of that name."""
    conn = await asyncpg.connect(dsn)
    await install(conn, prefix)
    yield conn
    await conn.close()


async def connections(conn):
    """How many other connections the database has."""
    return await conn.fetchval(
        """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        """
    )


async def test_a_prefix_with_any_characters_works_from_end_to_end(database, start, worker, ends, gate):
    cls = worker(gate)
    async with prefixed(database, ODD_PREFIX) as conn:
        oban = await start(prefix=ODD_PREFIX, dsn=database, queues={"default": 5}, stager={"interval": 600})
        await connected(oban)
        job = await oban.enqueue(cls.new())
        await gate.entered(1)
        await insert_row(conn, prefix=ODD_PREFIX)
        await notify(conn, "insert", '{"queue":"default"}', prefix=ODD_PREFIX)
        await gate.entered(2)
        await notify(conn, "signal", json.dumps({"action": "scale", "queue": "default", "limit": 9}), prefix=ODD_PREFIX)
        await until(lambda: asyncio.sleep(0, oban.check_queue("default").limit == 9))
        await oban.cancel_job(job)
        assert (await ends.of(job)).state == "cancelled"
        gate.open()
        await ends.first(2)
        assert (await row_of(conn, job, ODD_PREFIX))["state"] == "cancelled"
        assert await oban.count_jobs() == {"cancelled": 1, "completed": 1}


async def test_a_prefix_too_long_for_channels_works_by_polling(database, start, worker, ends, gate, caplog):
    cls = worker(gate)
    async with prefixed(database, LONG_PREFIX) as conn:
        oban = await start(prefix=LONG_PREFIX, dsn=database, queues={"default": 5}, stager={"interval": 0.05})
        other = await start(prefix=LONG_PREFIX, dsn=database, name="Other", node="other")
        assert "too long for notifications" in caplog.text
        assert oban.notifier.link is Link.DISCONNECTED
        job = await other.enqueue(cls.new())
        await gate.entered(1)
        await insert_row(conn, prefix=LONG_PREFIX)
        await gate.entered(2)
        # Signals of this node reach itself, and a cancellation is found in the row.
        await oban.pause_queue("default")
        assert oban.check_queue("default").paused
        await other.cancel_job(job)
        assert (await ends.of(job)).state == "cancelled"
        gate.open()


async def test_without_a_notifier_queues_poll(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": 5}, notifier={"enabled": False}, stager={"interval": 0.05})
    await ends.of(await oban.enqueue(cls.new()))
    assert oban.notifier.link is Link.DISCONNECTED
    await oban.scale_queue("default", 9)
    assert oban.check_queue("default").limit == 9
    listening = "select count(*) from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
    assert await conn.fetchval(listening) == 0


async def test_a_listener_may_take_a_way_of_its_own(start, installed, worker, ends, conn):
    worker(nothing)
    async with wire_to(installed) as wire:
        oban = await start(dsn=wire.dsn, queues={"default": 5}, notifier={"dsn": installed})
        await connected(oban)
        await wire.drop()
        assert oban.notifier.link is Link.CONNECTED
        await insert_row(conn)
        await notify(conn, "insert", '{"queue":"default"}')
        await ends.next()


async def test_new_jobs_are_not_announced_where_that_is_off(start, installed, worker, ends):
    cls = worker(nothing)
    heard = []
    listener = await asyncpg.connect(installed)
    await listener.add_listener("public.oban_insert", lambda *message: heard.append(message[3]))
    quiet = await start(name="Quiet", insert_trigger=False)
    loud = await start(name="Loud")
    await quiet.enqueue(cls.new(queue="quiet"))
    await quiet.enqueue_many([cls.new(queue="quiet")])
    await loud.enqueue(cls.new(queue="loud"))
    await until(lambda: asyncio.sleep(0, heard))
    assert [json.loads(text) for text in heard] == [{"queue": "loud"}]
    await listener.close()


async def set_codecs(conn):
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@pytest.mark.parametrize(
    "options", [{}, {"init": set_codecs}, {"statement_cache_size": 0}], ids=["plain", "codecs", "uncached"]
)
async def test_the_applications_pool_is_used_and_left_open(installed, registry, worker, ends, gate, options):
    cls = worker(gate)
    async with asyncpg.create_pool(installed, min_size=1, max_size=5, **options) as pool:
        oban = Oban(pool=pool, registry=registry, queues={"default": 5})
        async with oban:
            await connected(oban)
            jobs = [await oban.enqueue(cls.new({"a": [1, "é"]}, meta={"b": 2}, tags=["x", "y"]))]
            jobs += await oban.enqueue_many([cls.new({"n": 2**70})])
            await gate.entered(2)
            found = await oban.get_job(jobs[0].id)
            assert (found.args, found.meta, found.tags) == ({"a": [1, "é"]}, {"b": 2}, ["x", "y"])
            await oban.cancel_job(jobs[1])
            gate.open()
            assert {event.state for event in await ends.first(2)} == {"completed", "cancelled"}
            assert (await oban.get_job(jobs[1].id)).errors[0]["attempt"] == 1
        assert await pool.fetchval("select 1") == 1
        async with asyncio.timeout(PATIENCE):
            await pool.close()


async def test_a_pool_of_one_connection_is_enough(installed, registry, worker, ends, conn):
    cls = worker(nothing)
    options = {"registry": registry, "queues": {"default": 5}, "stager": {"interval": 0.05}}
    async with asyncpg.create_pool(installed, min_size=1, max_size=1) as pool, Oban(pool=pool, **options) as oban:
        async with asyncio.timeout(PATIENCE):
            await ends.of(await oban.enqueue(cls.new()))
        await insert_row(conn)
        await ends.first(2)


async def test_the_own_pool_keeps_to_its_size(installed, registry, worker, gate, conn):
    cls = worker(gate)
    options = {"min_size": 1, "max_size": 2}
    async with Oban(dsn=installed, registry=registry, queues={"default": 50}, pool_options=options) as oban:
        await connected(oban)
        await asyncio.gather(*(oban.enqueue(cls.new()) for _ in range(50)))
        await gate.entered(50)
        # And the listener's. What others have closed may still be listed, for a moment.
        await until(lambda: at_most(3, conn))
        gate.open()


async def at_most(count, conn):
    return await connections(conn) <= count


OTHER_PROCESS = """
import asyncio, sys
from bridge import Oban

async def main(dsn):
    async with Oban(dsn=dsn, node="b") as oban:  # the same name as the test's, and another node's
        print("ready", flush=True)
        for line in iter(sys.stdin.readline, ""):
            call, *arguments = line.split()
            options = {"node": "a"} if call.endswith("_queue") else {}
            await getattr(oban, call)(*map(lambda each: int(each) if each.isdigit() else each, arguments), **options)
            print("done", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_another_process_of_the_same_name_controls_this_one(start, installed, worker, ends, gate):
    cls = worker(gate)
    oban = await start(node="a", queues={"default": 5})
    await connected(oban)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_PROCESS, installed, stdin=pipe, stdout=pipe
    )

    async def call(text):
        other.stdin.write(text.encode() + b"\n")
        assert (await other.stdout.readline()).strip() == b"done"

    assert (await other.stdout.readline()).strip() == b"ready"
    await call("scale_queue default 9")
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").limit == 9))
    await call("pause_queue default")
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").paused))
    await call(f"cancel_job {job.id}")
    assert (await ends.of(job)).state == "cancelled"
    other.stdin.close()
    assert await other.wait() == 0
