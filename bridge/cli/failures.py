"""How errors end a command: one line on standard error, and exit status 1."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from bridge.cli.target import describe_target
from bridge.engine.hosts import NoAnswerError, reason_of
from bridge.errors import BridgeError, printable
from bridge.telemetry.visible import visible


@contextmanager
def told() -> Iterator[None]:
    """Run a block, and tell its errors: ours, the database's and the system's."""
    try:
        yield
    except BridgeError as error:
        _fail(str(error))
    except asyncpg.ClientConfigurationError:
        # Its text may quote the DSN, password and all.
        _fail("the DSN can't be read; expected postgresql://user:password@host:port/database, odd characters as %xx")
    except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
        _fail(_describe(error))


def _describe(error: OSError | asyncpg.PostgresError | asyncpg.InternalClientError) -> str:
    """Return what went wrong; an error of a socket names no file."""
    if isinstance(error, socket.gaierror):
        mend = "check the host's name, and that names are resolved here"
        return f"{describe_target()} can't be found: {reason_of(error)}; {mend}"
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        mend = "try again once a standby has taken over, or correct the DSN"
        return f"{describe_target()} has no server of the kind that target_session_attrs asks for; {mend}"
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK):
        path = f"{error.filename}: " if error.filename is not None else ""
        mend = next((mend for kind, mend in _MENDS.items() if isinstance(error, kind)), _DISK.get(error.errno or 0, ""))
        return f"{path}{error.strerror}; {mend or 'check the path'}"
    if isinstance(error, NoAnswerError):
        mend = "check that the server runs, or give it longer by connect_timeout in the DSN, or PGCONNECT_TIMEOUT"
        return f"{describe_target()} did not answer: {str(error).partition(' gave ')[2]}; {mend}"
    told = (reason_of(error) if isinstance(error, OSError) else str(error)) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, _NOT_THERE):
        return f"{describe_target()} refused: {told}"
    return f"{describe_target()} did not answer: {told}; check its address and that the server runs"


#: Messages of several lines are ours.
_LINES: Final = "\n\t"

#: Errors of the server's by which it isn't there for us.
_NOT_THERE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_MENDS: Final[dict[type[OSError], str]] = {
    PermissionError: "let this user read and write there, or pass another path",
    FileExistsError: "a folder is needed and a file is in its place; move it away, or pass another path",
    NotADirectoryError: "a folder is needed and a file is in its place; move it away, or pass another path",
    IsADirectoryError: "a file is needed and a folder is in its place; move it away, or pass another path",
    FileNotFoundError: "check the path, and that its folder is there",
}
_DISK: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "pass a path that can be written to",
}


def _fail(message: str) -> None:
    # It may quote a row, whose texts are no commands to this terminal.
    print(f"error: {visible(printable(message), _LINES)}", file=sys.stderr)
    sys.exit(1)
