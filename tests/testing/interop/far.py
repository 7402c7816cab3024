"""A server behind a gate whose ends of the connections a test holds, and what it can tell of such an end."""

import socket
import time

import pytest

SILENCE = 0.2  # seconds in which nothing comes
PATIENCE = 60  # seconds for what should take milliseconds, on a busy machine


class Far:
    """A server that hands over its ends of the connections; `dsn` leads to it."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.dsn = f"postgresql://someone:s3cret@127.0.0.1:{self.port}/somewhere"
        self.ends = [self.listener]

    def accept(self, timeout=PATIENCE):
        self.listener.settimeout(timeout)
        end, _ = self.listener.accept()
        return self.keep(end)

    def keep(self, end):
        end.settimeout(PATIENCE)
        self.ends.append(end)
        return end

    def refuse(self):
        """Take no connections; the port stays ours."""
        self.listener.close()
        self.listener = socket.socket()
        self.ends.append(self.listener)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))

    def close(self):
        for end in self.ends:
            end.close()


class Clock:
    """The time of gates, which a test puts on; what is late is due then."""

    ahead = 0

    def monotonic(self):
        return time.monotonic() + self.ahead


def under_way(gate):
    """Wait until the gate has read what it will deliver later."""
    deadline = time.monotonic() + PATIENCE
    while not gate._ferry._late:
        assert time.monotonic() < deadline
        time.sleep(0.01)  # no event tells of it


def silent(end):
    """Whether neither bytes nor an end come."""
    end.settimeout(SILENCE)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(PATIENCE)
    return False


def read(end, size):
    got = b""
    while len(got) < size and (more := end.recv(size - len(got))):
        got += more
    return got


def is_reset(end):
    with pytest.raises(ConnectionResetError):
        end.recv(1)
    return True


def is_turned_away(gate, far):
    """Whether a connection is ended at once, be it before the caller knows that it stands."""
    with pytest.raises(ConnectionResetError):
        far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE)).recv(1)
    return True


def refused(gate):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gate.port), PATIENCE)
    return True
