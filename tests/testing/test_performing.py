"""Jobs that are built and run without a database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from queues.rig import make_worker, returning

from bridge import Cancel, Discard, Job, Record, Snooze, Worker, current_job, job
from bridge.errors import ContractError, InvalidJob, InvalidWorker, JobError, JobTimeout, UnknownWorker
from bridge.jobs import registry as all_workers
from bridge.testing import build_job, perform_job, process_job


@pytest.fixture
def add():
    """A function as a worker."""

    @job(queue="sums", name="App.add")
    def add_two(a, b):
        return a + b

    yield add_two
    all_workers.unregister(add_two.worker)


def test_a_built_job_is_on_its_first_attempt(worker):
    made = worker(returning(1), queue="mail", max_attempts=3, meta={"own": 1})
    before = datetime.now(UTC)

    first, second = build_job(made, {"at": datetime(2026, 1, 2, tzinfo=UTC), 1: (2,)}), build_job(made)

    assert first.args == {"at": "2026-01-02T00:00:00Z", "1": [2]}
    assert (first.state, first.attempt, first.max_attempts, first.queue) == ("executing", 1, 3, "mail")
    assert (first.meta, first.errors, len(first.attempted_by)) == ({"own": 1}, [], 1)
    assert before <= first.inserted_at == first.scheduled_at == first.attempted_at <= datetime.now(UTC)
    assert 0 < first.id < second.id
    assert second.args == {}


def test_a_job_is_built_with_any_option_of_it(worker):
    made = worker(returning(1))
    at = datetime(2026, 1, 2, tzinfo=UTC)
    errors = [{"attempt": 1, "at": "2026-01-01T00:00:00Z", "error": "no"}]

    found = build_job(
        made, {}, id=7, attempt=5, priority=9, tags=["A"], meta={"k": (1,)}, errors=errors, attempted_by=["x"],
        attempted_at=at, inserted_at=at, scheduled_at=at + timedelta(1), queue="q",
    )  # fmt: skip

    assert (found.id, found.attempt, found.priority, found.tags, found.meta) == (7, 5, 9, ["a"], {"k": [1]})
    assert (found.errors, found.attempted_by, found.queue) == (errors, ["x"], "q")
    assert (found.inserted_at, found.attempted_at, found.scheduled_at) == (at, at, at + timedelta(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attemt": 1}, "did you mean 'attempt'"),
        ({"attempt": 0}, "attempt: expected an integer from 1"),
        ({"id": "7"}, "id: expected an integer"),
        ({"priority": 10}, "priority"),
        ({"errors": ["no"]}, "errors: expected dicts"),
        ({"inserted_at": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is what is refused
        ({"args": {}}, "option"),
    ],
)
def test_a_job_that_could_not_be_is_not_built(worker, options, message):
    with pytest.raises(InvalidJob, match=message):
        build_job(worker(returning(1)), **options)


@pytest.mark.parametrize("what", ["App.W", object(), int, Worker, type("Plain", (Worker,), {})])
async def test_what_is_no_worker_is_refused(what):
    with pytest.raises(InvalidWorker):
        build_job(what)
    with pytest.raises(InvalidWorker):
        await perform_job(what)


@pytest.mark.parametrize("result", [None, 5, {"a": 1}, Cancel("x"), Discard(), Snooze(5), Record([1])])
async def test_what_process_returned_is_returned(worker, result):
    async def process(_job):
        return result

    assert await perform_job(worker(returning(result))) is result
    assert await perform_job(worker(process, "Async")) is result
    assert await perform_job(worker(lambda _job: result, "Sync")) is result


async def test_a_worker_is_run_as_on_a_node(worker):
    seen = []

    def process(job):
        seen.append((job.args, job.attempt, current_job() is job))
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()

    await perform_job(worker(process), {"id": 1}, attempt=4)
    assert seen == [({"id": 1}, 4, True)]
    assert current_job() is None


async def test_a_class_is_run_though_its_name_is_taken_by_another(registry):
    first, second = make_worker(registry, returning(1), "Same"), make_worker(registry, returning(2), "Same")
    assert (await perform_job(first), await perform_job(second)) == (1, 2)


async def test_a_function_is_run_with_its_arguments(add):
    assert await perform_job(add, {"a": 1, "b": 2}) == 3
    assert build_job(add, {"a": 1, "b": 2}).worker == "App.add"
    with pytest.raises(TypeError, match="'b'"):
        await perform_job(add, {"a": 1})


async def test_what_a_worker_raises_reaches_the_test(worker):
    class Custom(Exception):
        pass

    def fail(_job):
        raise Custom("no")

    with pytest.raises(Custom, match="no") as raised:
        await perform_job(worker(fail))
    assert raised.traceback[-1].name == "fail"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda: Cancel, "returned the class Cancel"),
        (lambda: (n for n in ()), "is a generator"),
        (lambda: asyncio.sleep(0), "nobody awaited"),
    ],
)
async def test_what_is_no_result_fails_the_test(worker, result, message):
    with pytest.raises(JobError, match=message):
        await perform_job(worker(lambda _job: result()))


async def test_a_recorded_value_that_no_row_holds_fails_the_test(worker):
    with pytest.raises(ValueError, match="expected"):
        await perform_job(worker(returning(Record(object()))))


async def test_a_worker_is_held_to_its_timeout(worker):
    async def wait(_job):
        await asyncio.Event().wait()

    with pytest.raises(JobTimeout):
        await perform_job(worker(wait, timeout=0.01))


async def test_args_are_held_to_the_contract(typed, badge):
    seen = []
    made = typed(lambda job: seen.append(job.args) or {"path": "x"})

    assert await perform_job(made, {"id": 1}) == {"path": "x"}
    await perform_job(made, badge(id=2, name="Ada"))
    assert seen == [badge(id=1), badge(id=2, name="Ada")]
    assert build_job(made, {"id": 1}).args == badge(id=1)
    assert build_job(made, {"id": 1}).meta == {"contract": "Badge@1"}
    for args in ({"id": 0}, {"id": 1, "undeclared": 1}, {}, {"id": "1"}):
        with pytest.raises(ContractError):
            build_job(made, args)
        with pytest.raises(ContractError):
            await perform_job(made, args)
    assert len(seen) == 2


async def test_a_row_that_breaks_the_contract_is_told_of_before_the_worker_runs(typed, registry):
    seen = []
    made = typed(seen.append)
    row = build_job(made, {"id": 1})
    row.args = {"id": 0}
    row = Job.from_row({**{name: getattr(row, name) for name in COLUMNS}, "args": '{"id": 0}', "meta": "{}"})
    with pytest.raises(ContractError, match="/id"):
        await process_job(row, registry=registry)
    assert seen == []


async def test_args_that_a_test_has_set_are_held_to_the_contract(typed, badge, registry):
    seen = []
    made = typed(lambda job: seen.append(job.args) or {"path": "x"})
    job = build_job(made, {"id": 1})

    job.args = {"id": 0}
    with pytest.raises(ContractError, match="/id"):
        await process_job(job, registry=registry)
    job.args = {"id": 2}
    await process_job(job, registry=registry)
    job.args = badge(id=3)
    await process_job(job, registry=registry)

    assert seen == [badge(id=2), badge(id=3)]


COLUMNS = (
    "id", "state", "queue", "worker", "errors", "tags", "attempt", "max_attempts", "priority", "attempted_by",
    "inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at",
)  # fmt: skip


@pytest.mark.parametrize("result", [{"path": ""}, {}, None, 5])
async def test_a_result_is_held_to_the_contract(typed, result):
    with pytest.raises(ContractError, match="Badge@1 result"):
        await perform_job(typed(returning(result)), {"id": 1})


async def test_a_built_job_is_processed_by_the_worker_of_its_name(worker, registry):
    made = worker(lambda job: job.args["n"] * 2)
    assert await process_job(build_job(made, {"n": 4}), registry=registry) == 8
    with pytest.raises(UnknownWorker):
        await process_job(build_job(made, {"n": 4}))
    with pytest.raises(InvalidJob, match="build_job"):
        await process_job(made.new())


async def test_events_are_sent(worker, ends):
    def fail(_job):
        raise LookupError("no")

    await perform_job(worker(returning(5)))
    with pytest.raises(LookupError):
        await perform_job(worker(fail, "Fails"))
    assert [(name, event.recorded) for name, event in ends] == [("oban.job.stop", False), ("oban.job.exception", False)]


async def test_a_job_that_cancels_its_own_task_does_not_end_the_test_in_silence(worker):
    async def leave(_job):
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    task = asyncio.create_task(perform_job(worker(leave)))
    with pytest.raises(asyncio.CancelledError):
        await task
