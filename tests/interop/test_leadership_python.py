"""Python's leader goes in every way and comes back: jobs of both languages start once, and in time."""

import pytest

from .conftest import ELIXIR
from .journal import Journal
from .pynode import PythonNode
from .schedules import WAYS, check_times, completed, freeze, held_by, holder, schedule

LEADER = "py@host-p"


@pytest.fixture
async def leader(tmp_path, place):
    """A Python node that leads, and has a queue of its own, so that no job dies with it."""
    node = PythonNode(tmp_path, place, node=LEADER, queues="idle:1")
    try:
        await node.start()
        await held_by(place, LEADER, "Oban@python")
        yield node
    finally:
        node.close()


@pytest.mark.item("cluster: Python's leader dies and comes back")
@pytest.mark.parametrize("way", WAYS)
async def test_jobs_start_once_and_in_time_where_no_elixir_node_leads_and_pythons_leader_is(
    elixir, python, place, leader, way
):
    """As where Elixir's part has no peer, the other Python node stages in the leader's stead."""
    journal = await Journal(place).open()
    ex = await elixir(options="peer: false")
    py = await python()
    go, come_back = WAYS[way]

    before = await schedule(place, py.oban, ex, [0.2, 0.6])
    await completed(place, before)
    gone = await schedule(place, py.oban, ex, [0.5 + nth / 4 for nth in range(6)])
    await (freeze(leader, place) if go == "pause" else getattr(leader, go)())
    await completed(place, gone)
    back = await schedule(place, py.oban, ex, [nth / 4 for nth in range(8)])
    await getattr(leader, come_back)()
    await completed(place, back)

    await check_times(journal, before | gone | back)
    assert await journal.leases() == []


@pytest.mark.item("cluster: Python's leader dies and comes back")
async def test_where_elixir_leads_nothing_changes_when_pythons_leader_is_killed(elixir, python, place, leader):
    journal = await Journal(place).open()
    ex = await elixir()
    await held_by(place, ELIXIR)
    py = await python()

    gone = await schedule(place, py.oban, ex, [0.5 + nth / 4 for nth in range(6)])
    await leader.kill()
    await completed(place, gone)
    back = await schedule(place, py.oban, ex, [nth / 4 for nth in range(8)])
    await leader.start()
    await completed(place, back)

    await check_times(journal, gone | back)
    assert await holder(place) == ELIXIR
    assert {node for _, node in await journal.leases()} == {ELIXIR}
