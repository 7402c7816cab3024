"""The stager: makes scheduled and retryable jobs available when their time has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, get_args

from bridge.engine import Engine
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs.checks import seconds
from bridge.maintenance.log import logger
from bridge.maintenance.service import Service

StagerMode = Literal["auto", "on", "off"]


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
    """Stages due jobs, and wakes this node's queues that have something to fetch, whoever put it there.

    One statement a round does both, so that queues go on where notifications don't arrive.

    Args:
        engine: Where the jobs are.
        queues: Returns the queues that run on this node.
        wake: Called and awaited in each round, with those that have available jobs.
        interval: Seconds between rounds, default 1 (Oban 2.23).
        mode: `"auto"` stages only while no Elixir node holds a lease: an Elixir leader stages for all, and two stagers
            of which one doesn't lock its rows undo each other's work. `"on"` stages always, `"off"` never.
    """

    def __init__(
        self,
        engine: Engine,
        queues: Callable[[], Sequence[str]],
        wake: Callable[[set[str]], Awaitable[None]],
        *,
        interval: float = 1.0,
        mode: StagerMode = "auto",
    ) -> None:
        check_stager(interval=interval, mode=mode)
        super().__init__("stager", interval)
        self._engine = engine
        self._queues = queues
        self._wake = wake
        self._mode = mode
        self._allowed: bool | None = None

    async def run_once(self) -> None:
        """Stage what is due, as far as this node may, and wake the queues that have jobs."""
        allowed = await self._may_stage()
        if allowed != self._allowed:
            logger.info("due jobs are staged by %s", "this node" if allowed else "another node")
            self._allowed = allowed
        _, ready = await self._engine.stage(self._queues(), allowed=allowed)
        await self._wake(ready)

    async def _may_stage(self) -> bool:
        if self._mode != "auto":
            return self._mode == "on"
        try:
            return not await self._engine.elixir_leads()
        except SchemaError as error:
            if self._allowed is not False:
                logger.warning("can't tell whether an Elixir node leads, so due jobs are left to it: %s", error)
            return False
