"""Workers, and schedulers of several nodes."""

from contextlib import AsyncExitStack

import pytest
from queues.conftest import ends, gate, worker
from queues.rig import PATIENCE

from .rig import Clock, node_on

__all__ = ["ends", "gate", "worker"]


@pytest.fixture(autouse=True)
def patient_releases(monkeypatch):
    """A release that gets no answer in time leaves the lease; here that may take as long as anything else."""
    monkeypatch.setattr("bridge.cluster.leader.RELEASE", PATIENCE)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def node(installed, registry, clock):
    """A function that makes a scheduler on a node of its own, and the first round of it at the clock's time."""
    async with AsyncExitStack() as stack:

        async def make(*entries, leads=True, clock=clock, **options):
            dsn = options.pop("dsn", installed)
            context = node_on(dsn, registry, list(entries), clock=clock, **options)
            scheduler = await stack.enter_async_context(context)
            await scheduler.run_once()
            if leads:
                await scheduler.leader.run_once()
                await scheduler.run_once()
            return scheduler

        yield make
