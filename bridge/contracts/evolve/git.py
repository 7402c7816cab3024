"""The contracts folder as it was at a git revision, with its lock, read without touching the working tree."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.contracts.evolve.lock import FILE_NAME, Lock, contracts_of, parse_lock
from bridge.contracts.model import Model
from bridge.contracts.source import load
from bridge.errors import InvalidContract

_TIMEOUT: Final = 60
_FETCH: Final = "fetch it whole: a partial clone may lack it"
_MEND: Final = "name a branch, tag or commit that `git rev-parse` knows, alone or with a folder: main:old/contracts"


@dataclass(frozen=True)
class Snapshot:
    """What a revision has of the contracts: the files, and the lock where there is one."""

    models: Sequence[Model]
    lock: Lock | None


def load_at(revision: str, folder: Path, current: Sequence[Model]) -> Snapshot:
    """Return the contracts of a folder as a revision has them; none where it has no contracts at all.

    Args:
        revision: A branch, tag or commit; `main:old/contracts` for another folder of it, from the repository's root.
        folder: The contracts folder.
        current: Its contracts now, which may have been elsewhere then.

    Raises:
        InvalidContract: There is no git, no repository or no such revision; the old files are no contracts; or the
            contracts were in another folder then, so that each would pass for a new one.
    """
    name, _, inside = revision.partition(":")
    tree = _Tree(name, folder, revision)
    place = tree.resolve(inside) if inside else tree.prefix
    files = tree.files(place)
    if inside and not files:
        raise InvalidContract("--against", revision, f"a folder with contracts at {name}", _MEND)
    models, lock = tree.load(files, place)
    if not inside:
        _refuse_moved(tree, models, current)
    return Snapshot(models, lock)


class _Tree:
    """The files of one commit."""

    def __init__(self, name: str, folder: Path, shown: str) -> None:
        self._shown = shown
        found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if found is None or not name:
            raise InvalidContract("--against", shown, "a git revision, a lock or a folder", _MEND)
        self.commit = found.decode().strip()
        self.name = name
        self.root = Path((_git(folder, "rev-parse", "--show-toplevel") or b".").decode().rstrip("\n"))
        self.prefix = (_git(folder, "rev-parse", "--show-prefix") or b"").decode().rstrip("\n")

    def resolve(self, inside: str) -> str:
        """Return a folder as git writes it: from the root, with a slash at its end; none for the root."""
        parts = [part for part in inside.split("/") if part not in ("", ".")]
        return "".join(f"{part}/" for part in parts)

    def files(self, place: str) -> list[str]:
        """Return the names of the contract files, and of the lock, right inside of a folder."""
        listed = _git(self.root, "ls-tree", "-z", "--name-only", self.commit, *([place] if place else []))
        if listed is None:
            raise InvalidContract("--against", self._shown, "a revision whose files git has", _FETCH)
        names = [name.decode(errors="surrogateescape") for name in listed.split(b"\0")]
        return [name for name in names if name.endswith((".json", f"/{FILE_NAME}")) or name == FILE_NAME]

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        content = _git(self.root, "cat-file", "blob", f"{self.commit}:{path}")
        if content is None:
            raise InvalidContract("--against", f"{self.name}:{path}", "a file that git has", _FETCH)
        return content

    def load(self, files: Sequence[str], place: str) -> tuple[list[Model], Lock | None]:
        """Return the contracts among some files, and the lock."""
        names = [name for name in files if name.endswith(".json")]
        lock = next((parse_lock(self.read(name), f"{self.name}:{name}") for name in files if name not in names), None)
        with tempfile.TemporaryDirectory() as made:
            copy = Path(made) / (Path(place).name or "contracts")
            copy.mkdir()
            for name in names:
                (copy / Path(name).name).write_bytes(self.read(name))
            return (load(copy) if names else []), lock

    def elsewhere(self) -> Iterator[tuple[str, str]]:
        """Yield the path and worker of each contract file outside of the folder that is not in the working tree now."""
        listed = _git(self.root, "grep", "-lz", "-F", "-e", '"x-job"', self.commit, "--", "*.json") or b""
        for entry in listed.split(b"\0"):
            path = entry.decode(errors="surrogateescape").partition(":")[2]
            inside = path.rpartition("/")[0]
            if not path or (f"{inside}/" if inside else "") == self.prefix or (self.root / path).is_file():
                continue
            worker = _worker_of(self.read(path))
            if worker is not None:
                yield path, worker


def _worker_of(content: bytes) -> str | None:
    try:
        worker = json.loads(content)["x-job"]["worker"]
    except (ValueError, LookupError, TypeError, RecursionError):  # some other JSON that has the words in it
        return None
    return worker if isinstance(worker, str) else None


def _refuse_moved(tree: _Tree, before: Sequence[Model], current: Sequence[Model]) -> None:
    """Refuse contracts that are new to the folder, and were in another one that is gone: no rule would look at them."""
    known = {name for model in before if model.job for name in (model.job.worker, *model.job.aliases)}
    now = {name for model in contracts_of(current) if model.job for name in (model.job.worker, *model.job.aliases)}
    for path, worker in tree.elsewhere():
        if worker in now - known or not contracts_of(before):
            old = Path(path).parent.as_posix()
            mend = f"compare with --against {tree.name}:{old}"
            expected = f"contracts in this folder at {tree.name}; {path} was {worker}'s there"
            raise InvalidContract("--against", tree.name, expected, mend)


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
