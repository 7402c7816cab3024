"""The image that containers are made of: built from a folder, pulled, or there already."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from bridge.errors import NodeFailed
from bridge.testing.interop.engine import asked

_log: Final = logging.getLogger(__name__)

_LAST_LINES: Final = 30
#: The build argument that names a folder of dependencies' checkouts, and what it is called within the image.
_DEPENDENCIES: Final = "BADGE_FORGE_DEPS"
_VENDOR: Final = "vendor"
#: What Mix and Git leave in a checkout, of no use in an image and often large.
_LEFT_OUT: Final = frozenset({"_build", "deps", ".git", ".elixir_ls", "cover"})

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_ARGUMENT: Final = re.compile(r"^\s*arg\s+(.+)$", re.IGNORECASE | re.MULTILINE)


class Build:
    """A Dockerfile with its folder.

    Each `ARG` of the Dockerfile takes its value from `arguments`, else from the environment, else it has its default.
    Where `BADGE_FORGE_DEPS` names a folder outside of this one, it is packed into the build as `vendor`.

    Args:
        folder: The folder, all of which but what its `.dockerignore` names is sent to the engine.
        dockerfile: The Dockerfile, from the folder.
        arguments: Build arguments.
    """

    def __init__(
        self, folder: Path, dockerfile: str = "Dockerfile", arguments: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder.resolve()
        self._dockerfile = dockerfile
        self._arguments = dict(arguments or {})

    def missing(self) -> str | None:
        """Return what is missing of it, with its mend."""
        if not (self.folder / self._dockerfile).is_file():
            return f"{self.folder} holds no {self._dockerfile}: name the folder of one"
        vendor = self._vendor(self._given())
        if vendor is not None and not vendor.is_dir():
            return f"{_DEPENDENCIES} names {vendor}, and there is no such folder: name one, or unset it"
        return None

    def run(self, client: Any, tag: str | None = None) -> str:
        """Build it and return the image's identifier; where it is built already the engine's cache makes it quick.

        Raises:
            NodeFailed: It did not build.
        """
        given = self._given()
        vendor = self._vendor(given)
        if vendor is not None:
            given[_DEPENDENCIES] = _VENDOR
        tag = tag or self._tag(given)
        # Processes that run tests side by side would each build it; one does, and the others find it in the cache.
        with _alone(self.folder / self._dockerfile), tempfile.TemporaryFile() as context:
            try:
                self._pack(context, vendor)
            except OSError as error:
                raise NodeFailed(f"{self.folder} could not be packed for the build: {error}") from error
            context.seek(0)
            with asked(f"the image {tag} could not be built from {self.folder}"):
                events = client.api.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile=self._dockerfile,
                    buildargs=given,
                    tag=tag,
                    rm=True,
                    forcerm=True,  # also the container of the step that failed
                    decode=True,
                )
                return self._follow(events)

    def _given(self) -> dict[str, str]:
        declared = _declared((self.folder / self._dockerfile).read_text())
        given = {name: os.environ[name] for name in declared if os.environ.get(name)}
        return {**given, **self._arguments}

    def _vendor(self, given: Mapping[str, str]) -> Path | None:
        named = given.get(_DEPENDENCIES)
        if not named:
            return None
        vendor = (self.folder / Path(named).expanduser()).resolve()
        return None if vendor.is_relative_to(self.folder) else vendor

    def _tag(self, given: Mapping[str, str]) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", self.folder.name.lower()).strip("-") or "node"
        told = repr((str(self.folder), self._dockerfile, sorted(given.items())))
        return f"bridge-interop/{name}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    def _pack(self, context: IO[bytes], vendor: Path | None) -> None:
        from docker.utils import exclude_paths  # noqa: PLC0415 - as everything of the SDK

        ignore = self.folder / ".dockerignore"
        patterns = ignore.read_text().splitlines() if ignore.is_file() else []
        patterns = [line.strip() for line in patterns if line.strip() and not line.lstrip().startswith("#")]
        with tarfile.open(fileobj=context, mode="w") as archive:
            for path in sorted(exclude_paths(str(self.folder), patterns, dockerfile=self._dockerfile)):
                archive.add(self.folder / path, path, recursive=False, filter=_anonymous)
        if vendor is not None:
            context.seek(0)
            # Symbolic links are followed, because what they name is not in the image.
            with tarfile.open(fileobj=context, mode="a", dereference=True) as archive:
                archive.add(vendor, _VENDOR, filter=_checkout)

    def _follow(self, events: Iterator[Mapping[str, Any]]) -> str:
        last: deque[str] = deque(maxlen=_LAST_LINES)
        identifier, failed = "", False
        for event in events:
            said = _COLOUR.sub("", str(event.get("stream") or event.get("error") or ""))
            for line in said.rstrip().splitlines():
                _log.info("%s", line)
                last.append(line)
            identifier = (event.get("aux") or {}).get("ID", identifier)
            failed = failed or "error" in event  # read on: what is left unread keeps the connection open
        if failed:
            raise NodeFailed(self._trouble("\n".join(last)))
        return identifier

    def _trouble(self, said: str) -> str:
        mend = f"docker build {self.folder} shows all of it"
        if "BuildKit" in said:
            mend = f"build it with BuildKit (docker build -t NAME {self.folder}) and run the image of that name"
        elif re.search(r"registry|manifest|pull access|dial tcp|lookup ", said):
            names = ", ".join(_declared((self.folder / self._dockerfile).read_text()))
            mend = f"without a network, name what this machine has in the build arguments, as variables: {names}"
        return f"the image did not build from {self.folder}:\n{said}\n{mend}"


def pull(client: Any, image: str) -> str:
    """Return the identifier of an image, pulled where this machine has none of that name.

    Raises:
        NodeFailed: It can't be had.
    """
    from docker.errors import ImageNotFound  # noqa: PLC0415

    with asked(f"there is no image {image} here, and it could not be pulled"):
        try:
            found = client.images.get(image)
        except ImageNotFound:
            _log.info("pulling %s", image)
            found = _pulled(client, image)
        return str(found.id)


def _pulled(client: Any, image: str) -> Any:
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        # Without a tag the SDK takes `latest`, as the command line does.
        return client.images.pull(image)
    except DockerException as error:
        said = getattr(error, "explanation", None) or error
        mend = f"build it (docker build -t {image} FOLDER), log in to its registry, or name another"
        raise NodeFailed(f"there is no image {image} here, and it could not be pulled: {said}; {mend}") from error


def _declared(dockerfile: str) -> list[str]:
    """Return the names of a Dockerfile's arguments."""
    words = (word for found in _ARGUMENT.findall(dockerfile) for word in found.split())
    names = (re.match(r"[A-Za-z_]\w*(?==|$)", word) for word in words)
    return list(dict.fromkeys(name[0] for name in names if name))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _checkout(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    # vendor/oban/deps is left by Mix, vendor/oban/lib/…/deps is the library's own.
    parts = Path(entry.name).parts
    return None if len(parts) == 3 and parts[2] in _LEFT_OUT else _anonymous(entry)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open() as lock:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
