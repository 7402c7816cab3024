"""Jobs of both languages side by side: who takes what, where queues are apart and where they are one."""

import pytest
from doctor.rig import examined

from bridge import Job

from .conftest import ELIXIR, PYTHON, done
from .crossings import ended, insert
from .rows import check, error

SHARED = {"queues": {"elixir": 5, "both": 5}}
WORKERS = {"elixir": "Interop.Ok", "python": "interop.Ok"}
NODES = {"elixir": ELIXIR, "python": PYTHON}
PAUSED = "Bridge.Console.await(fn -> Oban.check_queue(queue: :both).paused end)"
COUNT = 60


async def enqueue_mixed(ex, py, queues):
    """Insert as many jobs of each language, in turn, half of them by each; return the languages by the jobs' ids."""
    pairs = [[WORKERS[language], {}, {"queue": queues[language]}] for language in ("elixir", "python")]
    jobs = [Job(worker, queue=options["queue"]) for worker, _, options in pairs * (COUNT // 2)]
    ours = [job.id for job in await py.oban.enqueue_many(jobs)]
    theirs = await ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=pairs * (COUNT // 2))
    return dict(zip([*ours, *theirs], ("elixir", "python") * COUNT, strict=True))


async def check_each_ran_at_home(at, languages, queues):
    for number, language in languages.items():
        await at.settled(number, "completed", patience=30)
        check(await at.row(number), **ended(NODES[language], worker=WORKERS[language], queue=queues[language]))


@pytest.mark.item("jobs: mixed, a queue for each language")
async def test_with_a_queue_for_each_language_nobody_takes_the_others_jobs(shared, python):
    py = await python(shared.at, queues={"python": 5})
    queues = {"elixir": "elixir", "python": "python"}

    languages = await enqueue_mixed(shared.ex, py, queues)

    await check_each_ran_at_home(shared.at, languages, queues)


@pytest.mark.item("jobs: mixed, a queue that Python runs")
async def test_python_leaves_elixirs_jobs_in_its_queue_to_a_node_that_knows_them(shared, python):
    py = await python(shared.at, queues={"late": 1})
    elixirs = [await insert(shared.ex, "Interop.Ok", {"n": n}, queue="late") for n in range(5)]

    mine = await insert(shared.ex, "interop.Ok", queue="late", priority=9)
    await py.ends.next()
    for number, fields in enumerate(elixirs):
        check(await shared.at.row(fields["id"]), worker="Interop.Ok", queue="late", args={"n": number})
    await shared.ex.rpc("Oban.start_queue(queue: :late, limit: 5, local_only: true)")

    for number, fields in enumerate(elixirs):
        row = await shared.at.settled(fields["id"], "completed")
        check(row, **ended(ELIXIR, worker="Interop.Ok", queue="late", args={"n": number}))
    check(await shared.at.row(mine["id"]), **ended(PYTHON, worker="interop.Ok", queue="late", priority=9))
    await shared.ex.rpc("Oban.stop_queue(queue: :late, local_only: true)")


@pytest.mark.item("jobs: mixed, a queue that Elixir runs")
async def test_elixir_takes_pythons_jobs_from_its_queue_and_fails_them_and_none_is_lost(shared, python):
    """The reason for a queue each: stock Oban knows no other rule than the queue."""
    py = await python(shared.at, queues={"both": 5})
    await py.oban.pause_queue("both", local_only=True)

    job = await py.oban.enqueue(Job("interop.Ok", queue="both"))
    await done(shared.ex, job.id)
    burned = await shared.at.row(job.id)
    doctor = await examined(shared.at.dsn, prefix=shared.at.prefix)
    await py.oban.pause_queue("both", node=ELIXIR)
    await shared.ex.rpc(PAUSED)
    await py.oban.resume_queue("both", local_only=True)
    await py.oban.retry_job(job)
    await py.ends.of(job)

    message = error(1, r"\*\* \(RuntimeError\) unknown worker: interop\.Ok.*")
    assert (burned["state"], burned["attempt"], burned["errors"]) == ("retryable", 1, [message])
    assert f"1 job refused, ids {job.id}" in "".join(doctor["refused-jobs"].details)
    row = await shared.at.row(job.id)
    check(
        row,
        **ended(
            PYTHON, worker="interop.Ok", queue="both", attempt=2, errors=[message], scheduled_at=row["scheduled_at"]
        ),
    )
    await py.oban.resume_queue("both", node=ELIXIR)


@pytest.mark.item("jobs: mixed, a queue that both run")
async def test_while_elixirs_queue_is_paused_python_takes_its_own_and_nothing_else(shared, python):
    """A signal to one node, by either language, tells it to leave a common queue alone."""
    py = await python(shared.at, queues={"both": 5})
    await shared.ex.rpc("Oban.pause_queue(queue: :both, local_only: true)")
    await shared.ex.rpc(PAUSED)
    queues = {"elixir": "both", "python": "both"}

    languages = await enqueue_mixed(shared.ex, py, queues)
    await py.ends.first(COUNT)
    waiting = [await shared.at.row(number) for number, language in languages.items() if language == "elixir"]
    for row in waiting:
        check(row, worker="Interop.Ok", queue="both")
    await shared.ex.rpc("Oban.resume_queue(queue: :both, local_only: true)")

    await check_each_ran_at_home(shared.at, languages, queues)


@pytest.mark.item("jobs: mixed, a queue that both run")
async def test_with_an_engine_that_leaves_foreign_jobs_nobody_takes_the_others(elixir, python, place):
    ex = await elixir(queues={"both": 5}, options="engine: BadgeForge.OwnJobs")
    py = await python(queues={"both": 5})
    queues = {"elixir": "both", "python": "both"}

    languages = await enqueue_mixed(ex, py, queues)

    await check_each_ran_at_home(place, languages, queues)


@pytest.mark.item("jobs: mixed, a queue that both run")
async def test_foreign_jobs_ahead_starve_neither_language(elixir, python, place):
    """More of the other's jobs than the limit, and of a better priority, come first in the queue."""
    ex = await elixir(queues={"both": 1}, options="engine: BadgeForge.OwnJobs")
    client = await python(queues={})
    pythons = await client.oban.enqueue_many(Job("interop.Ok", queue="both") for _ in range(20))

    job = await client.oban.enqueue(Job("Interop.Ok", queue="both", priority=9))
    await done(ex, job.id)
    assert await place.states() == {"available": 20, "completed": 1}
    await ex.rpc("Oban.pause_queue(queue: :both)")
    await ex.rpc(PAUSED)
    elixirs = await ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=[["Interop.Ok", {}, {"queue": "both"}]] * 20)
    await client.oban.start_queue("both", 1, local_only=True)
    for each in pythons:
        await place.settled(each.id, "completed")

    assert {(await place.row(number))["state"] for number in elixirs} == {"available"}
    assert await place.states() == {"available": 20, "completed": 21}
