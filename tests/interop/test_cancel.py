"""Jobs that wait are cancelled from either side, and never run; jobs that ended are left alone."""

from datetime import timedelta

import pytest
from cli.rig import Commands

from bridge import Job

from .conftest import ELIXIR, PYTHON, done
from .rows import about, check, error, now, ran_by
from .sides import ElixirSide, PythonSide, ended

SHARED = {"queues": {"elixir": 10}}

RAISED = r"\*\* \(RuntimeError\) boom\n.*"  # the same in both languages


class OfElixir:
    """Jobs that an Elixir node runs, inserted by Python."""

    ok, outcome, queue, node = "Interop.Ok", "Interop.Outcome", "elixir", ELIXIR

    def __init__(self, shared, py):
        self._ex, self._oban = shared.ex, py.oban
        self.side = ElixirSide(shared.ex)

    async def insert(self, worker, **args):
        return (await self._oban.enqueue(Job(worker, args=args, queue=self.queue, max_attempts=3))).id

    async def schedule(self, worker, seconds):
        job = Job(worker, queue=self.queue, max_attempts=3, schedule_in=seconds)
        return (await self._oban.enqueue(job)).id

    async def end(self, number):
        await done(self._ex, number)


class OfPython:
    """Jobs that a Python node runs, inserted by Elixir."""

    ok, outcome, queue, node = "interop.Ok", "interop.Outcome", "python", PYTHON

    def __init__(self, shared, py):
        self._ex, self._py = shared.ex, py
        self.side = PythonSide(py.oban)

    async def insert(self, worker, **args):
        code = "Interop.insert(worker, args, queue: :python, max_attempts: 3)"
        return await self._ex.rpc(code, worker=worker, args=args)

    async def schedule(self, worker, seconds):
        code = "Interop.insert(worker, %{}, queue: :python, max_attempts: 3, schedule_in: seconds)"
        return await self._ex.rpc(code, worker=worker, seconds=seconds)

    async def end(self, number):
        await ended(self._py, number)


@pytest.fixture
async def py(shared, python):
    return await python(shared.at)


@pytest.fixture(params=[OfElixir, OfPython])
def jobs(request, shared, py):
    return request.param(shared, py)


@pytest.fixture(params=["from Elixir", "from Python", "by the command line"])
def cancel(request, shared, py, tmp_path):
    """A function that cancels a job by its id, on one of the two sides."""

    async def by_elixir(number):
        assert str(await shared.ex.rpc("Oban.cancel_job(id)", id=number)) == "ok"

    async def by_command(number):
        result = await Commands(shared.at.dsn, tmp_path).run("jobs", "cancel", number, "--prefix", shared.at.prefix)
        return result.exit_code == 0  # 2 where it was left alone

    return {"from Elixir": by_elixir, "from Python": py.oban.cancel_job}.get(request.param, by_command)


@pytest.mark.item("control: cancel: an available job")
async def test_an_available_job_is_cancelled_and_never_runs(shared, jobs, cancel):
    # A node that has just started may be fetching, and a pause leaves alone what a fetch under way claims.
    await jobs.end(await jobs.insert(jobs.ok))
    await jobs.side.pause(jobs.queue, local_only=True)
    await jobs.side.shows(jobs.queue, 10, True)
    number = await jobs.insert(jobs.ok, a=1)

    await cancel(number)
    row = await shared.at.row(number)
    await jobs.side.resume(jobs.queue, local_only=True)
    await jobs.end(await jobs.insert(jobs.ok))  # its turn would have come before that one's

    check(
        row,
        worker=jobs.ok,
        queue=jobs.queue,
        args={"a": 1},
        max_attempts=3,
        state="cancelled",
        cancelled_at=about(now(), 5),
    )
    assert await shared.at.row(number) == row


@pytest.mark.item("control: cancel: a scheduled job")
async def test_a_scheduled_job_is_cancelled(shared, jobs, cancel):
    number = await jobs.schedule(jobs.ok, 3_600)
    await cancel(number)
    check(
        await shared.at.row(number),
        worker=jobs.ok,
        queue=jobs.queue,
        max_attempts=3,
        state="cancelled",
        scheduled_at=about(now() + timedelta(hours=1), 5),
        cancelled_at=about(now(), 5),
    )


@pytest.mark.item("control: cancel: a retryable job")
async def test_a_retryable_job_is_cancelled_and_keeps_its_error(shared, jobs, cancel):
    number = await jobs.insert(jobs.outcome, mode="raise")
    await jobs.end(number)
    before = await shared.at.settled(number, "retryable")

    await cancel(number)

    check(
        await shared.at.row(number),
        worker=jobs.outcome,
        queue=jobs.queue,
        args={"mode": "raise"},
        max_attempts=3,
        state="cancelled",
        errors=[error(1, RAISED)],
        attempt=1,
        attempted_by=ran_by(jobs.node),
        attempted_at=about(now(), 5),
        scheduled_at=about(now() + timedelta(seconds=18), 6),
        cancelled_at=about(now(), 5),
    )
    assert (await shared.at.row(number))["errors"] == before["errors"]


@pytest.mark.item("control: cancel: a job that has completed stays as it is")
async def test_a_completed_job_is_left_alone(shared, jobs, cancel):
    number = await jobs.insert(jobs.ok)
    await jobs.end(number)
    before = await shared.at.settled(number, "completed")

    await cancel_anyway(cancel, number)

    assert await shared.at.row(number) == before


@pytest.mark.item("control: cancel: a job that was discarded or cancelled stays as it is")
@pytest.mark.parametrize("mode", ["discard", "cancel"])
async def test_an_ended_job_is_left_alone(shared, jobs, cancel, mode):
    number = await jobs.insert(jobs.outcome, mode=mode)
    await jobs.end(number)
    before = await shared.at.settled(number, "discarded", "cancelled")

    await cancel_anyway(cancel, number)

    assert await shared.at.row(number) == before


async def cancel_anyway(cancel, number):
    """The command line says that it was left alone, Python answers False, and Elixir says nothing."""
    assert not await cancel(number)


@pytest.mark.item("control: cancel: a cancelled job is retried by the other side")
async def test_a_job_that_one_side_cancelled_runs_when_the_other_retries_it(shared, py, jobs):
    number = await jobs.schedule(jobs.ok, 3_600)
    if isinstance(jobs, OfElixir):
        await py.oban.cancel_job(number)
        await shared.ex.rpc("Oban.retry_job(id)", id=number)
    else:
        await shared.ex.rpc("Oban.cancel_job(id)", id=number)
        assert await py.oban.retry_job(number)

    await jobs.end(number)

    check(
        await shared.at.settled(number, "completed"),
        worker=jobs.ok,
        queue=jobs.queue,
        max_attempts=3,
        state="completed",
        attempt=1,
        attempted_by=ran_by(jobs.node),
        attempted_at=about(now(), 5),
        completed_at=about(now(), 5),
    )


@pytest.mark.item("control: cancel: by filters or a query, only what matches")
async def test_filters_cancel_only_what_matches(shared, py, jobs):
    numbers = [await jobs.schedule(jobs.ok, 3_600) for _ in range(5)]
    others = [await jobs.schedule(jobs.outcome, 3_600) for _ in range(2)]

    if isinstance(jobs, OfElixir):
        assert await py.oban.cancel_jobs(worker=jobs.ok, state="scheduled", id=[*numbers, *others]) == 5
    else:
        code = """
        import Ecto.Query
        Oban.cancel_all_jobs(from job in Oban.Job, where: job.worker == ^worker and job.state == "scheduled")
        """
        assert (await shared.ex.rpc(code, worker=jobs.ok))[1] == 5

    assert [(await shared.at.row(number))["state"] for number in numbers] == ["cancelled"] * 5
    assert [(await shared.at.row(number))["state"] for number in others] == ["scheduled"] * 2
