"""When a listener gives a connection up, and how soon it tries again."""

from __future__ import annotations

import random

from msgspec import Struct


class Timing(Struct, frozen=True):
    """Intervals and limits of a listener, all in seconds.

    Attributes:
        probe_interval: An idle connection is asked for a sign of life this often, because a peer that
            vanished without closing (a lost host, a firewall that forgot) looks like one with nothing to say.
        timeout: How long connecting, listening and a sign of life may take each.
        first_delay: The wait before the first new attempt. It doubles with each, and up to half of it is
            taken off by chance, so that the nodes of a restarted database don't come all at once.
        longest_delay: Where the doubling ends. A connection that lived as long resets it to `first_delay`. By the
            default a node hears messages again within 5 s of an outage's end, however long that was.
    """

    probe_interval: float = 30.0
    timeout: float = 10.0
    first_delay: float = 0.1
    longest_delay: float = 3.0

    def delay(self, attempt: int) -> float:
        """Return the wait before attempt number `attempt`, counted from 0."""
        whole = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt, 30))
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret
