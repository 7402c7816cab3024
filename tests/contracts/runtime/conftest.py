"""Contracts that a test defines are gone after it."""

import pytest

from bridge.jobs import contracts


@pytest.fixture(autouse=True)
def known():
    before = dict(contracts._known)
    yield
    contracts._known.clear()
    contracts._known.update(before)
