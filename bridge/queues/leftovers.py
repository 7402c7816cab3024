"""What outlives the stop of its queue: jobs that can't be ended, and outcomes that could not be written in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from bridge.queues.acker import Acker
from bridge.queues.execution import Execution
from bridge.queues.returns import Returns

#: Seconds for each try to hand back what has outlived the stop of its queue.
_TRY: Final = 30.0


class Leftovers:
    """Sees to what a producer has left when it stopped, for as long as its node goes on.

    Args:
        tasks: Tells which jobs still run, in tasks that ignore their cancellation.
        acker: The producer's, which it has stopped.
        returns: The producer's.
    """

    def __init__(self, tasks: Callable[[], Sequence[asyncio.Task[Any]]], acker: Acker, returns: Returns) -> None:
        #: Jobs in threads that went on when they were released.
        self.orphans: list[Execution] = []
        self._tasks = tasks
        self._acker = acker
        self._returns = returns

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.orphans or self._tasks() or self._acker.pending or self._returns.pending)

    async def settle(self) -> None:
        """Return once all of it has come to its end and is written."""
        self._acker.start()
        try:
            while self.orphans or self._tasks():
                await self._outlast()
            await self._acker.stop(None)
            while self._returns.pending:
                await self._returns.write(_TRY)
            self._returns.tell()
        finally:
            self._acker.abandon()

    async def _outlast(self) -> None:
        """Wait for the jobs that go on, each of which is written when it ends."""
        orphans, self.orphans = self.orphans, []
        tasks = self._tasks()
        await asyncio.gather(*map(self._outlive, orphans), *([asyncio.wait(tasks)] if tasks else []))

    async def _outlive(self, execution: Execution) -> None:
        outcome = await execution.outlived()
        if outcome is None:
            self._returns.add(execution.job)
        else:
            self._acker.add(outcome)
