"""A unique index, of whoever's making, refuses one row of many: the others go on, and it is told of."""

import asyncpg
import pytest

from bridge.engine.conflicts import PAUSE, Conflicts
from bridge.engine.schema import install

from .rig import NODE, OTHER_UUID, UUID, engine_on, put, row

#: As other programs make them: a key in meta, unique among jobs that wait or run.
INDEX = """
    create unique index theirs on oban_jobs ((meta ->> 'uniq_key'))
    where meta ? 'uniq_key' and state in ('available', 'executing')
"""


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    await install(connection)
    await connection.execute(INDEX)
    yield connection
    await connection.close()


@pytest.fixture
async def engine(conn, database):
    async with engine_on(database) as found:
        yield found


async def put_due(conn, number=100, *, state="scheduled", keyed=(50,)):
    """Put rows there; those whose number is in `keyed` have a key that an available job has already."""
    await put(conn, "available", meta='{"uniq_key": "taken"}')
    metas = ['{"uniq_key": "taken"}' if nth in keyed else "{}" for nth in range(number)]
    return [await put(conn, state, meta=meta) for meta in metas]


async def states(conn, ids):
    return dict(await conn.fetch("select id, state::text from oban_jobs where id = any($1)", ids))


def expect(ids, state, kept, keyed=(50,)):
    return {job_id: kept if nth in keyed else state for nth, job_id in enumerate(ids)}


async def test_staging_goes_on_without_the_one(engine, conn, caplog):
    ids = await put_due(conn)

    assert await engine.stage(["alpha"], allowed=True) == (99, {"alpha"})

    assert await states(conn, ids) == expect(ids, "available", "scheduled")
    assert [record.message for record in caplog.records] == [
        f"a unique index refuses to let 1 job be staged: {ids[50]}; another job has its place, so delete one of the two"
    ]


async def test_staging_beside_elixir_goes_on_too(engine, conn):
    ids = await put_due(conn)

    assert await engine.stage([], allowed=True, heed=True) == (99, set())
    assert await states(conn, ids) == expect(ids, "available", "scheduled")


async def test_several_of_them(engine, conn):
    keyed = (0, 1, 31, 98, 99)
    ids = await put_due(conn, keyed=keyed)

    assert (await engine.stage([], allowed=True))[0] == 95
    assert await states(conn, ids) == expect(ids, "available", "scheduled", keyed)


async def test_two_that_stand_in_each_others_way_only(engine, conn):
    ids = [await put(conn, "scheduled", meta='{"uniq_key": "a"}') for _ in range(2)]

    assert (await engine.stage([], allowed=True))[0] == 1
    assert sorted((await states(conn, ids)).values()) == ["available", "scheduled"]


async def test_the_next_round_leaves_it_out_in_one_statement(conn, database, caplog):
    sent = []

    async def watch(connection):
        connection.add_query_logger(sent.append)

    async with engine_on(database, init=watch) as engine:
        await put_due(conn)
        await engine.stage([], allowed=True)
        due = [await put(conn, "scheduled") for _ in range(3)]
        sent.clear()

        assert (await engine.stage([], allowed=True))[0] == 3

        assert set((await states(conn, due)).values()) == {"available"}
        # The engine's statements begin with a comment; the pool sends some of its own.
        assert len([record for record in sent if record.query.startswith("-- ")]) == 1
        assert len(caplog.records) == 1


async def test_when_its_time_has_come_again_and_the_way_is_free_it_is_staged(engine, conn):
    ids = await put_due(conn, 1, keyed=(0,))
    now = [0.0]
    engine._conflicts = Conflicts(lambda: now[0])
    assert (await engine.stage([], allowed=True))[0] == 0
    await conn.execute("delete from oban_jobs where state = 'available'")
    assert (await engine.stage([], allowed=True))[0] == 0
    now[0] = PAUSE

    assert (await engine.stage([], allowed=True))[0] == 1
    assert await states(conn, ids) == {ids[0]: "available"}


async def test_an_error_of_another_kind_is_raised(engine, conn):
    await put(conn, "scheduled")
    await conn.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
        "create trigger refuse before update on oban_jobs for each row execute function refuse()"
    )

    with pytest.raises(asyncpg.RaiseError):
        await engine.stage([], allowed=True)


@pytest.mark.parametrize("by", ["ids", "filters"])
async def test_retry_makes_all_others_available_and_tells_of_them_only(engine, conn, by, caplog):
    ids = await put_due(conn, 20, state="completed", keyed=(7,))

    retried = await engine.retry({"id": ids} if by == "ids" else {"state": "completed"})

    assert retried == [job_id for nth, job_id in enumerate(ids) if nth != 7]
    assert await states(conn, ids) == expect(ids, "available", "completed", (7,))
    assert [f"be retried: {ids[7]};" in record.message for record in caplog.records] == [True]
    assert await engine.retry({"id": [ids[7]]}) == []


async def test_update_changes_all_others(engine, conn, caplog):
    await put(conn, "available", meta='{"uniq_key": "taken"}')
    ids = [await put(conn, "available") for _ in range(5)]
    keyed = await put(conn, "available", meta='{"uniq_key": "other"}')

    def change(job):
        return {"meta": {"uniq_key": "taken"}} if job.id == keyed else {"priority": 9}

    changed = await engine.update({"priority": 2}, change)

    assert {job.id for job in changed} == {keyed - 6, *ids}
    assert (await row(conn, keyed))["meta"] == {"uniq_key": "other"}
    assert all([(await row(conn, job_id))["priority"] == 9 for job_id in ids])
    assert [f"be changed: {keyed};" in record.message for record in caplog.records] == [True]
    assert await engine.update({"id": [keyed]}, {"meta": {"uniq_key": "taken"}}) == []


async def test_rescue_hands_back_all_others(engine, conn, caplog):
    await conn.execute("drop index theirs")
    await conn.execute("create unique index theirs on oban_jobs ((meta ->> 'uniq_key')) where state = 'available'")
    await engine.prepare_producers()
    await engine.beat({OTHER_UUID: "alpha"}, instance="Oban", node=NODE, rescue_after=1)
    await conn.execute("update bridge_producers set beat_at = beat_at - interval '1 hour'")
    await put(conn, "available", meta='{"uniq_key": "taken"}')
    ids = [
        await put(
            conn,
            "executing",
            attempted_by=[NODE, OTHER_UUID],
            meta='{"uniq_key": "taken"}' if nth == 3 else "{}",
        )
        for nth in range(10)
    ]

    now = (await engine.read_clock()).now
    rescued = await engine.rescue(now, now.replace(year=2000), 1)

    assert [orphan.id for orphan in rescued] == [job_id for nth, job_id in enumerate(ids) if nth != 3]
    assert await states(conn, ids) == expect(ids, "available", "executing", (3,))
    assert [f"be rescued: {ids[3]};" in record.message for record in caplog.records] == [True]
    assert await engine.rescue(now, now.replace(year=2000), 1) == []


async def test_a_producer_that_stops_hands_back_all_others(engine, conn):
    await conn.execute("drop index theirs")
    await conn.execute("create unique index theirs on oban_jobs ((meta ->> 'uniq_key')) where state = 'available'")
    await put(conn, "available", meta='{"uniq_key": "taken"}')
    ids = [
        await put(conn, "executing", attempted_by=[NODE, UUID], meta='{"uniq_key": "taken"}' if nth == 1 else "{}")
        for nth in range(4)
    ]

    released = await engine.release(UUID, [(job_id, 1) for job_id in ids])

    assert released == {job_id: "available" for nth, job_id in enumerate(ids) if nth != 1}


# The log


async def refuse_all(_ids):
    raise asyncpg.UniqueViolationError("no")


async def test_a_line_a_minute_and_action_counts_what_it_left_out(caplog):
    now = [0.0]
    conflicts = Conflicts(lambda: now[0])

    for second in range(121):
        now[0] = float(second)
        await conflicts.isolate("staged", [second, -second - 1], refuse_all)
    await conflicts.isolate("retried", [1], refuse_all)

    messages = [record.message.partition(";")[0] for record in caplog.records]
    assert messages == [
        "a unique index refuses to let 2 jobs be staged: 0, -1",
        "a unique index refuses to let 2 jobs be staged, and 118 before: 60, -61",
        "a unique index refuses to let 2 jobs be staged, and 118 before: 120, -121",
        "a unique index refuses to let 1 job be retried: 1",
    ]


async def test_a_long_list_is_cut(caplog):
    await Conflicts().isolate("staged", range(1, 101), refuse_all)

    assert "let 100 jobs be staged: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …;" in caplog.records[0].message


async def test_one_action_holds_no_row_back_from_another(caplog):
    conflicts = Conflicts(lambda: 0.0)
    await conflicts.isolate("changed", [1], refuse_all)

    assert (conflicts.held("staged"), conflicts.held("changed")) == ([], [1])
