"""Jobs that run where they are enqueued: what they see, and what is returned."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from contracts.runtime.rig import make_contract
from queues.rig import returning

from bridge import Cancel, Discard, Job, Oban, Record, Snooze, current_job
from bridge.errors import ContractError, InvalidJob, JobNotFound, JobTimeout, UnknownWorker, ValidationError
from bridge.testing import mode

from .conftest import BADGE


async def test_a_job_runs_at_once_and_is_not_stored(inline, worker):
    seen = []
    made = worker(lambda job: seen.append(job) or "done", queue="mail", max_attempts=3)

    job = await inline.enqueue(made.new({"id": 1}, tags=["A"], meta={"k": 1}, priority=2))

    [run] = seen
    assert (run.id, run.state, run.attempt, run.attempted_by) == (job.id, "executing", 1, ["here"])
    assert abs(run.attempted_at - datetime.now(UTC)) < timedelta(seconds=5)
    assert run.inserted_at
    assert run.scheduled_at
    assert (job.state, job.attempt, job.errors, job.attempted_by) == ("completed", 1, [], ["here"])
    assert job.completed_at >= run.attempted_at
    assert (job.queue, job.max_attempts, job.priority, job.tags, job.meta) == ("mail", 3, 2, ["a"], {"k": 1})
    assert await inline.count_jobs() == {}
    assert await inline.get_job(job.id) is None


async def test_args_and_meta_make_the_way_through_json(inline, worker):
    seen = []
    made = worker(lambda job: seen.append((job.args, job.meta)))
    at = datetime(2026, 1, 2, tzinfo=UTC)

    job = await inline.enqueue(made.new({"at": at, "pair": (1, 2), 5: None}, meta={"when": at}))

    assert seen == [({"at": "2026-01-02T00:00:00Z", "pair": [1, 2], "5": None}, {"when": "2026-01-02T00:00:00Z"})]
    assert (job.args, job.meta) == seen[0]


async def test_what_a_worker_does_to_its_args_is_not_seen_outside(inline, worker):
    made = worker(lambda job: job.args.update(more=1))
    given = {"id": 1}
    job = await inline.enqueue(made.new(given))
    assert (given, job.args) == ({"id": 1}, {"id": 1})


@pytest.mark.parametrize(
    ("result", "state", "time"),
    [
        ("anything", "completed", "completed_at"),
        (Cancel("no need"), "cancelled", "cancelled_at"),
        (Discard("no way"), "discarded", "discarded_at"),
        (Snooze(60), "scheduled", None),
    ],
)
async def test_the_returned_job_is_in_its_final_state(inline, worker, result, state, time):
    job = await inline.enqueue(worker(returning(result)).new())

    assert job.state == state
    if time:
        assert getattr(job, time)
    if isinstance(result, Cancel | Discard):
        [entry] = job.errors
        assert (entry["attempt"], result.reason in entry["error"]) == (1, True)
    if state == "scheduled":
        assert timedelta(seconds=55) < job.scheduled_at - datetime.now(UTC) < timedelta(seconds=61)
        assert (job.attempt, job.max_attempts) == (1, 21)


async def test_the_final_job_is_what_the_table_would_hold(inline, worker, conn):
    """The same jobs, inline and drained, come to the same columns."""
    results = {"a": Snooze(3600, meta={"page": 2}), "b": Cancel("x"), "c": Record([1]), "d": Discard("y"), "e": None}
    made = worker(lambda job: results[job.args["do"]])
    columns = ("state", "attempt", "max_attempts", "meta", "queue", "tags", "args")
    ran = await inline.enqueue_many(made.new({"do": do}, meta={"own": 1}, tags=["t"]) for do in results)
    with mode("manual"):
        waiting = await inline.enqueue_many(made.new({"do": do}, meta={"own": 1}, tags=["t"]) for do in results)
    await inline.drain_queue("default")

    for job, stored in zip(ran, waiting, strict=True):
        row = await inline.get_job(stored.id)
        assert [getattr(job, name) for name in columns] == [getattr(row, name) for name in columns]
        assert [entry["error"] for entry in job.errors] == [entry["error"] for entry in row.errors]
        for time in ("completed_at", "cancelled_at", "discarded_at"):
            assert (getattr(job, time) is None) == (getattr(row, time) is None)


async def test_a_scheduled_job_runs_at_once_and_a_suspended_one_does_not(inline, worker):
    runs = []
    made = worker(lambda job: runs.append(job.scheduled_at))

    scheduled = await inline.enqueue(made.new(schedule_in=3600))
    suspended = await inline.enqueue(made.new(state="suspended"))

    assert (scheduled.state, suspended.state, suspended.attempt) == ("completed", "suspended", 0)
    assert suspended.id
    assert suspended.inserted_at
    assert len(runs) == 1
    assert runs[0] < datetime.now(UTC)


async def test_what_a_worker_raises_reaches_whoever_enqueued(inline, worker):
    async def fail(_job):
        raise LookupError("gone")

    made = worker(fail)
    with pytest.raises(LookupError, match="gone"):
        await inline.enqueue(made.new())
    with pytest.raises(LookupError, match="gone"):
        await inline.enqueue_many([made.new()])


async def test_with_safety_what_a_worker_raises_is_recorded(manual, worker):
    def fail(_job):
        raise LookupError("gone")

    made = worker(fail)
    with mode("inline", with_safety=True):
        job = await manual.enqueue(made.new())
        last = await manual.enqueue(made.new(max_attempts=1))

    assert (job.state, job.attempt, last.state) == ("retryable", 1, "discarded")
    assert job.scheduled_at > datetime.now(UTC)
    assert job.errors[0]["error"].startswith("** (LookupError) gone")
    assert last.discarded_at


async def test_a_timeout_is_raised(inline, worker):
    async def wait(_job):
        await asyncio.Event().wait()

    with pytest.raises(JobTimeout, match="timed out after 10ms"):
        await inline.enqueue(worker(wait, timeout=0.01).new())


async def test_jobs_that_a_job_enqueues_run_within_it(inline, worker):
    order = []

    async def first(job):
        order.append("first begins")
        inner = await inline.enqueue(second.new({"n": 1}))
        assert (inner.state, current_job().id) == ("completed", job.id)
        order.append("first ends")

    second = worker(lambda _job: order.append("second"), "Second")
    outer = await inline.enqueue(worker(first, "First").new())

    assert order == ["first begins", "second", "first ends"]
    assert (outer.state, current_job()) == ("completed", None)


async def test_synchronous_workers_run_in_a_thread_of_their_own(inline, worker):
    seen = []

    def process(job):
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(current_job() is job)

    await inline.enqueue(worker(process).new())
    assert seen == [True]


async def test_many_jobs_run_in_their_order_from_any_iterable(inline, worker):
    seen = []
    made = worker(lambda job: seen.append(job.args["n"]))

    async def stream():
        for n in range(3):
            yield made.new({"n": n})

    jobs = await inline.enqueue_many(stream())
    assert (seen, [job.args["n"] for job in jobs]) == ([0, 1, 2], [0, 1, 2])
    assert len({job.id for job in jobs}) == 3


async def test_nothing_runs_where_one_of_many_could_not_be_inserted(inline, worker):
    seen = []
    made = worker(seen.append)
    bad = made.new()
    bad.priority = 99
    with pytest.raises(InvalidJob, match=r"jobs\[1\]"):
        await inline.enqueue_many([made.new(), bad])
    assert seen == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda job: setattr(job, "args", {"x": float("nan")}),
        lambda job: setattr(job, "meta", {"x": "\x00"}),
        lambda job: setattr(job, "queue", ""),
        lambda job: setattr(job, "max_attempts", 0),
        lambda job: setattr(job, "state", "completed"),
    ],
)
async def test_what_the_table_would_not_take_is_refused_before_it_runs(inline, worker, spoil):
    seen = []
    job = worker(seen.append).new()
    spoil(job)
    with pytest.raises(ValidationError):
        await inline.enqueue(job)
    assert seen == []


async def test_args_that_break_the_contract_are_refused_before_the_worker_runs(inline, typed):
    seen = []
    made = typed(lambda job: seen.append(job.args) or {"path": "x"})
    job = made.new({"id": 1})
    job.args = {"id": 0}

    with pytest.raises(ContractError, match="/id"):
        await inline.enqueue(job)
    with pytest.raises(ContractError, match="/id"):
        await inline.enqueue(Job("Badges.Generate", args={"id": 0}))
    assert seen == []


async def test_a_worker_under_a_contract_gets_its_object_and_its_result_is_fetched(inline, typed, badge):
    seen = []
    made = typed(lambda job: seen.append(job.args) or {"path": "a.pdf"})

    job = await inline.enqueue(made.new(badge(id=7)))
    [plain] = await inline.enqueue_many([Job("Badges.Generate", args={"id": 8}, queue="badges")])

    assert seen == [badge(id=7), badge(id=8)]
    assert (job.args, job.meta["contract"], plain.args) == (badge(id=7), "Badge@1", {"id": 8})
    assert (await inline.fetch_result(job)).path == "a.pdf"
    assert (await inline.fetch_result(job.id)).path == "a.pdf"


async def test_a_result_that_breaks_the_contract_is_raised(inline, typed):
    made = typed(lambda _job: {"path": ""})
    with pytest.raises(ContractError, match=r"Badge@1 result.*/path"):
        await inline.enqueue(made.new({"id": 1}))


async def test_recorded_results_are_fetched_and_missing_ones_told(inline, worker):
    made = worker(lambda job: Record({"sum": 3}) if job.args else 3)
    recorded, plain = await inline.enqueue_many([made.new({"a": 1}), made.new()])
    assert await inline.fetch_result(recorded) == {"sum": 3}
    with pytest.raises(JobNotFound, match="has recorded nothing"):
        await inline.fetch_result(plain)


async def test_a_worker_that_nobody_registered_is_told(inline):
    with pytest.raises(UnknownWorker, match=r"unknown worker: App\.Typo"):
        await inline.enqueue(Job("App.Typo"))


async def test_a_job_for_the_other_language_is_checked_and_returned_as_it_waits(inline):
    printed = make_contract(BADGE, worker="Badges.Print", serves="elixir", queue="printing")
    job = await inline.enqueue(printed(id=1).new())
    assert (job.state, job.attempt, job.queue, bool(job.id)) == ("available", 0, "printing", True)
    wrong = Job("Badges.Print", args={"id": 0})
    with pytest.raises(ContractError):
        await inline.enqueue(wrong)


async def test_the_job_that_was_given_can_be_enqueued_again(inline, worker):
    runs = []
    job = worker(lambda run: runs.append(run.id)).new()
    first, second = await inline.enqueue(job), await inline.enqueue(job)
    assert runs == [first.id, second.id]
    assert (job.id, job.attempt) == (first.id, 0)


async def test_unique_says_nothing_inline(inline, worker):
    made = worker(returning(1))
    jobs = [await inline.enqueue(made.new({"id": 1}, unique=True)) for _ in range(2)]
    assert [job.state for job in jobs] == ["completed", "completed"]
    assert jobs[0].id != jobs[1].id


async def test_events_of_inline_jobs_are_sent(inline, worker, ends):
    job = await inline.enqueue(worker(returning(5)).new())
    [(name, event)] = ends
    assert (name, event.job.id, event.state, event.result) == ("oban.job.stop", job.id, "completed", 5)


async def test_a_test_that_is_cancelled_is_not_held_up_by_its_job(inline, worker):
    begun = asyncio.Event()

    async def wait(_job):
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(inline.enqueue(worker(wait).new()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_inline_jobs_need_no_transaction(inline, worker, pool):
    await pool.conn.execute("savepoint here")
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.conn.execute("select from nowhere")
    # The transaction is broken now, and a statement would say so.
    assert (await inline.enqueue(worker(returning(1)).new())).state == "completed"
    await pool.conn.execute("rollback to savepoint here")


async def test_an_instance_must_have_been_started(registry, worker):
    oban = Oban(dsn="postgresql://nowhere", registry=registry, testing="inline")
    with pytest.raises(RuntimeError, match="not running"):
        await oban.enqueue(worker(returning(1)).new())
