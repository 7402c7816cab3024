"""The instance: how it starts, stops, and gets along with others and with odd surroundings."""

import asyncio
import json
import logging
import sys
import threading
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from queues.conftest import ends, gate, worker
from queues.rig import connected, insert_row, notify, row_of, states, until
from queues.wire import wire_to

from bridge import Job, Oban, QueueOptions
from bridge.codecs.recorded import decode_recorded
from bridge.engine.schema import install
from bridge.errors import InstanceNotFound, InvalidSetting, InvalidSignal, JobNotFound, NotRunning, SchemaError
from bridge.jobs import instances
from bridge.pubsub import Status

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
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )


# Starting and stopping


async def test_an_instance_is_known_while_it_runs(installed, registry):
    oban = Oban(dsn=installed, registry=registry)
    with pytest.raises(InstanceNotFound, match="no instance named 'Oban'"):
        Oban.get_instance()
    async with oban as entered:
        assert entered is oban
        assert Oban.get_instance() is oban
        assert Oban.get_instance("Oban") is oban
    with pytest.raises(InstanceNotFound):
        Oban.get_instance()


async def test_starting_twice_is_starting_once(installed, registry, conn):
    oban = Oban(dsn=installed, registry=registry, queues={"default": 2})
    await asyncio.gather(oban.start(), oban.start())
    uuid = oban.check_queue("default").uuid
    assert await oban.start() is oban
    assert oban.check_queue("default").uuid == uuid
    await oban.stop()
    assert await until(lambda: gone(conn))


async def gone(conn):
    return await connections(conn) == 0


async def test_stopping_twice_or_without_a_start_does_nothing(installed, registry):
    oban = Oban(dsn=installed, registry=registry)
    await oban.stop()
    await oban.start()
    await oban.stop()
    await oban.stop()


async def test_two_stops_at_once_both_wait_for_the_jobs(installed, registry, worker, gate, conn):
    cls = worker(gate)
    oban = Oban(dsn=installed, registry=registry, queues={"default": 2})
    await oban.start()
    await oban.enqueue(cls.new())
    await gate.entered(1)
    first, second = asyncio.create_task(oban.stop()), asyncio.create_task(oban.stop())
    queues = oban._parts.queues
    await until(lambda: asyncio.sleep(0, queues.names() == []))
    assert not second.done()
    gate.open()
    await asyncio.gather(first, second)
    assert await states(conn) == {"completed": 1}


async def test_an_instance_can_be_started_again(installed, registry, worker, ends):
    cls = worker(nothing)
    oban = Oban(dsn=installed, registry=registry, queues={"default": 2})
    for _ in range(3):
        async with oban:
            await ends.of(await oban.enqueue(cls.new()))


async def test_what_needs_a_running_instance_says_so(installed, registry):
    oban = Oban(dsn=installed, registry=registry)
    for call in (oban.enqueue(Job("W")), oban.get_job(1), oban.pause_queue("x")):
        with pytest.raises(NotRunning, match="await its start"):
            await call
    with pytest.raises(NotRunning):
        oban.check_queue("x")


async def test_two_instances_of_one_name_are_refused(start, installed, registry):
    await start()
    with pytest.raises(NotRunning, match="'Oban' is running already"):
        await Oban(dsn=installed, registry=registry).start()
    await start(name="Other")
    assert Oban.get_instance("Other").name == "Other"


NO_START = {
    "no schema": ({"prefix": "nowhere"}, SchemaError, "bridge install"),
    "no database": ({"dsn": "/no_such_database"}, asyncpg.InvalidCatalogNameError, "no_such_database"),
    "nobody listens": ({"dsn": "postgresql://postgres@127.0.0.1:1/x"}, OSError, "127.0.0.1"),
    "no such role": ({"dsn": "nobody@"}, asyncpg.InvalidAuthorizationSpecificationError, "nobody"),
}


@pytest.mark.parametrize("case", NO_START)
async def test_a_start_that_fails_leaves_nothing_behind(installed, registry, conn, case):
    options, kind, told = NO_START[case]
    options = {"dsn": installed, "queues": {"default": 5}, "registry": registry, **options}
    if options["dsn"].startswith("/"):
        options["dsn"] = urlunsplit(urlsplit(installed)._replace(path=options["dsn"]))
    elif options["dsn"].endswith("@"):
        options["dsn"] = installed.replace("postgres@", options["dsn"])
    with pytest.raises(kind, match=told):
        await Oban(**options).start()
    assert instances._running == {}
    assert await until(lambda: gone(conn))
    async with Oban(dsn=installed, registry=registry):
        pass


async def test_a_wrong_password_is_told_and_leaves_nothing_behind(registry):
    # The server of the tests asks for none, so another one answers here, as PostgreSQL does to a wrong one.
    async def refuse(reader, writer):
        await reader.read(1_000)
        body = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "app"\0\0'
        writer.write(b"E" + (len(body) + 4).to_bytes(4, "big") + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    oban = Oban(dsn=f"postgresql://app:secret@127.0.0.1:{port}/app?sslmode=disable", registry=registry)
    with pytest.raises(asyncpg.InvalidPasswordError, match="password authentication failed") as caught:
        await oban.start()
    assert "secret" not in str(caught.value)
    assert instances._running == {}
    server.close()


async def test_a_start_that_is_cancelled_leaves_nothing_behind(installed, registry):
    async with wire_to(installed) as wire:
        wire.freeze()
        starting = asyncio.create_task(Oban(dsn=wire.dsn, registry=registry).start())
        await wire.taken.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert instances._running == {}


async def test_a_stop_leaves_no_connection_and_no_task(installed, registry, worker, ends, conn):
    cls = worker(nothing)
    before = asyncio.all_tasks()
    async with Oban(dsn=installed, registry=registry, queues={"a": 2, "b": 2}) as oban:
        await connected(oban)
        await oban.enqueue_many(cls.new(queue="a") for _ in range(5))
        await ends.first(5)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
    assert await until(lambda: gone(conn))


# Options

REFUSED = {
    "dsn": {"dsn": "mysql://x"},
    "name": {"name": ""},
    "prefix": {"prefix": "x" * 64},
    "node": {"node": "a b"},
    "queues": {"queues": [("default", 1)]},
    "queues.default.limit": {"queues": {"default": 0}},
    "shutdown_grace_period": {"shutdown_grace_period": "soon"},
    "shutdown_grace_period: expected": {"shutdown_grace_period": -1},
    "insert_trigger": {"insert_trigger": "yes"},
    "did you mean 'interval'": {"stager": {"intervall": 1}},
    "stager.interval": {"stager": {"interval": 0}},
    "stager.mode": {"stager": {"mode": "sometimes"}},
    "notifier.enabled": {"notifier": {"enabled": "no"}},
    "notifier.dsn": {"notifier": {"dsn": "mysql://x"}},
    "pool_options.max_size": {"pool_options": {"max_size": 0}},
    "pool_options.min_size": {"pool_options": {"min_size": -1}},
    "pool_options.min_size: expected an integer from 0 to 2": {"pool_options": {"min_size": 5, "max_size": 2}},
    "pool_options.timeout": {"pool_options": {"timeout": 0}},
}


@pytest.mark.parametrize("told", REFUSED)
def test_an_option_of_the_wrong_kind_is_refused_by_name(told):
    with pytest.raises(InvalidSetting, match=told):
        Oban(**{"dsn": "postgresql://localhost/x", **REFUSED[told]})


def test_either_a_dsn_or_a_pool_is_given():
    with pytest.raises(InvalidSetting, match="either dsn or pool"):
        Oban()
    with pytest.raises(InvalidSetting, match="either dsn or pool"):
        Oban(dsn="postgresql://localhost/x", pool=object())


def test_a_refused_dsn_is_not_shown():
    with pytest.raises(InvalidSetting) as caught:
        Oban(dsn="mysql://app:secret@localhost/x")
    assert "secret" not in str(caught.value)


async def test_what_is_given_can_be_read(start):
    oban = await start(name="MyApp.Oban", node="worker-1", shutdown_grace_period=timedelta(seconds=1))
    assert (oban.name, oban.node, oban.prefix) == ("MyApp.Oban", "worker-1", "public")


# Odd surroundings


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
        assert oban.notifier.status() is Status.DISCONNECTED
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
    assert oban.notifier.status() is Status.DISCONNECTED
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
        assert oban.notifier.status() is Status.CONNECTED
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


async def test_a_client_takes_no_jobs_and_listens_to_nothing(start, worker, conn):
    cls = worker(nothing)
    oban = await start()
    job = await oban.enqueue(cls.new())
    assert (await oban.get_job(job.id)).state == "available"
    assert oban.notifier.status() is Status.DISCONNECTED
    assert oban.check_all_queues() == []
    assert await oban.cancel_job(job)


async def test_a_client_that_starts_a_queue_runs_it(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start()
    await oban.start_queue("default", 3, local_only=True)
    await connected(oban)
    await ends.of(await oban.enqueue(cls.new()))
    await insert_row(conn)
    await ends.first(2)


async def test_a_worker_is_inserted_by_the_instance_that_it_names(start, worker, ends, registry):
    await start(name="Client")
    await start(name="Runner", queues={"default": 5})
    cls = worker(nothing, oban="Client")
    job = await cls.enqueue({"a": 1}, priority=3)
    event = await ends.of(job)
    assert (event.job.args, event.job.priority) == ({"a": 1}, 3)
    lost = worker(nothing, "Lost", oban="Nobody")
    with pytest.raises(InstanceNotFound, match="'Nobody'"):
        await lost.enqueue()


async def test_a_job_of_an_open_transaction_runs_when_it_commits(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": 5}, stager={"interval": 600})
    await connected(oban)
    async with conn.transaction():
        job = await oban.enqueue(cls.new(), conn=conn)
        await oban.enqueue_many([cls.new(), cls.new()], conn=conn)
        assert ends == []
    assert len(await ends.first(3)) == 3
    assert job.id is not None
    transaction = conn.transaction()
    await transaction.start()
    await oban.enqueue(cls.new(), conn=conn)
    await transaction.rollback()
    assert await states(conn) == {"completed": 3}


# The application's own pool


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
        async with asyncio.timeout(5):
            await pool.close()


async def test_a_pool_of_one_connection_is_enough(installed, registry, worker, ends, conn):
    cls = worker(nothing)
    options = {"registry": registry, "queues": {"default": 5}, "stager": {"interval": 0.05}}
    async with asyncpg.create_pool(installed, min_size=1, max_size=1) as pool, Oban(pool=pool, **options) as oban:
        async with asyncio.timeout(10):
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
        assert await connections(conn) <= 3  # and the listener's
        gate.open()


# Another process

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


# What the methods hand on


async def test_results_are_fetched_in_either_language(start, conn):
    oban = await start()
    # %{name: "oban"}, as an Elixir node records it.
    job = await insert_row(conn, meta='{"recorded": true, "return": "g3QAAAABdwRuYW1lbQAAAARvYmFu"}')
    assert await oban.fetch_result(job) == decode_recorded("g3QAAAABdwRuYW1lbQAAAARvYmFu")
    with pytest.raises(JobNotFound, match="recorded nothing"):
        await oban.fetch_result(await insert_row(conn))
    with pytest.raises(JobNotFound):
        await oban.fetch_result(999)


async def test_a_signal_that_would_harm_elixir_is_refused(start):
    oban = await start(queues={"default": 5})
    for limit in (0, -1, "5", 1.5, None, True):
        with pytest.raises(InvalidSignal, match="limit"):
            await oban.scale_queue("default", limit)
        with pytest.raises(InvalidSignal, match="limit"):
            await oban.start_queue("other", limit)
    with pytest.raises(InvalidSignal, match="queue"):
        await oban.pause_queue("")
    assert oban.check_queue("default").limit == 5
    assert oban.check_queue("other") is None


async def test_queues_take_options_of_all_kinds(start):
    oban = await start(queues={"one": 3, "two": {"limit": 4, "paused": True}, "three": QueueOptions("three", limit=5)})
    found = {info.queue: (info.limit, info.paused) for info in oban.check_all_queues()}
    assert found == {"one": (3, False), "two": (4, True), "three": (5, False)}


async def test_leases_are_listed(start, conn):
    oban = await start()
    assert await oban.peers() == []
    await conn.execute("insert into oban_peers values ('Oban', 'ex@host-a', timezone('UTC', now()), 'infinity')")
    [peer] = await oban.peers()
    assert (peer.name, peer.node) == ("Oban", "ex@host-a")


async def test_tables_are_installed_before_the_start(database, registry):
    oban = Oban(dsn=database, registry=registry)
    assert (await oban.inspect()).version is None
    assert await oban.install()
    assert not await oban.install()
    assert (await oban.inspect()).version == 14
    async with oban:
        assert await oban.jobs() == []


async def test_nothing_is_logged_while_all_is_well(start, worker, ends, caplog):
    caplog.set_level(logging.INFO)
    cls = worker(nothing)
    oban = await start(queues={"default": 5})
    await connected(oban)
    await oban.enqueue_many(cls.new() for _ in range(20))
    await ends.first(20)
    await oban.stop()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []
    assert len(caplog.records) < 6


async def test_instances_of_several_loops_live_side_by_side(installed, registry):
    # An application may run one in a thread with a loop of its own.
    failures = []

    def run(name):
        async def main():
            async with Oban(dsn=installed, registry=registry, name=name) as oban:
                assert Oban.get_instance(name) is oban
                await oban.enqueue(Job("W"))

        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(f"Oban{nth}",)) for nth in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert failures == []
