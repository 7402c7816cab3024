"""What is known of a server, found out by connecting to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from bridge.postgres import wire
from bridge.postgres.postmaster import Postmaster

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.postgres.folder import Folder

DATABASE = "bridge"  # the one that every server has


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a server at one moment.

    Attributes:
        running: Whether it answers.
        data_dir: Its data folder.
        pid: The number of its main process.
        port: The TCP port on 127.0.0.1, or None where it has only its socket.
        version: PostgreSQL's version, such as "18.6".
        url: The DSN of the database `bridge` over the socket.
        tcp_url: The same over TCP, where a port was asked for.
    """

    running: bool
    data_dir: Path
    pid: int | None = None
    port: int | None = None
    version: str | None = None
    url: str | None = None
    tcp_url: str | None = None


def observe(folder: Folder, database: str = "postgres") -> Status:
    """Return the status of the server of `folder`; it counts as running where it lets us into `database`.

    Raises:
        DataFolderError: The folder belongs to another user.
    """
    with folder.told():
        postmaster = Postmaster.read(folder.pgdata)
        version = _version(postmaster, folder, database) if postmaster else None
    if postmaster is None or version is None:
        return Status(running=False, data_dir=folder.path)
    return Status(
        running=True,
        data_dir=folder.path,
        pid=postmaster.pid,
        port=postmaster.port if postmaster.tcp else None,
        version=version,
        url=socket_url(postmaster, DATABASE),
        tcp_url=tcp_url(postmaster, DATABASE) if postmaster.tcp else None,
    )


def socket_url(postmaster: Postmaster, database: str) -> str:
    """Return a DSN over the socket; it names the port too, because clients would take that from PGPORT."""
    host = quote(str(postmaster.socket_dir), safe="/")
    return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={postmaster.port}"


def tcp_url(postmaster: Postmaster, database: str) -> str:
    """Return a DSN over TCP."""
    return f"postgresql://postgres@127.0.0.1:{postmaster.port}/{quote(database, safe='')}"


def _version(postmaster: Postmaster, folder: Folder, database: str) -> str | None:
    try:
        return postmaster.version(folder.pgdata, database)
    except wire.RefusedError:  # it has no such database
        return None
