"""Messages of every length cross both ways on every channel, and cost the Elixir node nothing.

Oban 2.15 to 2.20 writes base64 of gzip whatever the length; from 2.21 on JSON up to 512 bytes, and beyond it the same
behind `Z:`. Bridge writes JSON up to 7,999 bytes, which all of them read, and base64 of gzip beyond.
"""

import asyncio
from types import SimpleNamespace

import pytest

from bridge.errors import InvalidPayload
from bridge.pubsub import envelope

from .messages import CHANNELS, Ear, ElixirEar, incompressible, key_of, marked, padded
from .sides import PythonSide, fence, send_raw

SHARED = {"queues": {"alpha": 10}}

SIZES = [100, 600, 7_900]  # bytes of JSON
VALUES = {
    "text": 'quote " backslash \\ newline \n tab \t emoji 🎟 hebrew שלום \u2028 </script>',
    "integers": [0, -1, 2**31, 2**53 + 1, -(2**63), 2**64 - 1],
    "floats": [0.1, -1.5e-7, 1e300, 12345678.9],
    "others": [None, True, False, [], {}, "", [[[["deep"]]]]],
    "": "no key",
    "ключ": {"nested": {"again": [{"a": 1}]}},
}


@pytest.fixture(scope="module")
def listening(shared_node):
    """The Elixir node listens on every channel, and tells of what comes."""
    shared_node.node.rpc_sync("Interop.Control.listen(channels)", channels=list(CHANNELS))


@pytest.fixture
async def both(shared, listening, python):
    """`ex` and `py`, each with `send(channel, message)` and `ears[channel]`."""
    py = await python(shared.at, queues={"alpha": 10})
    ears = {channel: Ear() for channel in CHANNELS}
    for channel, ear in ears.items():
        await py.oban.notifier.listen(channel, ear).ready()

    async def send(channel, message):
        said = await shared.ex.rpc("Interop.Control.notify(channel, message)", channel=channel, message=message)
        assert str(said) == "ok"

    before = await shared.ex.rpc("Interop.Control.notifier()")
    yield SimpleNamespace(
        ex=SimpleNamespace(send=send, ears={channel: ElixirEar(shared.ex, channel) for channel in CHANNELS}),
        py=SimpleNamespace(send=py.oban.notifier.notify, ears=ears, notifier=py.oban.notifier, oban=py.oban),
    )
    # An undecodable message would have ended the notifier; its supervisor replaces it by another process.
    assert await shared.ex.rpc("Interop.Control.notifier()") == before


@pytest.mark.item("control: payloads: 100, 600 and 7,900 bytes, Elixir → Python")
@pytest.mark.parametrize("channel", CHANNELS)
async def test_python_reads_what_elixir_writes(both, channel):
    for size in SIZES:
        message = padded(CHANNELS[channel], size)
        await both.ex.send(channel, message)
        assert await both.py.ears[channel].hear(message) == message


@pytest.mark.item("control: payloads: 100, 600 and 7,900 bytes, Python → Elixir")
@pytest.mark.parametrize("channel", CHANNELS)
async def test_elixir_reads_what_python_writes(shared, both, channel):
    for size in SIZES:
        message = padded(CHANNELS[channel], size)
        if channel in ("custom", "insert"):
            await both.py.send(channel, message)
        else:  # the notifier refuses keys that Elixir might take for its own, so that its form is sent without it
            await send_raw(shared.at, channel, envelope.encode(message))
        assert await both.ex.ears[channel].hear(message) == message


@pytest.mark.item("control: payloads: longer than 7,999 bytes, compressed by Python")
async def test_elixir_reads_what_python_compresses(both):
    for size in (7_999, 8_000, 30_000, 900_000):
        message = padded({"greeting": "hällo"}, size)
        await both.py.send("custom", message)
        assert await both.ex.ears["custom"].hear(message) == message
        assert await both.py.ears["custom"].hear(message) == message


@pytest.mark.item("control: payloads: longer than 7,999 bytes, compressed by Elixir")
async def test_python_reads_what_elixir_compresses(both):
    for size in (8_000, 30_000, 900_000):
        message = padded({"greeting": "hällo"}, size)
        await both.ex.send("custom", message)
        assert await both.py.ears["custom"].hear(message) == message


@pytest.mark.item("control: payloads: unicode, numbers and nesting, both ways")
@pytest.mark.parametrize("sender", ["ex", "py"])
async def test_values_cross(both, sender):
    message = marked(VALUES)

    await getattr(both, sender).send("custom", message)

    assert await both.ex.ears["custom"].hear(message) == message
    assert await both.py.ears["custom"].hear(message) == message


@pytest.mark.item("control: payloads: several messages keep their order, both ways")
@pytest.mark.parametrize("sender", ["ex", "py"])
async def test_several_messages_at_once_keep_their_order(both, sender):
    end = marked({"end": True})
    messages = [{"number": number, "run": key_of(end)} for number in range(50)]
    ear = Ear()
    await both.py.notifier.listen("custom", ear).ready()

    await getattr(both, sender).send("custom", [*messages, end])
    await both.py.ears["custom"].hear(end)
    heard = [ear.messages.get_nowait() for _ in messages]

    assert heard == messages
    assert await both.ex.ears["custom"].hear(end) == end


@pytest.mark.item("control: payloads: too long for PostgreSQL, refused by Python")
async def test_python_refuses_what_is_too_long(both):
    before, after = marked({}), marked({})

    with pytest.raises(InvalidPayload) as refused:
        await both.py.send("custom", [before, incompressible(20_000)])
    told = str(refused.value)
    assert "at most 7999 bytes when compressed" in told
    assert "it has 20000" in told
    assert "send several messages" in told

    # Of several, not even those before it were sent.
    await both.py.send("custom", after)
    while (found := await asyncio.wait_for(both.py.ears["custom"].messages.get(), 10)) != after:
        assert found != before
    assert await both.ex.ears["custom"].hear(after) == after


@pytest.mark.item("control: payloads: too long for PostgreSQL, lost by Elixir without a word")
@pytest.mark.parametrize("size", [7_900, 20_000])
async def test_elixir_loses_what_is_too_long_without_a_word(both, size):
    # It compresses 7,900 bytes even where that makes them longer than PostgreSQL takes.
    lost, after = incompressible(size), marked({})

    await both.ex.send("custom", lost)  # the answer is :ok
    await both.ex.send("custom", after)

    async with asyncio.timeout(10):
        while (found := await both.py.ears["custom"].messages.get()) != after:
            assert found != lost


@pytest.mark.item("control: payloads: 7,900 bytes that gzip can't shorten, Python → Elixir")
async def test_elixir_reads_what_it_could_not_send_itself(both):
    message = incompressible(7_900)
    await both.py.send("custom", message)
    assert await both.ex.ears["custom"].hear(message) == message


@pytest.mark.item("control: payloads: nearly 7,999 bytes once compressed, both ways")
@pytest.mark.parametrize("sender", ["ex", "py"])
async def test_compressed_messages_of_nearly_the_longest_length_cross(both, sender):
    message = {**incompressible(6_900), "more": "x" * 7_000}
    assert 7_500 < len(envelope.encode(message)) < 7_990

    await getattr(both, sender).send("custom", message)

    assert await both.ex.ears["custom"].hear(message) == message
    assert await both.py.ears["custom"].hear(message) == message


@pytest.mark.item("control: payloads: a custom channel that Python has left")
async def test_python_hears_no_more_of_a_channel_it_left(shared, both):
    left = Ear()
    await both.py.notifier.listen("custom", left).ready()
    both.py.notifier.unlisten("custom", left)
    message = marked({})

    await both.ex.send("custom", message)

    assert await both.py.ears["custom"].hear(message) == message
    await fence(shared.at, PythonSide(both.py.oban))
    assert left.messages.empty()
