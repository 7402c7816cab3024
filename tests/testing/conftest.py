"""Workers of a test's own, a transaction that is rolled back, and instances in testing modes on it."""

import pytest
from contracts.runtime.rig import make_contract, obj
from queues.conftest import ends, worker

from bridge import Oban
from bridge.jobs import contracts
from bridge.testing import sandbox

__all__ = ["ends", "worker"]

BADGE = obj("Badge", {"id": {"type": "integer", "minimum": 1}, "name": {"type": "string"}}, required=["id"])
FILE = obj("File", {"path": {"type": "string", "minLength": 1}}, required=["path"])


@pytest.fixture
async def pool(installed):
    """A rolled-back transaction that stands for a pool."""
    async with sandbox(installed) as found:
        yield found


@pytest.fixture
async def manual(pool, registry):
    """An instance that inserts jobs and runs none."""
    async with Oban(pool=pool, registry=registry, testing="manual", node="here") as oban:
        yield oban


@pytest.fixture
async def inline(pool, registry):
    """An instance that runs jobs where they are enqueued."""
    async with Oban(pool=pool, registry=registry, testing="inline", node="here") as oban:
        yield oban


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """Contracts are known to the process; here, to one test."""
    monkeypatch.setattr(contracts, "_known", {})


@pytest.fixture
def badge():
    """A contract with a result."""
    return make_contract(BADGE, result=FILE, worker="Badges.Generate", queue="badges")


@pytest.fixture
def typed(worker, badge):
    """A function that makes a worker under the contract."""
    return lambda function, **options: worker(function, contract=badge, **options)
