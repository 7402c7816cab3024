"""Leaders of several nodes."""

from contextlib import AsyncExitStack

import pytest
from queues.conftest import gate, worker
from queues.rig import PATIENCE

from bridge.cluster import Leader

from .rig import engine_on

__all__ = ["gate", "worker"]


@pytest.fixture(autouse=True)
def patient_releases(monkeypatch):
    """A release that gets no answer in time tells nobody; here that may take as long as anything else."""
    monkeypatch.setattr("bridge.cluster.leader.RELEASE", PATIENCE)


@pytest.fixture
async def node(installed):
    """A function that makes a node's leader, which is not started, with an engine of its own."""
    async with AsyncExitStack() as stack:

        async def make(name, *, instance="Oban", interval=30.0, dsn=installed):
            engine = await stack.enter_async_context(engine_on(dsn))
            leader = Leader(engine, instance=instance, node=name, interval=interval)
            stack.push_async_callback(leader.stop)
            return leader

        yield make
