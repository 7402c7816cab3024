"""Rows that a unique index keeps as they are: they are told of and left out, and all others go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from bridge.adapters import sqlstate

logger = logging.getLogger("bridge.engine")

R = TypeVar("R")

#: Seconds for which a row is not tried again, and between two lines of log of one action.
PAUSE: Final = 60.0

#: How many ids a line of log names.
_NAMED: Final = 10

_UNIQUE_VIOLATION: Final = "23505"


def is_conflict(error: BaseException) -> bool:
    """Tell whether a unique index refused a change, whoever made the index."""
    return sqlstate(error) == _UNIQUE_VIOLATION


class Conflicts:
    """Carries out changes to many rows of which a unique index may refuse some.

    Args:
        clock: Returns seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[str, dict[int, float]] = {}
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def held(self, action: str) -> list[int]:
        """Return the rows with which an action is not to be tried again yet."""
        now = self._clock()
        left = {job_id: until for job_id, until in self._held.get(action, {}).items() if until > now}
        self._held[action] = left
        return list(left)

    async def isolate(
        self, action: str, ids: Sequence[int], act: Callable[[Sequence[int]], Awaitable[Sequence[R]]]
    ) -> list[R]:
        """Carry out a change on rows, part by part where one is refused; return what `act` returned for all others.

        Args:
            action: What is done to them, for the log.
            ids: The rows.
            act: Changes some of them, all or none.
        """
        refused: list[int] = []
        found = await _halve(ids, act, refused)
        if refused:
            self._hold(action, refused)
        return found

    def _hold(self, action: str, refused: Sequence[int]) -> None:
        now = self._clock()
        self._held.setdefault(action, {}).update(dict.fromkeys(refused, now + PAUSE))
        if now < self._told.get(action, now):
            self._untold[action] = self._untold.get(action, 0) + len(refused)
            return
        named = ", ".join(map(str, refused[:_NAMED])) + (", …" if len(refused) > _NAMED else "")
        before = self._untold.pop(action, 0)
        logger.warning(
            "a unique index refuses to let %d %s be %s%s: %s; another job has its place, so delete one of the two",
            len(refused),
            "job" if len(refused) == 1 else "jobs",
            action,
            f", and {before} before" if before else "",
            named,
        )
        self._told[action] = now + PAUSE


async def _halve(
    ids: Sequence[int], act: Callable[[Sequence[int]], Awaitable[Sequence[R]]], refused: list[int]
) -> list[R]:
    if not ids:
        return []
    try:
        return list(await act(ids))
    except Exception as error:
        if not is_conflict(error):
            raise
    if len(ids) == 1:
        refused += ids
        return []
    middle = len(ids) // 2
    return await _halve(ids[:middle], act, refused) + await _halve(ids[middle:], act, refused)
