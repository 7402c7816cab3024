"""The connection that listens is replaced whenever it is lost, and nothing of its secrets is told."""

import asyncio
import logging
from types import SimpleNamespace

import asyncpg
import pytest
from proxy import wire_to
from queues.rig import until

from bridge.pubsub import Link
from bridge.pubsub.timing import Timing

from .rig import QUICK, Inbox, listening, make, sending


class Count:
    """A callback that can be waited for until it was called so many times."""

    def __init__(self):
        self._calls = asyncio.Queue()

    def __call__(self):
        self._calls.put_nowait(None)

    async def next(self):
        async with asyncio.timeout(20):
            await self._calls.get()


async def alone(sender):
    """Wait until the server has only one other connection: one that was ended may stand there for a moment."""

    async def one_is_left():
        return await sender.others() == 1

    await until(one_is_left)


class TestReconnect:
    async def test_it_listens_again_after_its_backend_was_ended(self, database, caplog):
        async with listening(database) as (notifier, sender):
            inbox, custom, connects = Inbox(), Inbox(), Count()
            notifier.on_reconnect(connects)
            notifier.listen("signal", inbox)
            await notifier.listen("custom", custom).ready()
            await connects.next()
            for n in range(1, 4):
                await alone(sender)
                assert await sender.end_listeners() == 1
                await connects.next()
                assert notifier.link == "connected"
                assert notifier.counters.reconnects == n
                await notifier.notify("signal", {"n": n})
                await notifier.notify("custom", {"n": -n})
                assert await inbox.next() == ("signal", {"n": n})
                assert await custom.next() == ("custom", {"n": -n})
        assert caplog.text.count("lost the listening connection") == 1, "at a bounded rate"

    async def test_the_status_tells_of_the_loss(self, database):
        slow = Timing(first_delay=60, longest_delay=60)
        async with listening(database, timing=slow) as (notifier, sender):
            await sender.end_listeners()
            async with asyncio.timeout(10):
                await notifier.wait_for(Link.DISCONNECTED)
            assert notifier.link == "disconnected"

    async def test_what_is_subscribed_while_it_is_away_is_heard_afterwards(self, database):
        async with sending(database) as sender, wire_to(database) as wire:
            notifier, inbox = make(database, sender, connect=wire.connect), Inbox()
            await notifier.start()
            await wire.cut()
            async with asyncio.timeout(10):
                await notifier.wait_for(Link.DISCONNECTED)
            subscription = notifier.listen("custom", inbox)
            await wire.open()
            async with asyncio.timeout(10):
                await subscription.ready()
            await notifier.notify("custom", {"n": 1})
            assert await inbox.next() == ("custom", {"n": 1})
            await notifier.stop()

    async def test_hooks_run_on_the_first_connection_too_and_may_be_async_or_raise(self, database):
        async with sending(database) as sender:
            notifier, sync, later = make(database, sender), Count(), Count()

            async def hook():
                await asyncio.sleep(0)
                later()

            def broken():
                raise RuntimeError("of the hook")

            for each in (sync, broken, hook):
                notifier.on_reconnect(each)
            await notifier.start()
            await sync.next()
            await later.next()
            assert notifier.counters.reconnects == 0
            await sender.end_listeners()
            await sync.next()
            await later.next()
            assert notifier.counters.failed == 2
            await notifier.stop()

    async def test_a_busy_hook_runs_once_more_however_often_it_was_wanted(self, database):
        async with sending(database) as sender:
            notifier, connects, release, runs = make(database, sender), Count(), asyncio.Event(), Count()

            async def busy():
                runs()
                await release.wait()

            notifier.on_reconnect(busy)
            notifier.on_reconnect(connects)
            await notifier.start()
            await connects.next()
            for _ in range(3):
                await sender.end_listeners()
                await connects.next()
            await runs.next()
            release.set()
            await runs.next()
            await notifier.stop()
            assert runs._calls.empty()
            assert notifier.counters.dropped == 0

    async def test_a_connection_of_a_pool_will_do(self, database):
        async with sending(database) as sender, asyncpg.create_pool(database, min_size=0, max_size=1) as pool:
            notifier, inbox, connects = make(database, sender, connect=pool.acquire), Inbox(), Count()
            notifier.listen("custom", inbox)
            notifier.on_reconnect(connects)
            await notifier.start()
            await connects.next()
            for n in range(3):
                await sender.end_listeners()
                await connects.next()
                await notifier.notify("custom", {"n": n})
                assert await inbox.next() == ("custom", {"n": n})
            await notifier.stop()
            assert await pool.fetchval("select 1") == 1, "the pool has its connection back"


class TestHalfOpen:
    async def test_a_peer_that_fell_silent_is_noticed_and_replaced(self, database, caplog):
        quick = Timing(probe_interval=0.05, timeout=3, first_delay=0.01, longest_delay=0.05)
        async with sending(database) as sender, wire_to(database) as wire:
            notifier, inbox, connects = make(database, sender, connect=wire.connect, timing=quick), Inbox(), Count()
            notifier.listen("custom", inbox)
            notifier.on_reconnect(connects)
            await notifier.start()
            await connects.next()
            wire.strand()
            await connects.next()
            assert notifier.counters.reconnects == 1
            await notifier.notify("custom", {"n": 1})
            assert await inbox.next() == ("custom", {"n": 1})
            await notifier.stop()
        assert "lost the listening connection: TimeoutError" in caplog.text

    async def test_probes_leave_a_live_connection_alone(self, database):
        eager = Timing(probe_interval=0.001, timeout=5, first_delay=0.01, longest_delay=0.05)
        async with listening(database, timing=eager) as (notifier, sender):
            inbox = Inbox()
            await notifier.listen("custom", inbox).ready()
            statement = """
                select count(*)
                from pg_stat_activity
                where datname = current_database() and query = 'select 1'
            """
            async with asyncio.timeout(10):
                while not await sender.connection.fetchval(statement):
                    pass
            await notifier.notify("custom", [{"n": n} for n in range(300)])
            assert [each["n"] for each in await inbox.payloads(300)] == list(range(300))
            assert notifier.counters.reconnects == 0

    async def test_a_peer_that_is_silent_from_the_start_is_given_up(self, database):
        impatient = Timing(timeout=0.2, first_delay=0.01, longest_delay=0.05)

        async def say_nothing(reader, writer):
            await reader.read()
            writer.close()

        mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = mute.sockets[0].getsockname()[1]
        async with sending(database) as sender:
            connect = lambda: asyncpg.connect(database, host="127.0.0.1", port=port, ssl=False)  # noqa: E731
            notifier = make(database, sender, connect=connect, timing=impatient)
            with pytest.raises(TimeoutError):
                await notifier.start()
        mute.close()


class TestStart:
    async def test_without_a_database_start_raises_and_can_be_tried_again(self, database):
        async with sending(database) as sender, wire_to(database) as wire:
            await wire.cut()
            notifier = make(database, sender, connect=wire.connect)
            with pytest.raises(ConnectionRefusedError):
                await notifier.start()
            await wire.open()
            await notifier.start()
            assert notifier.link == "connected"
            await notifier.stop()

    async def test_without_waiting_it_keeps_trying_in_the_background(self, database, caplog):
        caplog.set_level(logging.INFO, "bridge.pubsub")
        async with sending(database) as sender, wire_to(database) as wire:
            await wire.cut()
            attempts = Count()

            async def counted():
                attempts()
                return await wire.connect()

            notifier, inbox = make(database, sender, connect=counted), Inbox()
            notifier.listen("custom", inbox)
            await notifier.start(wait=False)
            assert notifier.link == "disconnected"
            for _ in range(10):
                await attempts.next()
            await wire.open()
            async with asyncio.timeout(10):
                await notifier.wait_for(Link.CONNECTED)
            await notifier.notify("custom", {"n": 1})
            assert await inbox.next() == ("custom", {"n": 1})
            assert notifier.counters.reconnects == 0
            await notifier.stop()
        assert caplog.text.count("can't listen, trying again") == 1, "at a bounded rate"
        assert "listening on 1 channels" in caplog.text

    async def test_it_can_be_stopped_while_it_keeps_trying(self, database):
        async with sending(database) as sender, wire_to(database) as wire:
            await wire.cut()
            notifier = make(database, sender, connect=wire.connect, timing=Timing(first_delay=60, longest_delay=60))
            await notifier.start(wait=False)
            async with asyncio.timeout(10):
                await notifier.stop()

    async def test_a_refused_listen_is_an_error_like_any_other(self, database):
        """A standby takes connections and refuses LISTEN; a role's default can make a server look like one."""
        async with sending(database) as sender:
            name = await sender.connection.fetchval("select current_database()")
            refusals = Count()

            class Standby(asyncpg.Connection):
                async def add_listener(self, channel, callback):
                    refusals()
                    await self.execute("set transaction_read_only to nonsense")

            target = {"connection_class": Standby}
            notifier = make(database, sender, connect=lambda: asyncpg.connect(database, **target))
            inbox = Inbox()
            notifier.listen("custom", inbox)
            with pytest.raises(asyncpg.PostgresError):
                await notifier.start()
            await notifier.start(wait=False)
            for _ in range(5):
                await refusals.next()
            assert notifier.link == "disconnected"
            target.clear()
            async with asyncio.timeout(10):
                await notifier.wait_for(Link.CONNECTED)
            await notifier.notify("custom", {"database": name})
            assert await inbox.next() == ("custom", {"database": name})
            await notifier.stop()


class TestSecrets:
    @pytest.mark.parametrize(
        "dsn",
        [
            "postgresql://me:hunter2@127.0.0.1:1/db",
            "postgresql://me:x/hunter2@127.0.0.1:1/db",
            "postgresql://me:x@host:hunter2/db",
            "hunter2://me@127.0.0.1/db",
            "postgresql://me@127.0.0.1:1/db?sslmode=hunter2",
            "postgresql://me@127.0.0.1:1/db?target_session_attrs=hunter2",
        ],
    )
    async def test_a_password_is_never_logged(self, database, caplog, dsn):
        caplog.set_level(logging.DEBUG, "bridge.pubsub")
        async with sending(database) as sender:
            attempts = Count()

            def connect():
                attempts()
                return asyncpg.connect(dsn)

            notifier = make(database, sender, connect=connect)
            await notifier.start(wait=False)
            await attempts.next()
            await attempts.next()
            await notifier.stop()
        assert "can't listen, trying again" in caplog.text
        assert "hunter2" not in caplog.text

    async def test_a_servers_refusal_is_told_with_its_reason(self, database, caplog):
        async with sending(database) as sender:
            attempts = Count()

            def connect():
                attempts()
                return asyncpg.connect(database, database="no_such_database")

            notifier = make(database, sender, connect=connect)
            await notifier.start(wait=False)
            await attempts.next()
            await attempts.next()
            await notifier.stop()
        assert 'InvalidCatalogNameError: database "no_such_database" does not exist' in caplog.text


class TestTiming:
    def test_delays_double_to_the_longest_with_up_to_half_taken_off(self):
        timing = Timing(first_delay=0.1, longest_delay=10.0)
        for attempt, whole in enumerate([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]):
            delays = [timing.delay(attempt) for _ in range(200)]
            assert whole / 2 <= min(delays) < max(delays) <= whole
        assert timing.delay(10_000) <= 10.0

    async def test_a_connection_that_lived_long_starts_the_delays_anew(self, database, monkeypatch):
        """One that is lost over and over again waits longer each time."""
        now = 1_000.0
        monkeypatch.setattr("bridge.pubsub.listener.time", SimpleNamespace(monotonic=lambda: now))
        growing = Timing(first_delay=0.001, longest_delay=60)
        async with listening(database, timing=growing) as (notifier, sender):
            connects = Count()
            notifier.on_reconnect(connects)
            await connects.next()
            for _ in range(3):
                await alone(sender)
                await sender.end_listeners()
                await connects.next()
            assert notifier._listener._attempt == 3
            now += growing.longest_delay
            await alone(sender)
            await sender.end_listeners()
            await connects.next()
            assert notifier._listener._attempt == 1


def test_after_an_outage_however_long_it_listens_again_as_soon_as_jobs_run_again():
    assert max(Timing().delay(attempt) for attempt in range(1_000)) <= 3.0


def test_the_defaults_are_those_of_the_documentation():
    assert Timing() == Timing(probe_interval=30.0, timeout=10.0, first_delay=0.1, longest_delay=3.0)
    assert Timing() != QUICK
