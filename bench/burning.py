"""A worker that keeps a core busy, in a module of its own so that other processes can import it."""

import time
from typing import Any

from bridge import Job, Worker, worker


@worker(name="Bench.Burn")
class Burn(Worker):
    """Computes for so many milliseconds of processor time."""

    def process(self, job: Job[Any]) -> None:
        """Compute."""
        burn(job.args["milliseconds"])


def burn(milliseconds: float) -> None:
    """Compute for so many milliseconds of this thread's processor time."""
    end = time.thread_time() + milliseconds / 1_000
    while time.thread_time() < end:
        sum(range(2_000))
