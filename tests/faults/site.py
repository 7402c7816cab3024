"""A site: one PostgreSQL server of the ground's own, and the gate by which nodes reach it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Literal

from bridge.errors import ServerError
from bridge.postgres import Server, temporary_server
from bridge.postgres.account import Account
from bridge.postgres.binaries import Binaries
from bridge.postgres.folder import Folder
from bridge.postgres.postmaster import Postmaster
from bridge.testing.interop.gate import Gate

from .machine import Limit

DATABASE: Final = "bridge"
USER: Final = "postgres"

_SETTINGS: Final = {
    "max_connections": "120",
    "shared_buffers": "128MB",
    # A standby needs these, and they are harmless without one.
    "wal_level": "replica",
    "max_wal_senders": "8",
    "hot_standby": "on",
    "wal_retrieve_retry_interval": "500ms",
    "wal_keep_size": "1GB",
    "max_wal_size": "4GB",
}


class Site:
    """A server on a port that stays the same, whatever becomes of it, and a gate before it."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.port = _free_port()
        self.settings = {**_SETTINGS, **(settings or {})}
        self.gate = Gate(self.dsn)
        self._stack = ExitStack()
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The server; it is stopped and started by this site's methods, or by its own."""
        if self._server is None:
            raise RuntimeError("the site is not open")
        return self._server

    @property
    def dsn(self) -> str:
        """The DSN past the gate, straight to the server."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's data directory."""
        return self.server.data_dir / "pgdata"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.server.data_dir / "log" / "server.log"

    async def open(self) -> None:
        """Make and start the server; its data are deleted by `close`, or by who comes later where we are killed."""
        context = temporary_server(port=self.port, settings=self.settings)
        self._server = await asyncio.to_thread(self._stack.enter_context, context)
        self.gate.open()

    async def close(self) -> None:
        """End both for good; a stopped postmaster is continued first."""
        self.gate.close()
        if self._server is not None:
            with suppress(ProcessLookupError, ServerError):
                self.signal(signal.SIGCONT)
        await asyncio.to_thread(self._stack.close)

    async def follow(self, primary: Site) -> None:
        """Throw this server's data away, and make it a standby that streams from another one; it starts."""
        if self.pid is not None:
            await self.stop("immediate")
        await asyncio.to_thread(self._copy, primary)
        await self.start()

    def _copy(self, primary: Site) -> None:
        account = Account.for_data(self.pgdata, self.server.data_dir)
        program = Binaries.find(account, Folder(self.server.data_dir)).program("pg_basebackup")
        shutil.rmtree(self.pgdata)
        self.pgdata.mkdir(mode=0o700)
        account.own(self.pgdata)
        said = account.run(
            program, "--host=127.0.0.1", f"--port={primary.port}", f"--username={USER}",
            f"--pgdata={self.pgdata}", "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast",
        )  # fmt: skip
        if said.returncode:
            raise RuntimeError(f"pg_basebackup failed: {said.stderr}")

    async def start(self) -> None:
        """Start the server where it does not run; recovery is waited for."""
        await asyncio.to_thread(self.server.start)

    async def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server."""
        await asyncio.to_thread(self.server.stop, mode)

    async def restart(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server, and start it again."""
        await self.stop(mode)
        await self.start()

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None where none runs."""
        found = Postmaster.read(self.pgdata)
        return found.pid if found is not None and found.holds(self.pgdata) else None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the postmaster."""
        pid = self.pid
        if pid is None:
            raise ProcessLookupError("no postmaster runs")
        os.kill(pid, number)

    async def kill(self) -> None:
        """End the postmaster by SIGKILL; its backends notice, and end too. `start` recovers the data."""
        pid = self.pid
        self.signal(signal.SIGKILL)
        limit = Limit("a postmaster to end", 10)
        while self.pid == pid:
            if limit.is_over():
                raise AssertionError(f"postmaster {pid} did not end")
            await asyncio.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
