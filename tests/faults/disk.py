"""A small disk: a file system in memory that takes the place of one of the server's folders, and can be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_MEGABYTE: Final = 1 << 20
_FILLER: Final = "filler"

#: Waits for the end of whoever has mounted a disk, however that comes, and unmounts it where it is still there.
_GUARD: Final = 'read -r _; umount --lazy "$0" 2>/dev/null'


def lack_of_mounts() -> str | None:
    """Return why no file system can be mounted here, or None."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    with tempfile.TemporaryDirectory(prefix="bridge-faults-disk-") as place:
        try:
            _run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or error
            return f"a small disk can't be mounted: {str(said).strip()}"
        _run("umount", place)
    return None


class SmallDisk:
    """Takes a folder's place while its server is down; the folder itself waits beside it, and gets back what changed.

    Args:
        folder: Whose place it takes.
        spare: Megabytes that are free on it at first.
        wanted: Tells of each entry of the folder whether it is needed there; default all are.
    """

    def __init__(self, folder: Path, *, spare: int, wanted: Callable[[Path], bool] = lambda _: True) -> None:
        self.folder = folder
        self._aside = folder.with_name(f"{folder.name}.aside")
        self._spare = spare
        self._wanted = wanted
        self._mounted = False
        self._guard: subprocess.Popen[bytes] | None = None

    def insert(self) -> None:
        """Take the folder's place, with what is wanted of its content."""
        owner = self.folder.stat()
        size = sum(_size(entry) for entry in self.folder.iterdir() if self._wanted(entry)) // _MEGABYTE
        self.folder.rename(self._aside)
        self.folder.mkdir(mode=0o700)
        options = f"size={size + self._spare + 1}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        try:
            _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder))
        except BaseException:
            self.folder.rmdir()
            self._aside.rename(self.folder)
            raise
        self._mounted = True
        self._guard = subprocess.Popen(["sh", "-c", _GUARD, str(self.folder)], stdin=subprocess.PIPE, process_group=0)
        for entry in self._aside.iterdir():
            if self._wanted(entry):
                _copy(entry, self.folder)
        _own(self.folder, owner)

    def fill(self) -> None:
        """Leave no byte of it free."""
        left = os.statvfs(self.folder)
        with suppress(OSError), (self.folder / _FILLER).open("wb", buffering=0) as filler:
            os.posix_fallocate(filler.fileno(), 0, left.f_bavail * left.f_frsize)
        with suppress(OSError), (self.folder / _FILLER).open("ab", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass

    def clear(self) -> None:
        """Free what `fill` took."""
        (self.folder / _FILLER).unlink(missing_ok=True)

    def remove(self) -> None:
        """Give the folder its place back, with all that was changed meanwhile; the server is down."""
        if not self._mounted:
            return
        self.clear()
        kept = {entry.name for entry in self.folder.iterdir()}
        for entry in self._aside.iterdir():
            if self._wanted(entry) and entry.name not in kept:
                _delete(entry)
        for entry in self.folder.iterdir():
            _delete(self._aside / entry.name)
            _copy(entry, self._aside)
        _own(self._aside, self.folder.stat())
        _run("umount", str(self.folder))
        self._mounted = False
        self._end_guard()
        self.folder.rmdir()
        self._aside.rename(self.folder)

    def _end_guard(self) -> None:
        if self._guard is not None:
            self._guard.communicate()
            self._guard = None


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _copy(entry: Path, folder: Path) -> None:
    if entry.is_dir():
        shutil.copytree(entry, folder / entry.name, symlinks=True)
    else:
        shutil.copy2(entry, folder / entry.name)


def _delete(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _size(entry: Path) -> int:
    """Return the bytes that an entry takes on a file system of whole pages."""
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(-(-file.stat().st_size // 4096) * 4096 + 4096 for file in files)


def _own(folder: Path, owner: os.stat_result) -> None:
    for entry in (folder, *folder.rglob("*")):
        os.chown(entry, owner.st_uid, owner.st_gid)
