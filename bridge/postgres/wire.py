"""One question to a PostgreSQL server over its Unix socket, in a few lines of its protocol.

The life cycle asks whether the server answers, and makes one database. asyncpg would need an event loop, which
the caller may be running already; `psql` is a program that whoever only looks for a server may not have.
"""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 5.0  # seconds for an answer; a healthy server takes milliseconds
DISK_FULL = "53100"
INVALID_DATABASE = "3D000"
TOO_MANY_CONNECTIONS = "53300"

_PROTOCOL_3 = 3 << 16


class RefusedError(Exception):
    """The server answered with an error.

    Attributes:
        sqlstate: PostgreSQL's five-character code.
        message: Its message.
    """

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(sqlstate, message)
        self.sqlstate = sqlstate
        self.message = message


class Stream(Protocol):
    """What a session reads from and writes to: `socket.makefile("rwb")`."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, fewer at the end."""

    def write(self, data: bytes, /) -> int:
        """Take `data`."""

    def flush(self) -> None:
        """Send what was taken."""


class Session:
    """A connection as the superuser `postgres`.

    Attributes:
        version: The server's version, such as "18.6".
    """

    def __init__(self, stream: Stream, database: str) -> None:
        self.version = ""
        self._stream = stream
        names = {"user": "postgres", "database": database, "application_name": "bridge db"}
        pairs = "".join(f"{name}\0{value}\0" for name, value in names.items()).encode() + b"\0"
        self._send(b"", struct.pack("!I", _PROTOCOL_3) + pairs)
        self._answer()

    def query(self, sql: str) -> list[str]:
        """Run one statement and return the first column of its rows.

        Raises:
            RefusedError: The server refused it.
            OSError: The connection broke, or no answer came in time.
        """
        self._send(b"Q", sql.encode() + b"\0")
        return self._answer()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._stream.write(kind + struct.pack("!I", len(body) + 4) + body)
        self._stream.flush()

    def _answer(self) -> list[str]:
        """Read messages until the server is ready for the next query."""
        rows: list[str] = []
        while True:
            kind, body = self._message()
            match kind:
                case b"Z":
                    return rows
                case b"E":
                    raise _refusal(body)
                case b"S":
                    self._note(*body.decode().split("\0")[:2])
                case b"D":
                    rows.append(_first_column(body))

    def _message(self) -> tuple[bytes, bytes]:
        kind, length = struct.unpack("!cI", self._exactly(5))
        return kind, self._exactly(length - 4)

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise ConnectionError("the server closed the connection")
        return data

    def _note(self, name: str, value: str) -> None:
        if name == "server_version":
            self.version = value.partition(" ")[0]


@contextmanager
def connect(path: Path, database: str, patience: float = PATIENCE) -> Iterator[Session]:
    """Connect to the socket at `path`; `patience` is in seconds, for each answer.

    Raises:
        RefusedError: The server answered and did not let us in.
        OSError: Nobody answered.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        connection.connect(str(path))
        with connection.makefile("rwb") as stream:
            yield Session(stream, database)


def _first_column(body: bytes) -> str:
    length = struct.unpack_from("!i", body, 2)[0]
    return body[6 : 6 + max(length, 0)].decode()


def _refusal(body: bytes) -> RefusedError:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return RefusedError(fields.get(b"C", ""), fields.get(b"M", ""))
