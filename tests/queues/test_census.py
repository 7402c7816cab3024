"""How the queues of several nodes stand, asked over PubSub."""

import asyncio

import asyncpg
import pytest

from bridge import Job
from bridge.pubsub import Link, Notifier
from bridge.queues import QueueState, census

from .rig import PATIENCE

STATE = QueueState("u", "Oban", "py@a", "q", limit=3, paused=False, running=1, stopping=False)


@pytest.fixture
async def notifier(conn, installed):
    async def publish(channel, texts):
        for text in texts:
            await conn.execute("select pg_notify($1, $2)", channel, text)

    return Notifier(connect=lambda: asyncpg.connect(installed), publish=publish, prefix="public", ident="ask.er")


async def ask(notifier, nodes, timeout=PATIENCE):
    for oban in nodes:
        await oban.notifier.wait_for(Link.CONNECTED)
    expected = {info.uuid for oban in nodes for info in oban.check_all_queues()}
    async with census(notifier) as asking:
        return await asking.ask(expected, timeout)


async def test_every_node_tells_of_every_queue(start, notifier):
    first = await start(queues={"a": 1, "b": {"limit": 2, "paused": True}}, node="py@1", name="One")
    second = await start(queues={"a": 3}, node="py@2", name="Two")
    found = await ask(notifier, [first, second])
    told = [(state.queue, state.node, state.name, state.limit, state.paused, state.stopping) for state in found]
    assert told == [
        ("a", "py@1", "One", 1, False, False),
        ("a", "py@2", "Two", 3, False, False),
        ("b", "py@1", "One", 2, True, False),
    ]


async def test_running_jobs_are_told_also_of_a_queue_that_stops(start, notifier, worker):
    running, release = asyncio.Event(), asyncio.Event()

    async def hold(_job):
        running.set()
        await release.wait()

    worker(hold)
    oban = await start(queues={"default": 2}, shutdown_grace_period=PATIENCE)
    await oban.enqueue(Job("W"))
    async with asyncio.timeout(PATIENCE):
        await running.wait()
    [state] = await ask(notifier, [oban])
    assert (state.running, state.stopping) == (1, False)
    uuid = state.uuid
    await oban.stop_queue("default", local_only=True)
    async with census(notifier) as asking:
        [state] = await asking.ask({uuid}, PATIENCE)
    assert (state.uuid, state.running, state.stopping) == (uuid, 1, True)
    release.set()


async def test_more_queues_than_one_message_holds(start, notifier):
    oban = await start(queues={f"{'queue' * 15}-{number}": 1 for number in range(400)}, notifier={})
    found = await ask(notifier, [oban])
    assert len(found) == 400


async def test_who_does_not_answer_is_waited_for_no_longer_than_told(start, notifier):
    oban = await start(queues={"a": 1})
    await oban.notifier.wait_for(Link.CONNECTED)
    async with asyncio.timeout(PATIENCE), census(notifier) as asking:
        assert [state.queue for state in await asking.ask({"nobody"}, 5)] == ["a"]


async def test_a_question_that_no_answer_could_repeat_is_ignored(start, notifier, conn):
    oban = await start(queues={"a": 1})
    await oban.notifier.wait_for(Link.CONNECTED)
    await conn.execute("select pg_notify('public.oban_census', $1)", '{"question": "\\u0000"}')
    assert [state.queue for state in await ask(notifier, [oban])] == ["a"]
    assert oban.notifier.counters.failed == 0


@pytest.mark.parametrize(
    "payload",
    [None, "text", [], {}, {**STATE.to_payload(), "limit": "3"}, {**STATE.to_payload(), "paused": 1}, {"uuid": "u"}],
)
def test_answers_of_another_shape_are_none(payload):
    assert QueueState.parse(payload) is None


def test_an_answer_is_read_as_it_was_told():
    assert QueueState.parse({**STATE.to_payload(), "more": "of a later version"}) == STATE
