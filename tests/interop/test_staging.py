"""Either side makes the other's due jobs available, and what one has started the other never sets back."""

import asyncio
from datetime import UTC, timedelta

import asyncpg
import pytest
from engine.rig import blocked
from queues.rig import until

from bridge import Job
from bridge.engine.staging import LATE

from .conftest import ELIXIR, PYTHON
from .journal import Journal
from .rows import RECENT, about, check, error, now, ran_by
from .schedules import completed, freeze, held_by, schedule

#: Elixir's round, as its timer begins it.
STAGE = """
{:ok, staged} =
  Oban.Repo.transaction(Oban.config(), fn ->
    {:ok, staged} = Oban.Engine.stage_jobs(Oban.config(), Oban.Job, limit: 5_000)
    length(staged)
  end)
staged
"""
NO_STAGER = "stage_interval: :infinity"


@pytest.mark.item("cluster: each side stages the other's jobs")
@pytest.mark.parametrize("stager", ["elixir", "python"])
async def test_a_scheduled_job_of_either_is_staged_by(elixir, python, place, stager):
    ex = await elixir(options="" if stager == "elixir" else "peer: false")
    py = await python(**({"stager": {"mode": "off"}} if stager == "elixir" else {}))
    time = now() + timedelta(seconds=0.3)

    jobs = {
        "elixir": (await py.oban.enqueue(Job("Interop.Ok", queue="elixir", scheduled_at=time.replace(tzinfo=UTC)))).id,
        "python": await ex.rpc(
            'Interop.insert("interop.Ok", %{}, queue: "python", scheduled_at: time)', time=time.replace(tzinfo=UTC)
        ),
    }

    for queue, number in jobs.items():
        check(
            await place.settled(number, "completed"),
            worker="interop.Ok" if queue == "python" else "Interop.Ok",
            queue=queue,
            state="completed",
            scheduled_at=time,
            attempt=1,
            attempted_by=ran_by(PYTHON if queue == "python" else ELIXIR),
            attempted_at=about(time + timedelta(seconds=1.5), 1.5),
            completed_at=about(time + timedelta(seconds=1.5), 1.5),
        )


@pytest.mark.item("cluster: each side stages the other's jobs")
@pytest.mark.parametrize("stager", ["elixir", "python"])
async def test_a_job_of_the_other_side_that_failed_is_staged_again_by(elixir, python, place, stager):
    """Elixir's worker backs off for no time at all."""
    if stager == "python":
        await elixir(options="peer: false")
        py = await python()
        job = Job("Interop.Outcome", queue="elixir", args={"mode": "raise", "backoff": 0}, max_attempts=2)
        number = (await py.oban.enqueue(job)).id
        text, node = r"\*\* \(RuntimeError\) boom.*", ELIXIR
    else:
        ex = await elixir()
        py = await python(stager={"mode": "off"})
        number = await ex.rpc('Interop.insert("interop.Outcome", %{mode: "raise"}, queue: "python", max_attempts: 2)')
        await place.settled(number, "retryable")
        # Seventeen seconds are long for a test.
        await place.conn.execute(
            f"update {place.table} set scheduled_at = timezone('UTC', now()) where id = $1", number
        )
        text, node = ".*RuntimeError: boom.*", PYTHON

    row = await place.settled(number, "discarded")
    assert row["errors"] == [error(1, text), error(2, text)]
    assert (row["attempt"], row["attempted_by"], row["scheduled_at"]) == (2, ran_by(node), RECENT)


@pytest.mark.item("cluster: no job runs twice")
async def test_what_a_stager_of_elixirs_finds_when_it_wakes_was_done_before_it_or_is_left_to_it(elixir, python, place):
    """It begins while late jobs are staged here, and goes on when one of them is running already."""
    ex = await elixir(options=NO_STAGER, queues={})
    await held_by(place, ELIXIR)
    py = await python(stager={"mode": "off"})
    engine = py.oban._parts.engine
    await ex.rpc(STAGE)  # from here on, the statement is prepared
    job = await py.oban.enqueue(Job("Foreign", schedule_in=-5))
    stage, waking = engine._stage, []

    async def stage_slowly(*args, conn, **options):
        found = await stage(*args, conn=conn, **options)
        waking.append(asyncio.create_task(ex.rpc(STAGE)))
        await blocked(place.conn)
        # What the node does that fetches it; it is in this transaction so that the order is sure.
        await conn.execute(f"update {place.table} set state = 'executing', attempt = 1")
        return found

    engine._stage = stage_slowly
    assert await engine.stage_late([]) == (1, set())
    assert await waking[0] == 0
    assert (await place.row(job.id))["state"] == "executing"


@pytest.mark.item("cluster: no job runs twice")
async def test_without_that_lock_elixirs_stager_sets_back_a_job_that_runs(elixir, place):
    """Why the table is locked, and not the rows: should this fail one day, Elixir has learned to look twice."""
    ex = await elixir(options=NO_STAGER, queues={})
    await ex.rpc(STAGE)
    insert = (
        f"insert into {place.table} (worker, state, scheduled_at) values ('W', 'scheduled', '2026-01-01') returning id"
    )
    number = await place.conn.fetchval(insert)
    other = await asyncpg.connect(place.dsn)
    async with other.transaction():
        await other.execute(f"update {place.table} set state = 'executing', attempt = 1")
        waking = asyncio.create_task(ex.rpc(STAGE))
        await blocked(place.conn)
    await other.close()
    assert await waking == 1
    assert (await place.row(number))["state"] == "available"


@pytest.mark.item("cluster: no job runs twice")
async def test_a_leader_of_elixirs_that_freezes_and_wakes_again_and_again_runs_nothing_twice(elixir, python, place):
    """Its rounds meet those in which late jobs are staged in its stead, at every possible moment."""
    journal = await Journal(place).open()
    leader = await elixir(queues={})
    await held_by(place, ELIXIR)
    other = await elixir(node="ex@host-c")
    py = await python(queues={"python": 50})
    await held_by(place, PYTHON, "Oban@python")

    jobs = set()
    for _ in range(3):
        jobs |= await schedule(place, py.oban, other, [nth / 10 for nth in range(40)])
        await freeze(leader, place)
        before = await late(place)
        await until(lambda before=before: _more(place, before), 20)
        await leader.resume()
    await completed(place, jobs)

    assert await journal.runs(jobs) == dict.fromkeys(jobs, 1)
    assert max((await journal.lateness("executing", jobs)).values()) < 3


async def late(place):
    """How many jobs were staged late, as Python alone does it."""
    bound = timedelta(seconds=LATE)
    statement = "select count(*) from journal.moves where state = 'available' and at - scheduled_at > $1"
    return await place.conn.fetchval(statement, bound)


async def _more(place, before):
    return await late(place) > before


@pytest.mark.item("cluster: no job runs twice")
async def test_of_a_backlog_that_takes_elixir_several_rounds_each_job_is_staged_once(elixir, python, place):
    """Meanwhile jobs are late, so Python helps."""
    await Journal(place).open()
    await elixir()
    await held_by(place, ELIXIR)
    await python()
    await held_by(place, PYTHON, "Oban@python")
    await place.conn.execute(
        f"insert into {place.table} (worker, queue, state, scheduled_at) "
        "select 'Foreign', 'nobody', 'scheduled', timezone('UTC', now()) - interval '1 minute' "
        "from generate_series(1, 12000)"
    )

    async def staged():
        return await place.states() == {"available": 12_000}

    await until(staged, 30)
    moves = "select count(*), count(distinct id) from journal.moves where state = 'available'"
    assert tuple(await place.conn.fetchrow(moves)) == (12_000, 12_000)
