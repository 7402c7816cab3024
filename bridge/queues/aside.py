"""Outcomes that their rows don't take for now, while others are written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from bridge.queues.backoff import RetryDelay
from bridge.queues.outcome import Outcome

#: Seconds, at most, from one look at what was put aside to the next, give or take a quarter.
LONGEST: Final = 3.0

#: How many are tried in one look.
TRIED: Final = 10


class Aside:
    """Keeps outcomes until it is time to try some of them again.

    Their jobs have ended and their rows say `executing`, from which nobody rescues them while the producer lives: so
    they are kept as long as it does.
    """

    def __init__(self) -> None:
        self._outcomes: deque[Outcome] = deque()
        self._delay = RetryDelay(longest=LONGEST)
        self._due_at = 0.0

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._outcomes)

    @property
    def wait(self) -> float | None:
        """Seconds until the next look; None where there is nothing to look at."""
        return max(self._due_at - time.monotonic(), 0.0) if self._outcomes else None

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self.wait == 0.0

    def put(self, outcome: Outcome) -> None:
        """Take an outcome, behind the others."""
        if not self._outcomes:
            self.put_off()
        self._outcomes.append(outcome)

    def take(self) -> Outcome:
        """Return the outcome that has waited longest, and keep it no more; one that was given up begins anew."""
        outcome = self._outcomes.popleft()
        if outcome.given_up:
            outcome.ack = outcome.refused
        return outcome

    def take_all(self) -> list[Outcome]:
        """Return all outcomes, as `take` does; who comes next is looked at soon."""
        self._delay.reset()
        return [self.take() for _ in range(len(self))]

    def put_off(self) -> None:
        """Look again later, each time after a longer while."""
        self._due_at = time.monotonic() + self._delay.next()
