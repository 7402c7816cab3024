"""Mix as it runs where nobody has told it anything, and a gate with both of its ends."""

import socket

import pytest

from bridge.testing.interop import Gate, ferry

from .far import PATIENCE, Clock, Far


@pytest.fixture(scope="session", autouse=True)
def _plain_mix():
    """A shell of an Elixir developer's may have told it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MIX_ENV", "MIX_BUILD_PATH"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def far():
    """A server without PostgreSQL."""
    server = Far()
    yield server
    server.close()


@pytest.fixture
def gate(far):
    """An open gate to it."""
    with Gate(far.dsn) as opened:
        yield opened


@pytest.fixture
def connect(gate, far):
    """A function that returns both ends of a connection by way of the gate."""

    def ends():
        near = far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE))
        return near, far.accept()

    return ends


@pytest.fixture
def clock(monkeypatch):
    """The time of the gates."""
    made = Clock()
    monkeypatch.setattr(ferry, "time", made)
    return made
