"""The server's disks: full, of data or of the log of what is written, and then with room again."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

import asyncpg

from faults.disk import SmallDisk, lack_of_mounts
from faults.ground import GONE
from faults.machine import Limit
from faults.outage import Outage
from faults.workers import Quick

from . import Fault

if TYPE_CHECKING:
    from faults.ground import Ground

#: Megabytes of a database beyond which it is too much to move.
_MOST: Final = 1024

#: Segments of the log, of 16 MB each, that go along to the small disk: the one of the checkpoint, and the next ones.
_SEGMENTS: Final = 3

_PATIENCE: Final = 20.0


class _Full(Outage):
    """Gives the server a small disk, lets it work there, fills the disk, and frees it again.

    Attributes:
        ends: Whether the server ends itself, and is started where there is room, instead of working on by itself.
    """

    ends: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._disk: SmallDisk | None = None

    def lack(self, ground: Ground) -> str | None:
        return lack_of_mounts()

    @abstractmethod
    async def disk(self, ground: Ground) -> SmallDisk:
        """Return the disk for a server that runs yet."""

    @abstractmethod
    async def run_out(self, ground: Ground) -> str:
        """Return once the full disk has shown; tell how."""

    async def prepare(self, ground: Ground) -> None:
        disk = await self.disk(ground)
        await ground.site.stop()
        self._disk = disk
        await asyncio.to_thread(disk.insert)
        await ground.site.start()

    async def take_away(self, ground: Ground, random: Random) -> str:
        assert self._disk is not None
        await asyncio.to_thread(self._disk.fill)
        return await self.run_out(ground)

    async def bring_back(self, ground: Ground) -> None:
        if self._disk is None:
            return
        # Where there is room again it works by itself; nobody waits for the move back.
        try:
            await asyncio.to_thread(self._disk.clear)
            if not self.ends:
                await ground.site.start()
                await ground.works_again(self.bound)
        finally:
            await ground.site.stop("immediate" if self.ends else "fast")
            await asyncio.to_thread(self._disk.remove)
            self._disk = None
            await ground.site.start()


class DataDiskFull(_Full):
    """The disk with the database is full: the server runs, and refuses whatever needs another page."""

    name = "data-disk-full"

    def lack(self, ground: Ground) -> str | None:
        size = 0
        for path in (ground.site.pgdata / "base").glob("*/*"):
            with suppress(OSError):  # a table that is dropped meanwhile
                size += path.stat().st_size
        if (size := size >> 20) > _MOST:
            return f"the database has {size} MB, too much to be moved to memory"
        return super().lack(ground)

    async def disk(self, ground: Ground) -> SmallDisk:
        rows = await ground.sql("select oid from pg_database where datname = current_database()")
        return SmallDisk(ground.site.pgdata / "base" / str(rows[0]["oid"]), spare=16)

    async def run_out(self, ground: Ground) -> str:
        limit = Limit("full disks to show", _PATIENCE)
        for tried in range(1000):
            try:
                await ground.load.order_many(Quick, 250)
            except asyncpg.DiskFullError:
                return f"refused insert {tried + 1}"
            except GONE:
                await asyncio.sleep(0.1)  # a connection of before the move
            if limit.is_over():
                break
        raise AssertionError(f"{self.name}: the disk is full, and no insert was refused within {_PATIENCE:g} s")


class LogDiskFull(_Full):
    """The disk with the write-ahead log is full: the server ends itself, and can't start before there is room."""

    name = "log-disk-full"
    lasting: ClassVar[tuple[float, float]] = (0.9, 1.5)  # as long as the jobs that it is to catch
    ends: ClassVar[bool] = True

    async def disk(self, ground: Ground) -> SmallDisk:
        await ground.sql("checkpoint")
        rows = await ground.sql("select pg_walfile_name(pg_current_wal_lsn()) as name")
        first = rows[0]["name"]
        return SmallDisk(
            ground.site.pgdata / "pg_wal",
            spare=40,
            wanted=lambda entry: not _is_segment(entry) or entry.name in _segments(entry.parent, first),
        )

    async def run_out(self, ground: Ground) -> str:
        limit = Limit("full disks to show", _PATIENCE)
        while not limit.is_over():
            try:
                # Goes on to the next segment: a log of some jobs a second takes a while to fill one.
                await ground.sql("select pg_logical_emit_message(false, 'faults', 'x')")
                await ground.sql("select pg_switch_wal()")
            except GONE as error:
                return f"the server ended: {type(error).__name__}"
        raise AssertionError(f"{self.name}: the disk is full, and the server did not end within {_PATIENCE:g} s")


def _segments(folder: Path, first: str) -> list[str]:
    """Return the names of the segments that the server needs at its start."""
    later = (entry.name for entry in folder.iterdir() if _is_segment(entry) and entry.name >= first)
    return sorted(later)[:_SEGMENTS]


def _is_segment(entry: Path) -> bool:
    return len(entry.name) == 24


FAULTS: Final[tuple[Fault, ...]] = (DataDiskFull(), LogDiskFull())
