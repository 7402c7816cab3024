"""What tests of telemetry share: whatever a test attaches is forgotten after it."""

import logging

import pytest
from queues.rig import PATIENCE

from bridge import telemetry
from bridge.telemetry import bus, instruments


@pytest.fixture(autouse=True)
def patient_stops(monkeypatch):
    """What a stop leaves behind, where a database doesn't answer in time, tells nothing of its end."""
    monkeypatch.setattr("bridge.cluster.leader.RELEASE", PATIENCE)
    monkeypatch.setattr("bridge.maintenance.service.UNWIND", PATIENCE)


@pytest.fixture(autouse=True)
def forget():
    handlers, installed = set(bus._handlers), set(instruments._instruments)
    yield
    for handler_id in set(bus._handlers) - handlers:
        telemetry.detach(handler_id)
    for instrument_id in set(instruments._instruments) - installed:
        instruments.uninstall(instrument_id)


@pytest.fixture
def caught(caplog):
    caplog.set_level(logging.DEBUG, "oban")
    return caplog


@pytest.fixture
def shop(start):
    """A function that starts an instance with a name, a node and the queue `default`."""

    async def start_shop(**options):
        return await start(**{"name": "Shop", "node": "web.1", "queues": {"default": 5}, **options})

    return start_shop
