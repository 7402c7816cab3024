"""The instance: how it starts and stops, and what its methods hand on."""

import asyncio
import logging
import threading
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from proxy import wire_to
from queues.conftest import ends, gate, worker
from queues.rig import PATIENCE, connected, insert_row, states, until

from bridge import Job, Oban
from bridge.codecs.recorded import decode_recorded
from bridge.errors import InstanceNotFound, InvalidSignal, JobNotFound, NotRunning, SchemaError
from bridge.jobs import instances
from bridge.pubsub import Link

__all__ = ["ends", "gate", "worker"]


async def nothing(_job):
    return None


async def connections(conn):
    """How many other connections the database has."""
    return await conn.fetchval(
        """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        """
    )


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
    await until(lambda: asyncio.sleep(0, asyncio.all_tasks() <= before))
    assert await until(lambda: gone(conn))


async def test_a_client_takes_no_jobs_and_listens_to_nothing(start, worker, conn):
    cls = worker(nothing)
    oban = await start()
    job = await oban.enqueue(cls.new())
    assert (await oban.get_job(job.id)).state == "available"
    assert oban.notifier.link is Link.DISCONNECTED
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


async def test_results_are_fetched_in_either_language(start, conn):
    oban = await start()
    # %{name: "oban"}, as an Elixir node records it.
    job = await insert_row(conn, meta='{"recorded": true, "return": "g3QAAAABdwRuYW1lbQAAAARvYmFu"}')
    assert await oban.fetch_result(job) == decode_recorded("g3QAAAABdwRuYW1lbQAAAARvYmFu")
    for state, advice in (
        ("available", r"is available and has recorded nothing yet; fetch its result once it is completed"),
        ("completed", r"is completed and has recorded nothing; its worker returns Record\(value\)"),
        ("discarded", r"is discarded and has recorded nothing; its errors say why"),
    ):
        with pytest.raises(JobNotFound, match=advice):
            await oban.fetch_result(await insert_row(conn, state=state))
    with pytest.raises(JobNotFound, match="job 999 is not there: it was pruned or deleted"):
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
    oban = await start(queues={"default": 5}, shutdown_grace_period=PATIENCE)
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
