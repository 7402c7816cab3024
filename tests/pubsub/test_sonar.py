"""A node finds out whether messages arrive, and who else is there."""

import asyncio
import json
from types import SimpleNamespace

import asyncpg
import pytest
from proxy import wire_to
from queues.rig import until

from bridge.pubsub import Link, Pace, Status

from .rig import Inbox, listening, make, sending

QUICK = Pace(interval=0.02, longest=0.1, forgotten=120, patience=5)
DEAF = Pace(interval=0.02, longest=0.1, forgotten=120, patience=0.2)


def a_ping(node):
    return [json.dumps({"node": node, "ping": True})]


async def expect(notifier, *statuses):
    async with asyncio.timeout(10):
        await notifier.wait_for(*statuses)


class TestStatus:
    async def test_it_is_unknown_without_a_node_and_before_start_and_after_stop(self, database):
        async with listening(database) as (nameless, sender):
            assert nameless.status() is Status.UNKNOWN
            notifier = make(database, sender, node="a", pace=QUICK)
            assert notifier.status() is Status.UNKNOWN
            await notifier.start()
            await expect(notifier, Status.SOLITARY)
            assert (notifier.nodes, notifier.hears) == (frozenset({"a"}), True)
            await notifier.stop()
            assert (notifier.status(), notifier.nodes) == (Status.UNKNOWN, frozenset())

    async def test_a_newcomer_is_told_at_once_who_is_there(self, database):
        async with listening(database, node="a", pace=Pace(interval=600)) as (old, _):
            await expect(old, Status.SOLITARY)
            async with listening(database, node="b", pace=Pace(interval=600)) as (new, _):
                await expect(new, Status.CLUSTERED)
                await expect(old, Status.CLUSTERED)

    async def test_a_node_that_is_heard_makes_a_cluster_until_it_is_forgotten(self, database, monkeypatch):
        now = 1_000.0
        monkeypatch.setattr("bridge.pubsub.sonar.time", SimpleNamespace(monotonic=lambda: now))
        async with listening(database, node="a", pace=QUICK) as (notifier, sender):
            await expect(notifier, Status.SOLITARY)
            await sender.publish("public.oban_sonar", a_ping("ex@host-a"))
            await expect(notifier, Status.CLUSTERED)
            assert notifier.nodes == {"a", "ex@host-a"}
            now += QUICK.forgotten
            await expect(notifier, Status.SOLITARY)
            assert notifier.nodes == {"a"}

    async def test_two_nodes_hear_each_other(self, database):
        async with (
            listening(database, node="a", pace=QUICK) as (one, _),
            listening(database, node="b", pace=QUICK) as (other, _),
        ):
            await expect(one, Status.CLUSTERED)
            await expect(other, Status.CLUSTERED)
            assert one.nodes == other.nodes == {"a", "b"}

    async def test_who_does_not_hear_itself_is_isolated_and_hears_again_later(self, database):
        swallowed = True
        async with sending(database) as sender:

            async def publish(channel, texts):
                if not swallowed:
                    await sender.publish(channel, texts)

            notifier = make(database, sender, node="a", pace=DEAF)
            notifier._publish = publish
            await notifier.start()
            await expect(notifier, Status.ISOLATED)
            assert notifier.link is Link.CONNECTED
            assert not notifier.hears
            # Others that get through by chance don't make up for that.
            await sender.publish("public.oban_sonar", a_ping("b"))
            await until(lambda: asyncio.sleep(0, "b" in notifier.nodes))
            assert notifier.status() is Status.ISOLATED
            swallowed = False
            await expect(notifier, Status.CLUSTERED)
            await notifier.stop()

    async def test_a_ping_that_can_not_be_sent_says_nothing_about_hearing(self, database, caplog):
        async with listening(database, node="a", pace=QUICK) as (notifier, _):
            await expect(notifier, Status.SOLITARY)
            failures = 0

            async def publish(_channel, _texts):
                nonlocal failures
                failures += 1
                raise OSError("away")

            notifier._publish = publish
            await until(lambda: asyncio.sleep(0, failures >= 3))
            assert notifier.status() is Status.SOLITARY
        assert sum("can't ping" in record.getMessage() for record in caplog.records) == 1

    async def test_a_lost_connection_isolates_at_once_and_a_new_one_mends_it(self, database):
        pace = Pace(interval=600, patience=5)
        async with wire_to(database) as wire, sending(database) as sender:
            notifier = make(database, sender, connect=wire.connect, node="a", pace=pace)
            switches = []
            notifier.on_switch(switches.append)
            await notifier.start()
            await expect(notifier, Status.SOLITARY)
            await wire.cut()
            await expect(notifier, Status.ISOLATED)
            assert notifier.link is Link.DISCONNECTED
            await wire.open()
            await expect(notifier, Status.SOLITARY)
            await notifier.stop()
        assert switches == [Status.SOLITARY, Status.ISOLATED, Status.SOLITARY, Status.UNKNOWN]

    async def test_a_connection_that_fell_silent_isolates_though_nobody_closed_it(self, database):
        async with wire_to(database) as wire, sending(database) as sender:
            notifier = make(database, sender, connect=wire.connect, node="a", pace=DEAF)
            await notifier.start()
            await expect(notifier, Status.SOLITARY)
            wire.freeze()
            await expect(notifier, Status.ISOLATED)
            assert notifier.link is Link.CONNECTED
            await notifier.stop()


class TestWire:
    async def test_a_ping_is_what_elixir_sends_and_no_more(self, database):
        inbox = Inbox()
        async with listening(database) as (ear, _):
            await ear.listen("sonar", inbox).ready()
            async with listening(database, node="py@host-a", pace=QUICK):
                assert await inbox.payloads(2) == [{"node": "py@host-a", "ping": True}] * 2

    @pytest.mark.parametrize(
        "payload", [{}, {"node": None}, {"node": ""}, {"node": 5}, {"node": ["a"]}, {"ping": True}]
    )
    async def test_a_ping_of_nobody_changes_nothing(self, database, payload):
        async with listening(database, node="a", pace=QUICK) as (notifier, sender):
            await expect(notifier, Status.SOLITARY)
            await sender.publish("public.oban_sonar", [json.dumps(payload), *a_ping("b")])
            await expect(notifier, Status.CLUSTERED)
            assert notifier.nodes == {"a", "b"}
            assert notifier.counters.failed == 0

    @pytest.mark.parametrize("ping", [True, "ping"], ids=["now", "before 2.18"])
    async def test_pings_of_older_releases_count(self, database, ping):
        async with listening(database, node="a", pace=QUICK) as (notifier, sender):
            await sender.publish("public.oban_sonar", [json.dumps({"node": "ex", "ping": ping, "time": -1})])
            await expect(notifier, Status.CLUSTERED)

    async def test_a_flood_of_names_is_not_kept_and_hides_no_node_that_is_known(self, database):
        async with listening(database, node="a", pace=Pace(interval=600)) as (notifier, sender):
            await expect(notifier, Status.SOLITARY)
            await sender.publish("public.oban_sonar", a_ping("ex@host-a"))
            await expect(notifier, Status.CLUSTERED)
            pings = [a_ping("x" * 1_001)[0], *(a_ping(f"forged-{number}")[0] for number in range(1_500))]
            async with sending(database) as flood, flood.connection.transaction():
                await flood.publish("public.oban_sonar", pings)
            await until(lambda: asyncio.sleep(0, notifier.counters.received >= 1_500))
            assert len(notifier.nodes) == 1_000
            assert {"a", "ex@host-a"} < notifier.nodes
            assert notifier.counters.received < 1_600  # each newcomer is not greeted by a ping of its own

    async def test_a_prefix_that_is_too_long_for_the_channel_pings_nobody(self, database):
        async with asyncpg.create_pool(database, min_size=1, max_size=1), sending(database) as sender:
            notifier = make(database, sender, prefix="p" * 60, node="a", pace=QUICK)
            await notifier.start()
            assert notifier.status() is Status.UNKNOWN
            await notifier.stop()


class TestPace:
    @pytest.mark.parametrize(
        ("nodes", "distances"),
        [
            (0, [5, 5, 5, 5]),
            (1, [5, 10, 20, 40, 60, 60]),
            (2, [5, 10, 10]),
            (4, [5, 10, 20, 20]),
            (50, [5, 10, 20, 40, 60, 60]),
        ],
    )
    def test_pings_get_rarer_with_the_number_of_nodes(self, nodes, distances):
        last, found = 0.0, []
        for _ in distances:
            last = Pace().next(last, nodes)
            found.append(last)
        assert found == distances
