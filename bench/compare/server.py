"""The PostgreSQL that all share: the bench's own, or the one that BENCH_DSN names."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import asyncpg

from bridge.postgres import Server, temporary_server

SETTINGS: Final = {
    "fsync": "on",
    "shared_buffers": "1GB",
    "max_connections": "400",
    "log_line_prefix": "%m [%p] %d %a|",
}
"""All else is PostgreSQL's default; `synchronous_commit` too. The prefix tells whose statements a log line counts."""

_TICK: Final = os.sysconf("SC_CLK_TCK")
_STATEMENT: Final = re.compile(r"\|LOG: +(statement|execute [^:]*):")


@dataclass(frozen=True, slots=True)
class Usage:
    """The server's counters at one moment.

    Attributes:
        cpu: Seconds of processor time of all its processes, or None where it runs elsewhere.
        commits: Transactions committed in the database.
        wal: Bytes of WAL written since ever.
    """

    cpu: float | None
    commits: int
    wal: int


@dataclass(frozen=True, slots=True)
class Host:
    """A server that takes the bench's databases.

    Attributes:
        url: The DSN of a database that is always there.
        folder: The data folder of a server of our own, else None.
    """

    url: str
    folder: Path | None

    def database(self, name: str, application: str = "") -> str:
        """Return the DSN of a database."""
        query = f"application_name={quote(application)}" if application else ""
        return urlsplit(self.url)._replace(path=f"/{name}", query=query).geturl()

    async def run(self, *statements: str) -> None:
        """Run statements where they must not be in a transaction."""
        connection = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def version(self) -> str:
        """Return PostgreSQL's version."""
        return str(await self._value("show server_version"))

    @asynccontextmanager
    async def copy(self, template: str, name: str) -> AsyncIterator[str]:
        """Make a fresh database from a template, and drop it at the end of the block."""
        await self.run(f'drop database if exists "{name}" (force)', f'create database "{name}" template "{template}"')
        try:
            yield name
        finally:
            await self.run(f'drop database if exists "{name}" (force)')

    async def usage(self, name: str) -> Usage:
        """Return the counters of now."""
        commits = await self._value("select xact_commit from pg_stat_database where datname = $1", name)
        wal = await self._value("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
        return Usage(self.cpu(), int(commits or 0), int(wal))

    def cpu(self) -> float | None:
        """Return the processor seconds of the server, those of its ended processes included."""
        if self.folder is None:
            return None
        postmaster = int((self.folder / "pgdata" / "postmaster.pid").read_text().split()[0])
        own = _times(postmaster)
        return (sum(own) + sum(sum(_times(child)[:2]) for child in _children(postmaster))) / _TICK

    def statements(self, application: str) -> int | None:
        """Return how many statements the log holds of that application; None where the log is elsewhere."""
        if self.folder is None:
            return None
        log = (self.folder / "log" / "server.log").read_text(errors="replace")
        return sum(1 for line in log.splitlines() if f" {application}|" in line and _STATEMENT.search(line))

    async def _value(self, query: str, *values: Any) -> Any:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetchval(query, *values)
        finally:
            await connection.close()


@contextmanager
def open_server() -> Iterator[Host]:
    """Start the bench's own server, or take that of BENCH_DSN, whose user must be a superuser."""
    if dsn := os.environ.get("BENCH_DSN"):
        yield Host(dsn, None)
        return
    with temporary_server(port=0, settings=SETTINGS) as server:
        yield Host(server.url("postgres", tcp=True), _folder(server))


def _folder(server: Server) -> Path:
    return server.data_dir


def _times(process: int) -> list[int]:
    """Return utime, stime, cutime and cstime; all zero for a process that has just ended."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return [0, 0, 0, 0]
    return [int(field) for field in text.rpartition(")")[2].split()[11:15]]


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]
