"""Workers and events for each test."""

from functools import partial

import pytest

from bridge.queues import producer

from .rig import ENDS, PATIENCE, Gate, events_of, make_worker, row_of


@pytest.fixture
def worker(registry):
    """A function that makes a worker of a function and registers it for this test alone."""
    return partial(make_worker, registry)


@pytest.fixture
async def ends():
    """The events of jobs that ended in this test."""
    with events_of(*ENDS) as found:
        yield found


@pytest.fixture
async def gate():
    return Gate()


@pytest.fixture
def unhurried(monkeypatch):
    """Stops that wait for the database, and for what they end, as long as that takes; else it is a second for each."""
    monkeypatch.setattr(producer, "UNWIND", PATIENCE)


@pytest.fixture
def run(start, worker, ends, conn):
    """A function that runs one job of a worker and returns its row and the event of its end."""

    running = None

    async def run_one(process, *, oban=None, args=None, timeout=None, methods=None, **options):
        cls = worker(process, timeout=timeout, methods=methods)
        nonlocal running
        running = oban or running or await start(queues={"default": 20})
        oban = running
        job = await oban.enqueue(cls.new(args, **options))
        event = await ends.of(job)
        return await row_of(conn, job), event

    return run_one
