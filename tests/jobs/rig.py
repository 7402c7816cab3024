"""Workers that are defined for one test."""

import pytest

from bridge import Worker, worker
from bridge.jobs import registry


@pytest.fixture(autouse=True)
def forget():
    """Forget what a test registered."""
    known = dict(registry._workers)
    yield
    registry._workers = known


def define(**options):
    @worker(**options)
    class Defined(Worker):
        def process(self, job): ...

    return Defined
