"""The faults: what each does to a ground, what it may explain, and how soon the ground must work again."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, ClassVar, Final

from faults.node import RESCUED

if TYPE_CHECKING:
    from faults.ground import Ground
    from faults.ledger import Execution

#: The modules of this package; each has its faults in `FAULTS`.
FAMILIES: Final = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))

#: Seconds that an outcome may be on its way to the database when all is well: one that ended so long before its process
#: was hit may be lost with it. On two processors that were busy with 1,000 jobs a second the slowest of 20,000 was
#: written after 0.2 s; the rest is for machines that are busier yet.
UNDER_WAY: Final = 1.5


@dataclass(frozen=True, slots=True)
class Hit:
    """What a fault did, and so what it may explain: second executions of jobs that it caught in flight.

    A fault that costs nothing, as an outage of the database must not, leaves `pids` and `nodes` empty.

    Attributes:
        fault: The fault's name.
        began: When it began, by `time.monotonic()`.
        ended: When it was over.
        pids: Processes that it ended, or kept from running or from being heard.
        nodes: Names of nodes, all of whose processes it hit so.
        overlaps: Whether an execution that it hit may go on, or end, while the job's next one runs: the process was
            stopped or cut off, and not ended.
        spares_ended: Whether executions that ended keep their outcome: only what was interrupted runs again.
        keeps_claims: Whether jobs that were claimed and never begun were handed back without the cost of an attempt:
            the processes ended in order.
        repeats: Whether attempts may be counted twice: transactions were lost that had been confirmed.
        clocks: Whether a clock was wrong, so that jobs may have waited less or more than they should.
        rescued: When the last of the jobs that it hit must have begun to run again, by `time.monotonic()`; the ground
            says it, by the fault's `rescue`. None: nothing is promised.
        note: What it did, for people.
    """

    fault: str
    began: float
    ended: float
    pids: frozenset[int] = frozenset()
    nodes: frozenset[str] = frozenset()
    overlaps: bool = False
    spares_ended: bool = False
    keeps_claims: bool = False
    repeats: bool = False
    clocks: bool = False
    rescued: float | None = None
    note: str = ""

    @property
    def is_harmful(self) -> bool:
        """Whether it hit any process, and so may have cost an execution."""
        return bool(self.pids or self.nodes)

    def explains(self, run: Execution, since: float | None = None) -> bool:
        """Return whether an execution was caught in flight, so that its job may have run again.

        Args:
            run: The execution.
            since: From when on outcomes were under way when it began; default `UNDER_WAY` seconds before.
        """
        if run.pid not in self.pids and run.node not in self.nodes:
            return False
        if self.spares_ended and run.outcome not in (None, "interrupted"):
            return False
        if since is None:
            since = self.began - UNDER_WAY
        return run.began <= self.ended and (run.ended is None or run.ended >= since)


class Fault(ABC):
    """One thing that goes wrong; an object of a subclass is made without arguments, and may strike many times.

    Attributes:
        name: What it is called: lower case, words with hyphens.
        bound: Seconds after its end within which every node works again, by itself.
        rescue: Seconds within which the jobs of processes that it hits run again, counted from its end where a node
            was left that could see to it, else from when nodes work again; None: nothing is promised.
        needs: What a ground must be made with for this fault, as keyword arguments of `Ground`.
    """

    name: ClassVar[str]
    bound: ClassVar[float] = 5.0
    rescue: ClassVar[float | None] = RESCUED
    needs: ClassVar[dict[str, object]] = {}

    def lack(self, ground: Ground) -> str | None:
        """Return why it can't be made here, or None; it is asked before it strikes."""
        return None

    @abstractmethod
    async def strike(self, ground: Ground, random: Random) -> Hit:
        """Make it, wait, and end it: on return what was broken is whole, and killed nodes have been started anew."""

    async def check(self, ground: Ground, hit: Hit) -> None:  # noqa: B027 - most promise no more
        """Assert what this fault promises beyond the bound and the account; called once the ground works again."""


def all_faults(families: Iterable[str] = FAMILIES) -> list[Fault]:
    """Return every fault there is."""
    found: list[Fault] = []
    for family in families:
        module = importlib.import_module(f".{family}", __name__)
        found += module.FAULTS
    return found
