"""Due jobs become available: only due ones, only where this node may, and their queues are told."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from bridge.engine import staging, utc_now
from bridge.engine.staging import STAGE_LIMIT
from bridge.jobs import Job

from .rig import NODE, engine_on, fetch, put, row


async def states(conn):
    return await conn.fetchval("select array_agg(state::text order by id) from oban_jobs")


async def test_only_what_is_due(engine, conn):
    now = utc_now()
    for state in ("scheduled", "retryable"):
        for wait in (-3600, -1, 60, 3600):
            await put(conn, state, scheduled_at=now + timedelta(seconds=wait))

    assert await engine.stage(["alpha"], allowed=True) == (4, {"alpha"})
    assert await states(conn) == [
        *("available", "available", "scheduled", "scheduled"),
        *("available", "available", "retryable", "retryable"),
    ]


@pytest.mark.parametrize(
    "state", ["available", "suspended", "executing", "completed", "discarded", "cancelled"], ids=str
)
async def test_no_other_state(engine, conn, state):
    await put(conn, state)

    assert (await engine.stage([], allowed=True))[0] == 0
    assert await states(conn) == [state]


async def test_a_job_without_attempts_left_stays_where_it_is(engine, conn):
    """Made available, it would take a slot of every fetch of an Elixir node."""
    spent = await put(conn, "scheduled", attempt=5, max_attempts=5)
    await put(conn, "retryable", attempt=4, max_attempts=5)

    assert (await engine.stage([], allowed=True))[0] == 1
    assert (await row(conn, spent))["state"] == "scheduled"


async def test_where_another_node_stages_nothing_is_changed_and_what_is_ready_is_told(engine, conn, ear):
    await put(conn, "scheduled", queue="waits")
    await put(conn, queue="ready")

    assert await engine.stage(["waits", "ready"], allowed=False) == (0, {"ready"})
    assert await states(conn) == ["scheduled", "available"]
    assert await ear.heard() == []


async def test_the_queues_of_staged_jobs_are_announced_once_each(engine, conn, ear):
    for queue in ("alpha", "beta", "beta", "alpha", "gamma"):
        await put(conn, "scheduled", queue=queue)
    await put(conn, "available", queue="delta")

    assert await engine.stage([], allowed=True) == (5, set())
    assert sorted(await ear.queues()) == ["alpha", "beta", "gamma"]


async def test_the_nodes_queues_that_have_something_to_fetch_are_told(engine, conn):
    await put(conn, "scheduled", queue="staged now")
    await put(conn, "available", queue="waiting before")
    await put(conn, "available", queue="of another node")
    await put(conn, "executing", queue="busy")

    _, ready = await engine.stage(["staged now", "waiting before", "busy", "empty"], allowed=True)

    assert ready == {"staged now", "waiting before"}


async def test_nothing_at_all(engine, ear):
    assert await engine.stage([], allowed=True) == (0, set())
    assert await engine.stage(["alpha"], allowed=False) == (0, set())
    assert await ear.heard() == []


async def test_a_round_takes_so_many_and_the_latest_first(engine, conn):
    """As Oban does since 2.20.2."""
    jobs = await engine.insert_many(Job("W", schedule_in=n - 10_000) for n in range(STAGE_LIMIT + 2))

    assert (await engine.stage([], allowed=True))[0] == STAGE_LIMIT
    left = await conn.fetchval("select array_agg(id order by id) from oban_jobs where state = 'scheduled'")
    assert left == [jobs[0].id, jobs[1].id]
    assert (await engine.stage([], allowed=True))[0] == 2


async def test_two_stagers_at_once_stage_each_job_once(installed, engine, conn):
    await engine.insert_many(Job("W", queue="alpha", schedule_in=-1) for _ in range(2_000))

    async with engine_on(installed) as other:
        rounds = await asyncio.gather(*(node.stage([], allowed=True) for node in (engine, other) * 3))

    assert sum(count for count, _ in rounds) == 2_000
    assert set(await states(conn)) == {"available"}


async def test_a_job_that_somebody_holds_is_left_for_the_next_round(engine, installed, conn):
    """Elixir's stager waits and then sets it back to available, though it was cancelled or started meanwhile."""
    held, free = await put(conn, "scheduled"), await put(conn, "scheduled")
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await other.execute("update oban_jobs set state = 'cancelled' where id = $1", held)
        assert (await engine.stage([], allowed=True))[0] == 1
    await other.close()

    assert (await engine.stage([], allowed=True))[0] == 0
    assert (await row(conn, held))["state"] == "cancelled"
    assert (await row(conn, free))["state"] == "available"


@pytest.mark.parametrize("indexed", [True, False])
async def test_jobs_that_somebody_holds_keep_no_others_waiting_whatever_their_number(
    engine, installed, conn, monkeypatch, indexed
):
    monkeypatch.setattr(staging, "STAGE_LIMIT", 3)
    engine.catalog = replace(engine.catalog, has_state_index=indexed)
    ids = [await put(conn, "scheduled", scheduled_at=utc_now() - timedelta(seconds=n)) for n in range(10)]
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await other.execute("select from oban_jobs where id = any($1::bigint[]) for update", ids[:7])
        assert (await engine.stage([], allowed=True))[0] == 3
    await other.close()

    assert await conn.fetchval("select array_agg(id order by id) from oban_jobs where state = 'available'") == ids[7:]


# Who stages


async def lease(conn, name, seconds, node=NODE):
    now = utc_now()
    await conn.execute(
        "insert into oban_peers (name, node, started_at, expires_at) values ($1, $2, $3, $4)",
        name,
        node,
        now - timedelta(minutes=1),
        now + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("leases", "leads"),
    [
        ([], False),
        ([("Oban", 30)], True),
        ([("Oban", -1)], False),
        ([("Oban@python", 30)], False),
        ([("Oban@python", 30), ("Oban", -1)], False),
        ([("Oban@python", 30), ("MyApp.Oban2", 30)], True),
        ([('"a name"', 30)], True),
        ([("{:oban, 3}", 30)], True),
    ],
    ids=str,
)
async def test_an_elixir_node_leads_while_its_lease_lives(engine, conn, leases, leads):
    for name, seconds in leases:
        await lease(conn, name, seconds)

    assert await engine.elixir_leads() is leads


async def test_live_leases_are_told_with_their_times_in_utc(engine, conn):
    await lease(conn, "Oban@python", 30)
    await lease(conn, "Oban", 30, "ex@host-b")
    await lease(conn, "Expired", -1)

    first, second = await engine.live_peers()

    assert (first.name, first.node, second.name, second.node) == ("Oban", "ex@host-b", "Oban@python", NODE)
    assert first.expires_at - first.started_at == timedelta(seconds=90)
    assert first.expires_at.utcoffset() == timedelta(0)


async def test_a_staged_job_can_be_fetched(engine, conn):
    await put(conn, "retryable")
    await engine.stage([], allowed=True)

    [job] = await fetch(engine)

    assert job.attempt == 2
