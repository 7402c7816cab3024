"""How far a child has come with what it was given: a number in memory that its parent sees as well."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Final

_SIZE: Final = 8


class Tally:
    """The number of the last run that a child has begun.

    Runs begin in the order of their numbers. What stands here outlives the child, however it ends, so the parent knows
    which of its jobs were never begun and can be given to another one.

    Args:
        file: The descriptor of the memory, which is left open.
    """

    def __init__(self, file: int) -> None:
        self._number = memoryview(mmap.mmap(file, _SIZE)).cast("Q")

    @property
    def begun(self) -> int:
        """The last run that has begun; 0 before the first."""
        return self._number[0]

    def begin(self, number: int) -> None:
        """Note that a run begins."""
        self._number[0] = number


def make_memory() -> int:
    """Return a descriptor of memory for a tally, which is nobody else's.

    Raises:
        OSError: The system gives none.
    """
    if hasattr(os, "memfd_create"):
        found = os.memfd_create("bridge-tally")
    else:  # macOS, for instance
        with tempfile.TemporaryFile() as file:
            found = os.dup(file.fileno())
    os.ftruncate(found, _SIZE)
    return found
