"""Contracts that a test defines are gone after it; a contract of badges, and workers under it."""

import pytest

from bridge import Worker
from bridge.jobs import contracts
from bridge.jobs.options import build_options
from tests.queues.rig import ENDS, events_of

from .badges import BADGE, FILE
from .rig import make_contract, module_of


@pytest.fixture(autouse=True)
def known():
    before = dict(contracts._known)
    yield
    contracts._known.clear()
    contracts._known.update(before)


@pytest.fixture
def badge():
    return make_contract(BADGE, result=FILE, worker="Badges.Generate", queue="badges", max_attempts=5, tags=("x",))


@pytest.fixture
def file(badge):
    return module_of(badge).File


@pytest.fixture
async def ends():
    with events_of(*ENDS) as found:
        yield found


@pytest.fixture
def make(registry, badge):
    """A function that registers a worker under the contract, whose `process` is `function(job)`."""

    def make_one(function, **options):
        async def process(_self, job):
            return function(job)

        cls = type("Generate", (Worker,), {"process": process})
        cls.options = build_options("Generate", {"contract": badge, **options})
        registry.register(cls, (cls.options.name, *cls.options.aliases))
        return cls

    return make_one
