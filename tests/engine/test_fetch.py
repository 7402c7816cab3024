"""Which jobs a producer claims: its queue's, in order, each once, those it can run, and none that is poison."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bridge.errors import DecodeError
from bridge.jobs import Job

from .rig import NODE, OTHER_UUID, UUID, blocked, fetch, put, row


async def workers_of(engine, *names, limit=10):
    return [job.worker for job in await fetch(engine, limit, workers=names or None)]


async def test_first_by_priority_then_by_time_then_by_id(engine, conn):
    early, late = datetime(2026, 1, 1), datetime(2026, 1, 2)  # noqa: DTZ001 - the columns have no time zone
    places = [(1, early), (0, late), (0, early), (1, late), (0, early), (9, early)]
    ids = [await put(conn, priority=priority, scheduled_at=time) for priority, time in places]
    expected = [ids[n] for n in (2, 4, 1, 0, 3, 5)]

    assert [job.id for job in await fetch(engine, 4)] == expected[:4]
    assert [job.id for job in await fetch(engine, 4)] == expected[4:]
    assert await fetch(engine, 4) == []


async def test_no_more_than_the_limit(engine):
    await engine.insert_many(Job("W", queue="alpha") for _ in range(7))

    assert [len(await fetch(engine, limit)) for limit in (0, 1, 5, 5)] == [0, 1, 5, 1]


async def test_only_its_own_queue_and_only_what_is_available(engine, conn):
    for state in ("suspended", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled"):
        await put(conn, state)
    await put(conn, queue="alphabet")
    wanted = await put(conn)

    assert [job.id for job in await fetch(engine)] == [wanted]


async def test_an_available_job_is_taken_whatever_its_time(engine, conn):
    """As Oban does: only the stager looks at the time."""
    job_id = await put(conn, scheduled_at=datetime(2099, 1, 1))  # noqa: DTZ001 - the column has no time zone

    assert [job.id for job in await fetch(engine)] == [job_id]


async def test_a_claimed_job_knows_its_row(engine, conn):
    await engine.insert(Job("W", queue="alpha", args={"a": [1]}, meta={"m": 1}, tags=["x"], priority=3))

    [job] = await fetch(engine)

    stored = await row(conn, job.id)
    assert {name: getattr(job, name) for name in stored} == {
        name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in stored.items()
    }


# Each once


async def test_no_job_goes_to_two_producers(engine, conn):
    await engine.insert_many(Job("W", queue="alpha", args={"n": n}) for n in range(1_000))

    producers = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
    taken = [[] for _ in producers]
    while any(found := await asyncio.gather(*(fetch(engine, 7, uuid=uuid) for uuid in producers))):
        taken = [jobs + more for jobs, more in zip(taken, found, strict=True)]

    assert sum(map(len, taken)) == 1_000
    assert len({job.id for jobs in taken for job in jobs}) == 1_000
    assert all(taken)  # each of them was at it all the time
    attempts = await conn.fetch("select distinct state::text, attempt, max_attempts from oban_jobs")
    assert [tuple(found) for found in attempts] == [("executing", 1, 20)]
    for uuid, jobs in zip(producers, taken, strict=True):
        assert {job.attempted_by[1] for job in jobs} <= {uuid}


async def test_a_row_that_somebody_holds_is_passed_over(engine, installed, conn):
    held, free = await put(conn), await put(conn)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await other.execute("select from oban_jobs where id = $1 for update", held)
        assert [job.id for job in await fetch(engine, 1)] == [free]
    await other.close()

    assert [job.id for job in await fetch(engine, 1)] == [held]


async def test_a_job_that_was_cancelled_at_that_moment_is_not_taken(engine, installed, conn):
    job_id = await put(conn)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await other.execute("update oban_jobs set state = 'cancelled'")
        assert await fetch(engine) == []
    await other.close()

    assert await fetch(engine) == []
    assert (await row(conn, job_id))["state"] == "cancelled"


async def test_two_producers_at_once_share_what_there_is(engine, installed, conn):
    """The second one's look comes between the first one's claim and its commit."""
    await put(conn)
    await put(conn)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        claimed = await other.fetchval("""
            update oban_jobs
            set state = 'executing', attempt = attempt + 1, attempted_by = array['ex@host-b', 'uuid']
            where id = (select id from oban_jobs where state = 'available' order by id limit 1 for update skip locked)
            returning id
        """)
        [job] = await fetch(engine, 5)
    await other.close()

    assert job.id != claimed
    assert (await row(conn, claimed))["attempted_by"] == ["ex@host-b", "uuid"]


# Known workers


async def test_only_workers_that_are_known(engine):
    await engine.insert_many(Job(worker, queue="alpha") for worker in ("Known", "Foreign", "Other", "known"))

    assert await workers_of(engine, "Known", "Other") == ["Known", "Other"]
    assert await engine.fetch("alpha", 10, NODE, UUID, []) == []
    assert await workers_of(engine) == ["Foreign", "known"]


async def test_foreign_jobs_at_the_head_neither_block_nor_lose_an_attempt(engine, conn):
    await engine.insert_many(Job("Elixir.Worker", queue="alpha") for _ in range(5_000))
    mine = await engine.insert(Job("Mine", queue="alpha", priority=9))
    await conn.execute("analyze oban_jobs")

    [job] = await fetch(engine, 1, workers=["Mine"])

    assert job.id == mine.id
    assert await fetch(engine, 10, workers=["Mine"]) == []
    untouched = "select count(*) from oban_jobs where state = 'available' and attempt = 0 and attempted_by is null"
    assert await conn.fetchval(untouched) == 5_000


# Poison


@pytest.mark.parametrize(
    "poison",
    [
        {"args": "[1, 2]"},
        {"args": "null"},
        {"args": '"text"'},
        {"meta": "[1]"},
        {"meta": None},
        {"errors": ["1", "[]", '"text"', "null"]},
        {"tags": None},
        {"attempted_by": None},
    ],
    ids=str,
)
async def test_a_poison_row_stops_nobody(engine, conn, poison):
    bad = await put(conn, priority=0, **poison)
    good = await put(conn, priority=1, args='{"a": 1}')

    jobs = await fetch(engine)

    assert [job.id for job in jobs] == [bad, good]
    assert jobs[1].args == {"a": 1}
    assert isinstance(jobs[0].tags, list)
    assert jobs[0].attempted_by == [NODE, UUID]
    assert isinstance(jobs[0].errors, list)


@pytest.mark.parametrize("column", ["args", "meta"])
async def test_a_row_without_an_object_fails_only_where_it_is_read(engine, conn, column):
    await put(conn, **{column: "[1, 2]"})

    [job] = await fetch(engine)

    with pytest.raises(DecodeError, match=rf"{column} must be a JSON object, and the row holds \[1, 2\]"):
        getattr(job, column)


async def test_a_row_without_meta_has_an_empty_one(engine, conn):
    await put(conn, meta=None, tags=None)

    [job] = await fetch(engine)

    assert (job.meta, job.tags) == ({}, [])


async def test_rows_without_attempts_left_starve_no_queue(engine, conn):
    """An Elixir node selects and locks them at each fetch; with a limit of 1 it gets nothing else, ever."""
    for _ in range(20):
        await put(conn, attempt=5, max_attempts=5, priority=0)
    good = await put(conn, priority=9)

    assert [job.id for job in await fetch(engine, 1)] == [good]
    assert await conn.fetchval("select count(*) from oban_jobs where state = 'available'") == 20


async def test_a_row_without_priority_comes_last(engine, conn):
    """Up to version 9 the column may be NULL."""
    await conn.execute("alter table oban_jobs alter priority drop not null")
    try:
        none, low, first = await put(conn, priority=None), await put(conn, priority=9), await put(conn, priority=0)
        assert [job.id for job in await fetch(engine, 2)] == [first, low]
        [job] = await fetch(engine, 2)
        assert (job.id, job.priority) == (none, 0)
    finally:
        await conn.execute("truncate oban_jobs; alter table oban_jobs alter priority set not null")


@pytest.mark.parametrize(
    ("time", "year"),
    [
        ("55860-01-01", 9999),  # schedule_in with the milliseconds since 1970
        ("infinity", 9999),
        ("9999-12-31 23:59:59.999999", 9999),
        ("0001-01-01", 1),
        ("0044-03-15 BC", 1),
        ("-infinity", 1),
    ],
)
async def test_a_time_beyond_pythons_years_stops_nobody(engine, conn, time, year):
    await conn.execute(f"insert into oban_jobs (queue, worker, scheduled_at) values ('alpha', 'W', '{time}')")
    good = await put(conn)

    jobs = await fetch(engine)

    [job] = [job for job in jobs if job.id != good]
    assert len(jobs) == 2
    assert job.scheduled_at.year == year
    assert job.scheduled_at.utcoffset() == timedelta(0)
    assert len(await engine.select({}, 10)) == 2


async def test_the_plan_looks_jobs_up_by_their_keys(engine, conn):
    """A join with the sub-select would become a hash join over the whole table from some size on."""
    await engine.insert_many(Job("W", queue=f"q{n % 5}") for n in range(20_000))
    await conn.execute("analyze oban_jobs")

    statement = engine._sql["fetch_jobs"]
    plan = "\n".join(
        line[0]
        for line in await conn.fetch(
            f"explain {statement}",
            "q1",
            2_000,
            datetime(2026, 1, 1),  # noqa: DTZ001 - the column has no time zone
            NODE,
            OTHER_UUID,
            ["W"],
        )
    )

    assert "InitPlan" in plan
    assert "Seq Scan" not in plan.split("InitPlan")[0]
    assert "Hash" not in plan


async def test_a_fetch_does_not_wait(engine, installed, conn):
    await put(conn)
    other = await asyncpg.connect(installed)
    async with other.transaction():
        await other.execute("select from oban_jobs for update")
        third = await asyncpg.connect(installed)
        waiting = asyncio.create_task(third.execute("update oban_jobs set priority = 1"))
        await blocked(conn)
        assert await fetch(engine) == []
    await waiting
    await third.close()
    await other.close()
