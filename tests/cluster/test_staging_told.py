"""The log and the events name who stages, and nothing that is no news."""

import asyncio

from maintenance.test_stager import lease
from queues.rig import PATIENCE, events_of

from bridge.telemetry import events

from .staging import duties, long_promises, node, told

__all__ = ["long_promises", "node"]


async def test_who_stages_is_told_by_name(node, conn, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    await node("a", instance="A")
    await told(caplog, "this node stages due jobs")
    await node("b", instance="B")
    await told(caplog, "this node leaves due jobs to the leader a")
    await lease(conn, "C@python", node="far")
    await node("c", instance="C", notifier={"enabled": False})  # knows it by the election that it lost
    await told(caplog, "this node leaves due jobs to the leader far")


async def test_a_stop_that_lasts_is_no_news_of_staging(node, conn, caplog):
    """The lease is given up first, and rounds go on while the stop waits: for an answer, or for jobs."""
    caplog.set_level("DEBUG", "bridge.maintenance")
    oban = await node("a", instance="A")
    await told(caplog, "this node stages due jobs")
    caplog.clear()
    with events_of(events.STAGER_SWITCH) as switches:
        await oban._parts.leader.stop()
        for _ in range(3):
            await asyncio.wait_for(oban._parts.stager.wait_for_round(), PATIENCE)
    assert (duties(caplog), switches) == ([], [])


async def test_a_node_that_waits_for_a_dead_leaders_lease_tells_of_no_leader(node, conn, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    await lease(conn, "Oban@python", node="gone")
    with events_of(events.STAGER_SWITCH) as switches:
        await node("b", instance="Oban")
        await told(caplog, "this node stages due jobs")
    assert [event.mode for _, event in switches] == ["local"]
    assert duties(caplog) == ["this node stages due jobs"]
