"""The stager: makes scheduled and retryable jobs available when their time has come."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, get_args

from bridge import telemetry
from bridge.cluster import Situation
from bridge.engine import Engine, Outlook, staging
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs.checks import seconds
from bridge.maintenance.log import logger
from bridge.maintenance.service import Service
from bridge.telemetry import events

StagerMode = Literal["auto", "on", "off"]

#: How many rounds of the leader's stager may fail to come before others help themselves, and seconds on top.
MISSED_ROUNDS = 2
MARGIN = 0.5

#: Seconds after which a node looks for itself, whatever others promise: messages are easily forged.
TRUST = 30.0
#: Seconds from one round to the next at least, however many messages ask for one.
GAP = 0.05


def check_stager(*, interval: Any = 1.0, mode: Any = "auto") -> None:
    """Refuse options that a stager can't have.

    Raises:
        InvalidSetting: An interval that is not 0.01 to 3,600 seconds, or an unknown mode.
    """
    if not 0.01 <= seconds("stager.interval", interval, InvalidSetting) <= 3_600:
        raise InvalidSetting("stager.interval", interval, "0.01 to 3600 seconds")
    if mode not in get_args(StagerMode):
        raise InvalidSetting("stager.mode", mode, f"one of {', '.join(get_args(StagerMode))}")


class Stager(Service):
    """Stages due jobs and announces queues that have jobs, where that is this node's duty; otherwise relies on others.

    One node stages for all, as in Oban 2.23: an Elixir node that leads, else the leader among the Python nodes. A node
    that hears it rests and asks the database nothing (global mode). A node that hears nobody looks each round for jobs
    of its own queues, whoever put them there (local mode). A node that hears, but nothing of a leader, stages as well:
    among Python nodes that is safe, because rows are locked and checked again.

    Args:
        engine: Where the jobs are.
        queues: Returns the queues that run on this node.
        wake: Called and awaited in each round, with those that are known to have available jobs.
        situation: What is known of other nodes; by default this node is alone.
        interval: Seconds between rounds, default 1 (Oban 2.23), or up to 10 % less.
        mode: `"auto"` stages as said above. While an Elixir node holds a lease, the leader among the Python nodes only
            looks for jobs that are late, and stages these under a lock on the table: of two stagers, one that doesn't
            lock its rows undoes the other's work. `"on"` stages always, `"off"` never.
    """

    def __init__(
        self,
        engine: Engine,
        queues: Callable[[], Sequence[str]],
        wake: Callable[[set[str]], Awaitable[None]],
        *,
        situation: Situation | None = None,
        interval: float = 1.0,
        mode: StagerMode = "auto",
    ) -> None:
        check_stager(interval=interval, mode=mode)
        super().__init__("stager", interval, engine.oban)
        self._engine = engine
        self._queues = queues
        self._wake = wake
        self._situation = situation or Situation()
        self._mode = mode
        self._stages: bool | None = None
        self._duty = ""
        self._reach: str | None = None
        self._in_doubt = False
        self._refused = False
        self._told_of: frozenset[str | None] = frozenset()
        self._looked = time.monotonic()
        self._begun = 0.0
        self._rest = 0.0
        self._again = asyncio.Event()

    def look_again(self) -> None:
        """Begin a round at once: who stages, or whom this node hears, may have changed."""
        self._again.set()

    async def run_once(self) -> None:
        """Do this node's part in staging, and wake the queues that have jobs."""
        self._again.clear()
        self._begun, self._rest = time.monotonic(), 0.0
        trust = self._looked + TRUST - self._begun
        promised = 0.0 if self._mode == "on" else self._situation.promised()
        if promised and trust > 0:
            self._stages, self._rest = False, min(promised, trust, TRUST)
            self._settle(f"this node leaves due jobs to the leader {self._situation.leader()}", alone=False)
            await self._wake(set())
            return
        self._looked = self._begun
        # What this node tells of itself has to fit what it does in this round; time passes, and an election may end.
        settled = self._situation.settled
        may = self._mode == "on" or (self._mode == "auto" and (promised > 0 or self._is_up()))
        # Where no lease can be had, and where a leader has fallen silent, several nodes stage, each for itself.
        heard = self._situation.hears and self._situation.beat(0.0) != ""
        outlook = await self._look_out(may)
        stages = may and not outlook.elixir
        self._stages = stages and not self._refused
        # A leader of Elixir's that this node hears announces every queue that has jobs; it has to renew its lease.
        rest = max((left for node, left in outlook.elixir.items() if self._situation.hears_of(node)), default=0.0)
        tells = self._stages and heard
        # It may be dead all the same: one node keeps an eye on late jobs.
        watches = may and self._situation.leads
        self._rest = 0.0 if watches else min(rest, TRUST)
        # A look of its own at a time while another node promises to stage is no news.
        if not promised and (rest or settled):
            self._settle(self._describe(outlook, stages=stages), alone=not rest and not tells)
        await self._wake(set(outlook.ready))
        if may and outlook.due:
            await self._try_to_stage(late=not stages)
        self._tell_of(outlook, late=may and outlook.due)

    def _is_up(self) -> bool:
        return self._situation.leads or self._situation.stands_in()

    async def _look_out(self, may: bool) -> Outlook:
        # Nobody is to count on a node that may not stage.
        able = may and not self._refused
        beat = self._situation.beat(self.interval * MISSED_ROUNDS + MARGIN) if able else ""
        heed = self._mode != "on"
        try:
            outlook = await self._engine.look_out(self._queues(), stages=may, beat=beat, heed=heed)
        except SchemaError as error:
            if not self._in_doubt:
                logger.warning("can't tell whether an Elixir node leads, so due jobs are left to it: %s", error)
            self._in_doubt = True
            return await self._engine.look_out(self._queues(), stages=False, in_doubt=True)
        self._in_doubt = False
        return outlook

    async def _try_to_stage(self, *, late: bool) -> None:
        try:
            await self._stage(late=late)
        except SchemaError as error:  # queues go on, and for them each round counts
            if not self._refused:
                logger.warning("can't stage, so due jobs wait until another node stages them: %s", error)
            self._refused = True
        else:
            self._refused = False

    async def _stage(self, *, late: bool) -> None:
        staged = 0
        limit = staging.LATE_LIMIT if late else staging.STAGE_LIMIT
        while True:
            if late:
                count, ready = await self._engine.stage_late(self._queues())
            else:
                count, ready = await self._engine.stage(self._queues(), allowed=True, heed=self._mode != "on")
            staged += count
            self.span.set(staged_count=staged)
            await self._wake(ready)
            # Too many for one statement: the rest is as due as these were.
            if count < limit or time.monotonic() - self._begun > self.interval:
                return

    def _tell_of(self, outlook: Outlook, *, late: bool) -> None:
        leaders = frozenset(outlook.elixir)
        if late and leaders and leaders != self._told_of:
            named = ", ".join(sorted(map(str, leaders)))
            logger.warning("jobs are late though %s holds a lease of Elixir's: this node stages them meanwhile", named)
        if late or not leaders:
            self._told_of = leaders

    def _describe(self, outlook: Outlook, *, stages: bool) -> str:
        """Return who stages, as far as it is known here."""
        named = ", ".join(sorted(node for node in outlook.elixir if node))
        if named:
            return f"this node leaves due jobs to {named} (Elixir)"
        if outlook.elixir:
            return "this node leaves due jobs to Elixir's nodes, if any: it can't tell whether one leads"
        if stages and not self._refused:
            return "this node stages due jobs"
        if not stages and (leader := self._situation.leader()):
            return f"this node leaves due jobs to the leader {leader}"
        return f"nobody is known to stage due jobs: {self._hindrance()}"

    def _hindrance(self) -> str:
        if self._mode == "off":
            return "stager.mode is off here"
        if self._refused:
            return "this node's role may not"
        return "this node does not lead" if self._situation.may_lead else "this node may not lead (leader.enabled)"

    def _settle(self, duty: str, *, alone: bool) -> None:
        if self._situation.stopping:
            return
        if duty != self._duty:
            self._duty = duty
            logger.info("%s", duty)
        reach = "local" if alone else "global"
        if reach != self._reach:
            if alone or self._reach is not None:
                # The event, which always comes, tells it at info.
                logger.debug("queues %s", "look for jobs themselves" if alone else "are told of jobs")
            self._reach = reach
            telemetry.emit(events.STAGER_SWITCH, events.StagerSwitch(reach, self.oban))

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay()):
                await self._again.wait()
                await asyncio.sleep(max(self._begun + GAP - time.monotonic(), 0.0))

    def _delay(self) -> float:
        if self._failures:
            return super()._delay()
        if self._rest:
            return self._rest + 0.01
        # Never later than the interval: who waits for a job's time waits for this too.
        gap = self.interval * random.uniform(0.9, 1.0)  # noqa: S311 - jitter is no secret
        return max(self._begun + gap - time.monotonic(), 0.0)
