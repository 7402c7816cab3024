"""Due jobs become available, by one node at a time, and never beside a leader of Elixir's."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from engine.rig import blocked
from queues.rig import PATIENCE, events_of, insert_row, row_of, states, until

from bridge.cluster import Situation
from bridge.cluster.beats import Beats
from bridge.engine import Connections, Engine
from bridge.engine.schema import inspect
from bridge.errors import InvalidSetting
from bridge.maintenance import Stager
from bridge.telemetry import events

DUE = datetime(2026, 1, 1)  # noqa: DTZ001 - the column holds naive UTC
QUICK = {"interval": 0.02}


async def nothing(_job):
    return None


async def lease(conn, name="Oban", seconds=30, node="ex@host-a"):
    """Hold the lease as an Elixir leader does."""
    await conn.execute(
        """
        insert into oban_peers (name, node, started_at, expires_at)
        values ($1, $2, timezone('UTC', now()), timezone('UTC', now()) + $3 * interval '1 second')
        """,
        name,
        node,
        float(seconds),
    )


def just_due():
    """A time that has just come: beside a lease of Elixir's, what is due for long is another matter."""
    return datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture(autouse=True)
def never_late(monkeypatch):
    """What is just due beside a lease of Elixir's isn't late, however long the machine stands still."""
    monkeypatch.setattr("bridge.engine.staging.LATE", 60)


@pytest.fixture
async def engine(installed):
    async with asyncpg.create_pool(installed, min_size=1, max_size=3) as pool:
        async with pool.acquire() as held:
            catalog = await inspect(held, "public")
        yield Engine(Connections(pool), "public", catalog)


@pytest.fixture
def stager(engine):
    """A function that makes a stager that has not been started, and lists what it wakes."""

    def make(*queues, **options):
        async def wake(ready):
            found.woken.append(ready)

        found = Stager(engine, lambda: queues, wake, **options)
        found.woken = []
        return found

    return make


@pytest.mark.parametrize("state", ["scheduled", "retryable"])
async def test_a_due_job_is_made_available(stager, conn, state):
    due = await insert_row(conn, state=state, scheduled_at=DUE, attempt=2)
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=1)
    early = await insert_row(conn, state=state, scheduled_at=later)
    before = await row_of(conn, due)
    service = stager("default")
    await service.run_once()
    assert await row_of(conn, due) == {**before, "state": "available"}
    assert (await row_of(conn, early))["state"] == state
    assert service.woken == [set(), {"default"}]


@pytest.mark.parametrize("state", ["suspended", "completed", "cancelled", "discarded", "executing"])
async def test_no_other_state_is_touched(stager, conn, state):
    job = await insert_row(conn, state=state, scheduled_at=DUE)
    service = stager("default")
    await service.run_once()
    assert (await row_of(conn, job))["state"] == state
    assert service.woken == [set()]


async def test_every_queue_is_staged_and_announced_once(stager, conn, database):
    heard = asyncio.Queue()
    listener = await asyncpg.connect(database)
    await listener.add_listener("public.oban_insert", lambda *message: heard.put_nowait(json.loads(message[3])))
    for queue in ("mine", "theirs", "theirs", "mine"):
        await insert_row(conn, state="scheduled", scheduled_at=DUE, queue=queue)
    await stager("mine").run_once()
    announced = [await asyncio.wait_for(heard.get(), PATIENCE) for _ in range(2)]
    assert sorted(each["queue"] for each in announced) == ["mine", "theirs"]
    assert await states(conn) == {"available": 4}
    await listener.close()


async def test_queues_with_something_to_fetch_are_woken_whoever_put_it_there(stager, conn):
    await insert_row(conn, queue="one")
    await insert_row(conn, queue="elsewhere")
    service = stager("one", "two")
    await service.run_once()
    assert service.woken == [{"one"}]


async def test_no_queue_is_woken_for_nothing(stager, conn):
    service = stager("one")
    await service.run_once()
    assert service.woken == [set()]


async def test_a_round_stages_more_than_one_statement_takes(stager, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.STAGE_LIMIT", 3)
    for day in range(8):
        await insert_row(conn, state="scheduled", scheduled_at=DUE + timedelta(days=day))
    service = stager("default", interval=600)
    await service.run_once()
    assert await states(conn) == {"available": 8}
    assert service.woken == [set(), *[{"default"}] * 3]


async def test_a_round_that_takes_too_long_leaves_the_rest_to_the_next(stager, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.staging.STAGE_LIMIT", 3)
    for day in range(8):
        await insert_row(conn, state="scheduled", scheduled_at=DUE + timedelta(days=day))
    service = stager("default", interval=0.01)
    service._wake = lambda _ready: asyncio.sleep(0.02)
    await service.run_once()
    assert await states(conn) == {"available": 3, "scheduled": 5}


async def test_a_row_that_somebody_holds_is_left_for_later(stager, conn, installed):
    held = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    free = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    other = await asyncpg.connect(installed)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("update oban_jobs set state = 'cancelled' where id = $1", held)
    async with asyncio.timeout(PATIENCE):
        await stager("default").run_once()
    assert (await row_of(conn, free))["state"] == "available"
    await transaction.commit()
    await other.close()
    await stager("default").run_once()
    assert (await row_of(conn, held))["state"] == "cancelled"


@pytest.mark.parametrize("name", ["Oban", "MyApp.Oban2", "{:oban, 3}"])
async def test_a_live_lease_of_elixirs_stages_for_all(stager, conn, name):
    due = await insert_row(conn, state="scheduled", scheduled_at=just_due())
    waiting = await insert_row(conn)
    await lease(conn, name)
    service = stager("default")
    await service.run_once()
    assert (await row_of(conn, due))["state"] == "scheduled"
    # What is available is this node's to fetch all the same.
    assert service.woken == [{"default"}]
    assert (await row_of(conn, waiting))["state"] == "available"


async def test_a_lease_that_ran_out_or_is_pythons_hinders_nobody(stager, conn):
    due = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    await lease(conn, "Oban", seconds=-1)
    await lease(conn, "Oban@python", node="py@host-a")
    await stager("default").run_once()
    assert (await row_of(conn, due))["state"] == "available"


@pytest.mark.parametrize(("mode", "state"), [("on", "available"), ("off", "scheduled"), ("auto", "scheduled")])
async def test_the_mode_decides_beside_a_leader(stager, conn, mode, state):
    due = await insert_row(conn, state="scheduled", scheduled_at=just_due())
    await lease(conn)
    await stager("default", mode=mode).run_once()
    assert (await row_of(conn, due))["state"] == state


async def test_the_mode_off_wakes_queues_and_stages_nothing(stager, conn):
    await insert_row(conn, state="scheduled", scheduled_at=DUE, queue="one")
    await insert_row(conn, queue="two")
    service = stager("one", "two", mode="off")
    await service.run_once()
    assert service.woken == [{"two"}]


@pytest.mark.parametrize("options", [{"mode": "sometimes"}, {"interval": 0}, {"interval": -1}, {"interval": "1"}])
async def test_a_setting_that_is_none_is_refused(stager, options):
    with pytest.raises(InvalidSetting, match=f"stager.{next(iter(options))}"):
        stager("default", **options)


async def test_who_stages_is_logged_when_it_changes(stager, conn, caplog):
    caplog.set_level("DEBUG", "bridge.maintenance")
    service = stager("default")
    for _ in range(3):
        await service.run_once()
    await lease(conn)
    for _ in range(3):
        await service.run_once()
    assert [record.getMessage() for record in caplog.records] == [
        "this node stages due jobs",
        "queues look for jobs themselves",
        "this node leaves due jobs to ex@host-a (Elixir)",
    ]


async def test_a_stager_that_is_off_names_nobody_who_stages(stager, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    await stager("default", mode="off").run_once()
    assert duties(caplog) == ["nobody is known to stage due jobs: stager.mode is off here"]


def duties(caplog):
    return [text for text in caplog.messages if "due jobs" in text]


async def test_two_stagers_stage_each_job_once(stager, conn):
    await conn.execute(
        "insert into oban_jobs (worker, queue, state, scheduled_at) "
        "select 'W', 'default', 'scheduled', '2026-01-01' from generate_series(1, 3000)"
    )
    await asyncio.gather(*(stager("default").run_once() for _ in range(3)))
    assert await states(conn) == {"available": 3_000}


async def test_a_due_job_runs_soon_and_not_too_early(start, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(queues={"default": 5}, stager=QUICK)
    past = await oban.enqueue(cls.new(scheduled_at=DUE.replace(tzinfo=UTC)))
    soon = await oban.enqueue(cls.new(schedule_in=0.3))
    await ends.of(past)
    await ends.of(soon)
    row = await row_of(conn, soon)
    assert row["attempted_at"] >= row["scheduled_at"]


async def test_jobs_are_staged_again_once_the_lease_of_elixirs_ran_out(start, worker, ends, conn):
    cls = worker(nothing)
    begun = time.monotonic()
    await lease(conn, seconds=0.5)
    oban = await start(queues={"default": 5}, stager=QUICK)
    job = await oban.enqueue(cls.new(schedule_in=0))
    await ends.of(job)
    assert time.monotonic() - begun >= 0.5


async def test_a_queue_that_snoozes_to_now_comes_back_by_the_stager(start, worker, ends):
    from bridge import Snooze

    async def process(job):
        return Snooze(0) if job.attempt < 5 else None

    cls = worker(process)
    oban = await start(queues={"default": 5}, stager=QUICK)
    job = await oban.enqueue(cls.new(max_attempts=1))
    event = await ends.of(job, attempt=5)
    assert (event.state, event.job.max_attempts) == ("completed", 5)


async def test_twelve_thousand_due_jobs_are_staged_in_rounds(start, worker, conn, ends):
    await conn.execute(
        "insert into oban_jobs (worker, queue, state, scheduled_at) "
        "select 'Foreign', 'other', 'scheduled', '2026-01-01' from generate_series(1, 12000)"
    )
    oban = await start(queues={"default": 5}, stager=QUICK)

    async def staged():
        return await states(conn) == {"available": 12_000}

    await until(staged, 30)
    assert oban._parts.stager.rounds >= 2


async def test_a_client_stages_nothing(start, conn):
    job = await insert_row(conn, state="scheduled", scheduled_at=DUE)
    oban = await start()
    assert not oban._parts.stager.running
    assert (await row_of(conn, job))["state"] == "scheduled"


class Overdue(Situation):
    """It hears; time passes with each question, and the leader's promise runs out between the first and the next."""

    hears = True
    leads = False
    asked = 0

    @property
    def settled(self):
        return self.stands_in()

    def stands_in(self):
        self.asked += 1
        return self.asked > 1


async def test_a_promise_that_runs_out_during_a_round_makes_nobody_tell_of_no_stager(stager, conn, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    service = stager("default", situation=Overdue())
    for _ in range(2):
        await service.run_once()
    assert caplog.messages == ["this node stages due jobs"]


class Candidate(Situation):
    """It hears, and no leader is known yet; then it has won the election."""

    hears = True
    leads = False

    @property
    def settled(self):
        return self.leads

    def beat(self, within):
        return Beats("Oban@python", "a").message(within) if self.leads else ""


async def test_an_election_that_is_won_during_a_round_is_told_by_the_next(stager, conn, installed, caplog):
    caplog.set_level("INFO", "bridge.maintenance")
    service = stager("default", situation=(situation := Candidate()))
    other = await asyncpg.connect(installed)
    with events_of(events.STAGER_SWITCH) as switches:
        async with asyncio.TaskGroup() as group, other.transaction():
            await other.execute("lock table oban_jobs in access exclusive mode")
            group.create_task(service.run_once())
            await blocked(conn)
            situation.leads = True
        assert (switches, caplog.messages) == ([], [])
        await service.run_once()
    await other.close()
    assert [event.mode for _, event in switches] == ["global"]
    assert caplog.messages == ["this node stages due jobs"]
