"""Jobs that one side inserted or ran, cancelled, deleted and changed by the other."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from queues.rig import Gate, make_worker

from bridge import Job
from bridge.codecs.etf import Atom
from bridge.errors import JobNotFound

from .conftest import ELIXIR, PYTHON
from .endings import SLACK, check_ended, in_elixir, in_python, read_alike, take_over
from .rows import between, check, now

OK = Atom("ok")
WORKER = "Interop.Outcome"
LATER = datetime(2050, 1, 2, 3, 4, 5, 678901, UTC)

#: Jobs that wait, by the state in which they do; the queue `nobody` is served by no node.
WAITING = {"available": {}, "scheduled": {"scheduled_at": LATER}}


async def ended_in(language, shared, py, *, mode="ok", tries=3):
    """A job that ran, and failed or not, in one language; its row."""
    options = {"args": {"mode": mode, "seconds": 600}, "queue": language, "max_attempts": tries}
    job = await py.oban.enqueue(Job(WORKER, **options))
    ran = in_elixir(shared.at, shared.ex, job.id) if language == "elixir" else in_python(shared.at, py, job.id)
    return await ran


@pytest.mark.item("outcomes: cancel by the other side")
@pytest.mark.parametrize("state", WAITING)
async def test_elixir_cancels_a_job_that_python_inserted(shared, python, state):
    py = await python(shared.at, queues={})
    job = await py.oban.enqueue(Job("interop.Ok", queue="nobody", **WAITING[state]))
    before = await shared.at.row(job.id)
    assert before["state"] == state

    assert await shared.ex.rpc("Oban.cancel_job(id)", id=job.id) == OK

    row = await read_alike(shared.at, shared.ex, py.oban, job.id)
    check(
        row, **{**before, "state": "cancelled", "cancelled_at": between(before["inserted_at"] - SLACK, now() + SLACK)}
    )
    assert not await py.oban.cancel_job(job)


@pytest.mark.item("outcomes: cancel by the other side")
@pytest.mark.parametrize("state", WAITING)
async def test_python_cancels_a_job_that_elixir_inserted(shared, python, state):
    py = await python(shared.at, queues={})
    insert = "Interop.insert(worker, %{}, [queue: :nobody] ++ Interop.options(options))"
    number = await shared.ex.rpc(insert, worker="Interop.Ok", options=WAITING[state])
    before = await shared.at.row(number)
    assert before["state"] == state

    assert await py.oban.cancel_job(number)

    row = await read_alike(shared.at, shared.ex, py.oban, number)
    check(
        row, **{**before, "state": "cancelled", "cancelled_at": between(before["inserted_at"] - SLACK, now() + SLACK)}
    )
    assert await shared.ex.rpc("Oban.cancel_job(id)", id=number) == OK
    assert await shared.at.row(number) == row


@pytest.mark.item("outcomes: cancel by the other side")
@pytest.mark.parametrize("ran_in", ["elixir", "python"])
async def test_a_job_that_waits_for_its_retry_is_cancelled_by_the_other_side(shared, python, ran_in):
    py = await python(shared.at)
    take_over(py)
    before = await ended_in(ran_in, shared, py, mode="raise")
    assert before["state"] == "retryable"

    if ran_in == "elixir":
        assert await py.oban.cancel_job(before["id"])
    else:
        assert await shared.ex.rpc("Oban.cancel_job(id)", id=before["id"]) == OK

    row = await read_alike(shared.at, shared.ex, py.oban, before["id"])
    after_run = between(before["attempted_at"] - SLACK, now() + SLACK)
    check(row, **{**before, "state": "cancelled", "cancelled_at": after_run})


@pytest.mark.item("outcomes: cancel by the other side")
@pytest.mark.parametrize("ran_in", ["elixir", "python"])
@pytest.mark.parametrize(("mode", "tries"), [("ok", 3), ("raise", 1), ("cancel", 3)])
async def test_a_job_that_has_ended_is_not_cancelled_by_the_other_side(shared, python, ran_in, mode, tries):
    py = await python(shared.at)
    take_over(py)
    before = await ended_in(ran_in, shared, py, mode=mode, tries=tries)

    if ran_in == "elixir":
        assert not await py.oban.cancel_job(before["id"])
    else:
        assert await shared.ex.rpc("Oban.cancel_job(id)", id=before["id"]) == OK

    assert await read_alike(shared.at, shared.ex, py.oban, before["id"]) == before


@pytest.mark.item("outcomes: delete by the other side")
@pytest.mark.parametrize("ran_in", ["elixir", "python"])
async def test_a_job_that_has_ended_is_deleted_by_the_other_side(shared, python, ran_in):
    py = await python(shared.at)
    take_over(py)
    number = (await ended_in(ran_in, shared, py))["id"]

    if ran_in == "elixir":
        assert await py.oban.delete_job(number)
    else:
        assert await shared.ex.rpc("Interop.Rows.delete(id)", id=number) == OK

    assert await shared.at.row(number) is None
    assert await shared.ex.rpc("Interop.Rows.read(id)", id=number) is None
    assert await py.oban.get_job(number) is None
    assert not await py.oban.retry_job(number)
    with pytest.raises(JobNotFound, match=f"job {number} is not there"):
        await py.oban.fetch_result(number)


@pytest.mark.item("outcomes: delete by the other side")
async def test_python_does_not_delete_a_job_that_runs_in_elixir(shared, python):
    py = await python(shared.at, queues={})
    job = await py.oban.enqueue(Job("Interop.Held", queue="elixir"))
    assert await shared.ex.event("held") == job.id

    assert not await py.oban.delete_job(job)

    assert await shared.ex.rpc("Interop.Held.go(id)", id=job.id)
    row = await in_elixir(shared.at, shared.ex, job.id)
    check_ended(row, "completed", node=ELIXIR, worker="Interop.Held", queue="elixir")


@pytest.mark.item("outcomes: delete by the other side")
async def test_elixir_does_not_delete_a_job_that_runs_in_python(shared, python):
    py = await python(shared.at)
    held = Gate()
    make_worker(py.registry, held, "interop.Held")
    number = await shared.ex.rpc('Interop.insert("interop.Held", %{}, queue: :python)')
    await held.entered(1)

    assert await shared.ex.rpc("Interop.Rows.delete(id)", id=number) == OK

    held.open()
    row = await in_python(shared.at, py, number)
    check_ended(row, "completed", node=PYTHON, worker="interop.Held", queue="python")


CHANGES = {
    "args": {"mode": "ok", "größe": [10**30, 0.1, None]},
    "max_attempts": 7,
    "meta": {"by": "the other"},
    "priority": 4,
    "queue": "nobody",
    "scheduled_at": LATER,
    "tags": ["x", "ÿ"],
    "worker": "Interop.Ok",
}


@pytest.mark.item("outcomes: update by the other side")
async def test_python_changes_every_column_that_may_be_changed_of_a_job_that_failed_in_elixir(shared, python):
    py = await python(shared.at, queues={})
    before = await ended_in("elixir", shared, py, mode="raise")

    await py.oban.update_job(before["id"], CHANGES)

    row = await read_alike(shared.at, shared.ex, py.oban, before["id"])
    check(row, **{**before, **CHANGES, "scheduled_at": LATER.replace(tzinfo=None), "state": "scheduled"})


@pytest.mark.item("outcomes: update by the other side")
async def test_elixir_changes_every_column_that_may_be_changed_of_a_job_that_failed_in_python(
    shared, python, oban_version
):
    py = await python(shared.at)
    take_over(py)
    before = await ended_in("python", shared, py, mode="raise")
    if oban_version < (2, 20):  # It has no update_job; its users do this.
        await shared.ex.rpc(
            "require Ecto.Query; query = Ecto.Query.where(Oban.Job, id: ^id);"
            'Oban.Repo.update_all(Oban.config(), query, set: [{:state, "scheduled"} | Interop.options(changes)])',
            id=before["id"],
            changes=CHANGES,
        )
    else:
        update = "{:ok, job} = Oban.update_job(id, Map.new(Interop.options(changes))); job.id"
        assert await shared.ex.rpc(update, id=before["id"], changes=CHANGES) == before["id"]

    row = await read_alike(shared.at, shared.ex, py.oban, before["id"])
    check(row, **{**before, **CHANGES, "scheduled_at": LATER.replace(tzinfo=None), "state": "scheduled"})


@pytest.mark.item("outcomes: timestamps")
async def test_all_times_are_utc_to_the_microsecond_whatever_the_sessions_zone(place, elixir, python):
    await place.conn.execute(f"""alter database "{place.name}" set timezone = 'America/New_York'""")
    ex, py = await elixir(), await python()
    at, shared = place, SimpleNamespace(at=place, ex=ex)
    assert await ex.rpc('BadgeForge.Repo.query!("show timezone").rows') == [["America/New_York"]]
    take_over(py)

    for language, node in (("elixir", ELIXIR), ("python", PYTHON)):
        row = await ended_in(language, shared, py, mode="snooze")
        columns = {"args": row["args"], "max_attempts": 4, "delay": (600, 600)}
        check_ended(row, "scheduled", node=node, worker=WORKER, queue=language, **columns)
        assert await read_alike(at, ex, py.oban, row["id"]) == row
    ours = (await py.oban.enqueue(Job("interop.Ok", queue="nobody", scheduled_at=LATER))).id
    theirs = await ex.rpc('Interop.insert("interop.Ok", %{}, queue: :nobody, scheduled_at: at)', at=LATER)
    for number in (ours, theirs):
        row = await read_alike(at, ex, py.oban, number)
        check(row, state="scheduled", worker="interop.Ok", queue="nobody", scheduled_at=LATER.replace(tzinfo=None))
