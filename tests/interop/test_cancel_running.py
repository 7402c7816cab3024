"""Running jobs are cancelled from either side, wherever they run, and their rows say so in all columns."""

import asyncio
import threading
import time

import pytest
from cli.rig import Commands
from queues.rig import Gate, make_worker

from bridge import Job

from .conftest import ELIXIR, PYTHON, done
from .rows import about, check, error, now, ran_by
from .sides import ended, started

SHARED = {"queues": {"elixir": 60}}

KILLED = r"\*\* \(Oban.PerformError\) Interop.Outcome failed with {:cancel, :shutdown}"
ENDED = r"\*\* \(bridge.errors.JobCancelled\) the job was cancelled while it ran\n.*"
GOES_ON = r"\*\* \(bridge.errors.JobCancelled\) the job was cancelled while it ran; its thread can't be stopped.*"

#: Elixir's ways to cancel a job.
ELIXIRS = {
    "by id": "Oban.cancel_job(id)",
    "by the job": "Oban.cancel_job(Oban.Repo.get(Oban.config(), Oban.Job, id))",
    "by a query": "import Ecto.Query; Oban.cancel_all_jobs(where(Oban.Job, [job], job.id == ^id))",
    "by worker and state": """
        import Ecto.Query
        job = Oban.Repo.get(Oban.config(), Oban.Job, id)
        Oban.cancel_all_jobs(where(Oban.Job, worker: ^job.worker, state: "executing"))
    """,
}


class Watching:
    """A worker in a thread that looks whether it was cancelled, or one that doesn't and waits for `let_go`."""

    def __init__(self, *, looks):
        self._looks = looks
        self._let_go = threading.Event()
        self.entered, self.left = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, job):
        self._loop.call_soon_threadsafe(self.entered.set)
        if self._looks:
            while not job.cancelled():
                time.sleep(0.002)
        else:
            self._let_go.wait(30)
        self._loop.call_soon_threadsafe(self.left.set)
        return "dropped"

    def let_go(self):
        self._let_go.set()


@pytest.fixture
async def py(shared, python):
    return await python(shared.at, queues={"python": 60})


async def sleeping(shared, py):
    """A job of Elixir's that runs and would for a minute, inserted by Python."""
    job = await py.oban.enqueue(Job("Interop.Outcome", args={"mode": "sleep", "ms": 60_000}, queue="elixir"))
    await started(shared.ex, job.id)
    return job.id


async def inserted(shared, worker):
    return await shared.ex.rpc('Interop.insert(worker, %{}, queue: "python")', worker=worker)


async def check_killed(shared, number):
    """The row as Elixir leaves it."""
    check(
        await shared.at.row(number),
        state="cancelled",
        worker="Interop.Outcome",
        queue="elixir",
        args={"mode": "sleep", "ms": 60_000},
        errors=[error(1, KILLED)],
        attempt=1,
        attempted_by=ran_by(ELIXIR),
        attempted_at=about(now(), 5),
        cancelled_at=about(now(), 5),
    )


async def check_ended(shared, number, worker, text):
    """The row as Python leaves it."""
    check(
        await shared.at.row(number),
        state="cancelled",
        worker=worker,
        queue="python",
        errors=[error(1, text)],
        attempt=1,
        attempted_by=ran_by(PYTHON),
        attempted_at=about(now(), 5),
        cancelled_at=about(now(), 5),
    )


@pytest.mark.item("control: pkill: a running job of Elixir's, from Python")
@pytest.mark.parametrize("way", ["by id", "by the job", "by worker and state", "by args", "command line"])
async def test_python_cancels_a_running_job_of_elixir(shared, py, tmp_path, way):
    number = await sleeping(shared, py)

    match way:
        case "by id":
            assert await py.oban.cancel_job(number) is True
        case "by the job":
            assert await py.oban.cancel_job(await py.oban.get_job(number)) is True
        case "by worker and state":
            assert await py.oban.cancel_jobs(worker="Interop.Outcome", state="executing") == 1
        case "by args":
            assert await py.oban.cancel_jobs(args={"mode": "sleep"}, queue="elixir") == 1
        case "command line":
            cancel = ("jobs", "cancel", number, "--prefix", shared.at.prefix)
            result = await Commands(shared.at.dsn, tmp_path).run(*cancel)
            assert result.output.splitlines()[0] == "cancelled 1 job (1 executing)"

    assert (await done(shared.ex, number))["state"] == "cancelled"
    await check_killed(shared, number)
    assert number not in await shared.ex.rpc('Oban.check_queue(queue: "elixir").running')


@pytest.mark.item("control: pkill: a running job of Python's, from Elixir")
@pytest.mark.parametrize("way", ELIXIRS)
async def test_elixir_cancels_a_running_job_of_python(shared, py, way):
    gate = Gate()
    make_worker(py.registry, gate, "interop.Wait", queue="python")
    number = await inserted(shared, "interop.Wait")
    await gate.entered(1)

    await shared.ex.rpc(ELIXIRS[way], id=number)

    event = await ended(py, number)
    assert (event.state, event.recorded) == ("cancelled", True)
    assert gate.inside == 0
    await check_ended(shared, number, "interop.Wait", ENDED)
    assert py.oban.running_jobs() == []


@pytest.mark.item("control: pkill: a job in a thread that looks, from Elixir")
async def test_elixir_cancels_a_job_in_a_thread_that_looks(shared, py):
    watching = Watching(looks=True)
    make_worker(py.registry, watching, "interop.Looks", queue="python")
    number = await inserted(shared, "interop.Looks")
    await asyncio.wait_for(watching.entered.wait(), 10)

    await shared.ex.rpc("Oban.cancel_job(id)", id=number)

    await asyncio.wait_for(watching.left.wait(), 10)
    await ended(py, number)
    await check_ended(shared, number, "interop.Looks", GOES_ON)


@pytest.mark.item("control: pkill: a job in a thread that doesn't look, from Elixir")
async def test_elixir_cancels_a_job_in_a_thread_that_goes_on(shared, py):
    watching = Watching(looks=False)
    make_worker(py.registry, watching, "interop.Deaf", queue="python")
    number = await inserted(shared, "interop.Deaf")
    await asyncio.wait_for(watching.entered.wait(), 10)

    await shared.ex.rpc("Oban.cancel_job(id)", id=number)

    await ended(py, number)
    await check_ended(shared, number, "interop.Deaf", GOES_ON)
    before = await shared.at.row(number)
    watching.let_go()
    await asyncio.wait_for(watching.left.wait(), 10)
    await another_runs(shared, py)
    assert await shared.at.row(number) == before


async def another_runs(shared, py):
    """A job that was inserted later has come to its end, and with it what was to be written before."""
    number = await inserted(shared, "interop.Ok")
    await ended(py, number)


@pytest.mark.item("control: pkill: only the job that is meant")
async def test_a_cancelled_job_takes_no_other_with_it(shared, py):
    gate = Gate()
    make_worker(py.registry, gate, "interop.Wait", queue="python")
    stays, goes = [await inserted(shared, "interop.Wait") for _ in range(2)]
    await gate.entered(2)
    elixir_stays, elixir_goes = [await sleeping(shared, py) for _ in range(2)]

    await shared.ex.rpc("Oban.cancel_job(id)", id=goes)
    await py.oban.cancel_job(elixir_goes)
    await ended(py, goes)
    await done(shared.ex, elixir_goes)

    assert py.oban.running_jobs() == [stays]
    assert await shared.ex.rpc('Oban.check_queue(queue: "elixir").running') == [elixir_stays]
    await py.oban.cancel_jobs([stays, elixir_stays])
    await ended(py, stays)
    await done(shared.ex, elixir_stays)


@pytest.mark.item("control: pkill: many running jobs of both languages at once")
@pytest.mark.parametrize("sender", ["Elixir", "Python"])
async def test_many_running_jobs_of_both_languages_are_cancelled_at_once(shared, py, sender):
    gate = Gate()
    make_worker(py.registry, gate, "interop.Wait", queue="python")
    many = {"mode": "sleep", "ms": 60_000, "many": sender}
    theirs = await py.oban.enqueue_many([Job("Interop.Outcome", args=many, queue="elixir") for _ in range(40)])
    ours = await py.oban.enqueue_many([Job("interop.Wait", args=many, queue="python") for _ in range(40)])
    await gate.entered(40)
    await each(shared.ex, "started", theirs)

    if sender == "Elixir":
        code = 'import Ecto.Query; Oban.cancel_all_jobs(where(Oban.Job, [j], fragment("? @> ?", j.args, ^args)))'
        assert (await shared.ex.rpc(code, args={"many": sender}))[1] == 80
    else:
        assert await py.oban.cancel_jobs(args={"many": sender}) == 80

    for job in ours:
        await py.ends.of(job)
    await each(shared.ex, "done", theirs)
    rows = [await shared.at.row(job.id) for job in (*theirs, *ours)]
    assert {(row["state"], row["attempt"], len(row["errors"])) for row in rows} == {("cancelled", 1, 1)}


async def each(ex, event, jobs):
    """Wait until the Elixir node has told an event of each of these jobs."""
    missing = {job.id for job in jobs}
    async with asyncio.timeout(15):
        while missing:
            missing.discard((await ex.event(event))["id"])


@pytest.mark.item("control: pkill: a job that ends all the same")
async def test_a_cancelled_job_of_python_that_swallows_it_stays_cancelled(shared, py):
    gate = Gate()

    async def swallow(job):
        try:
            await gate(job)
        except asyncio.CancelledError:
            return "went on regardless"

    make_worker(py.registry, swallow, "interop.Swallow", queue="python")
    number = await inserted(shared, "interop.Swallow")
    await gate.entered(1)

    await shared.ex.rpc("Oban.cancel_job(id)", id=number)

    event = await ended(py, number)
    assert event.recorded is False
    check(
        await shared.at.row(number),
        state="cancelled",
        worker="interop.Swallow",
        queue="python",
        attempt=1,
        attempted_by=ran_by(PYTHON),
        attempted_at=about(now(), 5),
        cancelled_at=about(now(), 5),
    )
