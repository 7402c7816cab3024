"""Workers and events, as the tests of the queues have them."""

import pytest
from queues.conftest import ends, gate, worker
from queues.rig import PATIENCE

__all__ = ["ends", "gate", "worker"]


@pytest.fixture(autouse=True)
def patient_releases(monkeypatch):
    """A release that gets no answer in time is a warning; here that may take as long as anything else."""
    monkeypatch.setattr("bridge.cluster.leader.RELEASE", PATIENCE)
