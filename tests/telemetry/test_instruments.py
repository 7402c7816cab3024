"""Instruments go around insertions and runs, and break none."""

from contextlib import contextmanager

import pytest

from bridge import Cancel, Job
from bridge.errors import ValidationError
from bridge.telemetry import instruments
from bridge.telemetry.instruments import Instrument
from tests.queues.rig import ENDS, events_of, insert_row, make_worker, row_of


class Recorder(Instrument):
    """Writes down what it goes around, and lets a carrier go along."""

    def __init__(self, carrier=None):
        self.carrier = carrier
        self.insertions, self.runs = [], []

    @contextmanager
    def insertion(self, insertion):
        insertion.carrier = self.carrier
        yield
        self.insertions.append(insertion)

    @contextmanager
    def run(self, run):
        yield
        self.runs.append(run)


@pytest.fixture
def recorder():
    found = Recorder({"traceparent": "t"})
    instruments.install("recorder", found)
    return found


@pytest.fixture
def client(start):
    return start(queues={})


async def test_an_insertion(recorder, client, conn):
    oban = await client
    job = await oban.enqueue(Job("W", meta={"mine": 1}))

    [insertion] = recorder.insertions
    assert (insertion.job, list(insertion.jobs), insertion.oban.name) == (job, [job], "Oban")
    assert (await row_of(conn, job))["meta"] == {"mine": 1, "traceparent": "t"}


async def test_an_insertion_of_many(recorder, client, conn):
    oban = await client
    jobs = await oban.enqueue_many(Job("W") for _ in range(3))

    [insertion] = recorder.insertions
    assert (insertion.job, list(insertion.jobs)) == (None, jobs)
    assert [(await row_of(conn, job))["meta"] for job in jobs] == [{"traceparent": "t"}] * 3


@pytest.mark.parametrize("own", [{"traceparent": "mine"}, {"traceparent": None}])
async def test_what_the_application_has_put_into_meta_is_its_own(recorder, client, conn, own):
    recorder.carrier = {"traceparent": "t", "tracestate": "s"}
    oban = await client
    mine, other = await oban.enqueue_many([Job("W", meta=own), Job("W")])

    assert (await row_of(conn, mine))["meta"] == own
    assert (await row_of(conn, other))["meta"] == recorder.carrier


async def test_a_job_that_is_inserted_again_gets_what_goes_along_now(recorder, client, conn):
    oban = await client
    first = await oban.enqueue(Job("W", meta={"a": 1}))
    recorder.carrier = {"traceparent": "u"}
    same = await oban.enqueue(first)
    again = await oban.enqueue((await oban.get_job(first.id)).again())

    assert (await row_of(conn, same))["meta"] == {"a": 1, "traceparent": "u"}
    assert (await row_of(conn, again))["meta"] == {"a": 1, "traceparent": "u"}


async def test_the_digits_of_a_meta_that_is_passed_on_stay(recorder, client, conn):
    oban = await client
    number = "0.1234567890123456789012345678901234567890"
    first = await insert_row(conn, meta=f'{{"n": {number}}}')
    again = await oban.enqueue(await oban.get_job(first))

    assert again.id != first
    assert await conn.fetchval("select meta->>'n' from oban_jobs where id = $1", again.id) == number
    assert await conn.fetchval("select meta->>'traceparent' from oban_jobs where id = $1", again.id) == "t"


@pytest.mark.parametrize(
    ("outcome", "state", "error"),
    [(None, "completed", None), (Cancel("no"), "cancelled", None), (ValueError("no"), "retryable", ValueError)],
)
async def test_a_run(recorder, start, registry, outcome, state, error):
    async def work(job):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    oban = await start(queues={"default": 1})
    with events_of(*ENDS) as ends:
        job = await oban.enqueue(make_worker(registry, work).new())
        await ends.of(job)

    [run] = recorder.runs
    assert (run.job.id, run.state, run.oban.name) == (job.id, state, "Oban")
    assert (run.error is None) if error is None else isinstance(run.error, error)
    assert run.result == (None if error else outcome)


class Broken(Instrument):
    """Raises at one of four places."""

    def __init__(self, place):
        self.place = place

    @contextmanager
    def _around(self, what):
        if self.place == f"before {what}":
            raise RuntimeError("broken")
        yield
        if self.place == f"after {what}":
            raise RuntimeError("broken")

    def insertion(self, insertion):
        return self._around("insertion")

    def run(self, run):
        return self._around("run")


@pytest.mark.parametrize("place", ["before insertion", "after insertion", "before run", "after run"])
async def test_a_broken_instrument_is_taken_out_and_breaks_no_job(place, recorder, start, registry, conn, caplog):
    instruments.install("broken", Broken(place))

    async def work(job):
        return None

    oban = await start(queues={"default": 1})
    with events_of(*ENDS) as ends:
        job = await oban.enqueue(make_worker(registry, work).new())
        await ends.of(job)

    row = await row_of(conn, job)
    assert (row["state"], row["meta"]) == ("completed", {"traceparent": "t"})
    assert not instruments.uninstall("broken")
    assert "the telemetry instrument 'broken' raised and was taken out" in caplog.messages
    assert len(recorder.insertions) == len(recorder.runs) == 1


async def test_an_insertion_that_fails_is_no_fault_of_the_instruments(recorder, client):
    oban = await client
    job = Job("W")
    job.queue = ""
    with pytest.raises(ValidationError, match="queue"):
        await oban.enqueue(job)

    assert recorder.insertions == []
    assert instruments.uninstall("recorder")


def test_an_id_that_is_in_use(recorder):
    with pytest.raises(ValidationError, match="an id that is not in use"):
        instruments.install("recorder", Recorder())
