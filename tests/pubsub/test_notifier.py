"""Messages reach those they are meant for, in order, whatever else arrives."""

import asyncio
import enum
import functools
import json
import logging
import random

import asyncpg
import pytest

from bridge.errors import InvalidPayload, InvalidSignal
from bridge.pubsub import envelope
from bridge.pubsub.notifier import Status

from .forms import JUNK, golden, marked, squeeze
from .rig import IDENT, Inbox, listening, make, sending

FITTING_JUNK = {name: text for name, text in JUNK.items() if len(text.encode()) <= 7_999}


async def send_and_hear(notifier, sender, channel, texts):
    """Send texts and then a last message; return what came before the last."""
    inbox = Inbox()
    await notifier.listen(channel, inbox).ready()
    await sender.publish(f"public.oban_{channel}", [*texts, '{"last":true}'])
    heard = []
    while (payload := (await inbox.next())[1]) != {"last": True}:
        heard.append(payload)
    notifier.unlisten(channel, inbox)
    return heard


class TestMessages:
    async def test_a_message_from_one_notifier_reaches_another(self, database):
        async with listening(database) as (near, _), listening(database) as (far, _):
            inbox = Inbox()
            await far.listen("custom", inbox).ready()
            await near.notify("custom", {"größe": [1, 2.5, None, "🦉"]})
            assert await inbox.next() == ("custom", {"größe": [1, 2.5, None, "🦉"]})
            assert far.counters.received == 1

    async def test_several_payloads_are_several_messages_in_order(self, database):
        async with listening(database) as (notifier, _):
            inbox = Inbox()
            await notifier.listen("custom", inbox).ready()
            await notifier.notify("custom", [{"n": 1}, {"n": 2}, {"n": 3}])
            assert await inbox.payloads(3) == [{"n": 1}, {"n": 2}, {"n": 3}]

    async def test_no_payload_is_no_message(self, database):
        async with listening(database) as (notifier, sender):
            await notifier.notify("custom", [])
            assert await send_and_hear(notifier, sender, "custom", []) == []

    async def test_hears_everything_that_elixir_sends(self, database):
        async with listening(database, ident="any") as (notifier, sender):
            by_channel = {}
            for sample in golden("elixir_messages"):
                by_channel.setdefault(sample["channel"].removeprefix("public.oban_"), []).append(sample)
            assert set(by_channel) == {"signal", "custom", "leader"}
            for channel, samples in by_channel.items():
                heard = await send_and_hear(notifier, sender, channel, [each["raw"] for each in samples])
                ours = [each["decoded"] for each in samples if each["decoded"].get("ident", "any") == "any"]
                assert heard == ours

    @pytest.mark.parametrize("sample", golden("trigger_messages"), ids=lambda sample: sample["channel"])
    async def test_hears_the_triggers_of_old_schemas(self, database, sample):
        prefix, _, name = sample["channel"].partition(".oban_")
        async with listening(database, prefix=prefix) as (notifier, sender):
            inbox = Inbox()
            await notifier.listen(name, inbox).ready()
            await sender.publish(sample["channel"], [sample["raw"]])
            assert await inbox.next() == (name, json.loads(sample["raw"]))

    @pytest.mark.parametrize("form", [str, squeeze, marked], ids=["plain", "H4sI", "Z:"])
    async def test_hears_each_form(self, database, form):
        async with listening(database) as (notifier, sender):
            assert await send_and_hear(notifier, sender, "insert", [form('{"queue":"alpha"}')]) == [{"queue": "alpha"}]

    @pytest.mark.parametrize(
        "prefix", ['my-app "x"', "größe_🦉", "Mixed.Case", "p" * 51, "with space; drop table x", "it's", "$1"]
    )
    async def test_odd_prefixes_work(self, database, prefix):
        async with listening(database, prefix=prefix) as (notifier, sender):
            inbox = Inbox()
            await notifier.listen("signal", inbox).ready()
            await sender.publish(f"{prefix}.oban_signal", ['{"by":"others"}'])
            await notifier.notify("signal", {"by": "us"})
            assert await inbox.payloads(2) == [{"by": "others"}, {"by": "us"}]

    async def test_prefixes_are_apart(self, database):
        async with listening(database, prefix="a") as (one, sender), listening(database, prefix="b") as (two, _):
            ones, twos = Inbox(), Inbox()
            await one.listen("insert", ones).ready()
            await two.listen("insert", twos).ready()
            await sender.publish("a.oban_insert", ['{"queue":"a"}'])
            await sender.publish("b.oban_insert", ['{"queue":"b"}'])
            assert await twos.next() == ("insert", {"queue": "b"})
            assert await ones.next() == ("insert", {"queue": "a"})
            assert ones.empty()

    @pytest.mark.parametrize("prefix", ["p" * 60, "p" * 63])
    async def test_a_prefix_too_long_is_refused_and_not_cut(self, database, prefix):
        async with listening(database, prefix=prefix) as (notifier, _):
            with pytest.raises(InvalidPayload, match="at most 63 bytes"):
                notifier.listen("signal", Inbox())
            with pytest.raises(InvalidPayload, match="let the node poll"):
                await notifier.notify("signal", {})


class TestLimits:
    async def test_the_server_takes_7999_bytes_and_not_8000(self, database):
        async with listening(database) as (notifier, sender):
            longest = '{"a":"' + "x" * (7_999 - 8) + '"}'
            assert await send_and_hear(notifier, sender, "custom", [longest]) == [json.loads(longest)]
            with pytest.raises(asyncpg.PostgresError, match="payload string too long"):
                await sender.publish("public.oban_custom", [longest + " "])

    @pytest.mark.parametrize("size", [7_998, 7_999, 8_000, 8_001, 500_000])
    async def test_what_encodes_is_delivered(self, database, size):
        payload = {"a": "x" * (size - 8)}
        async with listening(database) as (notifier, _):
            inbox = Inbox()
            await notifier.listen("custom", inbox).ready()
            await notifier.notify("custom", payload)
            assert await inbox.next() == ("custom", payload)

    async def test_one_refused_payload_holds_all_back(self, database):
        async with listening(database) as (notifier, sender):
            for bad in ({"a": float("nan")}, "text", ["a"]):
                with pytest.raises(InvalidPayload):
                    await notifier.notify("custom", [{"n": 1}, bad])
            assert await send_and_hear(notifier, sender, "custom", []) == []

    @pytest.mark.parametrize("payload", ["text", 3, None, b"{}"])
    async def test_what_is_no_mapping_is_refused(self, database, payload):
        async with listening(database) as (notifier, _):
            with pytest.raises(InvalidPayload, match="a mapping, or a sequence of mappings"):
                await notifier.notify("custom", payload)

    async def test_a_long_list_may_be_split(self, database):
        checks = [{"queue": f"q{n}", "uuid": _noise(16).hex()} for n in range(1_000)]
        async with listening(database) as (notifier, _):
            inbox = Inbox()
            await notifier.listen("custom", inbox).ready()
            with pytest.raises(InvalidPayload, match="at most 7999 bytes"):
                await notifier.notify("custom", {"checks": checks})
            await notifier.notify("custom", {"checks": checks}, split="checks")
            heard = []
            while len(heard) < len(checks):
                heard += (await inbox.next())[1]["checks"]
            assert heard == checks
            assert notifier.counters.received > 2

    async def test_a_signal_that_harms_an_elixir_node_is_not_sent(self, database):
        async with listening(database) as (notifier, sender):
            with pytest.raises(InvalidSignal):
                await notifier.notify("signal", {"action": "start", "queue": "a", "limit": 1, "unknown": 1})
            assert await send_and_hear(notifier, sender, "signal", []) == []

    @pytest.mark.parametrize("channel", ["custom", "insert", "gossip", "signal"])
    async def test_an_ident_that_harms_an_elixir_node_is_not_sent_on_any_channel(self, database, channel):
        class Key(enum.Enum):
            IDENT = "ident"

        async with listening(database) as (notifier, sender):
            for key in ("ident", Key.IDENT):  # what is sent counts, not what it was made of
                with pytest.raises((InvalidPayload, InvalidSignal)) as caught:
                    await notifier.notify(
                        channel, [{"queue": "a"}, {"queue": "a", key: ["any"]}][channel == "gossip" :]
                    )
                assert caught.value.field == "ident"
            assert await send_and_hear(notifier, sender, channel, []) == []

    async def test_each_part_of_what_is_split_is_checked(self, database):
        times = [_noise(16).hex() for _ in range(1_000)]
        async with listening(database) as (notifier, _):
            with pytest.raises(InvalidPayload, match=r"^time: expected only node and ping on the channel sonar"):
                await notifier.notify("sonar", {"node": "web-1", "ping": True, "time": times}, split="time")


async def _channels_of(notifier):
    """The channels that the server knows of, once all changes have been made."""
    await notifier._listener.ready()
    rows = await notifier._listener._connection.fetch("select pg_listening_channels()")
    return [row[0] for row in rows]


_noise = random.Random(7).randbytes


class TestJunk:
    async def test_junk_is_counted_and_the_listener_goes_on(self, database, caplog):
        async with listening(database) as (notifier, sender):
            between = [text for junk in FITTING_JUNK.values() for text in (junk, '{"queue":"alpha"}')]
            heard = await send_and_hear(notifier, sender, "insert", between)
            assert heard == [{"queue": "alpha"}] * len(FITTING_JUNK)
            assert notifier.counters.junk == len(FITTING_JUNK) > 45
            assert notifier.counters.received == 2 * len(FITTING_JUNK) + 1
            assert notifier.counters.reconnects == 0
        warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
        assert len(warnings) == 1, "one line, however much junk"
        assert "ignored junk on channel 'public.oban_insert' from backend" in warnings[0]

    async def test_each_channel_tells_of_its_own_junk(self, database, caplog):
        async with listening(database) as (notifier, sender):
            await send_and_hear(notifier, sender, "insert", ["[]", "[]"])
            await send_and_hear(notifier, sender, "signal", ["{"])
        assert caplog.text.count("ignored junk") == 2
        assert "got a value of type list: '[]'" in caplog.text

    async def test_a_long_piece_of_junk_is_cut_in_the_log(self, database, caplog):
        async with listening(database) as (notifier, sender):
            await send_and_hear(notifier, sender, "insert", ["x" * 7_000])
        assert len(caplog.text) < 1_000


class TestScope:
    async def test_only_what_is_addressed_to_us_or_all_is_delivered(self, database):
        messages = {
            '{"n":1}': True,
            '{"ident":"any","n":2}': True,
            f'{{"ident":"{IDENT}","n":3}}': True,
            '{"ident":"Oban.ex@host-a","n":4}': False,
            f'{{"ident":"MyApp.{IDENT}","n":5}}': False,
            f'{{"ident":"{IDENT.lower()}","n":6}}': False,
            '{"ident":null,"n":7}': False,
            '{"ident":["any"],"n":8}': False,
            f'{{"ident":" {IDENT}","n":9}}': False,
            '{"nested":{"ident":"other"},"n":10}': True,
        }
        async with listening(database) as (notifier, sender):
            heard = await send_and_hear(notifier, sender, "signal", messages)
            assert [each["n"] for each in heard] == [1, 2, 3, 10]
            assert notifier.counters.ignored == 6
            assert notifier.counters.junk == 0

    @pytest.mark.parametrize("name", ["Oban", "MyApp.Oban2", "{:oban, 3}", '"string name"'])
    async def test_an_ident_is_compared_as_it_is_whatever_the_name_looks_like(self, database, name):
        ident = f"{name}.ex@host-a"
        async with listening(database, ident=ident) as (notifier, sender):
            texts = [json.dumps({"ident": each}) for each in (ident, f"{name}.ex@host-b", f"x{ident}")]
            assert await send_and_hear(notifier, sender, "signal", texts) == [{"ident": ident}]


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


class TestLife:
    async def test_before_start_and_after_stop_it_is_disconnected(self, database):
        async with sending(database) as sender:
            notifier = make(database, sender)
            assert notifier.status() == Status.DISCONNECTED == "disconnected"
            await notifier.start()
            assert notifier.status() == Status.CONNECTED == "connected"
            await notifier.stop()
            assert notifier.status() == "disconnected"

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
            assert notifier.status() == "disconnected"

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


async def test_text_that_is_no_utf8_takes_a_connection_and_not_the_listener(database):
    """A database without an encoding lets anything pass, even what the driver can't read."""
    connection = await asyncpg.connect(database)
    name = await connection.fetchval("select current_database() || '_ascii'")
    await connection.execute(
        f"create database {name} template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
    )
    here = await connection.fetchval("select current_database()")
    odd = database.replace(here, name)
    try:
        async with listening(odd) as (notifier, sender):
            inbox, again = Inbox(), asyncio.Event()
            await notifier.listen("custom", inbox).ready()
            notifier.on_reconnect(again.set)
            await sender.connection.execute(r"select pg_notify('public.oban_custom', E'{\"a\":\"\xff\"}')")
            async with asyncio.timeout(10):
                await again.wait()
            await notifier.notify("custom", {"n": 1})
            assert await inbox.next() == ("custom", {"n": 1})
    finally:
        await connection.execute(f"drop database {name} with (force)")
        await connection.close()


def test_the_longest_message_is_the_one_of_the_envelope():
    assert envelope.MAX_BYTES == 7_999
