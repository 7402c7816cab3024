"""What is sent is delivered as it is, or refused before any of it was sent."""

import enum
import json
import random

import asyncpg
import pytest

from bridge.errors import InvalidPayload, InvalidSignal
from bridge.pubsub import envelope

from .rig import Inbox, listening, send_and_hear

_noise = random.Random(7).randbytes


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


def test_the_longest_message_is_the_one_of_the_envelope():
    assert envelope.MAX_BYTES == 7_999
