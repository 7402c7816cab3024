"""How long a failed job waits before its next attempt."""

from __future__ import annotations

import math
import random
from typing import Protocol

#: The exponent's end: with more attempts than this the curve is stretched (Oban 2.23: `Oban.Worker.backoff`).
MAX_EXPONENT = 20


class Attempted(Protocol):
    """What the formula needs of a job."""

    attempt: int
    max_attempts: int


def default_backoff(job: Attempted) -> int:
    """Return 15 + 2^attempt seconds and up to 10 % more (Oban 2.23).

    A job with more than 20 attempts gets the same curve, stretched: its attempt counts as that part of 20.
    """
    delay: int = 15 + 2 ** exponent(job.attempt, job.max_attempts)
    return delay + int(random.random() * 0.1 * delay)  # noqa: S311 - jitter is no secret


def exponent(attempt: int, max_attempts: int) -> int:
    """Return the exponent for `attempt`: 0 to 20."""
    if max_attempts > MAX_EXPONENT:
        # Erlang rounds halves away from zero, Python's round() to even.
        attempt = math.floor(attempt / max_attempts * MAX_EXPONENT + 0.5)
    return min(max(attempt, 0), MAX_EXPONENT)
