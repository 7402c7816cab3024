"""Jobs of Python nodes that died are rescued, and nobody else's."""

import asyncio
import logging
import math
from datetime import datetime, timedelta

import asyncpg
import pytest
from engine.rig import NODE, changes, put, row
from msgspec import structs
from proxy import wire_to
from queues.rig import PATIENCE, insert_row, row_of, until

from bridge.errors import InvalidSetting
from bridge.maintenance import Heartbeat, Lifeline
from bridge.maintenance.lifeline import check_lifeline

from .rig import a_uuid, engine_on, producer

LONG_AGO = timedelta(days=300)
ELIXIRS = "35a4b633-a21d-4bb6-948f-046aa7178bdc"


@pytest.fixture
async def engine(installed):
    async with engine_on(installed) as found:
        await found.prepare_producers()
        yield found


@pytest.fixture
def lifeline(engine):
    def make(**options):
        return Lifeline(engine, options.pop("is_leader", lambda: True), **options)

    return make


async def rescue(lifeline, engine):
    """Rescue as a node does that has reached the database for a long time."""
    clock = await engine.read_clock()
    return await lifeline.rescue(clock, clock.now - LONG_AGO)


def ids(orphans):
    return [orphan.id for orphan in orphans]


# What a rescue writes


async def test_a_job_with_attempts_left_becomes_available_and_no_other_column_changes(engine, lifeline, conn):
    dead = await producer(conn, silent=61)
    job = await put(conn, "executing", attempt=4, max_attempts=5, attempted_by=[NODE, dead])
    found, changed = await changes(conn, job, rescue(lifeline(), engine))
    assert changed == {"state": "available"}
    assert (ids(found.rescued), found.discarded) == ([job], ())
    assert found.rescued[0].node == "py@gone"


async def test_a_job_without_attempts_left_is_discarded_with_its_time_and_nothing_else(engine, lifeline, conn):
    dead = await producer(conn, silent=61)
    job = await put(conn, "executing", attempt=5, max_attempts=5, attempted_by=[NODE, dead])
    before = (await engine.read_clock()).now
    found, changed = await changes(conn, job, rescue(lifeline(), engine))
    assert changed.keys() == {"state", "discarded_at"}
    assert changed["state"] == "discarded"
    assert before <= changed["discarded_at"] <= (await engine.read_clock()).now
    assert (found.rescued, ids(found.discarded)) == ((), [job])


async def test_what_became_of_jobs_of_the_dead_is_told_of_with_their_ids(engine, lifeline, conn, caplog):
    dead = await producer(conn, silent=61)
    last = [await put(conn, "executing", attempt=5, max_attempts=5, attempted_by=[NODE, dead]) for _ in range(3)]
    job = await put(conn, "executing", attempt=1, max_attempts=5, attempted_by=[NODE, dead])
    await rescue(lifeline(), engine)
    lost = f"jobs {', '.join(map(str, last))} of nodes that died (py@gone) were discarded for good"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"job {job} of nodes that died (py@gone) was made available again"),
        ("WARNING", f"{lost}: it was the last attempt, whose error nobody knows"),
    ]


async def test_the_queues_of_rescued_jobs_are_announced_once_and_of_discarded_ones_not(engine, lifeline, conn):
    heard = []
    await conn.add_listener("public.oban_insert", lambda *message: heard.append(message[3]))
    dead = await producer(conn, silent=61)
    for queue, attempt in (("b", 1), ("b", 1), ("a", 1), ("c", 5)):
        await put(conn, "executing", queue=queue, attempt=attempt, max_attempts=5, attempted_by=[NODE, dead])
    await rescue(lifeline(), engine)
    await until(lambda: asyncio.sleep(0, len(heard) >= 2))
    await conn.fetchval("select 1")
    assert heard == ['{"queue": "a"}', '{"queue": "b"}']


@pytest.mark.parametrize(
    "state", ["available", "scheduled", "retryable", "completed", "cancelled", "discarded", "suspended"]
)
async def test_no_other_state_is_touched(engine, lifeline, conn, state):
    dead = await producer(conn, silent=3600)
    job = await put(conn, state, attempted_by=[NODE, dead])
    _, changed = await changes(conn, job, rescue(lifeline(), engine))
    assert changed == {}


async def test_thousands_of_orphans_are_rescued_in_one_go(engine, lifeline, conn):
    dead = await producer(conn, silent=61)
    await conn.execute(
        "insert into oban_jobs (worker, state, attempt, attempted_by) "
        "select 'W', 'executing', 1, array['n', $1] from generate_series(1, 2500)",
        dead,
    )
    found = await rescue(lifeline(), engine)
    assert len(found.rescued) == 2500
    assert await conn.fetchval("select count(*) from oban_jobs where state = 'available'") == 2500


# Whose jobs


async def test_a_producer_that_beats_keeps_its_jobs_however_long_they_run(engine, lifeline, conn):
    alive = await producer(conn, silent=30)
    job = await put(conn, "executing", attempted_by=[NODE, alive])
    assert (await row(conn, job))["attempted_at"].year == 2026
    _, changed = await changes(conn, job, rescue(lifeline(), engine))
    assert changed == {}


@pytest.mark.parametrize("attempted_by", [["ex@host", ELIXIRS], ["ex@host"], [], None], ids=str)
async def test_jobs_of_elixirs_nodes_are_never_touched(engine, lifeline, conn, attempted_by):
    await producer(conn, silent=3600)
    job = await put(conn, "executing", attempted_by=attempted_by)
    _, changed = await changes(conn, job, rescue(lifeline(), engine))
    assert changed == {}


async def test_a_producer_that_gave_itself_more_time_has_it(engine, lifeline, conn):
    patient = await producer(conn, silent=100, rescue_after=120)
    job = await put(conn, "executing", attempted_by=[NODE, patient])
    assert (await rescue(lifeline(), engine)).rescued == ()
    await conn.execute("update bridge_producers set beat_at = beat_at - interval '21 seconds'")
    assert ids((await rescue(lifeline(), engine)).rescued) == [job]


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, 1e300, -math.inf, -1e300])
async def test_a_time_that_nobody_can_give_itself_is_a_day_at_most_and_stops_no_rescue(
    engine, lifeline, conn, nonsense
):
    odd = await producer(conn, silent=86_401, rescue_after=nonsense)
    dead = await producer(conn, silent=61)
    jobs = [await put(conn, "executing", attempted_by=[NODE, uuid]) for uuid in (odd, dead)]
    assert ids((await rescue(lifeline(), engine)).rescued) == jobs
    assert await engine.live_producers() == []


async def test_a_producer_that_gave_itself_less_time_has_the_lifelines(engine, lifeline, conn):
    hasty = await producer(conn, silent=50, rescue_after=2)
    await put(conn, "executing", attempted_by=[NODE, hasty])
    assert (await rescue(lifeline(rescue_after=60), engine)).rescued == ()


async def test_a_row_that_somebody_holds_waits_for_the_next_round(engine, lifeline, conn, installed):
    dead = await producer(conn, silent=61)
    jobs = [await put(conn, "executing", attempted_by=[NODE, dead]) for _ in range(2)]
    async with conn.transaction():
        await conn.execute("select from oban_jobs where id = $1 for update", jobs[0])
        async with asyncio.timeout(PATIENCE):
            assert ids((await rescue(lifeline(), engine)).rescued) == [jobs[1]]
    assert ids((await rescue(lifeline(), engine)).rescued) == [jobs[0]]


async def test_a_producer_whose_row_somebody_holds_may_be_unable_to_beat_and_is_left_alone(engine, lifeline, conn):
    silenced, dead = await producer(conn, silent=61), await producer(conn, silent=61)
    jobs = [await put(conn, "executing", attempted_by=[NODE, uuid]) for uuid in (silenced, dead)]
    async with conn.transaction():
        await conn.execute("select from bridge_producers where uuid = $1 for update", silenced)
        async with asyncio.timeout(PATIENCE):
            assert ids((await rescue(lifeline(), engine)).rescued) == [jobs[1]]
    assert ids((await rescue(lifeline(), engine)).rescued) == [jobs[0]]


async def test_two_lifelines_at_once_rescue_each_job_once(engine, lifeline, conn):
    dead = await producer(conn, silent=61)
    await conn.execute(
        "insert into oban_jobs (worker, state, attempt, attempted_by) "
        "select 'W', 'executing', 1, array['n', $1] from generate_series(1, 3000)",
        dead,
    )
    one, other = await asyncio.gather(rescue(lifeline(), engine), rescue(lifeline(), engine))
    assert sorted(ids(one.rescued) + ids(other.rescued)) == list(range(1, 3001))


async def test_an_outcome_that_is_written_first_wins(engine, lifeline, conn, installed):
    """The rescue has chosen the row when the node, dead only to the eye, completes it."""
    dead = await producer(conn, silent=61)
    job = await put(conn, "executing", attempted_by=[NODE, dead])
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("update oban_jobs set state = 'completed' where id = $1", job)
    assert (await rescue(lifeline(), engine)).rescued == ()
    await transaction.commit()
    assert (await rescue(lifeline(), engine)).rescued == ()
    assert (await row(conn, job))["state"] == "completed"


# Since when silence counts


async def test_a_node_that_begins_to_watch_gives_the_silent_their_time(engine, lifeline, conn):
    dead = await producer(conn, silent=3600)
    job = await insert_row(conn, state="executing", attempt=1, attempted_by=["n", dead])
    service = lifeline()
    for _ in range(3):
        await service.run_once()
    assert (await row_of(conn, job))["state"] == "executing"
    service._since -= timedelta(seconds=61)
    await service.run_once()
    assert (await row_of(conn, job))["state"] == "available"


async def test_a_node_that_does_not_lead_watches_too_and_rescues_at_once_when_it_does(engine, lifeline, conn):
    leads = []
    service = lifeline(is_leader=lambda: bool(leads))
    await service.run_once()
    service._since -= timedelta(seconds=61)
    dead = await producer(conn, silent=61)
    job = await insert_row(conn, state="executing", attempt=1, attempted_by=["n", dead])
    await service.run_once()
    assert (await row_of(conn, job))["state"] == "executing"
    leads.append(True)
    await service.run_once()
    assert (await row_of(conn, job))["state"] == "available"


@pytest.mark.parametrize("step", [-600, -1, 31, 600])
def test_a_gap_between_rounds_or_a_step_of_the_databases_clock_begins_the_watch_anew(lifeline, step):
    service = lifeline(rescue_after=60)
    begun = datetime(2026, 1, 1)  # noqa: DTZ001 - as the database's clock comes
    for nth in range(5):
        service._watch(begun + timedelta(seconds=15 * nth))
    assert service._since == begun
    late = begun + timedelta(seconds=60 + step)
    service._watch(late)
    assert service._since == late


async def test_a_beat_from_before_the_clock_was_set_back_tells_nothing(engine, lifeline, conn):
    dead = await producer(conn, silent=-7200)
    job = await put(conn, "executing", attempted_by=[NODE, dead])
    assert ids((await rescue(lifeline(), engine)).rescued) == [job]


async def test_a_beat_that_is_a_little_ahead_counts(engine, lifeline, conn):
    alive = await producer(conn, silent=-50)
    await put(conn, "executing", attempted_by=[NODE, alive])
    assert (await rescue(lifeline(), engine)).rescued == ()


async def test_nobody_is_dead_where_the_clock_was_set_back_since_it_was_read(engine, lifeline, conn):
    alive = await producer(conn, silent=1)
    await put(conn, "executing", attempted_by=[NODE, alive])
    clock = await engine.read_clock()
    ahead = structs.replace(clock, now=clock.now + timedelta(hours=1))
    assert (await lifeline().rescue(ahead, clock.now - LONG_AGO)).rescued == ()


async def test_a_look_that_had_to_wait_takes_nobody_for_dead(engine, lifeline, conn):
    """Somebody locked the jobs just after the clock was read, and nobody's silence is known any more."""
    dead = await producer(conn, silent=3600)
    await put(conn, "executing", attempted_by=[NODE, dead])
    clock = await engine.read_clock()
    old = structs.replace(clock, now=clock.now - timedelta(seconds=31))
    assert (await lifeline(rescue_after=60).rescue(old, clock.now - LONG_AGO)).rescued == ()


async def test_a_node_whose_own_heartbeat_is_not_written_takes_nobody_for_dead(engine, lifeline, conn):
    """Somebody holds a lock on the list, by which it can be read and not written."""
    heart = Heartbeat(engine, instance="Oban", node="py@a", rescue_after=60)
    service = lifeline(beats=heart.is_heard)
    await heart.ensure(a_uuid(), "default")
    await service.run_once()
    service._since -= LONG_AGO
    heart._beaten = {uuid: at - 31 for uuid, at in heart._beaten.items()}
    other = await producer(conn, silent=61)
    job = await put(conn, "executing", attempted_by=[NODE, other])
    await service.run_once()
    assert (await row(conn, job))["state"] == "executing"
    await heart.run_once()
    service._since -= timedelta(seconds=61)
    await service.run_once()
    assert (await row(conn, job))["state"] == "available"


async def test_a_round_that_fails_begins_the_watch_anew(engine, lifeline, conn):
    service = lifeline()
    await service.run_once()
    first = service._since
    await service.run_once()
    assert service._since == first
    pool = engine._connections.pool
    engine._connections.pool = None
    with pytest.raises(AttributeError):
        await service.run_once()
    engine._connections.pool = pool
    await service.run_once()
    assert service._since > first


async def test_after_an_outage_the_silent_have_their_time_again(conn, installed):
    async with wire_to(installed) as wire, engine_on(wire.dsn) as engine:
        await engine.prepare_producers()
        service = Lifeline(engine, lambda: True)
        await service.run_once()
        service._since -= timedelta(seconds=3600)
        await wire.cut()
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await service.run_once()
        await wire.open()
        alive = await producer(conn, silent=61)  # it was away as well, and beats in a moment
        job = await insert_row(conn, state="executing", attempt=1, attempted_by=["n", alive])
        await service.run_once()
        assert (await row_of(conn, job))["state"] == "executing"


# What is only told


async def test_a_job_of_a_known_worker_without_a_heartbeat_is_told_of_once_and_left_alone(
    engine, lifeline, conn, caplog
):
    job = await put(conn, "executing", worker="Mine", attempted_by=["py@old", a_uuid()])
    await put(conn, "executing", worker="MyApp.Elixirs", attempted_by=["ex@host", a_uuid()])
    fresh = await put(conn, "executing", worker="Mine", attempted_by=["py@new", a_uuid()])
    await conn.execute("update oban_jobs set attempted_at = timezone('UTC', now()) where id = $1", fresh)
    service = lifeline(workers=lambda: ["Mine"])
    before = await row(conn, job)
    for _ in range(3):
        await service.run_once()
    assert await row(conn, job) == before
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage().startswith(f"job {job} has been executing for over an hour")
    assert "py@old" in record.getMessage()


async def test_without_the_list_a_round_does_nothing_and_does_not_fail(installed, caplog):
    async with engine_on(installed) as engine:
        await Lifeline(engine, lambda: True).run_once()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_dry_run_finds_what_a_rescue_does(engine, lifeline, conn):
    dead = await producer(conn, silent=61)
    alive = await producer(conn, silent=1)
    for attempt, uuid in ((1, dead), (5, dead), (1, alive)):
        await put(conn, "executing", attempt=attempt, max_attempts=5, attempted_by=[NODE, uuid])
    clock = await engine.read_clock()
    since = clock.now - LONG_AGO
    planned = await engine.orphans(clock.now, since, 60)
    found = await lifeline().rescue(clock, since)
    assert planned == sorted([*found.rescued, *found.discarded], key=lambda orphan: orphan.id)
    assert [orphan.state for orphan in planned] == ["available", "discarded"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"rescue_after": 0.5}, "lifeline.rescue_after"),
        ({"rescue_after": "60"}, "lifeline.rescue_after"),
        ({"interval": 21}, "lifeline.interval"),
        ({"interval": 0.01}, "lifeline.interval"),
        ({"interval": 2, "rescue_after": 5}, "lifeline.interval"),
        ({"enabled": 1}, "lifeline.enabled"),
    ],
)
def test_options_that_a_lifeline_cant_have_are_refused(options, field):
    with pytest.raises(InvalidSetting) as caught:
        check_lifeline(**options)
    assert caught.value.field == field
