"""What a node stages, and tells of it, by what its role and its options let it do."""

import asyncio
from contextlib import AsyncExitStack

from queues.rig import PATIENCE, events_of, insert_row, row_of, until

from bridge import Oban
from bridge.pubsub import Status
from bridge.telemetry import events

from .rig import poor_role
from .staging import DUE, QUICK, duties, is_available, long_promises, node, told

__all__ = ["long_promises", "node"]


async def test_where_no_lease_can_be_had_every_node_stages(node, conn, installed):
    await conn.execute("revoke create on schema public from public")
    async with poor_role(conn, installed) as dsn:
        role = dsn.rpartition("=")[2]
        await conn.execute(f"revoke all on oban_peers from {role}; grant select on oban_peers to {role}")
        await conn.execute(f"grant update on oban_peers to {role}")  # may look and lock, and never lead
        async with AsyncExitStack() as stack:
            nodes = []
            for name in ("a", "b"):
                oban = Oban(dsn=dsn, name=name, node=name, queues={"default": 1}, stager=QUICK)
                nodes.append(await stack.enter_async_context(oban))
            for oban in nodes:
                await until(lambda oban=oban: asyncio.sleep(0, oban._parts.stager._stages))
                assert not oban.is_leader
            job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
            await until(lambda: is_available(conn, job))


async def test_a_leader_that_may_not_stage_promises_nothing(conn, installed, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    async with poor_role(conn, installed) as dsn:
        role = dsn.rpartition("=")[2]
        await conn.execute(f"revoke update on oban_jobs from {role}")
        async with Oban(dsn=dsn, name="A", node="a", queues={}, stager=QUICK, lifeline={"enabled": False}) as poor:
            await poor._parts._serve()
            async with asyncio.timeout(PATIENCE):
                await poor._parts.leader.wait_for_leadership()
            await insert_row(conn, state="scheduled", scheduled_at=DUE)
            await told(caplog, "nobody is known to stage due jobs: this node's role may not")
            promises = []
            await conn.add_listener("public.oban_stager", lambda *message: promises.append(message[3]))
            for _ in range(3):
                await asyncio.wait_for(poor._parts.stager.wait_for_round(), PATIENCE)
            await conn.execute("select 1")  # what was sent before has come
            assert promises == []


async def test_a_role_that_may_only_read_leases_leaves_due_jobs_to_others_and_goes_on(conn, installed, caplog):
    """It can't keep elections of Elixir's away while it stages."""
    caplog.set_level("INFO", "bridge.maintenance")
    async with poor_role(conn, installed) as dsn:
        role = dsn.rpartition("=")[2]
        await conn.execute(f"revoke all on oban_peers from {role}; grant select on oban_peers to {role}")
        with events_of(events.STAGER_SWITCH) as switches:
            async with Oban(dsn=dsn, node="a", queues={"default": 1}, stager=QUICK) as oban:
                job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
                await told(caplog, "nobody is known to stage due jobs: this node's role may not")
                async with asyncio.timeout(PATIENCE):
                    await oban.notifier.wait_for(Status.SOLITARY)
                for _ in range(3):
                    await asyncio.wait_for(oban._parts.stager.wait_for_round(), PATIENCE)
                assert (await row_of(conn, job))["state"] == "scheduled"
    assert duties(caplog)[-1].startswith("nobody is known")
    assert {event.mode for _, event in switches} == {"local"}
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len([text for text in warned if "can't stage" in text]) == 1
    assert not [text for text in warned if "release the lease" in text]


async def test_a_node_that_may_not_lead_stages_nothing_by_itself(node, conn, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    oban = await node("a", leader={"enabled": False})
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.SOLITARY)
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    for _ in range(3):
        await oban._parts.stager.wait_for_round()
    assert (await row_of(conn, job))["state"] == "scheduled"
    await told(caplog, "nobody is known to stage due jobs: this node may not lead (leader.enabled)")
    assert len(duties(caplog)) == 1
