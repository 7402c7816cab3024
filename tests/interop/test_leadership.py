"""Elixir's leader goes in every way and comes back: jobs of both languages start once, and in time."""

import pytest

from .conftest import ELIXIR
from .journal import Journal
from .schedules import WAYS, check_times, completed, freeze, held_by, holder, schedule

OTHER = "ex@host-c"


@pytest.mark.item("cluster: Elixir's leader dies and comes back")
@pytest.mark.parametrize("way", WAYS)
async def test_jobs_start_once_and_in_time_while_elixirs_leader_is(elixir, python, place, way):
    """The leader has no queues, so that no job dies with it; those of Elixir run on the other node."""
    journal = await Journal(place).open()
    leader = await elixir(queues={})
    await held_by(place, ELIXIR)
    other = await elixir(node=OTHER)
    py = await python()
    await held_by(place, py.oban.node, "Oban@python")
    go, come_back = WAYS[way]

    before = await schedule(place, py.oban, leader, [0.2, 0.6])
    await completed(place, before)
    gone = await schedule(place, py.oban, other, [0.5 + nth / 4 for nth in range(6)])
    await (freeze(leader, place) if go == "pause" else getattr(leader, go)())
    assert await holder(place) == (OTHER if go == "stop" else ELIXIR)
    await completed(place, gone)
    back = await schedule(place, py.oban, other, [nth / 4 for nth in range(8)])
    await getattr(leader, come_back)()
    await completed(place, back)

    await check_times(journal, before | gone | back)
    assert {node for _, node in await journal.leases()} <= {ELIXIR, OTHER}
