"""Where a leader of Elixir's stages, nodes leave due jobs to it as long as it lives, and no longer."""

import asyncio

import asyncpg
import pytest
from engine.rig import blocked
from maintenance.test_stager import just_due, lease
from queues.conftest import ends
from queues.rig import PATIENCE, insert_row, notify, row_of, until

from bridge.pubsub import Status

from .staging import DUE, is_available, leading, long_promises, make, node, nothing, resting

__all__ = ["ends", "long_promises", "make", "node"]


async def test_a_node_rests_beside_a_leader_of_elixirs_that_it_hears(node, conn):
    await lease(conn, node="ex@host-a", seconds=300)
    await lease(conn, "a@python", node="another", seconds=300)  # the leader of the Python nodes looks for late jobs
    oban = await node("a")
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.SOLITARY)
    await notify(conn, "sonar", '{"node":"ex@host-a","ping":true}')
    await resting(oban)
    oban.statements.clear()
    due = await insert_row(conn, state="scheduled", scheduled_at=just_due())
    await asyncio.gather(*(oban.notifier.notify("other", {}) for _ in range(3)))
    oban._parts.stager.look_again()
    await until(lambda: asyncio.sleep(0, oban.statements.of("What a stager has to know")))
    assert len(oban.statements.of("What a stager has to know")) == 1
    assert (await row_of(conn, due))["state"] == "scheduled"
    # It says that it stops, as it does on a shutdown.
    await conn.execute("delete from oban_peers where name = 'Oban'")
    await notify(conn, "leader", '{"down":"Oban"}')
    await until(lambda: is_available(conn, due))


async def test_a_node_polls_beside_a_leader_of_elixirs_that_it_does_not_hear(node, make, ends, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.LATE", 60)
    make(nothing)
    await lease(conn, node="ex@deaf", seconds=300)
    await node("a")
    due = await insert_row(conn, state="scheduled", scheduled_at=just_due())
    await insert_row(conn)
    await ends.next()
    assert (await row_of(conn, due))["state"] == "scheduled"


async def test_a_job_that_is_not_late_is_staged_when_the_lease_of_elixirs_leader_runs_out(node, conn):
    await lease(conn, node="ex@host-a", seconds=1)
    oban = await node("a")
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Status.SOLITARY)
    await notify(conn, "sonar", '{"node":"ex@host-a","ping":true}')
    due = await insert_row(conn, state="scheduled", scheduled_at=just_due())
    await until(lambda: is_available(conn, due))
    assert await conn.fetchval("select expires_at <= now() at time zone 'UTC' from oban_peers where name = 'Oban'")


@pytest.fixture
def patient_locks(monkeypatch):
    """Staging gives up where an election lasts for long."""
    monkeypatch.setattr("bridge.engine.staging.ELECTION_LIMITS", ("20s", "20s"))


async def test_no_election_ends_while_jobs_are_being_staged(node, conn, installed, patient_locks):
    """An Elixir node that began to lead meanwhile would stage beside this one."""
    oban = await node("a", stager={"interval": 600})
    await leading(oban)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await lease(other)
        due = await insert_row(conn, state="scheduled", scheduled_at=DUE)
        staging = asyncio.create_task(oban._parts.engine.stage([], allowed=True, heed=True))
        await blocked(conn)
    assert await staging == (0, set())
    assert (await row_of(conn, due))["state"] == "scheduled"
    await other.close()


async def test_a_default_isolation_hides_no_election_from_who_stages(node, conn, installed, patient_locks):
    database = await conn.fetchval("select current_database()")
    await conn.execute(f"alter database {database} set default_transaction_isolation = 'repeatable read'")
    oban = await node("a", stager={"interval": 600})
    await leading(oban)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await lease(other)
        await insert_row(conn, state="scheduled", scheduled_at=DUE)
        staging = asyncio.create_task(oban._parts.engine.stage([], allowed=True, heed=True))
        await blocked(conn)
    assert await staging == (0, set())
    await other.close()
