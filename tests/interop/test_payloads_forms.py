"""The three forms in which releases of Oban write messages: who writes which, and who obeys which."""

import asyncio
import json

import pytest

from bridge.pubsub import envelope

from .messages import CHANNELS, FORMS, Ear, compact, padded
from .sides import ElixirSide, PythonSide, send_raw

SHARED = {"queues": {"alpha": 10}}

SIZES = [100, 512, 513, 600, 7_900]


@pytest.mark.item("control: payloads: Elixir's form, by version and length")
async def test_elixir_writes_the_form_of_its_version(shared, oban_version):
    texts = asyncio.Queue()
    channel = f"{shared.at.prefix}.oban_custom"
    await shared.at.conn.add_listener(channel, lambda *arguments: texts.put_nowait(arguments[-1]))

    for size in SIZES:
        message = padded(CHANNELS["custom"], size)
        await shared.ex.rpc('Interop.Control.notify("custom", message)', message=message)

        text = await asyncio.wait_for(texts.get(), 10)
        assert envelope.decode(text) == message
        if oban_version < (2, 21):
            assert text.startswith("H4sI")
        elif size <= 512:
            assert json.loads(text) == message
        else:
            assert text.startswith("Z:H4sI")


@pytest.mark.item("control: payloads: every form of Oban 2.17 to 2.23, obeyed by Python")
@pytest.mark.parametrize("form", FORMS)
async def test_python_obeys_messages_of_every_form(place, python, form):
    # No Elixir node is there: one before 2.21 would lose its notifier by `Z:`.
    node = await python(queues={"alpha": 10})
    here, ear = PythonSide(node.oban), Ear()
    await node.oban.notifier.listen("custom", ear).ready()

    for size in SIZES:
        for action, paused in (("pause", True), ("resume", False)):
            signal = padded({"action": action, "ident": "any", "queue": "alpha"}, size)
            await send_raw(place, "signal", FORMS[form](json.dumps(signal)))
            await here.shows("alpha", 10, paused)
        message = padded({"ünï": "🎟"}, size)
        await send_raw(place, "custom", FORMS[form](compact(message).decode()))
        assert await ear.hear(message) == message


@pytest.mark.item("control: payloads: every form starts jobs of Python")
@pytest.mark.parametrize("form", FORMS)
async def test_python_starts_jobs_that_are_announced_in_every_form(place, python, form):
    node = await python(stager={"mode": "off"}, leader={"enabled": False})

    for size in SIZES:
        insert = f"insert into {place.table} (worker, queue) values ('interop.Ok', 'python') returning id"
        number = await place.conn.fetchval(insert)
        await send_raw(place, "insert", FORMS[form](json.dumps(padded({"queue": "python"}, size))))
        assert (await node.ran.next()).id == number


@pytest.mark.item("control: payloads: plain and H4sI, obeyed by Elixir")
@pytest.mark.parametrize("form", ["plain", "H4sI"])
async def test_elixir_obeys_messages_of_the_forms_that_bridge_writes(shared, form):
    before = await shared.ex.rpc("Interop.Control.notifier()")
    await obeys(shared.at, ElixirSide(shared.ex), form)
    assert await shared.ex.rpc("Interop.Control.notifier()") == before


@pytest.mark.item("control: payloads: Z: is obeyed from 2.21 on; older notifiers end, Bridge never writes it")
async def test_elixir_obeys_the_third_form_from_2_21_on(place, elixir, oban_version):
    ex = await elixir(queues={"alpha": 10})
    before = await ex.rpc("Interop.Control.notifier()")

    if oban_version >= (2, 21):
        await obeys(place, ElixirSide(ex), "Z:")
        assert await ex.rpc("Interop.Control.notifier()") == before
    else:
        await send_raw(place, "signal", FORMS["Z:"](json.dumps({"action": "nothing"})))
        code = "Bridge.Console.await(fn -> Interop.Control.notifier() not in [before, inspect(nil)] end)"
        assert await ex.rpc(code, before=before)


async def obeys(place, there, form):
    for size in SIZES:
        for action, paused in (("pause", True), ("resume", False)):
            signal = padded({"action": action, "ident": "any", "queue": "alpha"}, size)
            await send_raw(place, "signal", FORMS[form](json.dumps(signal)))
            await there.shows("alpha", 10, paused)
