"""A notifier is started and stopped, in any order and as often as one likes."""

import asyncio

from bridge.pubsub import Link

from .rig import Inbox, listening, make, sending


class TestLife:
    async def test_before_start_and_after_stop_it_is_disconnected(self, database):
        async with sending(database) as sender:
            notifier = make(database, sender)
            assert notifier.link == Link.DISCONNECTED == "disconnected"
            await notifier.start()
            assert notifier.link == Link.CONNECTED == "connected"
            await notifier.stop()
            assert notifier.link == "disconnected"

    async def test_what_was_asked_for_before_start_is_heard_after_it(self, database):
        async with sending(database) as sender:
            notifier, inbox = make(database, sender), Inbox()
            notifier.listen("custom", inbox)
            await notifier.start()
            await sender.publish("public.oban_custom", ['{"n":1}'])
            assert await inbox.next() == ("custom", {"n": 1})
            await notifier.stop()

    async def test_start_and_stop_may_be_called_twice(self, database):
        async with sending(database) as sender:
            notifier = make(database, sender)
            await notifier.stop()
            await notifier.start()
            await notifier.start()
            assert await sender.others() == 1
            await notifier.stop()
            await notifier.stop()

    async def test_stop_closes_the_connection_and_cancels_callbacks(self, database):
        entered, cancelled = asyncio.Event(), asyncio.Event()

        async def busy(_channel, _payload):
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with sending(database) as sender:
            notifier = make(database, sender)
            notifier.listen("custom", busy)
            await notifier.start()
            await sender.publish("public.oban_custom", ["{}"])
            async with asyncio.timeout(10):
                await entered.wait()
                await notifier.stop()
            assert cancelled.is_set()
            # The server takes a moment to end a backend whose client has left.
            async with asyncio.timeout(10):
                while await sender.others():
                    pass

    async def test_what_comes_in_while_it_stops_is_left_alone(self, database):
        async with sending(database) as sender:
            notifier, inbox = make(database, sender), Inbox()
            notifier.listen("custom", inbox)
            await notifier.start()
            await notifier.stop()
            notifier._receive(1, "public.oban_custom", "{}")
            assert inbox.empty()
            assert notifier.counters.received == 0

    async def test_a_callback_may_stop_the_notifier(self, database):
        async with sending(database) as sender:
            notifier, stopped = make(database, sender), asyncio.Event()

            async def stop(_channel, _payload):
                await notifier.stop()
                stopped.set()

            notifier.listen("custom", stop)
            await notifier.start()
            await sender.publish("public.oban_custom", ["{}", "{}"])
            async with asyncio.timeout(10):
                await stopped.wait()
            assert notifier.link == "disconnected"

    async def test_it_can_be_started_again(self, database):
        async with sending(database) as sender:
            notifier, inbox = make(database, sender), Inbox()
            notifier.listen("custom", inbox)
            for n in range(3):
                await notifier.start()
                await sender.publish("public.oban_custom", [f'{{"n":{n}}}'])
                assert await inbox.next() == ("custom", {"n": n})
                await notifier.stop()
                await sender.publish("public.oban_custom", ['{"missed":true}'])

    async def test_equal_messages_of_one_transaction_come_once_and_at_commit(self, database):
        async with listening(database) as (notifier, sender):
            inbox = Inbox()
            await notifier.listen("insert", inbox).ready()
            async with sender.connection.transaction():
                await notifier.notify("insert", [{"queue": "a"}, {"queue": "b"}, {"queue": "a"}])
                assert inbox.empty()
            await notifier.notify("insert", {"queue": "last"})
            assert [each["queue"] for each in await inbox.payloads(3)] == ["a", "b", "last"]
