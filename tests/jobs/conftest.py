"""What tests of jobs share: each forgets the workers that it registered."""

import pytest

from bridge.jobs import registry


@pytest.fixture(autouse=True)
def forget():
    known = dict(registry._workers)
    yield
    registry._workers = known
