"""From the command line to the node: the parser's process begins anew as one that runs the node alone.

What parses the command line takes as much memory as a third of a node, and Python gives none of it back. So the process
executes its own command line once more, with what was parsed in a pipe; its id, its environment and what a list of
processes shows stay the same.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final

import msgspec

#: Says that the command line was parsed: the process's id, which stays the same, a colon, and the pipe's number.
_VARIABLE: Final = "_BRIDGE_START"

#: What a pipe holds before somebody reads it (Linux has 65,536, others at least this).
_ROOM: Final = 16_384

#: What the command line's context holds where the process is the command's own.
PROCESS: Final = object()


class Order(msgspec.Struct, frozen=True):
    """What a command line asked for.

    Attributes:
        arguments: Settings by their names.
        file: The settings file, if one was named.
        wait: Whether to wait for the database to be made.
    """

    arguments: dict[str, Any]
    file: str | None
    wait: bool


def become_node(order: Order) -> None:
    """Execute the command line once more, as a node; return where that can't be done here."""
    text = msgspec.json.encode(order)
    if os.name != "posix" or not sys.executable or len(sys.orig_argv) < 2 or len(text) > _ROOM:
        return
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    os.set_inheritable(reading, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.environ[_VARIABLE] = f"{os.getpid()}:{reading}"
    with suppress(OSError):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - what was executed already
    del os.environ[_VARIABLE]
    os.close(reading)


def take_order() -> Order | None:
    """Return what the process was asked for before it executed itself anew; None where it is a fresh one.

    A variable that this process has not set itself is ignored.
    """
    process, _, number = os.environ.pop(_VARIABLE, "").partition(":")
    if process != str(os.getpid()):
        return None
    try:
        with open(int(number), "rb") as pipe:  # noqa: PTH123 - a number, and no path
            return msgspec.json.decode(pipe.read(), type=Order)
    except (ValueError, TypeError, OSError, msgspec.DecodeError):  # TypeError: a number beyond those of descriptors
        return None
