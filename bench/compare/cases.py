"""What is measured, in which order, and at which size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from entrants import Entrant
from measure import SEEN, Bench

Measure = Callable[[Bench, Entrant], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the cases are.

    Attributes:
        jobs: Of a drain and of a bulk insert.
        sleepers: Jobs of ten milliseconds.
        paced: Jobs whose delay is measured.
        grown: Rows that are there already.
        foreign: Rows of other workers at the head of the queue.
        idle: Seconds of waiting.
        million: Jobs of one life.
    """

    jobs: int = 50_000
    sleepers: int = 10_000
    paced: int = 500
    grown: int = 1_000_000
    foreign: int = 100_000
    idle: float = 60.0
    million: int = 1_000_000


FULL: Final = Sizes()
QUICK: Final = Sizes(2_000, 2_000, 100, 20_000, 10_000, 3.0, 20_000)
QUICK_CASES: Final = ("drain-10", "drain-1000", "insert", "latency")


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement.

    Attributes:
        name: Its name, for the command line and the raw results.
        measure: Takes it.
        once: Whether one round is enough, because it counts instead of timing.
    """

    name: str
    measure: Measure
    once: bool = False

    def admits(self, entrant: Entrant) -> bool:
        """Return whether the entrant takes part."""
        return self.name not in entrant.without and (not entrant.only or self.name in entrant.only)


def make_cases(sizes: Sizes) -> list[Case]:
    """Return all cases at these sizes."""
    jobs = sizes.jobs
    seen = ("seen", SEEN)
    return [
        *(Case(f"drain-{limit}", _drain(jobs=jobs, limit=limit)) for limit in (10, 50, 200)),
        Case("insert", lambda bench, entrant: bench.insert(entrant, max(1_000, round(jobs * max(entrant.share, 0.4))))),
        Case("latency", lambda bench, entrant: bench.delays(entrant, "pace", sizes.paced, rate=50.0)),
        Case("scheduled", lambda bench, entrant: bench.delays(entrant, "schedule", 200, after=2.0, within=10.0)),
        Case("sleep", _drain(jobs=sizes.sleepers, limit=100, kind="sleep")),
        Case("workers-2", _drain(jobs=jobs, limit=1000, workers=2)),
        Case("workers-4", _drain(jobs=jobs, limit=1000, workers=4)),
        # What follows is compared with it, and rates drift over minutes.
        Case("drain-1000", _drain(jobs=jobs, limit=1000)),
        Case("finished", _drain(jobs=jobs, limit=1000, filling=(seen, ("finished", sizes.grown)))),
        Case("waiting", _drain(jobs=jobs, limit=1000, filling=(seen, ("waiting", sizes.grown)))),
        Case("stale", _drain(jobs=jobs, limit=1000, filling=())),
        Case("stale-seen", _drain(jobs=jobs, limit=1000, filling=(seen,), analyze=False)),
        Case(
            "foreign",
            _drain(jobs=jobs, limit=1000, filling=(seen, ("foreign", sizes.foreign)), leave=sizes.foreign),
        ),
        Case(
            "foreign-indexed",
            _drain(
                jobs=jobs,
                limit=1000,
                filling=(seen, ("foreign", sizes.foreign), ("worker-index", 1)),
                leave=sizes.foreign,
            ),
        ),
        Case("idle", lambda bench, entrant: bench.idle(entrant, sizes.idle), once=True),
        Case(
            "memory",
            lambda bench, entrant: bench.memory(entrant, sizes.million, sizes.million // 20),
            once=True,
        ),
    ]


def _drain(**options: Any) -> Measure:
    async def measure(bench: Bench, entrant: Entrant) -> dict[str, Any]:
        return await bench.drain(entrant, **options)

    return measure
