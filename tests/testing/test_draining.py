"""Draining a queue: Oban's options and counts, in the transaction of a test."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from queues.rig import insert_row, returning, row_of

from bridge import Cancel, Discard, Job, Oban, Record, Snooze, current_job
from bridge.errors import ContractError, InstanceNotFound, InvalidJob, InvalidSetting
from bridge.testing import drain_queue, sandbox

NONE = {"cancelled": 0, "discard": 0, "failure": 0, "snoozed": 0, "success": 0}


@pytest.fixture
def made(worker):
    """A worker that does what its args say."""

    async def process(job):
        match job.args["do"]:
            case "fail":
                raise LookupError("gone")
            case "cancel":
                return Cancel("x")
            case "discard":
                return Discard("x")
            case "snooze":
                return Snooze(3600)
            case "record":
                return Record([1])
        return None

    return worker(process)


def jobs_of(made, *what, **options):
    return [made.new({"do": do}, **options) for do in what]


async def test_counts_tell_how_many_came_to_which_end(manual, made):
    wanted = jobs_of(made, "work", "record", "fail", "fail", "cancel", "discard", "snooze", "work")
    await manual.enqueue_many([*wanted, *jobs_of(made, "fail", max_attempts=1)])

    counts = await drain_queue(manual, queue="default")

    assert counts == {"cancelled": 1, "discard": 2, "failure": 2, "snoozed": 1, "success": 3}
    states = {"completed": 3, "retryable": 2, "cancelled": 1, "discarded": 2, "scheduled": 1}
    assert await manual.count_jobs() == states


async def test_jobs_leave_the_rows_that_a_queue_would_leave(manual, pool, made):
    failed, snoozed, recorded = await manual.enqueue_many(jobs_of(made, "fail", "snooze", "record"))
    await drain_queue(manual, queue="default")

    row = await row_of(pool.conn, failed)
    assert (row["state"], row["attempt"], row["attempted_by"][0]) == ("retryable", 1, "here")
    assert row["errors"][0]["error"].startswith("** (LookupError) gone")
    assert row["scheduled_at"] > datetime.now(UTC).replace(tzinfo=None)
    row = await row_of(pool.conn, snoozed)
    assert (row["state"], row["attempt"], row["max_attempts"]) == ("scheduled", 1, 21)
    assert await manual.fetch_result(recorded) == [1]


async def test_jobs_run_in_the_order_of_a_queue_and_in_the_calling_task(manual, worker):
    seen = []
    task = asyncio.current_task()

    async def process(job):
        seen.append(job.args["n"])
        assert asyncio.current_task() is task
        assert current_job() is job

    w = worker(process)
    await manual.enqueue_many([w.new({"n": n}, priority=priority) for n, priority in enumerate([3, 0, 0, 1])])
    await drain_queue(manual, queue="default")

    assert seen == [1, 2, 3, 0]
    assert current_job() is None


async def test_only_the_named_queue_and_only_jobs_that_wait_are_run(manual, made):
    await manual.enqueue_many([
        *jobs_of(made, "work"),
        *jobs_of(made, "work", queue="other"),
        *jobs_of(made, "work", schedule_in=60),
        *jobs_of(made, "work", state="suspended"),
    ])  # fmt: skip
    assert await drain_queue(manual, queue="default") == {**NONE, "success": 1}
    assert await drain_queue(manual, queue="default") == NONE
    assert await manual.count_jobs() == {"available": 1, "scheduled": 1, "suspended": 1, "completed": 1}


async def test_jobs_of_workers_that_are_not_known_here_stay(manual, made):
    foreign = await manual.enqueue(Job("Elixir.Only"))
    await manual.enqueue_many(jobs_of(made, "work"))
    assert await drain_queue(manual, queue="default", with_recursion=True) == {**NONE, "success": 1}
    assert (await manual.get_job(foreign.id)).attempt == 0


async def test_a_limit_is_for_each_round(manual, made):
    await manual.enqueue_many(jobs_of(made, *["work"] * 5))
    assert (await drain_queue(manual, queue="default", with_limit=2))["success"] == 2
    assert (await drain_queue(manual, queue="default", with_limit=1, with_recursion=True))["success"] == 3


async def test_recursion_runs_what_the_jobs_enqueued(manual, worker):
    async def process(job):
        if job.args["n"]:
            await manual.enqueue(again.new({"n": job.args["n"] - 1}))

    again = worker(process)
    await manual.enqueue(again.new({"n": 3}))
    assert (await drain_queue(manual, queue="default"))["success"] == 1
    assert (await drain_queue(manual, queue="default", with_recursion=True))["success"] == 3


@pytest.mark.parametrize("bound", [True, datetime.now(UTC) + timedelta(hours=2)])
async def test_scheduled_and_retryable_jobs_are_run_where_that_is_asked(manual, made, bound):
    await manual.enqueue_many([*jobs_of(made, "fail"), *jobs_of(made, "work", schedule_in=3600)])
    await drain_queue(manual, queue="default")

    counts = await drain_queue(manual, queue="default", with_scheduled=bound)

    assert counts == {**NONE, "success": 1, "failure": 1}


async def test_a_time_runs_what_is_due_by_then(manual, made):
    soon, late = await manual.enqueue_many(made.new({"do": "work"}, schedule_in=delay) for delay in (3600, 7200))
    await manual.enqueue_many(jobs_of(made, "work", schedule_in=60, queue="other"))
    at = datetime.now(UTC) + timedelta(hours=1.5)
    assert await drain_queue(manual, queue="default", with_scheduled=at) == {**NONE, "success": 1}
    assert [(await manual.get_job(job.id)).state for job in (soon, late)] == ["completed", "scheduled"]


async def test_with_recursion_and_scheduled_a_job_fails_until_it_is_discarded(manual, made):
    await manual.enqueue_many(jobs_of(made, "fail", max_attempts=3))
    counts = await drain_queue(manual, queue="default", with_recursion=True, with_scheduled=True)
    assert counts == {**NONE, "failure": 2, "discard": 1}
    [job] = await manual.jobs()
    assert [entry["attempt"] for entry in job.errors] == [1, 2, 3]


async def test_a_row_without_attempts_left_is_not_staged(manual, pool, made):
    row = await insert_row(pool.conn, state="retryable", attempt=3, max_attempts=3)
    await drain_queue(manual, queue="default", with_scheduled=True)
    assert (await row_of(pool.conn, row))["state"] == "retryable"


async def test_without_safety_a_failure_is_recorded_and_raised_and_the_rest_handed_back(manual, made):
    first, failed, last = await manual.enqueue_many(jobs_of(made, "work", "fail", "work"))

    with pytest.raises(LookupError, match="gone"):
        await drain_queue(manual, queue="default", with_safety=False)

    found = [await manual.get_job(job.id) for job in (first, failed, last)]
    assert [job.state for job in found] == ["completed", "retryable", "available"]
    assert found[1].errors[0]["attempt"] == 1
    assert (await drain_queue(manual, queue="default", with_safety=False))["success"] == 1


async def test_without_safety_no_other_end_is_raised(manual, made):
    await manual.enqueue_many(jobs_of(made, "cancel", "discard", "snooze", "work"))
    counts = await drain_queue(manual, queue="default", with_safety=False)
    assert counts == {"cancelled": 1, "discard": 1, "failure": 0, "snoozed": 1, "success": 1}


async def test_rows_that_break_the_contract_are_cancelled_or_put_aside(manual, pool, typed, badge, registry):
    made = typed(returning({"path": "x"}), on_invalid="quarantine")
    good = await manual.enqueue(made.new({"id": 1}))
    bad = await insert_row(pool.conn, worker="Badges.Generate", queue="badges", args='{"id": 0}')

    assert await drain_queue(manual, queue="badges") == {**NONE, "success": 1, "failure": 1}

    row = await row_of(pool.conn, bad)
    assert (row["queue"], row["state"], row["attempt"]) == ("quarantine", "available", 0)
    assert (await manual.fetch_result(good)).path == "x"
    assert await drain_queue(manual, queue="quarantine") == {**NONE, "cancelled": 1}
    await insert_row(pool.conn, worker="Badges.Generate", queue="badges", args='{"id": 0}')
    with pytest.raises(ContractError):
        await drain_queue(manual, queue="badges", with_safety=False)


async def test_a_job_that_was_cancelled_by_itself_stays_cancelled(manual, worker):
    async def process(job):
        await manual.cancel_job(job)

    job = await manual.enqueue(worker(process).new())
    await drain_queue(manual, queue="default")
    assert (await manual.get_job(job.id)).state == "cancelled"


async def test_a_test_that_is_cancelled_hands_back_its_jobs(manual, worker):
    begun = asyncio.Event()

    async def wait(_job):
        begun.set()
        await asyncio.Event().wait()

    w = worker(wait)
    jobs = await manual.enqueue_many([w.new(), w.new()])
    task = asyncio.create_task(drain_queue(manual, queue="default"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(await manual.get_job(job.id)).state for job in jobs] == ["available", "available"]


async def test_a_database_that_is_gone_is_told_and_not_waited_for(installed, registry, worker):
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(sandbox(installed))
        oban = await stack.enter_async_context(Oban(pool=pool, registry=registry, testing="manual"))

        async def leave(_job):
            pool.conn.terminate()

        await oban.enqueue(worker(leave).new())
        with pytest.raises((OSError, asyncpg.InterfaceError)):
            await drain_queue(oban, queue="default")
        await oban.stop()
        stack.pop_all()  # there is nothing left to roll back


async def test_an_instance_with_a_pool_is_drained_too(installed, registry, made, conn):
    async with Oban(dsn=installed, registry=registry, testing="manual") as oban:
        await oban.enqueue_many(jobs_of(made, "work", "fail"))
        assert await drain_queue(queue="default") == {**NONE, "success": 1, "failure": 1}
    assert await conn.fetchval("select count(*) from oban_jobs where state = 'completed'") == 1


async def test_events_are_sent_once_rows_are_written(manual, made, ends):
    await manual.enqueue_many(jobs_of(made, "work", "fail"))
    await drain_queue(manual, queue="default")
    assert [(name, event.state, event.recorded) for name, event in ends] == [
        ("oban.job.stop", "completed", True),
        ("oban.job.exception", "retryable", True),
    ]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"queue": ""}, InvalidJob, "queue"),
        ({"with_limit": 0}, InvalidSetting, "with_limit: expected an integer from 1"),
        ({"with_recursion": 1}, InvalidSetting, "with_recursion: expected True or False"),
        ({"with_safety": None}, InvalidSetting, "with_safety: expected True or False"),
        ({"with_scheduled": "soon"}, InvalidSetting, "with_scheduled: expected True, False or an aware datetime"),
        ({"with_scheduled": datetime(2030, 1, 1)}, ValueError, "time zone"),  # noqa: DTZ001 - that is what is refused
    ],
)
async def test_options_of_the_wrong_kind_are_refused(manual, options, error, message):
    with pytest.raises(error, match=message):
        await drain_queue(manual, **{"queue": "default", **options})


async def test_there_must_be_an_instance():
    with pytest.raises(InstanceNotFound):
        await drain_queue(queue="default")
