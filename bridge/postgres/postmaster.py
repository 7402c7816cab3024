"""The server's process, as its file `postmaster.pid` tells of it.

The file outlives a server that was killed, and its number may be another process by then. So a server runs when
it answers, and a number is believed only where the process was started for this very folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.postgres import wire
from bridge.postgres.sockets import socket_path

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = "bridge.data"  # a setting without effect; it tells a server's command line from every other

_NOBODY = 2**31 - 1  # above every system's largest process number
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says.

    Attributes:
        pid: The process's number.
        data_dir: The data directory, as the server saw it when it started.
        port: The port, which is also part of the socket's name.
        socket_dir: The folder of the socket.
        tcp: Whether it listens on TCP too.
        ready: Whether the server says that it takes connections.
    """

    pid: int
    data_dir: Path
    port: int
    socket_dir: Path
    tcp: bool
    ready: bool

    @classmethod
    def read(cls, pgdata: Path) -> Postmaster | None:
        """Return what the file says, or None where there is none; a starting server fills it by and by."""
        try:
            lines = (pgdata / "postmaster.pid").read_text().splitlines()
            pid, data_dir, _started, port, sockets, address, _shared, state = (*lines, *[""] * 8)[:8]
            ready = state.startswith("ready")
            return cls(int(pid), Path(data_dir), int(port or 0), Path(sockets), bool(address), ready)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    @property
    def socket(self) -> Path:
        """The path of the socket."""
        return socket_path(self.socket_dir, self.port)

    def version(self, pgdata: Path, database: str = "postgres") -> str | None:
        """Return the version of the server that answers for `pgdata`, or None where none does.

        Raises:
            RefusedError: It answers, and has no such database.
        """
        try:
            with self.session(database) as session:
                return session.version if _same(session.query("show data_directory")[0], pgdata) else None
        except wire.RefusedError as refused:
            if refused.sqlstate == wire.INVALID_DATABASE:
                raise
            full = refused.sqlstate == wire.TOO_MANY_CONNECTIONS and self.holds(pgdata)
            return (pgdata / "PG_VERSION").read_text().strip() if full else None
        except OSError:
            return None

    @contextmanager
    def session(self, database: str = "postgres", patience: float = wire.PATIENCE) -> Iterator[wire.Session]:
        """Connect to `database`; see `wire.connect`."""
        with wire.connect(self.socket, database, patience) as session:
            yield session

    def holds(self, pgdata: Path) -> bool:
        """Return whether the process with this number is the one that was started for `pgdata`.

        A server that starts, stops or recovers holds its data without answering.
        """
        return self.is_of(pgdata) and f"{OWNER}={self.data_dir}" in _command(self.pid)

    def is_of(self, pgdata: Path) -> bool:
        """Return whether the file was written for `pgdata`, and not copied there with it."""
        return _same(self.data_dir, pgdata)

    def signal(self, mode: str) -> None:
        """Ask the process to end, in one of the modes of `Server.stop`."""
        os.kill(self.pid, _SIGNALS[mode])


def retire(pgdata: Path) -> None:
    """Take the number out of a `postmaster.pid` whose server is gone.

    Another process of the same user may have the number now, and PostgreSQL would refuse to start. The rest of
    the file stays, because PostgreSQL checks by it that no orphaned backend still has the shared memory.
    """
    place = pgdata / "postmaster.pid"
    if Postmaster.read(pgdata) is None:
        place.unlink(missing_ok=True)
        return
    _number, newline, rest = place.read_text().partition("\n")
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW), "w") as file:
        file.write(f"{_NOBODY}{newline}{rest}")


def _same(one: str | Path, other: Path) -> bool:
    try:
        return other.samefile(one)
    except OSError:
        return False


def _command(pid: int) -> str:
    """Return the command line of a process, or nothing where there is no such process."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            return ""
    asked = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number
