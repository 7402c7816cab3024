"""Producers that are alive say so, whatever their workers do; those that stop are taken off the list."""

import asyncio
import io
import logging
import threading
import time
from contextlib import asynccontextmanager

import asyncpg
import pytest
from cluster.rig import poor_role
from proxy import wire_to
from queues.rig import PATIENCE, until

from bridge.clock import elapsed
from bridge.engine import connect
from bridge.errors import SchemaError
from bridge.maintenance import Heartbeat

from .rig import a_uuid, engine_on


@pytest.fixture
async def engine(installed):
    async with engine_on(installed) as found:
        yield found


@asynccontextmanager
async def beating(engine, *, started=True, **options):
    heart = Heartbeat(engine, instance="Oban", node="py@a", **options)
    if started:
        heart.start()
    try:
        yield heart
    finally:
        await heart.stop()


async def listed(conn):
    """The rows of producers by uuid."""
    return {row["uuid"]: dict(row) for row in await conn.fetch("select * from bridge_producers")}


async def silence(conn):
    """For how many seconds the producer that has been silent longest has been so."""
    statement = (
        "select extract(epoch from max(timezone('UTC', clock_timestamp()) - beat_at))::float8 from bridge_producers"
    )
    return await conn.fetchval(statement)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "bridge-heartbeat"]


async def test_a_producer_is_listed_before_it_may_claim_jobs(engine, conn):
    async with beating(engine, started=False, rescue_after=40) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "badges")
        row = (await listed(conn))[uuid]
        assert (row["name"], row["node"], row["queue"], row["rescue_after"]) == ("Oban", "py@a", "badges", 40)
        assert row["started_at"] <= row["beat_at"]
        assert await silence(conn) < 5


async def test_only_a_beat_that_is_long_ago_is_followed_by_another_before_a_claim(engine, conn):
    async with beating(engine, started=False, rescue_after=60) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "badges")
        first = (await listed(conn))[uuid]["beat_at"]
        await heart.ensure(uuid, "badges")
        assert (await listed(conn))[uuid]["beat_at"] == first
        heart._beaten = {uuid: heart._beaten[uuid] - 31}
        await heart.ensure(uuid, "badges")
        assert (await listed(conn))[uuid]["beat_at"] > first


async def test_all_producers_beat_together_four_times_in_their_time(engine, conn):
    async with beating(engine, rescue_after=4.0) as heart:
        assert 4 * min(heart._delay() for _ in range(1_000)) >= 4.0 * 0.9
        assert 4 * max(heart._delay() for _ in range(1_000)) <= 4.0 * 1.1
        uuids = [a_uuid() for _ in range(5)]
        await asyncio.gather(*(heart.ensure(uuid, f"q{nth}") for nth, uuid in enumerate(uuids)))
        before = await listed(conn)
        await heart.wait_for_round()
        after = await listed(conn)
        assert after.keys() == before.keys() == set(uuids)
        assert all(after[uuid]["beat_at"] > before[uuid]["beat_at"] for uuid in uuids)
        assert all(after[uuid]["started_at"] == before[uuid]["started_at"] for uuid in uuids)


async def test_a_producer_whose_row_was_deleted_is_listed_anew(engine, conn):
    async with beating(engine, rescue_after=1.0) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "q")
        await conn.execute("delete from bridge_producers")
        await heart.wait_for_round()
        assert list(await listed(conn)) == [uuid]


async def test_a_producer_that_stopped_is_taken_off_the_list(engine, conn):
    async with beating(engine) as heart:
        stays, goes = a_uuid(), a_uuid()
        await heart.ensure(stays, "a")
        await heart.ensure(goes, "b")
        await heart.forget(goes, 5)
        assert list(await listed(conn)) == [stays]
        await heart.run_once()
        assert list(await listed(conn)) == [stays]


async def test_one_that_left_a_job_behind_beats_on_until_that_has_ended(engine, conn):
    async with beating(engine, started=False) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "a")
        job = await conn.fetchval(
            "insert into oban_jobs (worker, state, attempted_by) values ('W', 'executing', $1) returning id",
            ["n", uuid],
        )
        await heart.forget(uuid, 5)
        before = (await listed(conn))[uuid]["beat_at"]
        await heart.run_once()
        assert (await listed(conn))[uuid]["beat_at"] > before
        await conn.execute("update oban_jobs set state = 'cancelled' where id = $1", job)
        await heart.run_once()
        assert await listed(conn) == {}


async def test_forgetting_ends_in_time_though_the_database_says_nothing(installed, caplog):
    async with wire_to(installed) as wire, engine_on(wire.dsn) as engine, beating(engine, started=False) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "a")
        wire.freeze()
        async with asyncio.timeout(PATIENCE):
            await heart.forget(uuid, 0.2)
        assert "taken for dead" in caplog.text
        engine._connections.pool.terminate()


# A loop that is blocked, and a pool that is empty


async def test_a_thread_beats_while_a_worker_blocks_the_event_loop(engine, installed, conn, caplog):
    async with beating(engine, rescue_after=6.0, connect=lambda: connect(installed)) as heart:
        await heart.ensure(a_uuid(), "a")
        observed = []

        def block():
            """Look from another thread and loop, as another node would."""

            async def look():
                other = await asyncpg.connect(installed)
                end = time.monotonic() + 20
                while heart.relieved < 2 and time.monotonic() < end:
                    observed.append(await silence(other))
                    await asyncio.sleep(0.05)
                await other.close()

            thread = threading.Thread(target=lambda: asyncio.run(look()))
            thread.start()
            thread.join()  # nothing else runs on this loop meanwhile

        block()
        assert heart.relieved >= 2
        assert len(observed) > 10
        assert max(observed) < 6.0
        assert "the event loop is blocked" in caplog.text


async def test_a_thread_beats_while_nobody_reads_the_log(engine, installed):
    """Whoever blocks the loop may hold the log's lock: a write to a pipe that is full."""
    log = logging.StreamHandler(io.StringIO())
    logging.getLogger("bridge.maintenance").addHandler(log)
    try:
        async with beating(engine, rescue_after=1.0, connect=lambda: connect(installed)) as heart:
            await heart.ensure(a_uuid(), "a")
            with log.lock:
                end = time.monotonic() + PATIENCE
                while heart.relieved < 3 and time.monotonic() < end:
                    time.sleep(0.01)  # noqa: ASYNC251 - as a worker that blocks the loop
                assert heart.relieved >= 3
    finally:
        logging.getLogger("bridge.maintenance").removeHandler(log)


async def test_a_thread_beats_while_the_pool_has_no_connection_free(installed, conn):
    async with engine_on(installed) as engine:
        pool = engine._connections.pool
        async with beating(engine, rescue_after=1.0, connect=lambda: connect(installed)) as heart:
            await heart.ensure(a_uuid(), "a")
            held = [await pool.acquire() for _ in range(4)]
            before = await conn.fetchval("select beat_at from bridge_producers")
            relieved = heart.relieved
            await until(lambda: asyncio.sleep(0, heart.relieved >= relieved + 2))
            assert await conn.fetchval("select beat_at from bridge_producers") > before
            for each in held:
                await pool.release(each)


async def test_the_thread_opens_no_connection_while_all_is_well(engine, installed):
    opened, looks = [], []

    async def counted():
        opened.append(1)
        return await connect(installed)

    async with beating(engine, rescue_after=12.0, connect=counted) as heart:
        is_heard = heart.is_heard
        heart.is_heard = lambda: looks.append(1) or is_heard()
        await heart.ensure(a_uuid(), "a")
        await until(lambda: asyncio.sleep(0, len(looks) >= 3))
        assert opened == []


async def test_the_thread_ends_with_the_service(engine, installed):
    before = set(threads())  # another test's may be about to end
    async with beating(engine, rescue_after=0.4, connect=lambda: connect(installed)):
        [thread] = set(threads()) - before
    await until(lambda: asyncio.sleep(0, not thread.is_alive()))


# Outages, and roles that may not


async def test_an_outage_is_followed_by_a_beat_soon(installed, conn):
    async with (
        wire_to(installed) as wire,
        engine_on(wire.dsn) as engine,
        beating(engine, rescue_after=20.0) as heart,
    ):
        await heart.ensure(a_uuid(), "a")
        await wire.cut()
        await until(lambda: asyncio.sleep(0, heart._failures >= 2))
        assert max(heart._delay() for _ in range(1_000)) <= heart.interval / 4 * 1.1
        again = await conn.fetchval("select timezone('UTC', clock_timestamp())")
        await wire.open()
        await until(lambda: asyncio.sleep(0, not heart._failures))
        assert await conn.fetchval("select beat_at from bridge_producers") > again


async def test_nothing_is_claimed_while_a_beat_cant_be_written(installed):
    async with wire_to(installed) as wire, engine_on(wire.dsn) as engine, beating(engine, started=False) as heart:
        await wire.cut()
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await heart.ensure(a_uuid(), "a")


async def test_a_thread_that_is_the_first_to_get_through_in_an_outage_blames_nobody(installed, caplog):
    failed = asyncio.Event()

    async def connect_later():
        while not failed.is_set():  # noqa: ASYNC110 - the thread has a loop of its own
            await asyncio.sleep(0.01)
        return await connect(installed)

    async with (
        wire_to(installed) as wire,
        engine_on(wire.dsn) as engine,
        beating(engine, rescue_after=1.0, connect=connect_later) as heart,
    ):
        await heart.ensure(a_uuid(), "a")
        await wire.cut()
        await until(lambda: asyncio.sleep(0, heart._failures))
        failed.set()
        await until(lambda: asyncio.sleep(0, heart.relieved))
    told = [record.getMessage() for record in caplog.records]
    assert [text for text in told if text.startswith("heartbeat failed")]
    assert not [text for text in told if "event loop" in text]


async def test_a_thread_whose_first_try_after_a_suspension_fails_blames_nobody_at_the_next(
    installed, caplog, monkeypatch
):
    asleep, tries = 0.0, []
    monkeypatch.setattr("bridge.maintenance.heartbeat.elapsed", lambda: elapsed() + asleep)

    async def fail_once():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("away")
        return await connect(installed)

    before = set(threads())
    async with engine_on(installed) as engine, beating(engine, rescue_after=24.0, connect=fail_once) as heart:
        [thread] = set(threads()) - before
        await heart.ensure(a_uuid(), "a")
        pool = engine._connections.pool
        held = [await pool.acquire() for _ in range(4)]  # so that nobody comes before it
        asleep = 100.0
        await until(lambda: asyncio.sleep(0, heart.relieved))
        for each in held:
            await pool.release(each)
    await until(lambda: asyncio.sleep(0, not thread.is_alive()))
    assert (len(tries), heart._blamed) == (2, 0)
    await until(lambda: asyncio.sleep(0, "this process stood still for " in caplog.text))


async def test_a_role_that_loses_its_right_to_the_list_claims_no_jobs_until_it_has_it_again(installed, conn):
    async with poor_role(conn, installed) as dsn, engine_on(installed) as owner, engine_on(dsn) as engine:
        await owner.prepare_producers()
        role = dsn.rpartition("role=")[2]
        await conn.execute(f"grant all on bridge_producers to {role}")
        async with beating(engine, started=False) as heart:
            uuid = a_uuid()
            await heart.ensure(uuid, "a")
            await conn.execute(f"revoke all on bridge_producers from {role}")
            heart._beaten = {uuid: float("-inf")}
            for _ in range(2):  # who is listed and silent is taken for dead by others
                with pytest.raises(SchemaError, match="grant"):
                    await heart.run_once()
                with pytest.raises(SchemaError, match="grant"):
                    await heart.ensure(uuid, "a")
            await conn.execute(f"grant all on bridge_producers to {role}")
            await heart.ensure(uuid, "a")
            assert await silence(conn) < 5


async def test_a_role_that_may_not_make_the_list_runs_jobs_all_the_same_and_is_told_once(installed, conn, caplog):
    async with poor_role(conn, installed) as dsn, engine_on(dsn) as engine, beating(engine, started=False) as heart:
        for _ in range(3):
            await heart.ensure(a_uuid(), "a")
            await heart.run_once()
        await heart.forget(a_uuid(), 5)
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "bridge install" in record.getMessage()
    assert await conn.fetchval("select to_regclass('bridge_producers')") is None


async def test_a_list_that_is_made_later_is_found(installed, conn, monkeypatch):
    monkeypatch.setattr("bridge.maintenance.heartbeat.RETRY", 0.0)
    async with poor_role(conn, installed) as dsn, engine_on(dsn) as engine, beating(engine, started=False) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "a")
        role = dsn.rpartition("role=")[2]
        async with engine_on(installed) as owner:
            await owner.prepare_producers()
        await conn.execute(f"grant all on bridge_producers to {role}")
        await heart.run_once()
        assert list(await listed(conn)) == [uuid]


async def test_a_list_that_is_dropped_is_made_again(engine, conn, monkeypatch):
    monkeypatch.setattr("bridge.maintenance.heartbeat.RETRY", 0.0)
    async with beating(engine, started=False) as heart:
        uuid = a_uuid()
        await heart.ensure(uuid, "a")
        await conn.execute("drop table bridge_producers")
        await heart.run_once()
        await heart.run_once()
        assert list(await listed(conn)) == [uuid]
