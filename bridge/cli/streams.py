"""Standard streams that the process was started without, or that can't be written to any more."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_missing() -> None:
    """Open the null device in place of each standard stream that is closed.

    The next socket or pipe would get its number otherwise, and with it what others write to a standard stream; event
    loops refuse to close such a number. Call it before anything opens a descriptor.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def flush() -> None:
    """Write what standard output and standard error still hold, where that can be done.

    Where it can't, such as on a full disk, in a closed terminal or in a pipe that nobody reads, they are the null
    device from now on: the interpreter would try once more at its end, and exit with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _silence(stream.fileno())


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _silence(number: int) -> None:
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
