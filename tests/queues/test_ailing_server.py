"""A server that is out of order for a while costs no outcome, and a row that takes none holds up no other."""

import asyncio
import time
from contextlib import asynccontextmanager

import asyncpg
import pytest
from proxy import wire_to

from bridge.engine import Ack
from bridge.pubsub.throttle import Throttle
from bridge.queues import acker, aside, outage
from bridge.queues import claims as lost_claims
from bridge.queues.acker import Acker
from bridge.queues.backoff import RetryDelay
from bridge.queues.outcome import Outcome

from .rig import events_of, node, row_of, states, until

HOURS = 3600

#: What a trigger says in place of the server, by code.
AILING = {
    "58030": "could not read block 7 in file base/5/16384: Input/output error",
    "58P01": "could not open file base/5/16384",
    "XX000": "cache lookup failed for type 3802",
    "XX001": "invalid page in block 7 of relation base/5/16384",
    "XX002": "index contains unexpected zero page at block 7",
    "53200": "out of memory",
    "53400": "temporary file size exceeds temp_file_limit",
    "57014": "canceling statement due to statement timeout",
    "25P04": "terminating connection due to transaction timeout",
    "3D000": "database was renamed",
    "55000": "database is not currently accepting connections",
    "72000": "snapshot too old",
    "F0000": "could not load configuration",
    "26000": "prepared statement does not exist",
}


@asynccontextmanager
async def ailing(conn, code, when="old.state = 'executing'"):
    """Refuse changes of rows with a code, until what this yields is called; `when` says which changes."""
    await conn.execute(
        f"""
        create function ail() returns trigger language plpgsql as $$
        begin
          raise exception using errcode = '{code}', message = '{AILING.get(code, "no such outcome here")}';
        end
        $$;
        create trigger ail before update on oban_jobs for each row when ({when}) execute function ail()
        """
    )
    yield lambda: conn.execute("drop trigger ail on oban_jobs")


@pytest.fixture
def failures():
    """The events of writes that failed."""
    with events_of("oban.engine.ack_jobs.exception") as found:
        yield found


@pytest.fixture
def writes():
    """The events of writes, of whatever end."""
    with events_of("oban.engine.ack_jobs.stop", "oban.engine.ack_jobs.exception") as found:
        yield found


def after(seconds):
    """Delays that are all the same."""

    class Constant(RetryDelay):
        def next(self):
            super().next()
            return seconds

    return Constant


def acker_of(oban):
    return oban._parts.queues._producers["default"]._acker


# Errors that pass


@pytest.mark.parametrize("when", ["old.state = 'executing'", "new.state = 'completed'"], ids=["row", "outcome"])
@pytest.mark.parametrize("code", AILING)
async def test_a_job_that_ended_while_the_server_was_out_of_order_is_completed(
    start, worker, ends, conn, gate, failures, code, when
):
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    async with ailing(conn, code, when) as mend:
        gate.open()
        await failures.next(2)
        await mend()
    event = await ends.of(job)
    row = await row_of(conn, job)
    assert (event.state, event.recorded) == ("completed", True)
    assert (row["state"], row["attempt"], row["errors"]) == ("completed", 1, [])
    assert gate.runs == {job.id: 1}


async def test_two_seconds_of_io_errors_cost_no_outcome(start, worker, ends, conn, gate):
    cls = worker(gate)
    oban = await start(queues={"default": 20})
    jobs = await oban.enqueue_many(cls.new() for _ in range(12))
    await gate.entered(12)
    until_then = "clock_timestamp() < (select max(moment) from mended)"
    await conn.execute(
        f"""
        create table mended (moment timestamptz);
        create function ail() returns trigger language plpgsql as $$
        begin
          if {until_then} then raise exception using errcode = '58030', message = 'could not write'; end if;
          return new;
        end
        $$;
        create trigger ail before update on oban_jobs for each row execute function ail();
        insert into mended values (clock_timestamp() + interval '2 seconds');
        """
    )
    gate.open()
    for job in jobs:
        assert (await ends.of(job)).recorded
    assert await states(conn) == {"completed": 12}
    assert {row["attempt"] for row in await conn.fetch("select attempt from oban_jobs")} == {1}


async def test_a_queue_goes_on_once_its_fetches_work_again(start, worker, ends, conn):
    async def process(_job):
        return None

    cls = worker(process)
    with events_of("oban.engine.fetch_jobs.exception") as refused:
        oban = await start(queues={"default": 5})
        async with ailing(conn, "58030", "old.state = 'available'") as mend:
            job = await oban.enqueue(cls.new())
            await refused.next(3)
            await mend()
        event = await ends.of(job)
    assert (event.state, event.job.attempt) == ("completed", 1)


@pytest.mark.parametrize("error", [asyncpg.PostgresIOError("could not read"), asyncpg.InternalServerError("odd")])
async def test_claims_of_a_lost_answer_are_looked_for_until_somebody_can_tell(
    installed, worker, ends, registry, monkeypatch, error
):
    async def process(_job):
        return None

    cls, looks = worker(process), []
    options = {"queues": {"default": {"limit": 3, "paused": True}}}
    async with wire_to(installed) as wire, node(wire.dsn, registry, **options) as oban:
        engine = oban._parts.engine
        claimed = engine.claimed

        async def broken(*args):
            looks.append(args)
            if len(looks) <= 3:
                raise error
            return await claimed(*args)

        monkeypatch.setattr(engine, "claimed", broken)
        jobs = await oban.enqueue_many(cls.new({"part": "lost-on-the-way"}) for _ in range(3))
        wire.lose_answer(b"lost-on-the-way")
        await oban.resume_queue("default", local_only=True)
        found = await ends.first(3)
    assert sorted(event.job.id for event in found) == [job.id for job in jobs]
    assert {event.job.attempt for event in found} == {1}


async def test_claims_are_looked_for_after_an_outage_that_lasts_longer_than_the_watch(
    installed, worker, ends, registry, monkeypatch
):
    monkeypatch.setattr(lost_claims, "CLAIM_WATCH", 0.5)
    monkeypatch.setattr(outage, "RetryDelay", after(0.05))

    async def process(_job):
        return None

    cls = worker(process)
    options = {"queues": {"default": {"limit": 3, "paused": True}}}
    async with wire_to(installed) as wire, node(wire.dsn, registry, **options) as oban:
        engine = oban._parts.engine
        claimed, since = engine.claimed, []

        async def away(*args):
            since.append(time.monotonic())
            if time.monotonic() < since[0] + 1.5:
                raise ConnectionResetError
            return await claimed(*args)

        monkeypatch.setattr(engine, "claimed", away)
        jobs = await oban.enqueue_many(cls.new({"part": "lost-on-the-way"}) for _ in range(3))
        wire.lose_answer(b"lost-on-the-way")
        await oban.resume_queue("default", local_only=True)
        found = await ends.first(3)
    assert sorted(event.job.id for event in found) == [job.id for job in jobs]


# Rows that take nothing


async def test_a_row_that_can_not_be_written_holds_up_no_other_and_is_written_once_it_can(
    start, worker, ends, conn, gate, monkeypatch, caplog
):
    monkeypatch.setattr(acker, "ATTEMPTS", 1)
    cls = worker(gate)
    oban = await start(queues={"default": 20})
    damaged, *others = await oban.enqueue_many(cls.new() for _ in range(10))
    await gate.entered(10)
    async with ailing(conn, "XX001", f"old.id = {damaged.id}") as mend:
        gate.open()
        for job in [*others, *await oban.enqueue_many(cls.new() for _ in range(5))]:
            assert (await ends.of(job)).recorded
        assert (await row_of(conn, damaged))["state"] == "executing"
        await until(lambda: asyncio.sleep(0, f"the row of job {damaged.id} can't be written" in caplog.text))
        assert damaged.id not in [event.job.id for _, event in ends]
        await mend()
    assert (await ends.of(damaged)).recorded
    row = await row_of(conn, damaged)
    assert (row["state"], row["attempt"], row["errors"]) == ("completed", 1, [])


async def test_a_row_that_refuses_every_outcome_gets_the_first_one_once_it_takes_any(
    start, worker, ends, conn, gate, failures, caplog
):
    cls = worker(gate)
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    async with ailing(conn, "P0001") as mend:
        gate.open()
        event = await ends.of(job)
        assert (event.state, event.recorded) == ("discarded", False)
        await failures.next(5)  # three forms of the outcome, and two looks
        assert (await row_of(conn, job))["state"] == "executing"
        await mend()
    await until(lambda: is_in(conn, job, "completed"))
    row = await row_of(conn, job)
    assert (row["attempt"], row["errors"], row["discarded_at"]) == (1, [], None)
    await until(lambda: asyncio.sleep(0, acker_of(oban).pending == 0))
    assert len(ends) == 1
    assert caplog.text.count("takes no outcome and stays executing") == 1


async def is_in(conn, job, state):
    return (await row_of(conn, job))["state"] == state


async def test_where_a_row_takes_no_error_its_state_alone_is_written(start, worker, ends, conn, gate):
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    async with ailing(conn, "P0001", "new.state = 'completed' or new.errors is distinct from old.errors"):
        gate.open()
        event = await ends.of(job)
    assert (event.state, event.recorded) == ("discarded", True)
    row = await row_of(conn, job)
    assert (row["state"], row["errors"]) == ("discarded", [])
    assert row["discarded_at"] is not None


async def test_a_job_whose_outcome_was_put_aside_is_not_run_again(start, worker, ends, conn, gate):
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    async with ailing(conn, "P0001"):
        gate.open()
        await ends.of(job)
        queue = oban._parts.queues._producers["default"]
        queue._lost._until = time.monotonic() + 60
        with events_of("oban.engine.fetch_jobs.stop") as fetches:
            queue.wake()
            await fetches.next()
    assert gate.runs == {job.id: 1}


async def test_what_was_put_aside_is_tried_when_the_queue_stops_and_told_where_it_is_left(
    start, worker, ends, conn, gate, caplog, monkeypatch
):
    monkeypatch.setattr(aside, "RetryDelay", after(HOURS))
    cls = worker(gate)
    # The stop lasts as long, because of the row that takes nothing.
    oban = await start(queues={"default": 5}, shutdown_grace_period=5)
    jobs = await oban.enqueue_many([cls.new(), cls.new()])
    await gate.entered(2)
    async with ailing(conn, "P0001") as mend:
        gate.open()
        await ends.first(2)
        await conn.execute(
            f"create trigger stuck before update on oban_jobs for each row when (old.id = {jobs[1].id}) "
            "execute function ail()"
        )
        await mend()
        assert await states(conn) == {"executing": 2}
        await oban.stop()
    assert await states(conn) == {"completed": 1, "executing": 1}
    assert f"stopped before the outcomes of jobs [{jobs[1].id}] were written" in caplog.text
    # By that row others find out that the job is an orphan.
    assert await conn.fetchval("select count(*) from bridge_producers") == 1


# How much it costs, and how loud it is


async def claims(oban, conn, count):
    """Jobs that run, of a producer that is nobody's."""
    await conn.execute(
        "insert into oban_jobs (worker, queue, state, attempt, attempted_at, attempted_by) "
        "select 'W', 'theirs', 'executing', 1, timezone('UTC', now()), array['n', 'a-uuid'] "
        "from generate_series(1, $1)",
        count,
    )
    return await oban._parts.engine.claimed("theirs", "a-uuid")


def completed(job, meta=None):
    ack = Ack(job.id, job.attempt, "completed", job.attempted_at.replace(tzinfo=None), meta=meta)
    return Outcome(job, ack)


@asynccontextmanager
async def an_acker(oban, outcomes):
    """An acker that has been given all these outcomes before it begins; yields it and what it told."""
    told = asyncio.Queue()
    found = Acker(oban._parts.engine, "a-uuid", lambda outcome, recorded: told.put_nowait((outcome.job.id, recorded)))
    for outcome in outcomes:
        found.add(outcome)
    found.start()
    try:
        yield found, told
    finally:
        found.abandon()


async def test_one_refused_outcome_among_two_thousand_costs_few_writes(start, conn, writes):
    await conn.execute("alter table oban_jobs add constraint no_beer check (not (meta ? 'beer'))")
    oban = await start()
    jobs = await claims(oban, conn, 2_000)
    outcomes = [completed(job, '{"beer": 1}' if nth == 1_234 else None) for nth, job in enumerate(jobs)]
    async with an_acker(oban, outcomes) as (_, told), asyncio.timeout(30):
        assert {recorded for _, recorded in [await told.get() for _ in jobs]} == {True}
    assert await states(conn) == {"completed": 1_999, "discarded": 1}
    assert len(writes) < 40


async def test_refused_outcomes_are_told_of_now_and_then_with_their_number(start, conn, caplog):
    await conn.execute("alter table oban_jobs add constraint no_beer check (not (meta ? 'beer'))")
    oban = await start()
    jobs = await claims(oban, conn, 50)
    now = [100.0]
    async with an_acker(oban, [completed(job, '{"beer": 1}') for job in jobs[:49]]) as (found, told):
        found._told = Throttle(clock=lambda: now[0])
        async with asyncio.timeout(30):
            for _ in range(49):
                await told.get()
            now[0] += 30
            found.add(completed(jobs[49], '{"beer": 1}'))
            await told.get()
    lines = [record.getMessage() for record in caplog.records if "database refused" in record.getMessage()]
    assert len(lines) == 2
    assert lines[1].endswith("(48 more before)")


async def test_an_outcome_is_written_at_once_though_another_ones_row_is_held(
    start, worker, ends, installed, conn, gate, monkeypatch
):
    monkeypatch.setattr(acker, "RetryDelay", after(HOURS))
    cls = worker(gate)
    quick = worker(returning_nothing, "Quick")
    oban = await start(queues={"default": 5})
    held = await oban.enqueue(cls.new())
    await gate.entered(1)
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select from oban_jobs where id = $1 for update", held.id)
            with events_of("oban.engine.ack_jobs.stop") as written:
                gate.open()
                await written.next()
            for _ in range(3):
                await ends.of(await oban.enqueue(quick.new()))
            assert await is_in(conn, held, "executing")
    finally:
        await other.close()
    await ends.of(await oban.enqueue(quick.new()))
    assert (await ends.of(held)).recorded


async def returning_nothing(_job):
    return None
