"""Jobs are late though an Elixir node holds a lease: they are staged here, and nothing that it does comes between."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from cluster.rig import engine_on
from engine.rig import blocked
from queues.rig import PATIENCE, insert_row, row_of, states

from bridge.cluster import Situation

from .test_stager import DUE, engine, just_due, lease, stager

__all__ = ["engine", "stager"]

#: Seconds after which a job is late; so many that nothing becomes so while a test goes on.
LATE = 60

#: Elixir's statement: the outer join is by id alone, so after a wait for a row it is not looked at again.
ELIXIR = """
update oban_jobs as j set state = 'available'
from (select id, state from oban_jobs where state in ('scheduled', 'retryable') and scheduled_at <= $1) as x
where j.id = x.id
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Transactions may idle while the machine stands still."""
    monkeypatch.setattr("bridge.engine.staging.LATE", LATE)
    monkeypatch.setattr("bridge.engine.staging.WRITE_LIMITS", ("100ms", "20s"))


async def test_late_jobs_are_staged_and_with_them_all_that_is_due(stager, conn):
    await lease(conn)
    await insert_row(conn, state="retryable", scheduled_at=just_due() - timedelta(seconds=LATE + 0.1))
    await insert_row(conn, state="scheduled", scheduled_at=just_due())
    later = await insert_row(conn, state="scheduled", scheduled_at=just_due() + timedelta(seconds=600))
    service = stager("default")
    await service.run_once()
    assert (await row_of(conn, later))["state"] == "scheduled"
    assert await states(conn) == {"available": 2, "scheduled": 1}
    assert service.woken == [set(), {"default"}]


async def test_jobs_that_are_less_late_are_left_to_elixir(stager, conn):
    await lease(conn)
    await insert_row(conn, state="scheduled", scheduled_at=just_due() - timedelta(seconds=LATE / 2))
    await stager("default").run_once()
    assert await states(conn) == {"scheduled": 1}


async def test_the_databases_clock_decides_what_is_late(stager, conn, monkeypatch):
    """Where this node's is ahead, Elixir's jobs are not all late."""
    ahead = just_due() + timedelta(seconds=LATE * 2)
    monkeypatch.setattr("bridge.engine.staging.utc_now", lambda: ahead)
    await lease(conn, seconds=LATE * 10)
    await insert_row(conn, state="scheduled", scheduled_at=just_due())
    await stager("default").run_once()
    assert await states(conn) == {"scheduled": 1}


async def test_the_mode_off_stages_no_late_jobs(stager, conn):
    await lease(conn)
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await stager("default", mode="off").run_once()
    assert await states(conn) == {"scheduled": 1}


class Follower(Situation):
    leads = False


async def test_a_node_that_does_not_lead_leaves_late_jobs_to_the_leader(stager, conn):
    await lease(conn)
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await stager("default", situation=Follower()).run_once()
    assert await states(conn) == {"scheduled": 1}


async def test_a_job_without_attempts_left_is_never_late(stager, conn):
    await lease(conn)
    await insert_row(conn, state="scheduled", scheduled_at=DUE, attempt=3, max_attempts=3)
    service = stager("default")
    await service.run_once()
    assert await states(conn) == {"scheduled": 1}
    assert service.woken == [set()]  # nothing was tried


async def test_more_than_one_statement_takes(stager, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.LATE_LIMIT", 3)
    await lease(conn)
    for day in range(8):
        await insert_row(conn, state="scheduled", scheduled_at=DUE + timedelta(days=day))
    service = stager("default", interval=600)
    await service.run_once()
    assert await states(conn) == {"available": 8}
    assert service.woken == [set(), *[{"default"}] * 3]


async def test_it_is_told_once_of_a_leader(stager, conn, caplog):
    await lease(conn)
    service = stager("default")
    for _ in range(3):
        await insert_row(conn, state="scheduled", scheduled_at=DUE)
        await service.run_once()
        await service.run_once()
    await conn.execute("update oban_peers set node = 'ex@host-b'")
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await service.run_once()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"jobs are late though ex@host-{leader} holds a lease of Elixir's: this node stages them meanwhile"
        for leader in "ab"
    ]


async def test_tables_older_than_leases_are_elixirs(conn, database):
    """Where nothing tells who leads, late jobs prove little."""
    await conn.execute("drop table oban_peers; comment on table oban_jobs is '10'")
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    async with engine_on(database) as engine:
        assert not (await engine.look_out([], stages=True)).due


# Beside a leader of Elixir's that wakes up


@pytest.fixture
async def elixir(installed):
    conn = await asyncpg.connect(installed)
    yield conn
    await conn.close()


async def test_a_stager_of_elixirs_that_wakes_meanwhile_sets_nothing_back(engine, conn, elixir, monkeypatch):
    """It begins while jobs are staged here, and goes on when one of them runs already."""
    await lease(conn)
    await elixir.fetch(ELIXIR, DUE)  # prepared, as Elixir's statements are
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    stage = engine._stage
    waking = []

    async def stage_slowly(*args, conn, **options):
        found = await stage(*args, conn=conn, **options)
        waking.append(asyncio.create_task(elixir.execute(ELIXIR, just_due())))
        await blocked(conn)
        # What a node does that fetches at once; it is part of this transaction only so that the order is sure.
        await conn.execute("update oban_jobs set state = 'executing', attempt = 1")
        return found

    monkeypatch.setattr(engine, "_stage", stage_slowly)
    assert await engine.stage_late(["default"]) == (1, {"default"})
    assert await waking[0] == "UPDATE 0"
    assert (await row_of(conn, job))["state"] == "executing"


async def test_nothing_is_staged_while_a_stager_of_elixirs_is_at_work(engine, conn, elixir):
    await lease(conn)
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    async with elixir.transaction():
        await elixir.execute(ELIXIR, DUE - timedelta(days=1))  # the rows that it changes are others
        assert await engine.stage_late(["default"]) == (0, set())
    assert await engine.stage_late(["default"]) == (1, {"default"})


async def test_a_node_that_freezes_meanwhile_keeps_writers_waiting_for_moments_only(engine, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.WRITE_LIMITS", ("100ms", "3s"))
    await insert_row(conn, state="scheduled", scheduled_at=DUE)
    frozen = asyncio.Event()

    async def freeze(*_args, **_options):
        frozen.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(engine, "_stage", freeze)
    staging = asyncio.create_task(engine.stage_late([]))
    await frozen.wait()
    async with asyncio.timeout(PATIENCE):
        await insert_row(conn)
    staging.cancel()
    await asyncio.gather(staging, return_exceptions=True)
