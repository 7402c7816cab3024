"""A server that lasts as long as a `with` block, for tests and experiments."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import ServerError
from bridge.postgres.folder import Folder
from bridge.postgres.server import Server
from bridge.postgres.settings import NO_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX = "bridge-temporary-"
_THROWN_AWAY = {"fsync": "off"}  # a killed server loses nothing by it, only a machine that loses its power


@contextmanager
def temporary_server(*, port: int | None = None, settings: Mapping[str, str] = NO_SETTINGS) -> Iterator[Server]:
    """Start a server with fresh data in a temporary folder; stop and delete it at the end of the block.

    A block whose process is killed leaves its server behind; the next temporary server of the same user clears
    it away.

    Args:
        port: As for `Server`.
        settings: As for `Server`; `fsync` is off unless given, because the data are thrown away.

    Raises:
        ServerError: As from `Server.start`.
    """
    _clear_orphans()
    with _inhabited_folder() as place:
        server = Server(place, port=port, settings={**_THROWN_AWAY, **settings})
        try:
            server.start()
            yield server
        finally:
            _clear(place)


@contextmanager
def _inhabited_folder() -> Iterator[Path]:
    """Make a folder and hold its lock, which the kernel frees when we die, however that happens."""
    descriptor = None
    while descriptor is None:  # another process may clear the folder away before we have its lock
        place = Path(tempfile.mkdtemp(prefix=_PREFIX))
        descriptor = _lock(place)
    try:
        yield place
    finally:
        os.close(descriptor)


def _clear_orphans() -> None:
    """Destroy temporary servers whose processes are gone; what can't be destroyed is left to its user."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, ServerError):
            if place.lstat().st_uid == os.geteuid() and (descriptor := _lock(place)) is not None:
                try:
                    _clear(place)
                finally:
                    os.close(descriptor)


def _lock(place: Path) -> int | None:
    """Take the lock of a folder, or return None where somebody has it or the folder is gone."""
    descriptor = None
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), place.stat()):
            return descriptor
    except OSError:
        pass
    if descriptor is not None:
        os.close(descriptor)
    return None


def _clear(place: Path) -> None:
    if Folder(place).is_ours():
        Server(place).destroy()
    else:
        place.rmdir()  # the start failed before it made anything
