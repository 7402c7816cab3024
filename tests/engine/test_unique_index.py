"""The unique index: what rows carry, what it refuses, and what becomes of an insert that meets it."""

import asyncio
import json

import asyncpg
import pytest

from bridge.engine import Ack
from bridge.engine.schema import inspect, install, install_unique_index, uninstall, unique_index_sql
from bridge.errors import InvalidJob, SchemaError
from bridge.jobs import Job, Unique

from .rig import AT, UUID, blocked, engine_on, fetch, row

HELD = Unique(period="infinity", index=True)
RULE = {"bridge_unique": {"fields": ["args", "queue", "worker"], "keys": [], "states": "successful"}}
ELIXIR = """
    insert into oban_jobs (worker, queue, args, meta, state)
    values ($1, $2, $3::text::jsonb, $4::text::jsonb, $5::text::oban_job_state)
    on conflict do nothing
    returning id
"""


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    await install(connection)
    await install_unique_index(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def engine(conn, database):
    async with engine_on(database) as found:
        yield found


def make(args=None, **options):
    return Job("W", **{"queue": "alpha", "args": {"id": 1} if args is None else args, "unique": HELD, **options})


async def as_elixir(conn, args, meta, *, worker="W", queue="alpha", state="available"):
    """Insert as Oban does; None where nothing was."""
    return await conn.fetchval(ELIXIR, worker, queue, json.dumps(args), json.dumps(meta), state)


async def key(conn, args, rule, *, meta=None, state="available", worker="W", queue="q"):
    meta = {"bridge_unique": rule, **(meta or {})}
    return await conn.fetchval(
        "select bridge_unique_key($1::text::oban_job_state, $2, $3, $4::text::jsonb, $5::text::jsonb)",
        *(state, worker, queue, json.dumps(args), json.dumps(meta)),
    )


# Inserting


async def test_the_row_carries_its_rule(engine, conn):
    job = await engine.insert(make(meta={"kept": 1}))
    many = await engine.insert_many([make({"id": 2}), make({"id": 3}, unique=True)])

    assert (await row(conn, job.id))["meta"] == {"kept": 1, **RULE}
    assert [(await row(conn, each.id))["meta"] for each in many] == [RULE, {}]


async def test_every_language_that_writes_the_rule_is_held_to_it(engine, conn):
    job = await engine.insert(make())

    assert await as_elixir(conn, {"id": 1}, RULE) is None
    assert await as_elixir(conn, {"id": 1.0}, {"bridge_unique": True}) is None
    assert await as_elixir(conn, {"id": 1}, {"bridge_unique": {"keys": []}}) is None
    assert await as_elixir(conn, {"id": 1}, {}) == job.id + 4  # without the rule it is a job like any other
    assert await as_elixir(conn, {"id": 2}, RULE) is not None


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
async def test_an_insert_that_meets_the_index_is_a_conflict_with_the_stored_job(engine, conn, database, many):
    """Here another language inserts the job after this one has looked for it, and before it inserts."""
    other = await asyncpg.connect(database)
    async with other.transaction():
        theirs = await as_elixir(other, {"id": 1}, RULE)
        jobs = [make({"id": n}) for n in range(3 if many else 2)]
        inserting = asyncio.create_task(engine.insert_many(jobs) if many else engine.insert(jobs[1]))
        await blocked(conn)
    await other.close()

    stored = (await inserting)[1] if many else await inserting

    assert (stored.id, stored.conflict, stored.args, stored.meta) == (theirs, True, {"id": 1}, RULE)
    if many:
        assert [(job.conflict, job.args["id"]) for job in await inserting] == [(False, 0), (True, 1), (False, 2)]


async def test_where_the_other_one_is_rolled_back_the_job_is_inserted(engine, conn, database):
    other = await asyncpg.connect(database)
    transaction = other.transaction()
    await transaction.start()
    await as_elixir(other, {"id": 1}, RULE)
    inserting = asyncio.create_task(engine.insert(make()))
    await blocked(conn)
    await transaction.rollback()
    await other.close()

    assert not (await inserting).conflict


async def test_what_the_index_keeps_out_may_replace(engine, conn, database):
    other = await asyncpg.connect(database)
    async with other.transaction():
        await as_elixir(other, {"id": 1}, RULE)
        inserting = asyncio.create_task(engine.insert(make(priority=4, meta={"new": 1}, replace=["priority", "meta"])))
        await blocked(conn)
    await other.close()

    job = await inserting

    assert (job.conflict, job.priority, job.meta) == (True, 4, {"new": 1, **RULE})


async def test_duplicates_within_a_batch(engine, conn):
    found = await engine.insert_many([make({"id": n % 3}) for n in range(9)])

    assert [job.conflict for job in found] == [n >= 3 for n in range(9)]
    assert [job.id for job in found] == [found[n % 3].id for n in range(9)]


async def test_a_job_that_another_ones_index_keeps_out_is_refused(engine, conn):
    await conn.execute("create unique index theirs on oban_jobs (worker)")
    await engine.insert(make())

    with pytest.raises(InvalidJob, match="another unique index than Bridge's keeps it out"):
        await engine.insert(make({"id": 2}))


async def test_without_the_index_it_is_refused(conn, database):
    await conn.execute("drop index bridge_jobs_unique")
    async with engine_on(database) as engine:
        with pytest.raises(InvalidJob, match="expected a database with Bridge's unique index, got True; run bridge in"):
            await engine.insert(make())


# Keys


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": [1, 2, {"x": 1}]}, {"a": [{"x": 1.0}, 2, 1, 1, {}]}, True),
        ({"a": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]}, {"a": [{"x": 1, "y": 4}, {"x": 3, "y": 2}]}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({}, {}, True),
        ({}, {"a": 1}, False),
        ({"a": {"b": {"c": [[], [1.50]]}}}, {"a": {"b": {"c": [[1.5]]}}}, True),
    ],
)
async def test_keys_of_args(conn, first, second, same):
    assert (await key(conn, first, True) == await key(conn, second, True)) is same


async def test_what_a_rule_compares_is_in_its_key(conn):
    async def keys(rule, **options):
        return [await key(conn, {"id": 1}, rule), await key(conn, {"id": 1}, rule, **options)]

    first, second = await keys({"fields": ["args", "worker"]}, queue="other")
    assert first == second
    first, second = await keys({"fields": ["args", "queue"]}, queue="other")
    assert first != second
    first, second = await keys({"fields": ["args"]}, worker="V", queue="other")
    assert first == second
    first, second = await keys({"fields": ["worker"]}, worker="V")
    assert first != second


async def test_rules_that_differ_never_meet(conn):
    rules = [True, {"states": "all"}, {"states": "incomplete"}, {"keys": ["id"]}, {"fields": ["args", "worker"]}]

    assert len({await key(conn, {"id": 1}, rule) for rule in rules}) == len(rules)
    assert await key(conn, {"id": 1}, {"fields": ["worker", "args", "queue"]}) == await key(conn, {"id": 1}, {})


async def test_only_the_keys_are_compared_and_without_any_of_them_nothing_is(conn):
    rule = {"keys": ["id"]}

    assert await key(conn, {"id": 1, "x": 1}, rule) == await key(conn, {"x": 2, "id": 1.0}, rule)
    assert await key(conn, {"id": 1}, rule) != await key(conn, {"id": 2}, rule)
    assert await key(conn, {"x": 1}, rule) is None
    assert await key(conn, {}, rule) is not None
    meta = {"fields": ["meta"], "keys": ["slug"]}
    assert await key(conn, {}, meta, meta={"slug": "a"}) != await key(conn, {}, meta, meta={"slug": "b"})


@pytest.mark.parametrize(
    ("states", "counted"),
    [
        ("all", 8),
        ("successful", 6),
        ("incomplete", 5),
    ],
)
async def test_the_states_of_a_group_count(conn, states, counted):
    all_states = await conn.fetchval("select enum_range(null::oban_job_state)::text[]")
    keys = [await key(conn, {}, {"states": states}, state=state) for state in all_states]

    assert len([found for found in keys if found is not None]) == counted
    assert len({found for found in keys if found is not None}) == 1


@pytest.mark.parametrize(
    "rule",
    [
        False, None, "yes", 1, [], {"states": "scheduled"}, {"states": ["available"]}, {"states": 1}, {"fields": []},
        {"fields": "args"}, {"fields": ["arg"]}, {"fields": [["args"]]}, {"fields": {"args": 1}}, {"keys": "id"},
        {"fields": ["meta"]}, {"keys": {"a": 1}},
    ],
    ids=json.dumps,
)  # fmt: skip
async def test_a_rule_that_nobody_can_keep_is_none(conn, rule):
    """A row of another program's must never fail on it."""
    assert await key(conn, {"id": 1}, rule) is None
    assert await as_elixir(conn, {"id": 1}, {"bridge_unique": rule}) is not None
    assert await as_elixir(conn, {"id": 1}, {"bridge_unique": rule}) is not None


@pytest.mark.parametrize("args", ["[1]", "3", "null", '"x"'])
async def test_args_that_are_no_object_have_no_key(conn, args):
    statement = "insert into oban_jobs (worker, args, meta) values ('W', $1::text::jsonb, '{\"bridge_unique\": true}')"
    for _ in range(2):
        await conn.execute(statement, args)


async def test_args_deeper_than_the_function_looks_are_compared_as_they_stand(conn):
    deep = "[" * 3_000 + "1" + "]" * 3_000
    statement = "insert into oban_jobs (worker, args, meta) values ('W', $1::text::jsonb, '{\"bridge_unique\": true}')"
    await conn.execute(statement, f'{{"a": {deep}}}')

    with pytest.raises(asyncpg.UniqueViolationError):
        await conn.execute(statement, f'{{"a": {deep}}}')


# A job's life


async def test_no_step_of_a_jobs_life_meets_the_index(engine, conn):
    """A second job for each of its ends, as soon as the first has left the states of its rule."""
    for states in ("all", "successful", "incomplete"):
        for end in ("completed", "discarded", "cancelled"):
            await conn.execute("truncate oban_jobs")
            job = make({"end": end}, unique=Unique(period="infinity", states=states, index=True), schedule_in=-1)
            stored = await engine.insert(job)
            assert (await engine.stage([], allowed=True))[0] == 1
            for state in ("retryable", "scheduled", end):
                [running] = await fetch(engine)
                ack = Ack(running.id, running.attempt, state, at=AT, scheduled_at=AT)
                assert await engine.ack(UUID, [ack]) == {(stored.id, running.attempt)}
                if state != end:
                    assert (await engine.insert(job.again())).id == stored.id
                    assert (await engine.stage([], allowed=True))[0] == 1
            freed = states == "incomplete" or (states == "successful" and end != "completed")
            assert (await engine.insert(job.again())).conflict is not freed


async def test_quarantined_jobs_of_several_queues_meet_without_harm(engine, conn):
    for queue in ("alpha", "beta"):
        await engine.insert(make(queue=queue))
        [job] = await fetch(engine, queue=queue)
        entry = '{"attempt": 1, "at": "2026-03-01T12:30:15.123456Z", "error": "no"}'
        ack = Ack(job.id, job.attempt, "available", at=AT, error=entry, meta='{"quarantined_from": "x"}')
        assert await engine.ack(UUID, [ack]) == {(job.id, job.attempt)}

    assert await conn.fetch("select meta->>'quarantined_from', queue from oban_jobs") == [("x", "quarantine")] * 2


# Installing


async def test_it_is_made_once_and_goes_with_the_tables(conn):
    assert await install_unique_index(conn) is False
    catalog = await inspect(conn)
    assert catalog.has_unique_index
    assert {"bridge_canonical()", "bridge_unique_key()"} <= set(catalog.objects)

    assert await uninstall(conn)

    assert (await inspect(conn)).objects == ()
    left = "select proname from pg_proc where proname like 'bridge%'"
    assert await conn.fetch(left) == []


async def test_one_that_was_left_unfinished_is_made_anew(conn):
    await conn.execute("update pg_index set indisvalid = false where indexrelid = 'bridge_jobs_unique'::regclass")
    assert not (await inspect(conn)).has_unique_index

    assert await install_unique_index(conn) is True
    assert (await inspect(conn)).has_unique_index


async def test_jobs_that_break_a_rule_already_are_told(conn):
    await conn.execute("drop index bridge_jobs_unique")
    for _ in range(2):
        await as_elixir(conn, {"id": 1}, RULE)

    with pytest.raises(SchemaError, match="could not create unique index"):
        await install_unique_index(conn)
    assert not (await inspect(conn)).has_unique_index


async def test_in_a_transaction_it_is_refused(conn):
    async with conn.transaction():
        with pytest.raises(SchemaError, match="a connection that is in none"):
            await install_unique_index(conn)


@pytest.mark.parametrize("prefix", ["public", 'it\'s "odd"', "$bridge$"])
async def test_by_sql_it_is_the_same(database, prefix):
    connection = await asyncpg.connect(database)
    await install(connection, prefix)
    await connection.execute(unique_index_sql(prefix))
    assert not await install_unique_index(connection, prefix)
    async with engine_on(database, prefix) as engine:
        await engine.insert(make())
        found = await engine.insert_many([make({"id": n // 2}) for n in range(60)])
    assert sum(job.conflict for job in found) == 31
    assert await uninstall(connection, prefix)
    await connection.close()


async def test_elixirs_own_migration_down_is_not_in_its_way(conn):
    """What Oban's migrations drop: the table, then the enum."""
    await conn.execute("drop table oban_jobs")
    await conn.execute("drop type oban_job_state")
