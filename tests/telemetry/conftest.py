"""What tests of telemetry share: whatever a test attaches is forgotten after it."""

import pytest

from bridge import telemetry
from bridge.telemetry import bus, instruments


@pytest.fixture(autouse=True)
def forget():
    handlers, installed = set(bus._handlers), set(instruments._instruments)
    yield
    for handler_id in set(bus._handlers) - handlers:
        telemetry.detach(handler_id)
    for instrument_id in set(instruments._instruments) - installed:
        instruments.uninstall(instrument_id)
