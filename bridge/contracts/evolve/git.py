"""The contracts folder as it was at a git revision, read without touching the working tree."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from bridge.contracts.model import Model
from bridge.contracts.source import load
from bridge.errors import InvalidContract

_TIMEOUT = 60
_FETCH = "fetch it whole: a partial clone may lack it"
_MEND = "name a branch, tag or commit that `git rev-parse` knows"


def load_at(revision: str, folder: Path) -> list[Model]:
    """Return the contracts of a folder as a revision has them; none where it has no such folder.

    Raises:
        InvalidContract: There is no git, no repository or no such revision, or the old files are no contracts.
    """
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise InvalidContract("--against", revision, "a git revision, a lock or a folder", _MEND)
    listed = _git(folder, "ls-tree", "-z", "--name-only", commit.decode().strip(), "./")
    if listed is None:
        raise InvalidContract("--against", revision, "a revision whose files git has", _FETCH)
    names = [name.decode() for name in listed.split(b"\0") if name.endswith(b".json")]
    with tempfile.TemporaryDirectory() as made:
        copy = Path(made) / folder.resolve().name
        copy.mkdir()
        for name in names:
            content = _git(folder, "cat-file", "blob", f"{commit.decode().strip()}:./{name}")
            if content is None:
                raise InvalidContract("--against", f"{revision}:{name}", "a file that git has", _FETCH)
            (copy / Path(name).name).write_bytes(content)
        return load(copy) if names else []


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return what git says about a folder, or None where it refuses."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, and no shell; a revision can't be an option here
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's git
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except FileNotFoundError:
        raise InvalidContract("--against", "no git", "git on the PATH", "install it, or compare with a lock") from None
    except subprocess.TimeoutExpired:
        raise InvalidContract("--against", arguments[0], f"an answer of git within {_TIMEOUT} s") from None
    return done.stdout if done.returncode == 0 else None
