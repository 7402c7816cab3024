"""The data folder: where it is, what lies in it, whose it is, and the lock by which its users take turns.

What lies in it:

- `oban-bridge.json` says that the folder is ours; nothing is written or deleted where it is missing.
- `lock` is held while a server is started, stopped or destroyed.
- `pgdata/` is PostgreSQL's own data directory.
- `run/` holds the socket, where its path is short enough (see `sockets.py`).
- `log/server.log` is what the server says.
- `binaries/` is a copy of the programs, where the server's user can't reach the installed ones.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import DataFolderError, DiskFull, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.postgres.account import Account

UNFINISHED = "initdb-"  # the start of the name of data that are being made

_MARK = "oban-bridge.json"
_OURS = ("log", "run", "binaries", "pgdata", "lock", _MARK)
_NO_CONTENT = {"lock", "lost+found"}  # a half-made folder of ours, a fresh file system
_ROOTS_OWN = Path("/var/lib/oban-bridge/postgres")
_CHOOSE = "choose another with --data-dir or BRIDGE_POSTGRES_DIR"


def default_data_dir() -> Path:
    """Return the data folder of this user.

    It is `$BRIDGE_POSTGRES_DIR`, else `oban-bridge/postgres` in `$XDG_DATA_HOME` or `~/.local/share`. Root's is
    `/var/lib/oban-bridge/postgres`, because root's server runs as another user, whom root's home shuts out.

    Raises:
        DataFolderError: This user has no home, and no variable names a folder.
    """
    if chosen := os.environ.get("BRIDGE_POSTGRES_DIR"):
        return Folder(Path(chosen)).path
    if os.geteuid() == 0:
        return _ROOTS_OWN
    return _user_data_home() / "oban-bridge" / "postgres"


def _user_data_home() -> Path:
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise DataFolderError(
            f"Expected a home folder for the embedded PostgreSQL's data, and user {os.geteuid()} has none: "
            "set HOME, or name a folder with BRIDGE_POSTGRES_DIR or --data-dir."
        ) from error


class Folder:
    """A data folder, made or to be made.

    Attributes:
        path: The folder, absolute and with symbolic links followed.

    Raises:
        DataFolderError: The path can't be one.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.path = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise DataFolderError(f"{str(path)!r} can't be the server's data folder ({error}): {_CHOOSE}.") from error
        if not str(self.path).isprintable():  # PostgreSQL keeps the path in a file of lines
            raise DataFolderError(f"Expected a path of printable characters, got {str(self.path)!r}: {_CHOOSE}.")

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "pgdata"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.path / "log" / "server.log"

    @property
    def run(self) -> Path:
        """The folder for the socket."""
        return self.path / "run"

    @property
    def binaries(self) -> Path:
        """The folder for copied programs."""
        return self.path / "binaries"

    def is_ours(self) -> bool:
        """Return whether Bridge made this folder.

        Raises:
            DataFolderError: It belongs to somebody who doesn't let us look.
        """
        with self.told():
            try:
                (self.path / _MARK).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return False
            return True

    def claim(self, account: Account) -> None:
        """Make the folder for a server of `account`, or check that an earlier call did.

        Raises:
            DataFolderError: It holds something else, can't be written, or lies where `account` can't go.
            DiskFull: No space is left to make it.
        """
        with self.told():
            made = self.is_ours()
            reached = self.path if made else next(place for place in self.path.parents if place.is_dir())
            if barred := account.barred(reached):
                raise self._unreachable(account, barred)
            if not made:
                self._make(account)

    @contextlib.contextmanager
    def locked(self, account: Account | None = None) -> Iterator[None]:
        """Hold the folder's lock, waiting for whoever has it; the kernel frees it when its holder dies.

        With an `account` the folder is claimed for it first, and once more if it was destroyed while we waited.
        """
        with self.told():
            descriptor = None
            while descriptor is None:
                if account is not None:
                    self.claim(account)
                descriptor = self._take_lock()
        try:
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Tell an error of the file system as one of ours, with what to do."""
        try:
            yield
        except OSError as error:
            raise self._fault(error) from error

    def subfolder(self, path: Path, account: Account) -> Path:
        """Make a folder inside that only `account` may enter, and return it."""
        with self.told():
            path.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:  # by descriptor, so that no link can lead root elsewhere
                if account.lent:
                    os.fchown(descriptor, account.uid, account.gid)
                os.fchmod(descriptor, 0o700)
            finally:
                os.close(descriptor)
        return path

    def unfinished(self) -> list[Path]:
        """Return the data that an interrupted start left half made."""
        return list(self.path.glob(f"{UNFINISHED}*"))

    def remove(self) -> None:
        """Delete what Bridge put here, and the folder itself if nothing else is in it."""
        with self.told():
            for place in [*self.unfinished(), *(self.path / name for name in _OURS)]:
                if place.is_dir() and not place.is_symlink():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the user's own files, a mount point: not ours to delete
                self.path.rmdir()

    def _make(self, account: Account) -> None:
        for place in reversed(self.path.parents):
            if not place.exists():
                place.mkdir(exist_ok=True)
                if account.lent:
                    place.chmod(0o755)  # just made, so ours: root's umask may shut out the server's user
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._refuse_other_content()
        if account.lent:
            self.path.chmod(self.path.stat().st_mode & 0o777 | 0o711)
        with contextlib.suppress(FileExistsError), (self.path / _MARK).open("x") as mark:
            json.dump({"made_by": "oban-bridge", "layout": 1}, mark)

    def _refuse_other_content(self) -> None:
        held = {entry.name for entry in self.path.iterdir()} - _NO_CONTENT
        if held and not self.is_ours():  # asked again: another process may have marked it meanwhile
            raise DataFolderError(
                f"Expected {self.path} to be empty or made by Bridge, and it holds {_listed(held)}: {_CHOOSE}, "
                "or move these away."
            )

    def _take_lock(self) -> int | None:
        """Open and lock the lock file; return None if it was deleted while we waited for it."""
        place = self.path / "lock"
        descriptor = os.open(place, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if place.exists() and os.path.samestat(os.fstat(descriptor), place.stat()):
            return descriptor
        os.close(descriptor)
        return None

    def _fault(self, error: OSError) -> ServerError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return DiskFull(f"No space is left for the server's data in {self.path}: free some, or {_CHOOSE}.")
        return DataFolderError(f"The server's data folder {self.path} can't be used ({error}): {_CHOOSE}.")

    def _unreachable(self, account: Account, barred: Path) -> DataFolderError:
        return DataFolderError(
            f"PostgreSQL does not run as root but as `{account.name}`, and {barred}, on the way to {self.path}, "
            "is closed to that user: choose a folder that every user can reach (root's default is "
            f"{_ROOTS_OWN}) with --data-dir or BRIDGE_POSTGRES_DIR, or run as an ordinary user."
        )


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
