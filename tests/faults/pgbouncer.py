"""PgBouncer in transaction mode, before the server of a ground."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Self

from .machine import Limit
from .site import DATABASE, USER

PROGRAM: Final = shutil.which("pgbouncer")

_CONFIG: Final = """
[databases]
* = host=127.0.0.1 port={server} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_login_retry = 1
logfile = {log}
"""

_PATIENCE: Final = 10.0


class PgBouncer:
    """A pooler on a port that stays the same, as an async context manager; it may be killed and started again.

    It has four sessions of the server for all of its clients, so that they really share them.

    Args:
        server: The server's port on this machine.
    """

    def __init__(self, server: int) -> None:
        self._server = server
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="bridge-faults-pgbouncer-")

    async def __aenter__(self) -> Self:
        self._configure()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        self._folder.cleanup()

    @property
    def dsn(self) -> str:
        """The database by way of it."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = self._spawn()
        limit = Limit("poolers to start", _PATIENCE)
        while not await self._answers():
            limit.check()
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, _PATIENCE)
            self._process = None

    def _configure(self) -> None:
        folder = Path(self._folder.name)
        folder.chmod(0o777)  # PgBouncer refuses to serve as root, and becomes another user
        text = _CONFIG.format(server=self._server, user=USER, own=self.port, log=folder / "pgbouncer.log")
        (folder / "pgbouncer.ini").write_text(text)

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert PROGRAM is not None
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return subprocess.Popen(
            [PROGRAM, "-q", *user, str(Path(self._folder.name) / "pgbouncer.ini")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True
