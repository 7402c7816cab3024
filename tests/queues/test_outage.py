"""The database goes away in every way there is: the queue goes on, and nothing is lost or done twice."""

import asyncio
import logging
import os
import socket
from contextlib import suppress

import asyncpg
import pytest
from proxy import wire_to

from bridge import Oban
from bridge.engine.schema import install
from bridge.postgres import temporary_server
from bridge.pubsub import Link
from bridge.queues.backoff import RetryDelay
from bridge.testing.interop.gate import Gate

from .rig import PATIENCE, connected, events_of, insert_row, node, reconnected, row_of, states, until

#: A server comes back within this, plus the longest delay between two attempts.
RETURN = 20


def a_free_port():
    """A port that nobody gets who asks for any: the server leaves it, and comes back to it."""
    port = 20_000 + os.getpid() % 10_000  # below all that a system gives away by itself
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
        port += 1


@pytest.fixture(scope="module")
def own_server():
    """A server that only the tests here use; on TCP, so that it has the same address after a restart."""
    with temporary_server(port=a_free_port(), settings={"max_connections": "25"}) as server:
        yield server


@pytest.fixture
async def own(own_server):
    """The server and the DSN of a fresh database with Oban's tables on it."""
    await asyncio.to_thread(own_server.start)
    dsn = own_server.url(tcp=True)
    conn = await asyncpg.connect(dsn)
    await install(conn, "public")
    yield own_server, dsn
    await asyncio.to_thread(own_server.start)
    async with reconnected(dsn) as conn:
        await conn.execute("drop table oban_jobs, oban_peers; drop type oban_job_state")


def lines(caplog):
    """What Bridge logged as a warning or worse; its driver tells of each attempt."""
    found = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [record.getMessage() for record in found if record.name.startswith("bridge")]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_jobs_that_end_while_the_server_is_away_are_written_later(
    own, registry, worker, ends, gate, caplog, mode
):
    server, dsn = own
    cls = worker(gate)

    async def fail(job):
        await gate(job)
        raise ValueError("while the database was away")

    failing = worker(fail, "Failing")
    async with node(dsn, registry) as oban:
        jobs = await oban.enqueue_many([*(cls.new() for _ in range(10)), failing.new(), failing.new()])
        await gate.entered(12)
        await connected(oban)
        await asyncio.to_thread(server.stop, mode)
        gate.open()
        async with asyncio.timeout(PATIENCE):
            await oban.notifier.wait_for(Link.DISCONNECTED)
        # All have ended, none is written: nobody was told.
        await until(lambda: asyncio.sleep(0, oban.check_queue("default").running == ()))
        assert ends == []
        await asyncio.to_thread(server.start)
        await ends.first(12, patience=RETURN)
        assert set(gate.runs.values()) == {1}
        await ends.of(await oban.enqueue(cls.new()))
        async with asyncio.timeout(RETURN):
            await oban.notifier.wait_for(Link.CONNECTED)
    async with reconnected(dsn) as conn:
        assert await states(conn) == {"completed": 11, "retryable": 2}
        assert "while the database was away" in (await row_of(conn, jobs[-1]))["errors"][0]["error"]
        assert [len((await row_of(conn, job))["errors"]) for job in jobs] == [0] * 10 + [1, 1]
    assert all(event.recorded for _, event in ends)
    assert 1 <= len(lines(caplog)) <= 12


async def test_a_long_outage_is_told_now_and_then(installed, worker, gate, ends, registry, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    waits = {}

    class Quick(RetryDelay):
        """As many attempts in a moment as there are in minutes."""

        def next(self):
            waits[id(self)] = waits.get(id(self), 0) + 1
            super().next()
            return 0.001

    monkeypatch.setattr("bridge.queues.acker.RetryDelay", Quick)
    monkeypatch.setattr("bridge.queues.outage.RetryDelay", Quick)
    cls = worker(gate)
    async with wire_to(installed) as wire, node(wire.dsn, registry) as oban:
        await oban.enqueue(cls.new())
        await gate.entered(1)
        await wire.cut()
        gate.open()
        oban._parts.queues.wake()
        await until(lambda: asyncio.sleep(0, len(waits) == 2 and min(waits.values()) > 40), patience=RETURN)
        assert 5 <= caplog.text.count("1 outcome waits for the database") <= max(waits.values()) / 10 + 1
        assert 5 <= caplog.text.count("queue default can't fetch") <= max(waits.values()) / 10 + 1
        await wire.open()
        await ends.first(1)
        # Each is over, which is said once.
        await until(lambda: asyncio.sleep(0, "queue default fetches again, after " in caplog.text))
        await ends.of(await oban.enqueue(cls.new()))
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len([text for text in told if text.startswith("queue default fetches again")]) == 1
    written = [text for text in told if "had to wait for the database" in text]
    assert len(written) == 1
    assert written[0].startswith("1 outcome was written that had to wait for the database, for up to ")


async def test_outcomes_that_waited_are_told_of_once_they_are_written(own, registry, worker, ends, gate, caplog):
    caplog.set_level(logging.INFO)
    server, dsn = own
    cls = worker(gate)
    async with node(dsn, registry) as oban:
        await oban.enqueue_many(cls.new() for _ in range(12))
        await gate.entered(12)
        await asyncio.to_thread(server.stop, "immediate")
        gate.open()
        await until(lambda: asyncio.sleep(0, "12 outcomes wait for the database: " in caplog.text), patience=RETURN)
        await asyncio.to_thread(server.start)
        await ends.first(12, patience=RETURN)
    assert caplog.text.count("12 outcomes were written that had to wait for the database, for up to ") == 1


async def test_a_node_starts_to_work_when_its_server_comes_back(own, registry, worker, ends):
    server, dsn = own
    cls = worker(lambda _job: None)
    async with node(dsn, registry) as oban:
        await asyncio.to_thread(server.stop, "immediate")
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await oban.enqueue(cls.new())
        await asyncio.to_thread(server.start)
        job = await oban.enqueue(cls.new())
        await ends.first(1, patience=RETURN)
        assert ends[0][1].job.id == job.id


async def test_a_node_stops_while_its_server_is_away(own, registry, worker, gate, caplog):
    server, dsn = own
    cls = worker(gate)
    async with node(dsn, registry, shutdown_grace_period=0.2) as oban:
        done = await oban.enqueue(cls.new())
        await gate.entered(1)
        await asyncio.to_thread(server.stop, "immediate")
        gate.open()
        await until(lambda: asyncio.sleep(0, oban.check_queue("default").running == ()))
        async with asyncio.timeout(PATIENCE):
            await oban.stop()
    assert f"stopped before the outcomes of jobs [{done.id}] were written" in caplog.text
    await asyncio.to_thread(server.start)
    async with reconnected(dsn) as conn:
        assert (await row_of(conn, done))["state"] == "executing"


async def test_every_connection_is_ended_again_and_again(installed, start, worker, ends, conn, caplog):
    runs = {}

    async def process(job):
        await asyncio.sleep(0.002)
        runs[job.id] = runs.get(job.id, 0) + 1

    cls = worker(process)
    client = await start(name="Client")
    await client.enqueue_many(cls.new() for _ in range(3_000))
    await start(queues={"default": {"limit": 20, "dispatch_cooldown": 0.001}})
    for nth in range(1, 11):
        await until(lambda nth=nth: asyncio.sleep(0, len(runs) >= nth * 150), patience=RETURN)
        await conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    await until(lambda: asyncio.sleep(0, len(runs) == 3_000), patience=60)
    await ends.first(3_000, patience=RETURN)
    assert await states(conn) == {"completed": 3_000}
    assert set(runs.values()) == {1}
    assert all(event.recorded for _, event in ends)
    assert len(lines(caplog)) <= 60


async def test_no_connection_is_left_for_a_while(own, registry, worker, ends, gate, caplog):
    _, dsn = own
    cls = worker(gate)
    hogs = []
    async with reconnected(dsn) as conn, node(dsn, registry) as oban:
        await oban.enqueue_many(cls.new() for _ in range(5))
        await gate.entered(5)
        await connected(oban)
        await fill(conn, dsn, hogs)
        gate.open()
        await until(lambda: asyncio.sleep(0, "outcomes wait for the database" in caplog.text), patience=RETURN)
        assert ends == []
        for hog in hogs:
            await hog.close()
        await ends.first(5, patience=RETURN)
        await ends.of(await oban.enqueue(cls.new()))
    assert set(gate.runs.values()) == {1}
    assert len(lines(caplog)) <= 12


async def fill(conn, dsn, hogs):
    """Take every connection that the server gives, until the node has none."""
    others = "backend_type = 'client backend' and pid <> pg_backend_pid() and pid <> all($1::integer[])"
    while True:
        mine = [hog.get_server_pid() for hog in hogs]
        if hogs and not await conn.fetchval(f"select count(*) from pg_stat_activity where {others}", mine):
            return
        await conn.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}", mine)
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                hogs.append(await asyncpg.connect(dsn))


async def test_jobs_of_a_fetch_whose_answer_was_lost_are_run(installed, worker, ends, conn, gate, registry):
    seen = []

    async def process(job):
        seen.append((job.id, job.attempt))
        await gate(job)

    cls = worker(process)
    async with (
        wire_to(installed) as wire,
        node(wire.dsn, registry, queues={"default": {"limit": 3, "paused": True}}) as oban,
    ):
        jobs = await oban.enqueue_many(cls.new({"part": "lost-on-the-way"}) for _ in range(5))
        wire.lose_answer(b"lost-on-the-way")
        await oban.resume_queue("default", local_only=True)
        await wire.lost.wait()
        assert await states(conn) == {"executing": 3, "available": 2}
        gate.open()
        await ends.first(5)
    assert sorted(seen) == [(job.id, 1) for job in jobs]
    assert await states(conn) == {"completed": 5}


async def test_jobs_rescued_before_their_fetch_was_answered_are_left_alone(start, worker, ends, conn, monkeypatch):
    seen, claimed, arrived = [], asyncio.Event(), asyncio.Event()

    async def process(job):
        seen.append((job.id, job.attempt))

    cls = worker(process)
    oban = await start(queues={"default": {"limit": 3, "paused": True}}, lifeline={"rescue_after": 1, "enabled": False})
    engine = oban._parts.engine
    fetch = engine.fetch

    async def late(*args):
        found = await fetch(*args)
        claimed.set()
        await arrived.wait()
        return found

    monkeypatch.setattr(engine, "fetch", late)
    ours, theirs = await oban.enqueue_many([cls.new(), cls.new()])
    await oban.resume_queue("default", local_only=True)
    await asyncio.wait_for(claimed.wait(), PATIENCE)
    # What a rescue and another node's fetch do; the answer to ours is on its way.
    await conn.execute(
        "update oban_jobs set attempt = 2, attempted_by = array['b', gen_random_uuid()::text] where id = $1",
        theirs.id,
    )
    await asyncio.sleep(0.6)  # more than half of the time after which jobs may be rescued
    arrived.set()
    await ends.first(1)
    assert seen == [(ours.id, 1)]
    assert await states(conn) == {"completed": 1, "executing": 1}


@pytest.mark.usefixtures("unhurried")
async def test_a_stop_hands_back_what_a_fetch_claimed_whose_answer_was_lost(installed, worker, conn, registry):
    cls = worker(lambda _job: None)
    options = {"queues": {"default": {"limit": 3, "paused": True}}}
    async with wire_to(installed) as wire, node(wire.dsn, registry, **options) as oban:
        await oban.enqueue_many(cls.new({"part": "lost-on-the-way"}, max_attempts=1) for _ in range(5))
        wire.lose_answer(b"lost-on-the-way")
        await oban.resume_queue("default", local_only=True)
        await wire.lost.wait()
        await oban.stop()
    assert set(await states(conn)) <= {"available", "completed"}
    # Those that were never begun have lost no attempt.
    left = await conn.fetch("select attempt, max_attempts from oban_jobs where state = 'available'")
    assert all(row["attempt"] < row["max_attempts"] for row in left)


async def test_a_network_that_swallows_everything_holds_up_no_stop_for_long(
    installed, worker, gate, registry, caplog, monkeypatch
):
    # Each part waits so long for an answer, and then leaves it behind.
    for constant in ("queues.producer.UNWIND", "queues.acker.UNWIND", "maintenance.service.UNWIND", "runtime.CLOSE"):
        monkeypatch.setattr(f"bridge.{constant}", 0.2)
    cls = worker(gate)
    async with wire_to(installed) as wire:
        oban = Oban(dsn=wire.dsn, registry=registry, queues={"default": 5}, shutdown_grace_period=0.2)
        await oban.start()
        await oban.enqueue(cls.new())
        await gate.entered(1)
        await connected(oban)
        wire.freeze()
        gate.open()
        await until(lambda: asyncio.sleep(0, oban.check_queue("default").running == ()))
        async with asyncio.timeout(PATIENCE):
            await oban.stop()
    assert "stopped before the outcomes of jobs" in caplog.text


async def test_a_stop_takes_the_grace_period_once_where_the_server_says_nothing(
    installed, worker, gate, registry, caplog, monkeypatch
):
    for constant in ("queues.producer", "queues.acker", "maintenance.service"):
        monkeypatch.setattr(f"bridge.{constant}.UNWIND", 0.2)
    cls = worker(gate)
    with Gate(installed) as between, events_of("oban.queue.shutdown") as shutdowns:
        oban = Oban(dsn=between.url(), registry=registry, queues={"default": 5}, shutdown_grace_period=5)
        await oban.start()
        await oban.enqueue(cls.new())
        await gate.entered(1)
        await connected(oban)
        between.freeze()
        gate.open()
        await until(lambda: asyncio.sleep(0, oban.check_queue("default").running == ()))
        await oban.stop()
    assert "stopped before the outcomes of jobs" in caplog.text
    # What the acker left no time for gets a moment of its own.
    [(_, event)] = shutdowns
    assert 5 <= event.elapsed / 1e9 < 10


async def test_a_pkill_that_was_sent_while_nobody_listened_is_made_up_for(
    installed, worker, ends, conn, gate, registry
):
    cls = worker(gate)
    async with wire_to(installed) as wire, node(wire.dsn, registry) as oban:
        job = await oban.enqueue(cls.new())
        await gate.entered(1)
        await connected(oban)
        await wire.cut()
        # What an Elixir node does; its pkill reaches nobody.
        await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = timezone('UTC', now())")
        await wire.open()
        await ends.first(1, patience=RETURN)
        assert ends[0][1].state == "cancelled"
    assert (await row_of(conn, job))["state"] == "cancelled"


async def test_jobs_that_came_while_nobody_listened_are_run(installed, worker, ends, conn, registry):
    worker(lambda _job: None)
    async with wire_to(installed) as wire, node(wire.dsn, registry, stager={"interval": 600}) as oban:
        await connected(oban)
        await wire.cut()
        await insert_row(conn)
        await wire.open()
        await ends.first(1, patience=RETURN)
