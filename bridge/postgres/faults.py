"""What PostgreSQL's own words mean, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import DiskFull, PortTaken, ServerError

if TYPE_CHECKING:
    from bridge.postgres.folder import Folder

_ORPHANS = "pre-existing shared memory block"
_SHOWN = 8  # lines of the log in a message

_ELSEWHERE = "choose another folder with --data-dir or BRIDGE_POSTGRES_DIR"
_ANOTHER_PORT = "choose another --port, 0 for any free one"
# Looked through in this order: shared memory is a disk of its own, and its errors name "No space left" too.
_MENDS: tuple[tuple[str, type[ServerError], str, str], ...] = (
    (
        r"shared memory segment .*(No space left|Cannot allocate)",
        ServerError,
        "the shared memory (/dev/shm) is too small",
        "give a container more with --shm-size, or lower shared_buffers through `settings`",
    ),
    (
        r"No space left on device|[Dd]isk quota exceeded|Check free disk space",
        DiskFull,
        "no space is left on the disk of {folder}",
        f"free some (new data take 50 MB), or {_ELSEWHERE}",
    ),
    (
        r"could not bind .*Address already in use",
        PortTaken,
        "another program listens on port {port} of 127.0.0.1",
        f"stop it, or {_ANOTHER_PORT}",
    ),
    (
        r"could not bind .*Permission denied",
        ServerError,
        "this user may not listen on port {port}",
        f"take one above 1023, or {_ANOTHER_PORT}",
    ),
    (
        _ORPHANS,
        ServerError,
        "processes of a server that was killed still hold the data in {folder}",
        "wait for them, or end them",
    ),
    (
        r"server did not start in time",
        ServerError,
        "it is still at it, as after a crash with much to recover",
        "wait, and start it again to find it",
    ),
    (
        r"could not look up effective user ID",
        ServerError,
        "PostgreSQL needs an entry in /etc/passwd for the user who runs it",
        "add one, or run as a user who has one",
    ),
    (
        r"unrecognized configuration parameter|invalid value for parameter|is outside the valid range",
        ServerError,
        "a setting is not one of PostgreSQL's, or has a value that it refuses",
        "mend `settings`",
    ),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A program that failed.

    Attributes:
        what: What did not work, as the start of a message.
        words: What the program and the server's log said.
        folder: The data folder.
        port: The port that the server was to use.
    """

    what: str
    words: str
    folder: Folder
    port: str = ""

    @property
    def passes(self) -> bool:
        """Whether it passes by itself: backends of a killed server, which end when they notice."""
        return _ORPHANS in self.words

    def error(self) -> ServerError:
        """Return the error that tells it best."""
        for pattern, kind, why, mend in _MENDS:
            if re.search(pattern, self.words):
                reason = why.format(port=self.port, folder=self.folder.path)
                return kind(f"{self.what}: {reason}; {mend}.\n{self._tail()}")
        return ServerError(f"{self.what}. Its last words:\n{self._tail()}")

    def _tail(self) -> str:
        lines = [line for line in self.words.splitlines() if line.strip()][-_SHOWN:]
        quoted = "\n".join(f"  {line}" for line in lines)
        return f"{quoted}\nThe server's log: {self.folder.log}" if self.folder.log.exists() else quoted
