"""Control messages from any node, of either language, in any encoding, reach those that they name."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest

from bridge import Oban
from bridge.pubsub import Link, signals
from bridge.pubsub.throttle import Throttle
from bridge.runtime import Runtime

from .forms import ENCODINGS, JUNK
from .rig import connected, events_of, heard, insert_row, notify, until


async def nothing(_job):
    return None


@pytest.fixture
async def twin(installed, registry):
    """A node of the same instance name, as another process would have it; the name's register is left out."""
    other = Oban(dsn=installed, registry=registry, node="b", queues={"default": 5, "more": 5})
    other._runtime = await Runtime.open(other._plan)
    await connected(other)
    yield other
    await other._runtime.close()


@pytest.fixture
async def oban(start):
    found = await start(node="a", queues={"default": 5, "more": 5})
    await connected(found)
    return found


def paused(*obans, queue="default"):
    return [oban.check_queue(queue).paused for oban in obans]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_signal_in_each_encoding_is_obeyed(oban, conn, encoding):
    encode = ENCODINGS[encoding]
    await notify(conn, "signal", encode({"action": "pause", "queue": "default", "ident": "any"}))
    await until(lambda: asyncio.sleep(0, paused(oban) == [True]))
    await notify(conn, "signal", encode({"action": "resume", "queue": "default", "ident": "any"}))
    await until(lambda: asyncio.sleep(0, paused(oban) == [False]))
    await notify(conn, "signal", encode({"action": "scale", "queue": "default", "limit": 7, "ident": "any"}))
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").limit == 7))
    await notify(conn, "signal", encode({"action": "start", "queue": "third", "limit": 2, "ident": "any"}))
    await until(lambda: asyncio.sleep(0, oban.check_queue("third")))
    await notify(conn, "signal", encode({"action": "stop", "queue": "third", "ident": "any"}))
    await until(lambda: asyncio.sleep(0, oban.check_queue("third") is None))


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_an_insert_notice_in_each_encoding_wakes_its_queue(start, worker, ends, conn, encoding):
    worker(nothing)
    oban = await start(queues={"default": 5}, stager={"interval": 600})
    await connected(oban)
    await until(lambda: asyncio.sleep(0, oban._parts.stager.rounds))
    await insert_row(conn)
    await notify(conn, "insert", ENCODINGS[encoding]({"queue": "default", "state": "available"}))
    await ends.next()


SIGNALS = {
    "pause for all": ({"action": "pause", "queue": "default", "ident": "any"}, [True, True]),
    "pause without ident": ({"action": "pause", "queue": "default"}, [True, True]),
    "pause of every queue": ({"action": "pause", "queue": "*", "ident": "any"}, [True, True]),
    "pause here": ({"action": "pause", "queue": "default", "ident": "Oban.a"}, [True, False]),
    "pause there": ({"action": "pause", "queue": "default", "ident": "Oban.b"}, [False, True]),
    "pause of another instance here": ({"action": "pause", "queue": "default", "ident": "Other.a"}, [False, False]),
    "pause of nobody": ({"action": "pause", "queue": "default", "ident": "Oban.A"}, [False, False]),
    "pause of no ident": ({"action": "pause", "queue": "default", "ident": None}, [False, False]),
    "pause of another queue": ({"action": "pause", "queue": "other", "ident": "any"}, [False, False]),
    "scale and pause": ({"action": "scale", "queue": "default", "limit": 5, "paused": True}, [True, True]),
    "scale with what Pro knows": (
        {"action": "scale", "queue": "default", "limit": 5, "paused": True, "global_limit": {"allowed": 3}},
        [True, True],
    ),
}


@pytest.mark.parametrize("case", SIGNALS)
async def test_a_signal_reaches_those_that_it_names(oban, twin, conn, case):
    payload, expected = SIGNALS[case]
    await notify(conn, "signal", json.dumps(payload))
    await heard(oban)
    await heard(twin)
    assert paused(oban, twin) == expected


async def test_pause_of_every_queue_pauses_every_queue(oban, conn):
    await notify(conn, "signal", '{"action":"pause","queue":"*","ident":"any"}')
    await heard(oban)
    assert [info.paused for info in oban.check_all_queues()] == [True, True]
    await oban.resume_all_queues()
    await heard(oban)
    assert [info.paused for info in oban.check_all_queues()] == [False, False]


NONSENSE = [
    {"action": "scale", "queue": "default", "limit": 0},
    {"action": "scale", "queue": "default", "limit": -5},
    {"action": "scale", "queue": "default", "limit": "7"},
    {"action": "scale", "queue": "default", "limit": 2**31},
    {"action": "scale", "queue": "*", "limit": 7},
    {"action": "scale", "queue": "default"},
    {"action": "start", "queue": "third"},
    {"action": "start", "queue": "third", "limit": 1.5},
    {"action": "start", "queue": "", "limit": 1},
    {"action": "start", "queue": "x" * 128, "limit": 1},
    {"action": "stop", "queue": ["default"]},
    {"action": "stop"},
    {"action": "pause", "queue": None},
    {"action": "pkill", "job_id": "1"},
    {"action": "pkill"},
    {"action": "explode", "queue": "default"},
    {"action": 7},
    {},
]


def standing(oban):
    """How the queues stand; that one has looked for jobs doesn't count."""
    return [replace(info, updated_at=info.started_at) for info in oban.check_all_queues()]


async def test_nonsense_changes_nothing(oban, conn, worker, ends):
    before = standing(oban)
    for payload in NONSENSE:
        await notify(conn, "signal", json.dumps(payload))
    for text in JUNK:
        await notify(conn, "signal", text)
        await notify(conn, "insert", text)
    for payload in ({"queue": None}, {"queue": 5}, {}, {"queue": "nobody's"}):
        await notify(conn, "insert", json.dumps(payload))
    await heard(oban)
    assert standing(oban) == before
    assert oban.notifier.link is Link.CONNECTED
    cls = worker(nothing)
    await ends.of(await oban.enqueue(cls.new()))


async def test_our_calls_reach_every_node_of_every_name(oban, twin, start):
    other = await start(name="Other", node="c", queues={"default": 5})
    client = await start(name="Client", node="d")
    await connected(other)
    await client.pause_queue("default")
    for each in (oban, twin, other):
        await heard(each)
    assert paused(oban, twin, other) == [True, True, True]
    await client.resume_queue("default")
    await client.scale_queue("default", 3)
    for each in (oban, twin, other):
        await heard(each)
    assert paused(oban, twin, other) == [False, False, False]
    assert [each.check_queue("default").limit for each in (oban, twin, other)] == [3, 3, 3]


async def test_our_calls_reach_one_node(oban, twin):
    await oban.pause_queue("default", node="b")
    await oban.scale_queue("more", 2, node="b")
    await heard(twin)
    await heard(oban)
    assert paused(oban, twin) == [False, True]
    assert [each.check_queue("more").limit for each in (oban, twin)] == [5, 2]
    await oban.pause_queue("default", node="a")
    assert paused(oban) == [True]


async def test_a_local_call_reaches_this_node_alone_and_at_once(oban, twin):
    await oban.pause_queue("default", local_only=True)
    assert paused(oban) == [True]
    await heard(twin)
    assert paused(twin) == [False]


async def test_a_queue_is_started_and_stopped_on_every_node(oban, twin, worker, ends):
    cls = worker(nothing, queue="third")
    with events_of("oban.queue.shutdown") as stopped:
        await oban.start_queue("third", 4)
        await until(lambda: asyncio.sleep(0, oban.check_queue("third") and twin.check_queue("third")))
        assert [each.check_queue("third").limit for each in (oban, twin)] == [4, 4]
        await ends.of(await oban.enqueue(cls.new()))
        await oban.stop_queue("third")
        await stopped.first(2)
    assert [each.check_queue("third") for each in (oban, twin)] == [None, None]


async def test_a_queue_that_was_started_paused_is_paused(oban):
    await oban.start_queue("third", 4, paused=True, local_only=True)
    assert paused(oban, queue="third") == [True]


async def test_a_queue_that_was_started_hears_signals(oban, conn):
    await oban.start_queue("third", 4, local_only=True)
    await notify(conn, "signal", '{"action":"pause","queue":"third","ident":"any"}')
    await heard(oban)
    assert paused(oban, queue="third") == [True]


@pytest.mark.parametrize("name", ["MyApp.Oban2", "{:oban, 3}", '"string name"'])
async def test_the_address_is_the_name_as_elixir_shows_it(start, conn, name):
    oban = await start(name=name, node="ex@host-a", queues={"default": 5})
    await connected(oban)
    ident = f"{name}.ex@host-a"
    await notify(conn, "signal", json.dumps({"action": "pause", "queue": "default", "ident": ident}))
    await heard(oban)
    assert paused(oban) == [True]


async def test_a_signal_of_another_prefix_is_not_heard(oban, conn):
    await notify(conn, "signal", '{"action":"pause","queue":"default"}', prefix="other")
    await heard(oban)
    assert paused(oban) == [False]


async def test_what_a_signal_changes_is_told_of_once(oban, caplog):
    caplog.set_level(logging.INFO, "bridge.queues")
    apply = oban._parts.queues.apply
    for _ in range(2):  # the second time it changes nothing
        apply(signals.Pause("*"))
    apply(signals.Resume("more"))
    for _ in range(2):
        apply(signals.Scale("more", 9))
    apply(signals.Start("third", 2, paused=True))
    apply(signals.Start("third", 3))
    apply(signals.Stop("third"))
    await until(lambda: asyncio.sleep(0, "has stopped" in caplog.text))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "queues default, more were paused by a signal"),
        ("INFO", "queue more was resumed by a signal"),
        ("INFO", "queue more was scaled to 9 by a signal"),
        ("INFO", "queue third was started and paused with limit 2 by a signal"),
        ("INFO", "queue third was told to stop by a signal"),
        ("INFO", "queue third has stopped, as a signal said"),
    ]


async def test_a_flood_of_signals_is_no_flood_of_lines(oban, caplog):
    caplog.set_level(logging.INFO, "bridge.queues")
    queues, now = oban._parts.queues, [100.0]
    queues._told = Throttle(2.0, clock=lambda: now[0])
    for nth in range(500):
        queues.apply(signals.Scale("default", nth + 6))
    now[0] += 2
    queues.apply(signals.Scale("default", 5))
    assert [record.getMessage() for record in caplog.records] == [
        "queue default was scaled to 6 by a signal",
        "queue default was scaled to 5 by a signal (499 more before)",
    ]
