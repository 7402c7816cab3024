"""New jobs: one and any number, in order, announced once, in the caller's transaction or their own."""

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from bridge.engine import inserts
from bridge.errors import EncodeError, InvalidJob
from bridge.jobs import Job

from .rig import COLUMNS, Ear, changed_columns, engine_on, fetch, put, row

MANY = 12_000


def jobs(count, queues=("alpha",), **options):
    return (Job("W", queue=queues[n % len(queues)], args={"n": n}, **options) for n in range(count))


async def as_async(items):
    for item in items:
        yield item


async def count(conn):
    return await conn.fetchval("select count(*) from oban_jobs")


async def numbers_by_id(conn):
    return await conn.fetchval("select array_agg((args->>'n')::int order by id) from oban_jobs")


# Many


@pytest.mark.parametrize("source", [list, iter, as_async], ids=["list", "generator", "async generator"])
async def test_any_number_goes_in_with_ids_in_order(engine, conn, ear, source):
    assert MANY > 2 * inserts.CHUNK

    stored = await engine.insert_many(source(jobs(MANY, ("alpha", "beta", "gamma"))))

    ids = [job.id for job in stored]
    assert ids == sorted(ids)
    assert len(set(ids)) == MANY
    assert [job.args["n"] for job in stored] == list(range(MANY))
    assert await numbers_by_id(conn) == list(range(MANY))
    assert {job.inserted_at for job in stored} == {stored[0].inserted_at}
    assert sorted(await ear.queues()) == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize("source", [iter, as_async], ids=["generator", "async generator"])
async def test_an_invalid_one_late_in_the_stream_undoes_all(engine, conn, ear, source):
    valid = list(jobs(11_000))
    broken = Job("W")
    broken.priority = 10

    with pytest.raises(InvalidJob, match="priority: expected an integer from 0 to 9, got 10"):
        await engine.insert_many(source([*valid, broken, *jobs(10)]))

    assert await count(conn) == 0
    assert await ear.heard() == []
    assert {job.id for job in valid} == {None}


async def test_what_the_stream_raises_undoes_all(engine, conn, ear):
    def stream():
        yield from jobs(inserts.CHUNK + 1)
        raise LookupError("the source broke")

    with pytest.raises(LookupError, match="the source broke"):
        await engine.insert_many(stream())

    assert await count(conn) == 0
    assert await ear.heard() == []


async def test_jobs_of_a_failed_attempt_go_in_as_themselves_the_next_time(engine):
    valid = list(jobs(inserts.CHUNK + 1))
    with pytest.raises(InvalidJob):
        await engine.insert_many([*valid, "no job"])

    stored = await engine.insert_many(valid)

    assert all(job is given for job, given in zip(stored, valid, strict=True))


async def test_none_at_all(engine, ear):
    assert await engine.insert_many([]) == []
    assert await engine.insert_many(as_async([])) == []
    assert await ear.heard() == []


@pytest.mark.parametrize("size", [inserts.CHUNK - 1, inserts.CHUNK, inserts.CHUNK + 1])
async def test_sizes_around_that_of_a_statement(engine, conn, size):
    stored = await engine.insert_many(jobs(size))

    assert len(stored) == size
    assert await count(conn) == size


async def test_every_job_keeps_its_own_columns(engine, conn):
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    built = [
        Job("A", tags=["x", "y", "z"]),
        Job("B", queue="beta", priority=3, max_attempts=1, meta={"m": [1, {"é": "🦉"}]}),
        Job("C", scheduled_at=moment, tags=["one"]),
        Job("D", state="suspended", args={"text": 'a "quoted", {braced} \\ one\n'}),
        Job("E", tags=['comma, "quote"', "null", "{}", "\\"]),
    ]

    rows = [await row(conn, job.id) for job in await engine.insert_many(built)]

    found = [
        [found[name] for name in ("worker", "queue", "state", "priority", "max_attempts", "tags", "args", "meta")]
        for found in rows
    ]
    assert found == [
        ["A", "default", "available", 0, 20, ["x", "y", "z"], {}, {}],
        ["B", "beta", "available", 3, 1, [], {}, {"m": [1, {"é": "🦉"}]}],
        ["C", "default", "scheduled", 0, 20, ["one"], {}, {}],
        ["D", "default", "suspended", 0, 20, [], {"text": 'a "quoted", {braced} \\ one\n'}, {}],
        ["E", "default", "available", 0, 20, ['comma, "quote"', "null", "{}", "\\"], {}, {}],
    ]
    assert rows[2]["scheduled_at"] == moment.replace(tzinfo=None)


# Announcements


async def test_times_that_a_trigger_gives_each_row_are_told(engine, conn):
    await conn.execute("""
        create function give_times() returns trigger language plpgsql as $$
        begin
          new.scheduled_at := timestamp '2026-01-01' + (new.args->>'n')::integer * interval '1 minute';
          return new;
        end $$;
        create trigger give_times before insert on oban_jobs for each row execute function give_times();
    """)
    try:
        stored = await engine.insert_many(jobs(5))
    finally:
        await conn.execute("drop function give_times cascade")

    assert [(job.args["n"], job.scheduled_at.minute) for job in stored] == [(n, n) for n in range(5)]


async def test_a_job_that_waits_is_not_announced(engine, ear):
    waiting = [Job("W", schedule_in=0), Job("W", state="suspended")]

    for job in waiting:
        await engine.insert(job)
    await engine.insert_many(waiting)

    assert await ear.heard() == []


async def test_only_queues_with_something_to_fetch_are_announced(engine, ear):
    await engine.insert_many([Job("W", queue="now"), Job("W", queue="later", schedule_in=9), Job("W", queue="now")])

    assert await ear.queues() == ["now"]


async def test_queue_names_arrive_as_they_are(engine, ear):
    name = 'größe "x"\\ {1}\n🦉'

    await engine.insert(Job("W", queue=name))
    await engine.insert_many([Job("W", queue=name)])

    assert await ear.queues() == [name, name]


async def test_announcements_can_be_left_out(installed, ear):
    async with engine_on(installed, announce=False) as engine:
        await engine.insert(Job("W"))
        await engine.insert_many([Job("W")])

    assert await ear.heard() == []


# The caller's transaction


@pytest.mark.parametrize("many", [False, True])
async def test_a_callers_transaction_is_seen_and_heard_when_it_commits(engine, installed, conn, ear, many):
    theirs = await asyncpg.connect(installed)
    async with theirs.transaction():
        job = Job("W", queue="alpha")
        [job] = await engine.insert_many([job], theirs) if many else [await engine.insert(job, theirs)]

        assert await theirs.fetchval("select count(*) from oban_jobs where id = $1", job.id) == 1
        assert await count(conn) == 0
        assert await ear.heard() == []
    await theirs.close()

    assert await count(conn) == 1
    assert await ear.queues() == ["alpha"]


@pytest.mark.parametrize("many", [False, True])
async def test_a_callers_rollback_leaves_nothing(engine, installed, conn, ear, many):
    theirs = await asyncpg.connect(installed)
    transaction = theirs.transaction()
    await transaction.start()
    await (engine.insert_many([Job("W")], theirs) if many else engine.insert(Job("W"), theirs))
    await transaction.rollback()
    await theirs.close()

    assert await count(conn) == 0
    assert await ear.heard() == []


async def test_a_refusal_leaves_the_callers_transaction_usable(engine, installed, conn):
    theirs = await asyncpg.connect(installed)
    async with theirs.transaction():
        await engine.insert(Job("First"), theirs)
        with pytest.raises(InvalidJob):
            await engine.insert_many([*jobs(inserts.CHUNK), "no job"], theirs)
        await engine.insert(Job("Last"), theirs)
    await theirs.close()

    assert await conn.fetchval("select array_agg(worker order by id) from oban_jobs") == ["First", "Last"]


async def test_a_savepoint_that_is_rolled_back_takes_its_jobs_along(engine, installed, conn, ear):
    theirs = await asyncpg.connect(installed)
    async with theirs.transaction():
        await engine.insert(Job("W", queue="kept"), theirs)
        savepoint = theirs.transaction()
        await savepoint.start()
        await engine.insert_many([Job("W", queue="undone")], theirs)
        await savepoint.rollback()
    await theirs.close()

    assert await conn.fetchval("select array_agg(queue) from oban_jobs") == ["kept"]
    assert await ear.queues() == ["kept"]


async def test_a_connection_without_a_transaction_commits_at_once(engine, installed, conn):
    theirs = await asyncpg.connect(installed)
    await engine.insert(Job("W"), theirs)
    await engine.insert_many(jobs(2), theirs)

    assert await count(conn) == 3
    await theirs.close()


async def test_a_connection_of_a_callers_pool(engine, installed, conn):
    pool = asyncpg.create_pool(installed, min_size=1, max_size=1)
    async with pool, pool.acquire() as theirs, theirs.transaction():
        await engine.insert(Job("W"), theirs)
        await engine.insert_many(jobs(2), theirs)

    assert await count(conn) == 3


# Objects that were stored before


async def test_a_job_that_was_inserted_goes_in_again_as_a_copy(engine, conn):
    first = await engine.insert(Job("W", args={"n": 1}))
    again = await engine.insert(first)
    [third, fourth] = await engine.insert_many([first, first])

    assert len({job.id for job in (first, again, third, fourth)}) == 4
    assert await numbers_by_id(conn) == [1, 1, 1, 1]
    assert await conn.fetchval("select array_agg(id order by id) from oban_jobs") == [
        job.id for job in (first, again, third, fourth)
    ]


async def test_a_waiting_job_that_was_read_goes_in_again_with_all_that_it_has(engine, conn):
    original = await put(
        conn,
        "scheduled",
        attempt=0,
        args='{"n": 123456789012345678901234567890, "x": 1e400, "y": 0.10, "é": ["🦉"]}',
        meta='{"m": 1}',
        tags=["b", "a"],
    )

    copy = await engine.insert(await engine.get(original))

    changed = changed_columns(await row(conn, original), await row(conn, copy.id))
    kept = {"state", "queue", "worker", "args", "max_attempts", "scheduled_at", "priority", "tags", "meta", "attempt"}
    assert changed.keys() == set(COLUMNS) - kept
    texts = "select count(distinct args::text) from oban_jobs"
    assert await conn.fetchval(texts) == 1


async def test_what_is_changed_in_a_job_that_was_read_goes_in_with_it(engine, conn):
    read = await engine.get(await put(conn, "scheduled", attempt=0, args='{"n": 1}', meta='{"m": 1}'))
    read.args["n"] = 2
    read.meta["o"] = Decimal("1.10")

    found = await row(conn, (await engine.insert(read)).id)

    assert (found["args"], found["meta"]) == ({"n": 2}, {"m": 1, "o": "1.10"})


async def test_a_row_without_meta_goes_in_again(engine, conn):
    read = await engine.get(await put(conn, "scheduled", attempt=0, meta=None))

    assert (await row(conn, (await engine.insert(read)).id))["meta"] == {}


@pytest.mark.parametrize("column", ["args", "meta"])
@pytest.mark.parametrize("poison", ["[1]", "null", '"text"', "1"])
async def test_a_poison_row_does_not_go_in_again(engine, conn, column, poison):
    """An Elixir queue stops at a row whose args or meta is no object."""
    read = await engine.get(await put(conn, "scheduled", attempt=0, **{column: poison}))

    with pytest.raises(EncodeError, match=f"{column}: expected an object, got .*; pass a mapping"):
        await engine.insert(read)

    assert await count(conn) == 1


async def test_a_job_that_was_run_is_no_new_job(engine, conn):
    read = await engine.get(await put(conn, "available", attempt=1))

    with pytest.raises(InvalidJob, match=r"expected a new job, got Job.*; insert job\.again\(\), a new one like it"):
        await engine.insert(read)

    assert await count(conn) == 1


async def test_a_name_of_a_channel_that_postgresql_does_not_take(database):
    """A schema's name may have 63 bytes, and so may a channel's: then nodes poll, and nothing fails."""
    from bridge.engine.schema import install

    prefix = "p" * 63
    conn = await asyncpg.connect(database)
    await install(conn, prefix)
    await conn.execute(f"set search_path to {prefix}")
    async with engine_on(database, prefix) as engine, Ear.on(database, "p" * 40) as ear:
        job = await engine.insert(Job("W", queue="alpha"))
        await engine.insert_many(jobs(2))
        assert len(await fetch(engine)) == 3
        assert await engine.cancel({"id": job.id}) == [job.id]
        assert await engine.retry({"id": job.id}) == [job.id]
        assert await engine.stage(["alpha"], allowed=True) == (0, {"alpha"})
        assert await ear.heard() == []
    assert (await row(conn, job.id))["state"] == "available"
    await conn.close()
