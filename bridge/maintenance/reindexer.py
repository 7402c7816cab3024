"""The reindexer: builds indexes of the table of jobs anew, which grow with every job and don't shrink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, Protocol

from bridge.engine import Engine, Index, is_doubtful, is_unavailable
from bridge.errors import InvalidSetting
from bridge.jobs.checks import seconds, storable
from bridge.maintenance.log import logger
from bridge.maintenance.service import Service

#: The two that grow most (Oban 2.23).
INDEXES: Final = ("oban_jobs_args_index", "oban_jobs_meta_index")

#: Seconds that one index may take. Oban 2.23 gives it 15, in which a large one is never done.
TIMEOUT: Final = 3_600.0


#: Why nothing was done.
HELD: Final = "somebody else builds an index of this table, or vacuums it; try again later"


class Schedule(Protocol):
    """When a reindexer is due."""

    def matches(self, moment: datetime) -> bool:
        """Tell whether it is due in the minute of `moment`."""
        ...


def check_reindexer(*, enabled: Any = False, indexes: Any = INDEXES, timeout: Any = TIMEOUT) -> None:
    """Refuse options that a reindexer can't have.

    Raises:
        InvalidSetting: An `enabled` that is no boolean, `indexes` that are no list of names, or a timeout that is not 1
            to 86,400 seconds.
    """
    if not isinstance(enabled, bool):
        raise InvalidSetting("reindexer.enabled", enabled, "True or False")
    if not isinstance(indexes, list | tuple) or not all(isinstance(index, str) and index for index in indexes):
        raise InvalidSetting("reindexer.indexes", indexes, "a list of indexes' names")
    for index in indexes:
        storable("reindexer.indexes", index, InvalidSetting)
    if not 1 <= seconds("reindexer.timeout", timeout, InvalidSetting) <= 86_400:
        raise InvalidSetting("reindexer.timeout", timeout, "1 to 86400 seconds")


@dataclass(frozen=True, slots=True)
class Reindexing:
    """What was done, or would be.

    Attributes:
        rebuilt: The indexes that were built anew, as they were before.
        dropped: What rebuilds that were broken off had left behind.
        missing: Names of which the table has no index.
        failed: What could not be done, and why, by the index's name.
    """

    rebuilt: tuple[Index, ...] = ()
    dropped: tuple[Index, ...] = ()
    missing: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


class Reindexer(Service):
    """Builds indexes anew while others write, on a schedule, and drops what broken-off rebuilds left behind.

    Of leftovers, only those of rebuilds (`…_ccnew`) of this table's indexes are dropped: Oban 2.23 drops every invalid
    index whose name begins with `oban_jobs`, also one that somebody is building at that moment.

    It takes the owner's rights (or `maintain`, from PostgreSQL 17 on); without them it says so once.

    Args:
        engine: Where the indexes are.
        is_leader: Tells whether this node is the one to do it.
        schedule: When it is due.
        timezone: The zone that the schedule is read in.
        indexes: Names; those that the table doesn't have are passed over.
        timeout: Seconds an index.
    """

    def __init__(
        self,
        engine: Engine,
        is_leader: Callable[[], bool],
        *,
        schedule: Schedule | None = None,
        timezone: tzinfo = UTC,
        indexes: Sequence[str] = INDEXES,
        timeout: float = TIMEOUT,
    ) -> None:
        check_reindexer(indexes=indexes, timeout=timeout)
        super().__init__("reindexer", 15.0, engine.oban)
        self._engine = engine
        self._is_leader = is_leader
        self._schedule = schedule
        self._timezone = timezone
        self._indexes = tuple(indexes)
        self._timeout = timeout
        self._seen: datetime | None = None
        self._owed = False
        self._told: Any = None

    async def run_once(self) -> None:
        """Rebuild the indexes, if it is due and this node leads; where somebody else works on them, a little later."""
        minute = datetime.now(self._timezone).replace(second=0, microsecond=0)
        if minute != self._seen:
            self._seen = minute
            self._owed = self._owed or (self._schedule is not None and self._schedule.matches(minute))
        self._owed = self._owed and self._is_leader()
        if self._owed and not await self._engine.is_held():
            self._owed = False
            self._tell(await self.reindex())

    async def reindex(self) -> Reindexing:
        """Rebuild the indexes now, and drop what earlier attempts left behind."""
        plan = await self.plan()
        if await self._engine.is_held():
            return Reindexing(missing=plan.missing, failed=tuple((index.name, HELD) for index in plan.rebuilt))
        failed: list[tuple[str, str]] = []
        rebuilt = [index for index in plan.rebuilt if await self._try(self._engine.reindex, index.name, failed)]
        # An attempt that failed just now has left something behind too.
        leftovers = {index.name: index for index in (*plan.dropped, *(await self.plan()).dropped)}
        dropped = [index for name, index in leftovers.items() if await self._try(self._engine.drop_index, name, failed)]
        return Reindexing(tuple(rebuilt), tuple(dropped), plan.missing, tuple(failed))

    async def plan(self) -> Reindexing:
        """Return what `reindex` would do."""
        found = await self._engine.indexes()
        names = {index.name for index in found}
        return Reindexing(
            tuple(index for index in found if index.name in self._indexes),
            tuple(index for index in found if index.left_over),
            tuple(name for name in self._indexes if name not in names),
        )

    async def _try(self, act: Callable[[str, float], Any], index: str, failed: list[tuple[str, str]]) -> bool:
        try:
            await act(index, self._timeout)
        except Exception as error:
            if is_unavailable(error) and not is_doubtful(error):
                raise
            failed.append((index, str(error) or f"it took longer than {self._timeout:g} s"))
            return False
        return True

    def _tell(self, done: Reindexing) -> None:
        self.span.set(reindexed=tuple(index.name for index in done.rebuilt))
        if done.rebuilt or done.dropped:
            logger.info("indexes were rebuilt: %s; dropped: %s", _names(done.rebuilt), _names(done.dropped))
        wrong = (done.missing, done.failed)
        if wrong not in (self._told, ((), ())):
            told = [f"{name}: the table has no such index" for name in done.missing]
            told += [f"{name}: {reason}" for name, reason in done.failed]
            logger.warning("indexes could not be rebuilt: %s", "; ".join(told))
        self._told = wrong


def _names(indexes: Sequence[Index]) -> str:
    return ", ".join(index.name for index in indexes) or "none"
