"""Rebuilding indexes of the table of jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.engine.tables import OwnTables

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

#: What a rebuild calls the index that it makes beside the old one, and the old one before it goes.
_LEFTOVER = re.compile(r"_cc(new|old)[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the table of jobs.

    Attributes:
        name: Its name.
        valid: Whether it serves queries; False also while somebody builds it.
        bytes: Its size on disk.
    """

    name: str
    valid: bool
    bytes: int

    @property
    def left_over(self) -> bool:
        """Whether it is what a rebuild leaves that was broken off.

        One that is under way looks the same. Dropping that waits for its end, and finds none of that name then.
        """
        return not self.valid and _LEFTOVER.search(self.name) is not None


class Indexes(OwnTables):
    """What an engine does with indexes."""

    catalog: Catalog

    async def indexes(self) -> list[Index]:
        """Return the indexes of the table of jobs, by name."""
        rows = await self._connections.fetch(self._sql["list_indexes"], self.catalog.prefix)
        return [Index(row["name"], row["valid"], row["bytes"]) for row in rows]

    async def is_held(self) -> bool:
        """Tell whether somebody builds an index of the table of jobs, or vacuums or alters it."""
        [row] = await self._connections.fetch(self._sql["is_held"], self.catalog.prefix)
        return bool(row[0])

    async def reindex(self, index: str, timeout: float) -> None:
        """Build an index anew while others write, within so many seconds.

        Raises:
            SchemaError: It is not there, or not the role's.
            TimeoutError: It took longer, and has left an index behind that is of no use.
        """
        await self._connections.fetch(self._sql.fill("reindex", index=_quoted(index)), timeout=timeout)

    async def drop_index(self, index: str, timeout: float) -> None:
        """Drop an index while others write, within so many seconds; raises as `reindex`."""
        await self._connections.fetch(self._sql.fill("drop_index", index=_quoted(index)), timeout=timeout)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
