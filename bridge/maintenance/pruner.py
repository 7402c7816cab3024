"""The pruner: deletes jobs that have ended and had their time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Literal, get_args

from bridge.engine import Engine, Retention, utc_now
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs.checks import integer, seconds
from bridge.maintenance.log import logger
from bridge.maintenance.retention import parse_retention
from bridge.maintenance.service import Service

PrunerMode = Literal["auto", "on", "off"]

#: Seconds without a lease of Elixir's after which a database counts as Python's alone: a single Elixir node has none
#: while it is being deployed.
QUIET: Final = 600.0

#: Seconds of silence after which a producer's row is of no use any more.
FORGET: Final = 86_400.0


def check_pruner(*, interval: Any = 30.0, mode: Any = "auto", limit: Any = 10_000, **retention: Any) -> None:
    """Refuse options that a pruner can't have.

    Raises:
        InvalidSetting: An interval that is not 0.01 to 86,400 seconds, an unknown mode, a limit that is not 1 to
            100,000, or what `parse_retention` refuses.
    """
    if not 0.01 <= seconds("pruner.interval", interval, InvalidSetting) <= 86_400:
        raise InvalidSetting("pruner.interval", interval, "0.01 to 86400 seconds")
    if mode not in get_args(PrunerMode):
        raise InvalidSetting("pruner.mode", mode, f"one of {', '.join(get_args(PrunerMode))}")
    integer("pruner.limit", limit, 1, 100_000, InvalidSetting)
    parse_retention(**retention)


class Pruner(Service):
    """Deletes completed, cancelled and discarded jobs that are too old or too many; others are never touched.

    A round goes on, in statements of `limit` rows, until nothing is left to delete. Ages count from the end of a job
    (Oban 2.23 counts from `scheduled_at` of completed ones, so that a job that waited is gone the moment it ends).

    Any number of these may run at once, and jobs that somebody holds wait for the next round.

    Args:
        engine: Where the jobs are.
        is_leader: Tells whether this node is the one to prune.
        interval: Seconds between rounds, default 30 (Oban 2.23).
        mode: `"auto"` prunes only where no Elixir node has held a lease for `quiet` seconds: what Elixir's pruner is to
            keep is Elixir's to say. `"on"` prunes always, `"off"` never.
        limit: Rows a statement, default 10,000 (Oban 2.23).
        quiet: Seconds, for the mode `"auto"`, counted from the start of this node.
        retention: The options of `parse_retention`.
    """

    def __init__(
        self,
        engine: Engine,
        is_leader: Callable[[], bool],
        *,
        interval: float = 30.0,
        mode: PrunerMode = "auto",
        limit: int = 10_000,
        quiet: float = QUIET,
        **retention: Any,
    ) -> None:
        check_pruner(interval=interval, mode=mode, limit=limit, **retention)
        super().__init__("pruner", interval, engine.oban)
        self.mode = mode
        #: How many jobs this node has deleted.
        self.pruned = 0
        self._engine = engine
        self._is_leader = is_leader
        self._limit = limit
        self._quiet = quiet
        self._retentions = parse_retention(**retention)
        self._quiet_since = time.monotonic()
        self._allowed: bool | None = None
        self._led = False

    async def run_once(self) -> None:
        """Delete what has had its time, as far as this node may."""
        if self.mode == "off":
            return
        allowed = await self._may_prune()  # in every round: a node that takes over must have watched
        if not self._is_leader():
            return
        if allowed != self._allowed:
            logger.info("%s", "this node deletes jobs that have ended and had their time" if allowed else self._plan())
            self._allowed = allowed
        if allowed:
            await self.prune()
        await self.forget_producers()

    async def prune(self) -> int:
        """Delete what has had its time, whoever else is there; return how many jobs that were."""
        now, found = utc_now(), 0
        for retention in self._retentions:
            found += await self._prune(retention, now)
        self.span.set(pruned_count=found)
        if found:
            logger.info("%d jobs that had ended were deleted", found)
        return found

    async def count(self) -> list[tuple[Retention, int]]:
        """Return each rule, and how many jobs `prune` would delete by it."""
        now = utc_now()
        return [(retention, await self._engine.count_prunable(retention, now)) for retention in self._retentions]

    async def forget_producers(self) -> int:
        """Delete the rows of producers that died long ago and left nothing behind; return how many."""
        try:
            return await self._engine.forget_producers(FORGET)
        except SchemaError:
            return 0  # There is no list.

    async def _prune(self, retention: Retention, now: Any) -> int:
        found = 0
        while True:
            batch = await self._engine.prune(retention, now, self._limit)
            found += batch
            self.pruned += batch
            if batch < self._limit:
                return found

    async def _may_prune(self) -> bool:
        if self.mode != "auto":
            return self.mode == "on"
        if await self._elixir_leads():
            self._quiet_since = time.monotonic()
            return False
        return time.monotonic() - self._quiet_since >= self._quiet

    def _plan(self) -> str:
        """Return why this node deletes nothing yet, and what it will do."""
        if self._led:
            leads = "leads" if self._engine.catalog.has_peers else "may lead"  # by tables of V9 and V10 nobody can tell
            return f"jobs that have ended are left to Elixir's pruner, because an Elixir node {leads} here"
        left = max(self._quiet - (time.monotonic() - self._quiet_since), 0.0)
        return (
            f"this node deletes jobs that have ended and had their time from {left:.0f} s from now on, unless an "
            "Elixir node leads by then"
        )

    async def _elixir_leads(self) -> bool:
        try:
            self._led = await self._engine.elixir_leads()
        except SchemaError as error:
            if self._allowed is not False:
                logger.warning("can't tell whether an Elixir node leads, so nothing is pruned: %s", error)
            self._allowed = False
            return True
        return self._led
