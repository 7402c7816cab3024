"""Queues that one Python steers and the other runs; and the messages that pass between them."""

import asyncio
import base64
import gzip
import json
import time
from statistics import median

import asyncpg
import pytest

from bridge import Job
from bridge.pubsub import envelope

from .peer import PATIENCE, until
from .rows import read_row
from .signals import at_rest, hearing, settled

pytestmark = pytest.mark.item("oban-py: signals")

#: Milliseconds that a signal may take, at the median: no node has to look for one, once a second or more seldom.
QUICK = 400


@pytest.fixture
async def wire(installed):
    """Every message of the database as it is sent: (channel, text)."""
    conn = await asyncpg.connect(installed)
    heard = []
    for name in ("signal", "insert", "leader", "sonar", "gossip", "stager", "orders"):
        await conn.add_listener(f"public.oban_{name}", lambda _conn, _pid, channel, text: heard.append((channel, text)))
    yield heard
    await conn.close()


async def test_bridge_pauses_scales_starts_and_stops_queues_of_oban_py(obanpy, peer, start, wire):
    bridge = await start()
    node = await obanpy({"a": 5, "b": 5}, node="py@host-p")
    other = await obanpy({"a": 5}, node="py@host-q")

    await bridge.pause_queue("a")
    await settled(node, a={"paused": True}, b={"paused": False})
    await settled(other, a={"paused": True})
    await bridge.resume_queue("a", node="py@host-p")
    await settled(node, a={"paused": False})
    await settled(other, a={"paused": True})
    await bridge.pause_all_queues(node="py@host-p")
    await settled(node, a={"paused": True}, b={"paused": True})
    await bridge.resume_all_queues()
    await settled(node, a={"paused": False}, b={"paused": False})
    await settled(other, a={"paused": False})

    await bridge.scale_queue("a", 7)
    await settled(node, a={"limit": 7}, b={"limit": 5})
    await settled(other, a={"limit": 7})
    await bridge.scale_queue("a", 1, node="py@host-q")
    await settled(other, a={"limit": 1})
    await settled(node, a={"limit": 7})

    await bridge.start_queue("c", 3, paused=True, refresh_interval=30, dispatch_cooldown=0.01)
    await settled(node, c={"limit": 3, "paused": True})
    await settled(other, c={"limit": 3, "paused": True})
    await bridge.stop_queue("c", node="py@host-p")
    await settled(node, c=None)
    await settled(other, c={"limit": 3})
    assert_readable(wire)


async def test_oban_py_pauses_scales_starts_and_stops_queues_of_bridge(obanpy, peer, start, wire):
    theirs = await obanpy(node="py@host-p")
    node = await hearing(await start(queues={"a": 5, "b": 5}, node="bridge@host-a"))
    other = await hearing(await start(queues={"a": 5}, name="Oban2", node="bridge@host-b"))

    async def control(action, **options):
        await theirs.call("control", action=action, **options)

    await control("pause_queue", queue="a")
    await settled(node, a={"paused": True}, b={"paused": False})
    await settled(other, a={"paused": True})
    await control("resume_queue", queue="a", node="bridge@host-a")
    await settled(node, a={"paused": False})
    await settled(other, a={"paused": True})
    await control("pause_all_queues", node="bridge@host-a")
    await settled(node, a={"paused": True}, b={"paused": True})
    await control("resume_all_queues")
    await settled(node, a={"paused": False}, b={"paused": False})
    await settled(other, a={"paused": False})

    await control("scale_queue", queue="a", limit=7)
    await settled(node, a={"limit": 7}, b={"limit": 5})
    await settled(other, a={"limit": 7})
    await control("scale_queue", queue="a", limit=1, node="bridge@host-a")
    await settled(node, a={"limit": 1})
    await settled(other, a={"limit": 7})

    await control("start_queue", queue="c", limit=3, paused=True)
    await settled(node, c={"limit": 3, "paused": True})
    await settled(other, c={"limit": 3, "paused": True})
    await control("stop_queue", queue="c", node="bridge@host-a")
    await settled(node, c=None)
    await settled(other, c={"limit": 3})
    assert_readable(wire)


async def test_a_paused_queue_of_either_starts_nothing_until_the_other_resumes_it(obanpy, peer, ours, start, installed):
    ours.serve("mail.Send")
    bridge = await hearing(await start(queues={"ours": 5}))
    theirs = await obanpy({"theirs": 5})
    await bridge.pause_queue("theirs")
    await settled(theirs, theirs={"paused": True})
    await theirs.call("control", action="pause_queue", queue="ours")
    await settled(bridge, ours={"paused": True})
    await at_rest(installed)

    for_them = (await bridge.enqueue(Job("workers.Echo", queue="theirs"))).id
    for_us = await theirs.enqueue("mail.Send", queue="ours")
    await peer.events.next("heard", channel="insert", payload={"queue": "ours"})
    await peer.events.next("heard", channel="insert", payload={"queue": "theirs"})
    await asyncio.sleep(0.3)  # nothing tells of what doesn't happen
    assert [(await read_row(installed, job_id))["state"] for job_id in (for_them, for_us)] == ["available"] * 2

    await bridge.resume_queue("theirs")
    await theirs.call("control", action="resume_queue", queue="ours")
    await peer.events.next("ran", job__id=for_them)
    await ours.run_of(for_us)


async def test_new_jobs_are_announced_to_the_other_which_need_not_look(obanpy, peer, ours, start):
    """Neither looks for jobs by itself here within a minute, so only a message can have told it."""
    ours.serve("mail.Send")
    bridge = await hearing(await start(queues={"ours": 5}, stager={"interval": 60}))
    theirs = await obanpy({"theirs": 5}, stager={"interval": 60})
    for nth in range(5):
        job = await bridge.enqueue(Job("workers.Echo", queue="theirs", args={"nth": nth}))
        await peer.events.next("ran", job__id=job.id)
        await ours.run_of(await theirs.enqueue("mail.Send", {"nth": nth}, queue="ours"))
    await bridge.enqueue_many(Job("workers.Echo", queue="theirs", args={"nth": nth}) for nth in range(5, 10))
    await peer.events.next("ran", nth=10)
    await theirs.call("enqueue", jobs=[{"worker": "mail.Send", "queue": "ours"}] * 5)
    await ours.runs(10)


async def test_signals_take_milliseconds_either_way(obanpy, start):
    bridge = await hearing(await start(queues={"ours": 5}))
    theirs = await obanpy({"theirs": 5})
    there, back = [], []
    for limit in range(6, 17):
        began = time.perf_counter()
        await bridge.scale_queue("theirs", limit)
        await settled(theirs, theirs={"limit": limit})
        there.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        await theirs.call("control", action="scale_queue", queue="ours", limit=limit)
        await settled(bridge, ours={"limit": limit})
        back.append(1000 * (time.perf_counter() - began))
    print(f"median: to oban-py {median(there):.1f} ms, to Bridge {median(back):.1f} ms")
    assert (median(there) < QUICK, median(back) < QUICK) == (True, True), (there, back)


@pytest.mark.parametrize("size", [100, 600, 7_900, 40_000])
async def test_messages_of_any_size_are_read_by_the_other(obanpy, peer, start, wire, size):
    """Plain while PostgreSQL takes it, else gzip in base64; oban-py packs every message."""
    bridge = await hearing(await start(queues={"ours": 1}))
    theirs = await obanpy(node="py@host-p")
    await theirs.call("listen", channel="orders")
    heard = asyncio.Queue()
    await bridge.notifier.listen("orders", lambda _channel, payload: heard.put_nowait(payload)).ready()
    order = {"items": ["brötchen 🥖 "] * (size // 19)}

    await bridge.notifier.notify("orders", {**order, "price": 2**70})
    assert (await peer.events.next("heard", channel="orders"))["payload"] == {**order, "price": 2**70}

    await theirs.call("notify", channel="orders", payload={**order, "price": 2**63 - 1})
    async with asyncio.timeout(PATIENCE):
        assert [await heard.get(), await heard.get()] == [{**order, "price": 2**70}, {**order, "price": 2**63 - 1}]

    async def both_sent():
        texts = [text for channel, text in wire if channel == "public.oban_orders"]
        return len(texts) == 2 and texts

    texts = await until(both_sent)
    assert texts[0].startswith('{"items"' if size < 8_000 else "H4sI")
    assert texts[1].startswith("H4sI")
    assert_readable(wire)


async def test_what_elixir_packs_is_read_by_bridge_and_ends_the_listening_of_oban_py(obanpy, peer, start, installed):
    """Elixir writes what is longer than 512 bytes in a form that oban-py doesn't know; Bridge therefore never does."""
    bridge = await hearing(await start(queues={"ours": 1}))
    node = await obanpy({"theirs": 5})
    conn = await asyncpg.connect(installed)
    packed = "Z:" + gzipped({"action": "pause", "queue": "ours", "ident": "any", "padding": "x" * 600})
    await conn.execute("select pg_notify('public.oban_signal', $1)", packed)
    await conn.close()
    await settled(bridge, ours={"paused": True})

    async def is_deaf():
        return not await node.call("listens")

    await until(is_deaf)
    # From now on it obeys nobody. New jobs it finds all the same, by looking once a second.
    job = await bridge.enqueue(Job("workers.Echo", queue="theirs"))
    await peer.events.next("ran", job__id=job.id)


def assert_readable(wire):
    """Each message is in a form that every release since 2.17 and oban-py read."""
    assert wire
    assert [text for _, text in wire if not text.startswith(("{", "H4sI"))] == []
    assert [text for _, text in wire if envelope.decode(text) is None] == []


def gzipped(payload):
    return base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
