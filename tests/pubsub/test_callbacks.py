"""Callbacks hear every message in order, each at its own pace, until they are taken away."""

import asyncio
import functools

import pytest

from .rig import Inbox, listening, send_and_hear


class TestCallbacks:
    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_order_is_kept(self, database, kind):
        heard = asyncio.Queue()

        async def slowly(_channel, payload):
            # The earlier the message, the more turns of the loop it takes.
            for _ in range(20 - payload["n"] % 20):
                await asyncio.sleep(0)
            heard.put_nowait(payload["n"])

        def at_once(_channel, payload):
            heard.put_nowait(payload["n"])

        async with listening(database) as (notifier, _):
            await notifier.listen("custom", slowly if kind == "async" else at_once).ready()
            await notifier.notify("custom", [{"n": n} for n in range(500)])
            async with asyncio.timeout(10):
                assert [await heard.get() for _ in range(500)] == list(range(500))

    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_one_that_raises_is_logged_and_gets_the_next(self, database, kind, caplog):
        inbox = Inbox()

        def at_once(channel, payload):
            inbox(channel, payload)
            raise RuntimeError("of the callback")

        async def later(channel, payload):
            await asyncio.sleep(0)
            at_once(channel, payload)

        async with listening(database) as (notifier, sender):
            other = Inbox()
            await notifier.listen("custom", later if kind == "async" else at_once).ready()
            notifier.listen("custom", other)
            await notifier.notify("custom", [{"n": 1}, {"n": 2}])
            assert await inbox.payloads(2) == [{"n": 1}, {"n": 2}]
            assert await other.payloads(2) == [{"n": 1}, {"n": 2}]
            assert await send_and_hear(notifier, sender, "other", []) == []
            assert notifier.counters.failed == 2
        assert "a callback for channel 'custom' raised" in caplog.text
        assert "RuntimeError: of the callback" in caplog.text

    async def test_one_that_raises_each_time_is_told_of_now_and_then(self, database, caplog):
        inbox = Inbox()

        def fail(channel, payload):
            inbox(channel, payload)
            raise RuntimeError("of the callback")

        async with listening(database) as (notifier, _):
            await notifier.listen("custom", fail).ready()
            await notifier.notify("custom", [{"n": n} for n in range(50)])
            assert len(await inbox.payloads(50)) == 50
            assert notifier.counters.failed == 50
        assert caplog.text.count("a callback for channel 'custom' raised") == 1
        assert caplog.text.count("Traceback") == 1

    async def test_a_busy_one_holds_up_nobody_else(self, database):
        release, entered = asyncio.Event(), asyncio.Event()
        waited, other = Inbox(), Inbox()

        async def busy(channel, payload):
            entered.set()
            await release.wait()
            waited(channel, payload)

        async with listening(database) as (notifier, _):
            await notifier.listen("custom", busy).ready()
            notifier.listen("custom", other)
            await notifier.notify("custom", [{"n": n} for n in range(5)])
            assert len(await other.payloads(5)) == 5
            assert entered.is_set()
            assert waited.empty()
            release.set()
            assert [each["n"] for each in await waited.payloads(5)] == [0, 1, 2, 3, 4]

    async def test_beyond_its_backlog_messages_are_dropped_and_counted(self, database, caplog):
        release = asyncio.Event()
        waited, other = Inbox(), Inbox()

        async def busy(channel, payload):
            await release.wait()
            waited(channel, payload)

        async with listening(database, backlog=3) as (notifier, _):
            await notifier.listen("custom", busy).ready()
            notifier.listen("custom", other)
            await notifier.notify("custom", [{"n": n} for n in range(10)])
            await other.payloads(10)
            assert notifier.counters.dropped == 6
            release.set()
            assert [each["n"] for each in await waited.payloads(4)] == [0, 1, 2, 3]
            await notifier.notify("custom", {"n": 10})
            assert await waited.payloads(1) == [{"n": 10}]
        assert caplog.text.count("dropped a message for channel 'custom'") == 1

    async def test_each_gets_an_object_of_its_own(self, database):
        async with listening(database) as (notifier, _):
            inbox, spoilt = Inbox(), Inbox()

            def spoil(channel, payload):
                payload.pop("queue")
                payload["list"].append(2)
                spoilt(channel, payload)

            await notifier.listen("custom", spoil).ready()
            notifier.listen("custom", inbox)
            await notifier.notify("custom", {"queue": "alpha", "list": [1]})
            assert await inbox.next() == ("custom", {"queue": "alpha", "list": [1]})
            assert await spoilt.next() == ("custom", {"list": [1, 2]})

    async def test_listening_twice_is_listening_once(self, database):
        async with listening(database) as (notifier, sender):
            inbox = Inbox()
            assert notifier.listen("custom", inbox) is notifier.listen("custom", inbox)
            await notifier.listen("custom", inbox).ready()
            await sender.publish("public.oban_custom", ['{"n":1}', '{"n":2}'])
            assert await inbox.payloads(2) == [{"n": 1}, {"n": 2}]

    async def test_methods_and_partials_are_callbacks_too(self, database):
        class Owner:
            def __init__(self):
                self.inbox = Inbox()

            async def hear(self, channel, payload):
                self.inbox(channel, payload)

        def hear(inbox, channel, payload):
            inbox(channel, payload)

        async with listening(database) as (notifier, _):
            owner, inbox = Owner(), Inbox()
            notifier.listen("custom", owner.hear)
            assert notifier.listen("custom", owner.hear) is notifier.listen("custom", owner.hear)
            await notifier.listen("custom", functools.partial(hear, inbox)).ready()
            await notifier.notify("custom", {})
            assert await owner.inbox.next() == await inbox.next() == ("custom", {})
            notifier.unlisten("custom", owner.hear)
            await notifier.notify("custom", {"n": 2})
            assert await inbox.next() == ("custom", {"n": 2})
            assert owner.inbox.empty()


async def _channels_of(notifier):
    """The channels that the server knows of, once all changes have been made."""
    await notifier._listener.ready()
    rows = await notifier._listener._connection.fetch("select pg_listening_channels()")
    return [row[0] for row in rows]


class TestUnlisten:
    async def test_the_others_go_on_and_the_last_ends_the_listening(self, database):
        async with listening(database) as (notifier, sender):
            one, two = Inbox(), Inbox()
            first = notifier.listen("custom", one)
            await notifier.listen("custom", two).ready()
            first.cancel()
            await notifier.notify("custom", {"n": 1})
            assert await two.next() == ("custom", {"n": 1})
            assert one.empty()
            notifier.unlisten("custom", two)
            await sender.publish("public.oban_custom", ['{"n":2}'])
            assert await send_and_hear(notifier, sender, "other", []) == []
            assert two.empty()
            assert await _channels_of(notifier) == []
            assert notifier.counters.received == 2, "the second message on custom was not received at all"

    async def test_one_that_never_listened_may_be_unlistened(self, database):
        async with listening(database) as (notifier, _):
            notifier.unlisten("custom", Inbox())
            notifier.unlisten("p" * 70, Inbox())

    async def test_a_callback_may_end_itself_and_the_next(self, database):
        async with listening(database) as (notifier, sender):
            inbox, never = Inbox(), Inbox()

            def once(channel, payload):
                notifier.unlisten(channel, once)
                notifier.unlisten(channel, never)
                inbox(channel, payload)

            notifier.listen("custom", once)
            await notifier.listen("custom", never).ready()
            await sender.publish("public.oban_custom", ['{"n":1}', '{"n":2}'])
            assert await inbox.next() == ("custom", {"n": 1})
            assert await send_and_hear(notifier, sender, "other", []) == []
            assert inbox.empty()
            assert never.empty()

    async def test_listening_again_works(self, database):
        async with listening(database) as (notifier, sender):
            for n in range(5):
                assert await send_and_hear(notifier, sender, "custom", [f'{{"n":{n}}}']) == [{"n": n}]
