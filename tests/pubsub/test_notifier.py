"""Messages reach those they are meant for, whatever else arrives."""

import asyncio
import json
import logging

import asyncpg
import pytest

from bridge.errors import InvalidPayload

from .forms import JUNK, golden, marked, squeeze
from .rig import IDENT, Inbox, listening, send_and_hear

FITTING_JUNK = {name: text for name, text in JUNK.items() if len(text.encode()) <= 7_999}


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
            assert set(by_channel) == {
                "signal", "custom", "leader", "insert", "sonar", "gossip", "metrics", "cronitor",
            }  # fmt: skip
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
