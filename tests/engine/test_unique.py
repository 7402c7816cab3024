"""Unique jobs: which are there already, what the caller gets then, and what is written and announced."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from bridge.engine import inserts, probes
from bridge.errors import InvalidJob
from bridge.jobs import Job, Unique

from .rig import ALL, NODE, blocked, changed_columns, engine_on, put, row
from .rig import make as make_tables

#: Cases with the verdict of Oban 2.23.1 on a real node.
VERDICTS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "unique_verdicts.jsonl").read_text("utf-8").splitlines()
]
ONCE = {"period": "infinity"}


def make(args=None, **options):
    return Job("W", **{"queue": "alpha", "args": {"id": 1} if args is None else args, "unique": True, **options})


async def count(conn):
    return await conn.fetchval("select count(*) from oban_jobs")


async def store(conn, stored):
    """Put a verdict's stored job there; `age` and `due` are seconds."""
    return await conn.fetchval(
        """insert into oban_jobs (worker, queue, args, meta, state, inserted_at, scheduled_at)
        values (
          $1, $2, $3::text::jsonb, $4::text::jsonb, $5::text::oban_job_state,
          timezone('UTC', now()) - make_interval(secs => $6), timezone('UTC', now()) + make_interval(secs => $7)
        )
        returning id""",
        *(stored["worker"], stored["queue"], json.dumps(stored["args"]), json.dumps(stored["meta"])),
        *(stored["state"], float(stored["age"]), float(stored["due"])),
    )


# Verdicts


@pytest.mark.parametrize("singly", [0, probes.SINGLY], ids=["many", "few"])
async def test_verdicts_are_obans(engine, conn, monkeypatch, singly):
    """Both ways of asking the database give them."""
    monkeypatch.setattr(probes, "SINGLY", singly)
    assert len(VERDICTS) == 320
    wrong = []
    for case in VERDICTS:
        await conn.execute("truncate oban_jobs")
        job_id = await store(conn, case["stored"])

        job = await engine.insert(Job(**case["new"], unique=case["unique"]))

        if job.conflict is not case["conflict"] or (job.id == job_id) is not case["conflict"]:
            wrong.append(case)
        assert await count(conn) == 2 - job.conflict
    assert wrong == []


async def test_verdicts_within_a_batch_are_those_of_one_by_one(engine, conn):
    fresh = [case for case in VERDICTS if case["stored"]["state"] == "available"]
    assert len(fresh) > 30
    for case in fresh:
        stored = {name: case["stored"][name] for name in ("worker", "queue", "args", "meta")}
        second = Job(**case["new"], unique=case["unique"])
        await conn.execute("truncate oban_jobs")
        await engine.insert(Job(**stored))
        alone = await engine.insert(second)
        await conn.execute("truncate oban_jobs")

        _, together = await engine.insert_many([Job(**stored), second.again()])

        assert together.conflict is alone.conflict, case


# What the caller gets


async def test_a_conflict_is_the_stored_job(engine, conn):
    first = await engine.insert(make(priority=3, meta={"kept": True}))
    await conn.execute("update oban_jobs set state = 'executing', attempt = 1")
    given = make(priority=5)

    job = await engine.insert(given)

    assert (job.id, job.state, job.conflict, job.priority, job.attempt) == (first.id, "executing", True, 3, 1)
    assert (job.args, job.meta) == ({"id": 1}, {"kept": True})
    assert (first.conflict, given.conflict, given.id) == (False, False, None)


async def test_a_conflict_that_is_inserted_again_is_a_new_job(engine):
    await engine.insert(make())
    conflict = await engine.insert(make())

    job = await engine.insert(conflict)

    assert (conflict.conflict, job.conflict, job.id != conflict.id) == (True, False, True)


async def test_a_job_that_was_deleted_meanwhile_is_inserted_again(engine, conn):
    await engine.insert(make())
    await conn.execute("delete from oban_jobs")

    assert (await engine.insert(make())).conflict is False


async def test_without_unique_nothing_is_compared(engine, conn):
    await engine.insert(make())

    assert not (await engine.insert(make(unique=None))).conflict
    assert await count(conn) == 2


async def test_a_rule_that_was_set_on_the_job_counts_and_a_wrong_one_is_refused(engine, conn):
    await engine.insert(make())
    job = make(unique=None)
    job.unique = {"keys": ["id"]}

    assert (await engine.insert(job)).conflict
    job.unique = {"key": ["id"]}
    with pytest.raises(InvalidJob, match="did you mean 'keys'"):
        await engine.insert(job)


async def test_the_period_ends(engine, conn):
    job = make(unique={"period": 60})
    await engine.insert(job)
    await conn.execute("update oban_jobs set inserted_at = inserted_at - interval '59 seconds'")
    assert (await engine.insert(job.again())).conflict
    await conn.execute("update oban_jobs set inserted_at = inserted_at - interval '2 seconds'")

    assert not (await engine.insert(job.again())).conflict


@pytest.mark.parametrize("kind", ALL)
async def test_on_every_database_of_obans(database, kind):
    """Those before V14 are never asked for `suspended`, which they don't know."""
    conn = await asyncpg.connect(database)
    await make_tables(conn, kind)
    await conn.execute("delete from oban_jobs")
    async with engine_on(database) as engine:
        first = await engine.insert(make(replace=["priority"]))
        again = await engine.insert(make(replace=["priority"], priority=2))
        batch = await engine.insert_many([make({"id": n % 30}) for n in range(60)])

        assert (again.id, again.conflict, again.priority) == (first.id, True, 2)
        assert [job.conflict for job in batch] == [n == 1 or n >= 30 for n in range(60)]
        assert (await engine.insert(make(unique={**ONCE, "states": ["suspended"]}))).conflict is False
    await conn.close()


# Announcing


async def test_a_conflict_is_announced_where_the_stored_job_is_available(engine, conn, ear):
    """Oban 2.23 does so."""
    await engine.insert(make())
    await engine.insert(make())
    assert await ear.queues() == ["alpha", "alpha"]
    await conn.execute("update oban_jobs set state = 'executing'")

    await engine.insert(make())

    assert await ear.queues() == []


async def test_a_batch_announces_each_queue_once(engine, ear):
    await engine.insert_many([make(), make(), make(queue="beta"), make({"id": 2})])

    assert sorted(await ear.queues()) == ["alpha", "beta"]


# Replacing


async def test_the_columns_of_the_stored_jobs_state_are_replaced_and_no_other(engine, conn):
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    first = await engine.insert(make(schedule_in=60))
    before = await row(conn, first.id)

    job = await engine.insert(
        make(
            {"id": 1, "new": 1},
            unique={**ONCE, "keys": ["id"]},
            scheduled_at=moment,
            priority=7,
            tags=["t"],
            replace={"scheduled": ["args", "scheduled_at", "tags"], "available": ["priority"]},
        )
    )

    assert changed_columns(before, await row(conn, first.id)) == {
        "args": {"id": 1, "new": 1},
        "scheduled_at": moment.replace(tzinfo=None),
        "tags": ["t"],
    }
    assert (job.id, job.conflict, job.args, job.scheduled_at) == (first.id, True, {"id": 1, "new": 1}, moment)


async def test_every_column_that_may_be_replaced_is(engine, conn):
    first = await engine.insert(make(schedule_in=60))
    moment = datetime(2031, 1, 1, tzinfo=UTC)
    columns = ["args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags", "worker"]

    await engine.insert(
        Job(
            "V",
            queue="beta",
            args={"id": 1, "n": [0.10]},
            meta={"m": 1},
            max_attempts=3,
            priority=4,
            tags=["x", "y"],
            scheduled_at=moment,
            unique={**ONCE, "fields": ["args"], "keys": ["id"]},
            replace=columns,
        )
    )

    found = await row(conn, first.id)
    assert {name: found[name] for name in columns} == {
        "args": {"id": 1, "n": [0.1]},
        "max_attempts": 3,
        "meta": {"m": 1},
        "priority": 4,
        "queue": "beta",
        "scheduled_at": moment.replace(tzinfo=None),
        "tags": ["x", "y"],
        "worker": "V",
    }


async def test_what_the_new_job_leaves_at_obans_default_stays(engine, conn):
    """Oban 2.23 replaces what its changeset holds, in which defaults are no change."""
    first = await engine.insert(make(priority=3, tags=["t"], meta={"m": 1}, max_attempts=5))
    before = await row(conn, first.id)

    await engine.insert(make(replace=["priority", "tags", "meta", "max_attempts", "scheduled_at"]))

    assert changed_columns(before, await row(conn, first.id)) == {}


@pytest.mark.parametrize(("state", "left"), [("retryable", 4), ("executing", 3), ("completed", 3)])
async def test_fewer_attempts_than_were_made_never_leave_a_row_that_blocks_a_queue(engine, conn, state, left):
    job_id = await put(conn, state, attempt=3, max_attempts=5, args='{"id": 1}')

    await engine.insert(make(max_attempts=1, replace=["max_attempts"]))

    assert (await row(conn, job_id))["max_attempts"] == left


async def test_within_a_batch_the_last_one_wins(engine, conn):
    options = {"unique": {**ONCE, "keys": ["id"]}, "replace": ["args", "priority"]}
    jobs = [make({"id": 1, "n": n}, priority=n, **options) for n in range(4)]

    stored = await engine.insert_many(jobs)

    assert [(job.id, job.conflict) for job in stored] == [(stored[0].id, n > 0) for n in range(4)]
    found = await row(conn, stored[0].id)
    assert (found["args"], found["priority"]) == ({"id": 1, "n": 3}, 3)
    assert stored[3].args == {"id": 1, "n": 3}


# Many


@pytest.mark.parametrize("unique", [True, {**ONCE, "keys": ["id"]}], ids=["all args", "a key"])
async def test_duplicates_of_stored_jobs_and_of_each_other_in_order(engine, conn, unique):
    stored = await engine.insert_many(make({"id": n}, unique=None) for n in range(0, 300, 3))

    found = await engine.insert_many(make({"id": n // 2}, unique=unique) for n in range(600))

    assert [job.args["id"] for job in found] == [n // 2 for n in range(600)]
    assert [job.conflict for job in found] == [n % 2 == 1 or n // 2 % 3 == 0 for n in range(600)]
    by_number = {job.args["id"]: job.id for job in stored}
    new = [job.id for job in found if not job.conflict]
    assert new == sorted(new)
    by_number |= {job.args["id"]: job.id for job in found if not job.conflict}
    assert [job.id for job in found] == [by_number[n // 2] for n in range(600)]
    assert await count(conn) == 300


async def test_duplicates_across_the_statements_of_one_call(engine, conn):
    size = inserts.CHUNK + 100

    found = await engine.insert_many(make({"id": n % inserts.CHUNK}) for n in range(size))

    assert [job.conflict for job in found] == [n >= inserts.CHUNK for n in range(size)]
    assert [job.id for job in found[inserts.CHUNK :]] == [job.id for job in found[:100]]
    assert await count(conn) == inserts.CHUNK


async def test_unique_jobs_and_others_in_one_call(engine, conn):
    found = await engine.insert_many([make(unique=None), make(), make(unique=None), make({"id": 2}), make()])

    assert [job.conflict for job in found] == [False, True, False, False, True]
    assert found[1].id == found[4].id == found[0].id
    assert await count(conn) == 3


async def test_a_job_that_is_no_duplicate_in_its_state_is_inserted(engine):
    waiting = {"unique": {**ONCE, "states": "scheduled"}}

    found = await engine.insert_many([
        make(**waiting), make(**waiting), make(schedule_in=9, unique=None), make(**waiting)
    ])  # fmt: skip

    assert [job.conflict for job in found] == [False, False, False, True]
    assert found[3].id == found[2].id


async def test_the_period_of_a_scheduled_time_counts_within_a_batch(engine):
    now = datetime.now(UTC)
    rule = {"period": 60, "timestamp": "scheduled_at"}

    found = await engine.insert_many([
        make({"id": 1}, scheduled_at=now - timedelta(seconds=90), unique=None),
        make({"id": 1}, unique=rule),
        make({"id": 2}, scheduled_at=now - timedelta(seconds=30), unique=None),
        make({"id": 2}, unique=rule),
    ])  # fmt: skip

    assert [job.conflict for job in found] == [False, False, False, True]


async def counted(conn, act):
    """Return how many of the engine's statements `act` sent; each begins with a comment that says why."""
    sent = []
    conn.add_query_logger(sent.append)
    async with conn.transaction():
        await act
    conn.remove_query_logger(sent.append)
    return sum(record.query.startswith("-- ") for record in sent)


async def test_the_number_of_statements_does_not_grow_with_the_jobs(engine, conn):
    small = await counted(conn, engine.insert_many([make({"id": n}) for n in range(100)], conn))
    large = await counted(conn, engine.insert_many([make({"id": n}) for n in range(2_000)], conn))

    assert (small, large) == (4, 4)  # locks, duplicates, insert, announcement


async def test_jobs_that_are_not_unique_cost_no_statement_more(engine, conn):
    assert await counted(conn, engine.insert_many([make(unique=None) for _ in range(200)], conn)) == 2
    assert await counted(conn, engine.insert(make(unique=None), conn)) == 1


# Transactions and locks


async def test_it_is_inserted_in_the_callers_transaction(engine, conn, ear):
    transaction = conn.transaction()
    await transaction.start()
    first = await engine.insert(make(), conn)
    second = await engine.insert(make(), conn)
    assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
    await transaction.rollback()

    assert await count(conn) == 0
    assert await ear.heard() == []
    assert not (await engine.insert(make())).conflict


@pytest.mark.parametrize("batch", [1, 250], ids=["alone", "in a batch"])
async def test_the_second_of_two_waits_and_finds_the_first(engine, conn, batch):
    jobs = [make({"id": n}) for n in range(batch)]
    async with conn.transaction():
        await engine.insert(make({"id": 0}), conn)
        waiting = asyncio.create_task(engine.insert_many(jobs))
        async with engine_on_same(engine) as watching:
            await blocked(watching)
        assert not waiting.done()

    stored = await waiting

    assert stored[0].conflict
    assert await count(conn) == batch


async def test_what_is_compared_as_the_same_waits_though_it_is_written_otherwise(engine, conn):
    async with conn.transaction():
        await engine.insert(make({"ids": [1, {"a": 2}], "n": 1}), conn)
        waiting = asyncio.create_task(engine.insert(make({"n": 1.0, "ids": [{"a": 2.0}, {}, 1, 1]})))
        async with engine_on_same(engine) as watching:
            await blocked(watching)

    assert (await waiting).conflict


async def test_another_job_does_not_wait(engine, conn):
    async with conn.transaction():
        await engine.insert(make({"id": 1}), conn)

        stored = await asyncio.wait_for(engine.insert(make({"id": 2})), 5)

    assert not stored.conflict


async def test_a_large_batch_takes_few_locks(engine, conn):
    """PostgreSQL has room for some thousands, for all connections together."""
    async with conn.transaction():
        await engine.insert_many([make({"id": n}) for n in range(2_000)], conn)
        held = await conn.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        )

    assert held == 1


def engine_on_same(engine):
    return engine._connections.pool.acquire()


async def test_a_rule_object_and_a_dict_are_the_same(engine):
    await engine.insert(make(unique=Unique(keys=["id"])))

    assert (await engine.insert(make(unique={"keys": ["id"]}))).conflict


async def test_a_conflict_is_run_once(engine, conn):
    await engine.insert_many([make(), make(), make()])

    assert len(await engine.fetch("alpha", 10, NODE, "6f2f9f0c-5d1e-4d0a-9a55-0d6c6b1c3a02", None)) == 1
