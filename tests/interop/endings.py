"""How jobs end in either language, and that both read the row alike."""

import asyncio
from datetime import UTC, timedelta
from types import SimpleNamespace

from queues.rig import make_worker

from bridge import Worker

from .conftest import done
from .rows import RECENT, between, check, now, ran_by
from .workers import end

SLACK = timedelta(seconds=1)  # between the clocks of the BEAM, the database and Python

TIME_OF = {"completed": "completed_at", "cancelled": "cancelled_at", "discarded": "discarded_at"}

#: Seconds until a retry, by attempt: Oban's 15 + 2^attempt and up to a tenth more.
DELAYS = {attempt: (15 + 2**attempt, (15 + 2**attempt) * 1.1 + 1) for attempt in range(1, 4)}


def job_of(number):
    """What `py.ends.of` waits for."""
    return SimpleNamespace(id=number)


async def all_done(ex, numbers, patience=15):
    """Wait until Elixir has written the ends of a run of each job."""
    left = set(numbers)
    async with asyncio.timeout(patience):
        while left:
            left.discard((await ex.event("done", patience))["id"])


def check_ended(row, state, *, node, worker, queue, attempt=1, errors=(), delay=None, **columns):
    """Compare all columns of a job whose last attempt ended in `state`, as Oban writes that state.

    `delay` are the bounds of the seconds until the job runs again.
    """
    columns = {
        "attempt": attempt,
        "errors": list(errors),
        "attempted_by": ran_by(node),
        "attempted_at": RECENT,
        **columns,
    }
    if delay is not None:
        low, high = (timedelta(seconds=bound) for bound in delay)
        columns["scheduled_at"] = between(row["attempted_at"] + low - SLACK, now() + high)
    if state in TIME_OF:
        columns[TIME_OF[state]] = between(row["attempted_at"] - SLACK, now() + SLACK)
    check(row, state=state, worker=worker, queue=queue, **columns)


async def read_alike(at, ex, oban, number):
    """Elixir's `Oban.Job`, Bridge's `Job` and the row hold the same in every column; returns the row."""
    row = await at.row(number)
    found = await oban.get_job(number)
    aware = {key: value.replace(tzinfo=UTC) if key.endswith("_at") and value else value for key, value in row.items()}
    assert {key: getattr(found, key) for key in row} == {**aware, "attempted_by": row["attempted_by"] or []}

    loaded = await ex.rpc("Interop.Rows.read(id)", id=number)
    ats = loaded.pop("ats")
    assert loaded == aware
    assert [f"{at.isoformat(timespec='microseconds')[:-6]}Z" for at in ats] == [each["at"] for each in row["errors"]]
    assert all(at.utcoffset() == timedelta(0) for at in ats)
    return row


def take_over(py, name="Interop.Outcome"):
    """Have a Python node run the jobs of an Elixir worker, with the delays that its Elixir has; returns the class."""

    async def process(job):
        py.ran.put_nowait(job)
        return await end(job.args["mode"], job.args.get("message", "boom"), job.args)

    def backoff(self, job):
        return job.args.get("backoff") or Worker.backoff(self, job)

    return make_worker(py.registry, process, name, queue="python", max_attempts=3, methods={"backoff": backoff})


async def in_elixir(at, ex, number):
    """The row after a run of the job in Elixir."""
    await done(ex, number)
    return await at.row(number)


async def in_python(at, py, number, attempt=None):
    """The row after a run of the job in Python."""
    await py.ends.of(job_of(number), attempt)
    return await at.row(number)
