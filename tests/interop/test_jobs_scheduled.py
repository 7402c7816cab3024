"""Jobs for a later time: each side's are run by the other, and not before."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bridge import Job

from .crossings import in_elixir, in_python, insert, into_elixir, into_python
from .rows import about, check, now

LATE = 3  # seconds that a due job may wait: it is staged once a second
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.item("jobs: scheduled")
async def test_a_job_that_python_schedules_runs_in_elixir_when_it_is_time(shared, python):
    py = await python(shared.at, queues={})
    due = now() + timedelta(seconds=1.2)

    job, _, row = await into_elixir(shared, py, schedule_in=1.2)

    assert job.state == "scheduled"
    check(row, **in_elixir(scheduled_at=about(due, 0.5)))
    assert 0 <= (row["attempted_at"] - row["scheduled_at"]).total_seconds() < LATE


@pytest.mark.item("jobs: scheduled")
async def test_a_job_that_elixir_schedules_runs_in_python_when_it_is_time(shared, python):
    py = await python(shared.at)

    fields, _, row = await into_python(shared, py, schedule_in=1)

    assert fields["state"] == "scheduled"
    check(row, **in_python(scheduled_at=fields["scheduled_at"].replace(tzinfo=None)))
    assert 0 <= (row["attempted_at"] - row["scheduled_at"]).total_seconds() < LATE


@pytest.mark.item("jobs: scheduled in the past")
async def test_a_job_that_python_schedules_in_the_past_runs_in_elixir_at_once(shared, python):
    py = await python(shared.at, queues={})
    past = datetime(2001, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)

    job, _, row = await into_elixir(shared, py, scheduled_at=past)

    assert job.state == "scheduled"
    check(row, **in_elixir(scheduled_at=past.replace(tzinfo=None)))
    assert (row["attempted_at"] - row["inserted_at"]).total_seconds() < LATE


@pytest.mark.item("jobs: scheduled in the past")
async def test_a_job_that_elixir_schedules_in_the_past_runs_in_python_at_once(shared, python):
    py = await python(shared.at)
    past = datetime(2001, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC)

    fields, _, row = await into_python(shared, py, scheduled_at=past)

    assert fields["state"] == "scheduled"
    check(row, **in_python(scheduled_at=past.replace(tzinfo=None)))
    assert (row["attempted_at"] - row["inserted_at"]).total_seconds() < LATE


@pytest.mark.item("jobs: scheduled")
async def test_a_far_time_is_stored_alike_in_utc_and_read_by_both(shared, python):
    py = await python(shared.at, queues={})
    far = datetime(2999, 12, 31, 23, 59, 59, 999_999, tzinfo=INDIA)

    job = await py.oban.enqueue(Job("Some.Worker", queue="nobodys", scheduled_at=far))
    fields = await insert(shared.ex, "Some.Worker", queue="nobodys", scheduled_at=far.astimezone(UTC))

    for number in (job.id, fields["id"]):
        check(
            await shared.at.row(number),
            worker="Some.Worker",
            queue="nobodys",
            state="scheduled",
            scheduled_at=datetime(2999, 12, 31, 18, 29, 59, 999_999),  # noqa: DTZ001 - as the column has it
        )
        assert (await py.oban.get_job(number)).scheduled_at == far
        elixir = await shared.ex.rpc('DateTime.to_iso8601(Interop.job(id)["scheduled_at"])', id=number)
        assert elixir == "2999-12-31T18:29:59.999999Z"


@pytest.mark.item("jobs: scheduled")
async def test_an_elixir_offset_and_a_python_offset_are_one_moment(shared, python):
    """Elixir without a time zone database takes offsets only in text, which Ecto casts to UTC."""
    py = await python(shared.at, queues={})
    moment = "2999-01-01T05:30:00.000000+05:30"

    job = await py.oban.enqueue(Job("Some.Worker", queue="nobodys", scheduled_at=datetime.fromisoformat(moment)))
    fields = await insert(shared.ex, "Some.Worker", queue="nobodys", scheduled_at=moment)

    times = [(await shared.at.row(number))["scheduled_at"] for number in (job.id, fields["id"])]
    assert times == [datetime(2999, 1, 1), datetime(2999, 1, 1)]  # noqa: DTZ001 - as the column has it


@pytest.mark.item("jobs: scheduled")
async def test_what_waits_for_its_time_is_left_alone_by_both(shared, python):
    py = await python(shared.at)

    ours = await py.oban.enqueue(Job("Interop.Ok", queue="elixir", schedule_in=3600))
    theirs = await insert(shared.ex, "interop.Ok", queue="python", schedule_in=3600)
    await into_elixir(shared, py, schedule_in=0)  # staged, as the others would be
    await into_python(shared, py, schedule_in=0)

    later = about(now() + timedelta(hours=1), 30)
    for number, worker, queue in ((ours.id, "Interop.Ok", "elixir"), (theirs["id"], "interop.Ok", "python")):
        check(await shared.at.row(number), worker=worker, queue=queue, state="scheduled", scheduled_at=later)
