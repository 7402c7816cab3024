"""The folder of the server's Unix socket: short, private, and the same every time.

The path of a socket has room for about a hundred bytes, and data folders can be longer. A folder that is the
same for every start keeps the URL that people have written down.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.postgres.account import Account
    from bridge.postgres.folder import Folder

_LONGEST = 103  # bytes of a socket's path: macOS has room for 104 with the final NUL, Linux for 108
_SOCKET = ".s.PGSQL."
_PREFIX = "bridge-pg-"


def socket_path(folder: Path, port: int) -> Path:
    """Return where PostgreSQL puts its socket in `folder`."""
    return folder / f"{_SOCKET}{port}"


def socket_folder(folder: Folder, account: Account) -> Path:
    """Make the folder for the socket and return it; the caller has the lock, and no server runs.

    It is `run/` in the data folder where the path is short and plain enough for PostgreSQL and for URLs, else
    one beside other temporary files, named after the data folder. What a killed server left in it is removed.
    """
    chosen = folder.subfolder(folder.run, account) if _fits(folder.run) else _outside(folder, account)
    with folder.told():
        _clear(chosen)
    return chosen


def discard(socket_dir: Path) -> None:
    """Remove the socket folder of a server that is gone, if it lies outside the data folder."""
    if socket_dir.name.startswith(_PREFIX):
        with suppress(OSError):  # gone already, or somebody else's by now
            _clear(socket_dir)
            socket_dir.rmdir()


def _clear(socket_dir: Path) -> None:
    for leftover in socket_dir.glob(f"{_SOCKET}*"):
        leftover.unlink(missing_ok=True)


def _fits(folder: Path) -> bool:
    text = str(folder)
    plain = text.isascii() and not set(text) & set(",\"'\\")
    return plain and len(os.fsencode(socket_path(folder, 65535))) <= _LONGEST


def _outside(folder: Folder, account: Account) -> Path:
    name = _PREFIX + hashlib.blake2b(os.fsencode(folder.path), digest_size=6).hexdigest()
    with folder.told():
        for base in _bases():
            if _fits(base / name) and account.barred(base) is None and _made_private(base / name, account):
                return base / name
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_bases()[0]))
        account.own(made)
        return made


def _bases() -> list[Path]:
    """Return the folders for temporary files: fixed ones first, so that every process finds the same."""
    fixed = [Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - what is made there is private, and checked to be
    return [*(base for base in fixed if base.is_dir()), Path(tempfile.gettempdir())]


def _made_private(place: Path, account: Account) -> bool:
    """Make `place`, or find it made, and return whether nobody but `account` has access."""
    try:
        place.mkdir(mode=0o700)
        account.own(place)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and not found.st_mode & 0o077
