"""The watch over a node can tell: what PROTOCOL calls poison, sent past Bridge, harms a node, and is noticed."""

import asyncio

import pytest

from .harm import unharmed
from .rows import now
from .watch import Watch

pytestmark = pytest.mark.item("harm: the watch notices real harm")


@pytest.fixture
async def node(elixir, place):
    ex = await elixir(queues={"elixir": 3, "other": 3})
    return ex, await Watch.begin(ex)


async def damages(watch, patience=20):
    """Wait until something is damaged, and return what."""
    async with asyncio.timeout(patience):
        while not (found := await watch.damages()):  # noqa: ASYNC110 - a node that dies sets no Event
            await asyncio.sleep(0.05)
    return "\n".join(found)


async def test_a_message_that_is_no_json_restarts_the_notifier(node, place):
    _ex, watch = node
    await place.conn.execute("select pg_notify($1, 'garbage')", f"{place.prefix}.oban_signal")
    assert "Oban.Notifier was #PID" in await damages(watch)


async def test_a_signal_that_nobody_checked_restarts_queues(node, place):
    _ex, watch = node
    text = '{"action": "start", "queue": "bad", "ident": "any"}'
    await place.conn.execute("select pg_notify($1, $2)", f"{place.prefix}.oban_signal", text)
    assert "limit" in await damages(watch)


@pytest.mark.parametrize("column", ["args", "meta"])
async def test_a_row_that_holds_no_object_stops_its_queue(node, place, column):
    _ex, watch = node
    await place.conn.execute(
        f"insert into {place.table} (queue, worker, {column}) values ('elixir', 'Interop.Ok', '[1]')"
    )
    await place.conn.execute("select pg_notify($1, $2)", f"{place.prefix}.oban_insert", '{"queue": "elixir"}')
    assert "elixir" in await damages(watch)


async def test_a_queue_that_nobody_stopped_is_missed(node):
    ex, watch = node
    await ex.rpc('Oban.Midwife.stop_queue(Oban.config(), "other")')
    assert "the queue 'other' is gone" in await damages(watch)
    await watch.obey({"action": "stop", "queue": "other"})
    assert await watch.damages() == []


async def test_limits_and_pauses_that_nobody_asked_for_are_told(node):
    ex, watch = node
    await ex.rpc('Oban.scale_queue(queue: "other", limit: 7)')
    assert "the queue 'other' should be (3, False) and is (7, False)" in await damages(watch)


async def test_an_untouched_node_is_unharmed(node, place):
    ex, watch = node
    await place.conn.execute(f"insert into {place.table} (queue, worker) values ('nobody', 'X')")
    await unharmed(ex, place, watch)
    assert await place.conn.fetchval(f"select count(*) from {place.table} where inserted_at < $1", now()) == 3


async def test_a_row_that_eats_a_slot_of_the_queue_is_told(node, place):
    ex, watch = node
    row = f"insert into {place.table} (queue, worker, attempt, max_attempts) values ('nobody', 'X', 1, 1)"
    await place.conn.execute(row)
    with pytest.raises(AssertionError, match="rows that harm a node"):
        await unharmed(ex, place, watch)
