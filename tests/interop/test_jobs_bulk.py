"""Thousands of jobs at once, both ways, each row as it should be."""

import asyncio

import pytest

from bridge import Job

from .crossings import in_elixir, in_python
from .rows import check

SHARED = {"queues": {"elixir": 100}}

COUNT = 3_000
PATIENCE = 60


def options(number):
    return {"priority": number % 10, "tags": [f"t{number % 3}"], "max_attempts": 1 + number % 5}


@pytest.mark.item("jobs: bulk")
async def test_thousands_from_python_run_in_elixir_once_each(shared, python):
    py = await python(shared.at, queues={})
    jobs = [Job("Interop.Ok", queue="elixir", args={"n": n}, **options(n)) for n in range(COUNT)]

    found = await py.oban.enqueue_many(jobs)
    await all_completed(shared.at, "elixir")

    rows = {row["id"]: row for row in await shared.at.rows() if row["queue"] == "elixir"}
    assert [job.id for job in found] == sorted(rows)
    for number, job in enumerate(found):
        check(rows[job.id], **in_elixir(args={"n": number}, **options(number)))


@pytest.mark.item("jobs: bulk")
async def test_thousands_from_elixir_run_in_python_once_each(shared, python):
    py = await python(shared.at, queues={"python": 100})
    jobs = [["interop.Ok", {"n": n}, {"queue": "python", **options(n)}] for n in range(COUNT)]

    numbers = await shared.ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=jobs, timeout=PATIENCE)
    ends = await py.ends.first(COUNT, patience=PATIENCE)
    await all_completed(shared.at, "python")

    assert {event.job.id for event in ends} == set(numbers)
    rows = {row["id"]: row for row in await shared.at.rows() if row["queue"] == "python"}
    assert numbers == sorted(rows)
    for number, job_id in enumerate(numbers):
        check(rows[job_id], **in_python(args={"n": number}, **options(number)))


async def all_completed(at, queue):
    """Wait until no job of a queue is left; the acks of thousands of jobs come as no event."""
    statement = f"select count(*) from {at.table} where queue = $1 and state <> 'completed'"
    async with asyncio.timeout(PATIENCE):
        while await at.conn.fetchval(statement, queue):  # noqa: ASYNC110 - rows set no Event
            await asyncio.sleep(0.02)
