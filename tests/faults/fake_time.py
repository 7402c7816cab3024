"""A clock of their own for some processes: libfaketime stands between them and the machine's, which nobody touches."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path
from typing import Final

#: Names the library, where it lies in none of these folders.
_VARIABLE: Final = "FAULTS_LIBFAKETIME"
_FOLDERS: Final = ("/usr/lib/faketime", "/usr/lib/*/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
#: The one for programs with threads.
_NAME: Final = "libfaketimeMT.so.1"

LACK: Final = f"there is no libfaketime: install Debian's package of that name, or name its {_NAME} in {_VARIABLE}"


def library() -> Path | None:
    """Return libfaketime, or None where there is none."""
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    found = chain.from_iterable(Path("/").glob(f"{folder[1:]}/{_NAME}") for folder in _FOLDERS)
    return next(found, None)


class FakeTime:
    """The time of processes that are started with its `environment`: the machine's, and some seconds more or less.

    Only the time of day is moved. What counts seconds goes on, as on a machine whose clock somebody sets.

    Args:
        file: Says how far the clock is off; the processes read it whenever they ask for the time.
        seconds: How far it is off at first.
    """

    def __init__(self, file: Path, seconds: float = 0.0) -> None:
        self._file = file
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Step the clock: it is now so far ahead of the machine's, or behind it where that is negative."""
        new = self._file.with_name(f"{self._file.name}.new")
        new.write_text(f"{seconds:+.3f}\n")
        new.chmod(0o644)
        new.replace(self._file)  # at once, so that nobody reads half of it

    @property
    def environment(self) -> dict[str, str]:
        """What processes must find in their environment."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }
