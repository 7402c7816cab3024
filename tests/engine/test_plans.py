"""Statements keep to their indexes whatever the planner's statistics say, as right after a bulk load."""

import re
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from bridge.engine import Connections, Engine, utc_now
from bridge.engine.schema import inspect, install, install_worker_index

from .rig import AT, ERROR, NODE, UUID, ack

KEY = "oban_jobs_pkey"
FETCHES = "oban_jobs_state_queue_priority_scheduled_at_id_index"
WORKERS = "bridge_jobs_worker"

_SCAN = re.compile(
    r"(Seq Scan) on oban_jobs\b|Index(?: Only)? Scan(?: Backward)? using (\w+) on|Bitmap Index Scan on (\w+)"
)
ENDED = "insert into oban_jobs (worker, state) select 'W', 'completed' from generate_series(1, 40000)"
ONE_A_STATE = "insert into oban_jobs (worker, state) select 'W', unnest(enum_range(null::oban_job_state))"
#: What ANALYZE saw before the load, and what was gone by then.
SEEN = {
    "nothing, as it never ran": "select",
    "an empty table": "analyze oban_jobs",
    "a row in each state, and no more": f"{ONE_A_STATE}; analyze oban_jobs; delete from oban_jobs",
    "ended jobs alone": f"{ENDED}; analyze oban_jobs",
    "ended jobs of another queue": f"{ENDED}; update oban_jobs set queue = 'other'; analyze oban_jobs",
}
LOAD = """
    insert into oban_jobs (worker, queue) select 'W', 'alpha' from generate_series(1, 40000);
    insert into oban_jobs (worker, queue, state, scheduled_at)
    select 'W', 'q' || n % 3, 'scheduled', timezone('UTC', now()) + interval '1 day'
    from generate_series(1, 20000) as n;
"""


class Watched:
    """A pool that remembers what was sent."""

    def __init__(self, pool):
        self._pool = pool
        self.sent = []

    async def fetch(self, statement, *values, timeout=None):
        self.sent.append((statement, values))
        return await self._pool.fetch(statement, *values, timeout=timeout)

    def acquire(self):
        return self._pool.acquire()


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    await install(connection)
    # What is of no use to these statements would only make the load slow.
    await connection.execute("drop index oban_jobs_args_index, oban_jobs_meta_index")
    await connection.execute("alter table oban_jobs set (autovacuum_enabled = off)")
    yield connection
    await connection.close()


@asynccontextmanager
async def watched(dsn, conn):
    """An engine, and what it sends."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        between = Watched(pool)
        yield Engine(Connections(between), "public", await inspect(conn)), between.sent


async def scans(conn, statement, values):
    """Return by what the table is read in the plans of a statement: for these values, and for any."""
    types = [kind.name for kind in (await conn.prepare(statement)).get_parameters()]
    literals = [
        await conn.fetchval(f"select quote_nullable($1::{kind}::text)", value)
        for kind, value in zip(types, values, strict=True)
    ]
    found = set()
    for mode in ("force_custom_plan", "force_generic_plan"):
        await conn.execute(f"set plan_cache_mode = {mode}; prepare looked_at as {statement}")
        lines = await conn.fetch(f"explain execute looked_at({', '.join(literals)})")
        await conn.execute("deallocate looked_at; reset plan_cache_mode")
        plan = "\n".join(line[0] for line in lines)
        found |= {match[1] or match[2] or match[3] for match in _SCAN.finditer(plan)}
        found |= set(re.findall(r"(?:Hash|Merge) Join", plan))
    return found


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
@pytest.mark.parametrize("indexed", [False, True], ids=["as Oban has it", "with the worker index"])
async def test_jobs_are_read_in_order_by_their_index_and_changed_by_their_keys(database, conn, seen, indexed):
    if indexed:
        await install_worker_index(conn)
    await conn.execute(seen)
    await conn.execute(LOAD)
    async with watched(database, conn) as (engine, sent):
        jobs = await engine.fetch("alpha", 1_000, NODE, UUID, ["V", "W"])
        assert len(jobs) == 1_000
        await engine.fetch("alpha", 10, NODE, UUID, None)
        done, failed = jobs[:500], jobs[500:]
        assert len(await engine.ack(UUID, [ack(job, "completed") for job in done])) == 500
        again = [ack(job, "retryable", error=ERROR, scheduled_at=AT) for job in failed]
        assert len(await engine.ack(UUID, again)) == 500
        await engine.look_out(["alpha", "q0"], stages=True)
        assert await engine.stage(["alpha"], allowed=True) == (500, {"alpha"})

        known, any_worker, completed, retried, outlook, staged = [await scans(conn, *each) for each in sent]

    assert known == {KEY, WORKERS if indexed else FETCHES}
    assert any_worker == {KEY, FETCHES}
    assert completed == retried == {KEY}
    assert outlook - {WORKERS} == {FETCHES}  # queues with available jobs are found by either
    assert staged == {KEY, FETCHES}


async def test_a_plain_statement_is_misled_by_such_statistics(conn):
    """It reads and sorts all that wait, and the dead: else the tests of this module would show nothing."""
    await conn.execute(SEEN["ended jobs alone"])
    await conn.execute(LOAD)
    plain = """
        select id from oban_jobs where state = 'available' and queue = $1
        order by priority, scheduled_at, id limit $2 for update skip locked
    """

    assert FETCHES not in await scans(conn, plain, ("alpha", 10))


async def test_what_waits_for_tomorrow_is_not_read(database, conn):
    await conn.execute(LOAD)
    await conn.execute("vacuum analyze oban_jobs")
    async with watched(database, conn) as (engine, sent):
        assert not (await engine.look_out([], stages=True)).due
        assert (await engine.stage([], allowed=True))[0] == 0

        for statement, values in sent:
            assert await pages_read(conn, statement, values) < 100


async def pages_read(conn, statement, values):
    lines = await conn.fetch(f"explain (analyze, buffers) {statement}", *values)
    whole = next(line[0] for line in lines if "Buffers: shared" in line[0])
    return sum(map(int, re.findall(r"(?:hit|read)=(\d+)", whole)))


async def test_due_jobs_are_found_in_every_place_with_the_index_and_without(database, conn):
    """Where the index is missing, a walk along it would be a scan of the table for each place."""
    now = utc_now()
    rows = [
        (state, queue, priority, now + timedelta(seconds=wait))
        for state in ("scheduled", "retryable")
        for queue in ("a", "aa", "b c", "z'")
        for priority in (0, 1, 9)
        for wait in (-3_600, -1, 3_600)
    ]
    insert = "insert into oban_jobs (worker, state, queue, priority, scheduled_at) values ('W', $1, $2, $3, $4)"
    await conn.executemany(insert, rows)
    expected = len(rows) * 2 // 3

    for indexed in (True, False):
        if not indexed:
            await conn.execute(f"drop index {FETCHES}")
        async with watched(database, conn) as (engine, _):
            assert engine.catalog.has_state_index is indexed
            assert (await engine.look_out([], stages=True)).due
            assert (await engine.stage([], allowed=True))[0] == expected
            assert not (await engine.look_out([], stages=True)).due
        await conn.execute("update oban_jobs set state = 'scheduled' where state = 'available'")


async def test_where_priorities_may_be_null_their_jobs_are_staged_too(database, conn):
    """Up to version 9; a comparison of rows never gets to them."""
    await conn.execute("alter table oban_jobs alter priority drop not null")
    await conn.execute(
        "insert into oban_jobs (worker, state, priority, scheduled_at) "
        "values ('W', 'scheduled', null, '2026-01-01'), ('W', 'scheduled', 3, '2026-01-01')"
    )
    async with watched(database, conn) as (engine, _):
        assert not engine.catalog.has_state_index
        assert (await engine.stage([], allowed=True))[0] == 2


async def test_the_latest_of_all_places_are_staged_first_though_somebody_holds_some(database, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.STAGE_LIMIT", 4)
    rows = [(f"q{n % 3}", utc_now() - timedelta(seconds=n)) for n in range(12)]
    insert = "insert into oban_jobs (worker, state, queue, scheduled_at) values ('W', 'scheduled', $1, $2)"
    await conn.executemany(insert, rows)
    other = await asyncpg.connect(database)
    async with other.transaction(), watched(database, conn) as (engine, _):
        await other.execute("select from oban_jobs where id in (1, 2, 5) for update")
        assert (await engine.stage([], allowed=True))[0] == 4
    await other.close()

    assert await conn.fetchval("select array_agg(id order by id) from oban_jobs where state = 'available'") == [
        3,
        4,
        6,
        7,
    ]
