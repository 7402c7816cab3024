"""The operating system's account that the server runs as.

PostgreSQL refuses to run as root, so root lends its server an ordinary account; everyone else uses their own.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ServerError

_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
_FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Who owns the data and the server's processes.

    Attributes:
        name: The account's name, or its number where it has no name.
        uid: The user's number.
        gid: The number of the user's own group; root's other groups are dropped.
        lent: Whether we are root and act as this account.
    """

    name: str
    uid: int
    gid: int
    lent: bool

    @classmethod
    def for_data(cls, *places: Path) -> Account:
        """Return the account for a data folder.

        Anyone but root is their own. Root takes the owner of the first of `places` that exists and is not
        root's, so that the choice stays what it was; then the user who called sudo; then `postgres`; then
        `nobody`.

        Raises:
            ServerError: Root found none of them.
        """
        if os.geteuid() != 0:
            return cls(_name(os.geteuid()), os.geteuid(), os.getegid(), lent=False)
        found = _owner(places) or _sudo_user() or _first_known()
        if found is None:
            raise ServerError(
                "PostgreSQL does not run as root, and there is no account to lend it: expected a user "
                "`postgres` or `nobody`. Add one, run as an ordinary user, or pass a DSN."
            )
        return cls(found.pw_name, found.pw_uid, found.pw_gid, lent=True)

    def run(self, *command: str | Path, cwd: str | Path = "/") -> subprocess.CompletedProcess[str]:
        """Run a program as this account and return what it said.

        It gets a session of its own, so that Ctrl-C in the terminal doesn't reach a server that it starts,
        and a bare environment, so that neither PG* variables nor secrets of the caller do.

        Raises:
            OSError: The program can't be run, as from `subprocess.run`.
            ServerError: Root may not become this account.
        """
        try:
            return subprocess.run(  # noqa: S603 - a list, so no shell reads it
                command,
                cwd=cwd,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                start_new_session=True,
                umask=0o077,
                check=False,
                user=self.uid if self.lent else None,
                group=self.gid if self.lent else None,
                extra_groups=() if self.lent else None,
            )
        except OSError as error:
            if self.lent and not self._may_be_taken():
                raise self._refused(error) from error
            raise

    def own(self, path: Path) -> None:
        """Make this account the owner of `path`, where that takes doing."""
        if self.lent:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def barred(self, folder: Path) -> Path | None:
        """Return the first folder on the way to `folder` that this account can't enter, or None.

        It is tried and not computed from permission bits, because access lists and mount options count too.
        """
        if not self.lent:
            return None
        way = [*reversed(folder.parents), folder]
        steps = [str(step) for step in way if step.exists()]
        script = 'for step; do cd -- "$step" 2>/dev/null || { printf %s "$step"; exit; }; done'
        stopped = self.run("/bin/sh", "-c", script, "sh", *steps).stdout
        return Path(stopped) if stopped else None

    def _may_be_taken(self) -> bool:
        """Return whether root can become this account, by a program that everybody may run."""
        try:
            subprocess.run(["/bin/sh", "-c", ":"], user=self.uid, group=self.gid, extra_groups=(), check=True)
        except OSError:
            return False
        return True

    def _refused(self, error: Exception) -> ServerError:
        return ServerError(
            f"PostgreSQL does not run as root, and root may not become `{self.name}` here ({error}): "
            "run as an ordinary user, allow SETUID and SETGID to this container, or pass a DSN."
        )


def _owner(places: tuple[Path, ...]) -> pwd.struct_passwd | None:
    for place in places:
        try:
            uid = place.lstat().st_uid
        except OSError:
            continue
        if uid != 0:
            return _by_number(uid) or pwd.struct_passwd((str(uid), "", uid, place.lstat().st_gid, "", "", ""))
    return None


def _sudo_user() -> pwd.struct_passwd | None:
    number = os.environ.get("SUDO_UID", "")
    return _by_number(int(number)) if number.isdecimal() and int(number) != 0 else None


def _first_known() -> pwd.struct_passwd | None:
    for name in _FALLBACKS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _by_number(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _name(uid: int) -> str:
    found = _by_number(uid)
    return found.pw_name if found else str(uid)


def _environment() -> dict[str, str]:
    """Return the server's environment; LC_ALL keeps its messages in the language that `faults.py` reads."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
