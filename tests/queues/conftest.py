"""Workers and events for each test."""

from functools import partial

import pytest

from .rig import ENDS, Gate, events_of, make_worker


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
