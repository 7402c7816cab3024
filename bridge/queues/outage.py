"""A queue's fetches that fail: how long to wait for the next one, and what the log tells of it."""

from __future__ import annotations

import logging

from bridge.engine import is_unavailable
from bridge.errors import SchemaError
from bridge.queues.backoff import RetryDelay
from bridge.queues.log import logger
from bridge.queues.troubles import Troubles


class Outage:
    """Hears how fetches go; the log tells of a failure at first, then now and then, and once when it is over.

    Args:
        queue: The queue's name.
    """

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._delay = RetryDelay()
        self._troubles = Troubles()

    def failed(self, error: Exception) -> float:
        """Hear of a failure; return the seconds to wait."""
        if self._troubles.failed():
            level = logging.WARNING if is_unavailable(error) else logging.ERROR
            unknown = level == logging.ERROR and not isinstance(error, SchemaError)
            logger.log(level, "queue %s can't fetch: %s", self._queue, error, exc_info=unknown)
        return self._delay.next()

    def passed(self, *, fetched: bool) -> None:
        """Hear of a round without a failure, which may not have had a reason to fetch."""
        self._delay.reset()
        if fetched and (seconds := self._troubles.over()) is not None:
            logger.info("queue %s fetches again, after %.1f s", self._queue, seconds)
