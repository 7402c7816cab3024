import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from bridge.engine.scan import count_live, scan_jobs

from .rig import PATIENCE, put

LATE = datetime(2026, 3, 1)  # noqa: DTZ001 - the columns have no time zone


async def pages(conn, **options):
    return [page async for page in scan_jobs(conn, "public", **options)]


async def rows(conn, **options):
    return [row for page in await pages(conn, **options) for row in page]


async def test_it_reads_every_row_once_and_the_newest_first(conn):
    ids = [await put(conn) for _ in range(7)]

    found = await pages(conn, page=3)

    assert [row.id for page in found for row in page] == ids[::-1]
    assert [len(page) for page in found] == [3, 3, 1]


async def test_rows_that_are_deleted_or_added_meanwhile_break_nothing(conn, installed):
    ids = [await put(conn) for _ in range(6)]
    other, found = await asyncpg.connect(installed), []

    async for page in scan_jobs(conn, "public", page=2):
        found += [row.id for row in page]
        await put(other)
        await other.execute("delete from oban_jobs where id = any($1)", ids[2:4])
    await other.close()

    assert found == [ids[5], ids[4], ids[1], ids[0]]


async def test_a_row_has_what_checks_need(conn):
    job = await put(
        conn, worker="V", state="retryable", queue="beta", max_attempts=9, meta='{"contract": "V@2"}', args='{"é": 1.0}'
    )

    [row] = await rows(conn)

    assert (row.id, row.worker, row.state, row.queue) == (job, "V", "retryable", "beta")
    assert (row.max_attempts, row.contract, row.args) == (9, "V@2", '{"é": 1.0}')


@pytest.mark.parametrize("meta", [None, "null", "[]", '"text"', "{}", '{"contract": null}'])
async def test_a_meta_without_a_contract_has_none(conn, meta):
    await put(conn, meta=meta)

    assert [row.contract for row in await rows(conn)] == [None]


async def test_null_args_and_args_that_are_no_object_are_read_as_they_are(conn):
    await conn.execute("alter table oban_jobs alter column args drop not null")
    for args in (None, "[1]", "null", '"x"'):
        await put(conn, args=args)

    assert [row.args for row in await rows(conn)] == ['"x"', "null", "[1]", None]


async def test_it_can_be_narrowed_to_workers_states_times_and_a_number(conn):
    old = await put(conn, worker="A", inserted_at=datetime(2025, 1, 1))  # noqa: DTZ001 - as above
    new = await put(conn, worker="A", state="completed")
    other = await put(conn, worker="B", state="completed")

    async def ids(**options):
        return [row.id for row in await rows(conn, **options)]

    assert await ids(workers=["A"]) == [new, old]
    assert await ids(states=["completed"]) == [other, new]
    assert await ids(since=datetime(2025, 6, 1, tzinfo=UTC)) == [other, new]
    assert await ids(workers=["A"], limit=1) == [new]
    assert await ids(workers=["A"], states=["available"]) == [old]
    assert await ids(limit=0) == []


async def test_pages_without_a_wanted_row_are_passed_over(conn):
    wanted = await put(conn, worker="A")
    for _ in range(9):
        await put(conn, worker="B")

    assert [[row.id for row in page] for page in await pages(conn, workers=["A"], page=2)] == [[wanted]]


async def test_an_empty_table_has_no_pages(conn):
    assert await pages(conn) == []


async def test_between_pages_it_holds_no_lock(conn, installed):
    for _ in range(4):
        await put(conn)
    other = await asyncpg.connect(installed, server_settings={"lock_timeout": f"{PATIENCE}s"})

    async for _ in scan_jobs(conn, "public", page=2):
        async with other.transaction():
            await other.execute("lock table oban_jobs in access exclusive mode")
    await other.close()


async def test_it_runs_where_nothing_may_be_written(installed, conn):
    await put(conn)
    replica = await asyncpg.connect(installed, server_settings={"default_transaction_read_only": "on"})

    found = [await rows(replica), await count_live(replica, "public")]
    await replica.close()

    assert [len(part) for part in found] == [1, 1]


async def test_every_page_is_a_read_only_transaction_that_locks_nothing(conn):
    await put(conn)
    statements = []

    with conn.query_logger(lambda record: statements.append(record.query)):
        await rows(conn)
        await count_live(conn, "public")

    begins = [text for text in statements if text.startswith("BEGIN")]
    assert len(begins) == 3
    assert all("READ ONLY" in text for text in begins)
    assert not [text for text in statements if "for update" in text.lower() or "for share" in text.lower()]


async def test_it_does_not_wait_long_for_who_alters_the_table(conn, installed):
    await put(conn)
    other = await asyncpg.connect(installed)

    async with other.transaction():
        await other.execute("lock table oban_jobs in access exclusive mode")
        with pytest.raises(asyncpg.QueryCanceledError):
            await asyncio.wait_for(rows(conn, statement_timeout=0.1), PATIENCE)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await asyncio.wait_for(count_live(conn, "public"), PATIENCE)
    await other.close()


async def test_its_limits_end_with_it(conn):
    await put(conn)
    names = ("statement_timeout", "lock_timeout", "transaction_read_only")
    before = [await conn.fetchval(f"show {name}") for name in names]

    await rows(conn)

    assert [await conn.fetchval(f"show {name}") for name in names] == before


async def test_live_rows_are_counted_by_worker_contract_and_state(conn):
    for state, at in (("scheduled", LATE), ("scheduled", datetime(2026, 2, 1)), ("completed", LATE)):  # noqa: DTZ001
        await put(conn, worker="A", state=state, scheduled_at=at, meta='{"contract": "A@1"}')
    await put(conn, worker="A", meta="[]", scheduled_at=datetime(2026, 1, 2))  # noqa: DTZ001

    found = [(row.worker, row.contract, row.state, row.count) for row in await count_live(conn, "public")]

    assert found == [("A", None, "available", 1), ("A", "A@1", "completed", 1), ("A", "A@1", "scheduled", 2)]
    assert (await count_live(conn, "public"))[2].last_scheduled_at == LATE


async def test_a_time_beyond_pythons_years_is_counted_as_the_last_one(conn):
    await put(conn, state="scheduled")
    await conn.execute("update oban_jobs set scheduled_at = '58000-01-01'")

    assert (await count_live(conn, "public"))[0].last_scheduled_at.year == 9999
