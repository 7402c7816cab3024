"""Delivery to one callback: in order, and without holding up anybody else."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from bridge.pubsub.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.pubsub.counters import Counters

logger = logging.getLogger("bridge.pubsub")


class Mailbox:
    """Calls `callback` with each message; an async one gets the next when it has dealt with the last.

    A callback that raises is logged, now and then, and gets the next message all the same. Messages wait in memory
    while an async callback is busy, at most `limit`; further ones are dropped, counted and logged.
    """

    def __init__(self, callback: Callable[..., object], label: str, counters: Counters, limit: int) -> None:
        self._callback = callback
        self._label = label
        self._counters = counters
        self._limit = limit
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._busy: asyncio.Task[None] | None = None
        self._overflow = Throttle()
        self._failures = Throttle()

    @property
    def waiting(self) -> int:
        """How many messages wait for the callback."""
        return len(self._waiting)

    def put(self, *message: Any) -> None:
        """Call the callback with `message`, now or when its turn comes."""
        if self._busy is None:
            self._deliver(message)
        elif len(self._waiting) < self._limit:
            self._waiting.append(message)
        else:
            self._drop()

    def clear(self) -> None:
        """Forget the messages that wait; a callback that runs goes on."""
        self._waiting.clear()

    def cancel(self) -> asyncio.Task[None] | None:
        """Forget the messages that wait and cancel a running callback.

        Returns:
            The callback's task, to be waited for; None where there is none, or the caller is the callback.
        """
        self.clear()
        if self._busy is None or self._busy is asyncio.current_task():
            return None
        self._busy.cancel()
        return self._busy

    def _deliver(self, message: tuple[Any, ...]) -> None:
        answer = self._call(message)
        if answer is not None:
            self._busy = asyncio.get_running_loop().create_task(self._work_off(answer))
            self._busy.add_done_callback(self._rest)

    async def _work_off(self, answer: Awaitable[object] | None) -> None:
        while True:
            if answer is not None:
                await self._finish(answer)
            if not self._waiting:
                # At once, not in the done callback: what comes between the two would wait for ever.
                self._busy = None
                return
            answer = self._call(self._waiting.popleft())

    def _rest(self, task: asyncio.Task[None]) -> None:
        if self._busy is task:
            self._busy = None

    def _call(self, message: tuple[Any, ...]) -> Awaitable[object] | None:
        try:
            answer = self._callback(*message)
        except Exception as error:  # whatever a callback raises, the listener goes on
            self._report_failure(error)
            return None
        return answer if inspect.isawaitable(answer) else None

    async def _finish(self, answer: Awaitable[object]) -> None:
        try:
            await answer
        except Exception as error:  # as above
            self._report_failure(error)

    def _report_failure(self, error: Exception) -> None:
        self._counters.failed += 1
        if (more := self._failures.note(self._label)) is not None:
            text = "a callback for %s raised and goes on with the next%s"
            logger.error(text, self._label, more, exc_info=error)

    def _drop(self) -> None:
        self._counters.dropped += 1
        if (held_back := self._overflow.admit(self._label)) is not None:
            message = "dropped a message for %s: its callback is busy and %d wait already (%d more before)"
            logger.error(message, self._label, self._limit, held_back)
