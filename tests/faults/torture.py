"""Faults mixed at random under load: `python -m faults.torture --seed 1 --minutes 30`, with tests/ in PYTHONPATH."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from string import ascii_uppercase
from typing import Any, Final

from .account import Account, joined
from .faults import Fault, all_faults
from .lane import Lane

#: Seconds between a fault's end and the next one's beginning, at the least.
_BREATH: Final = 1.0

#: Seconds that a fault takes in the middle, which decides how fast jobs come where each fault is made just once.
_LENGTH: Final = 5.0


class Torture:
    """A run: a load over some processes, a fault every few seconds, and the account.

    Args:
        seed: Decides the order of the faults, and all that they choose; not when processes are scheduled.
        jobs: How many are enqueued.
        seconds: For how long they are, and faults struck; None: until each fault was made once.
        processes: That run jobs, in each lane.
        lanes: Grounds that faults strike at the same time, each with its servers, nodes and part of the jobs.
        every: Seconds from one fault's beginning to the next one's in its lane, at the least.
        faults: Default all.
        keep: Leave the logs and the ledger.
    """

    def __init__(
        self,
        *,
        seed: int,
        jobs: int,
        seconds: float | None,
        processes: int = 4,
        lanes: int = 1,
        every: float = 10.0,
        faults: Sequence[Fault] | None = None,
        keep: bool = False,
    ) -> None:
        self.seed = seed
        self._jobs, self._seconds, self._lanes, self._every = jobs, seconds, lanes, every
        self._faults = all_faults() if faults is None else list(faults)
        self._options = {**merged_needs(self._faults), "processes": layout(processes), "keep": keep}
        self._began = 0.0

    async def run(self) -> Account:
        """Run it, printing what happens, and return the account of all lanes."""
        self._began = time.monotonic()
        self._say("", f"seed {self.seed}: {self._jobs:,} jobs, {len(self._faults)} faults")
        faults = self._order()
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._lane(number, faults)) for number in range(self._lanes)]
        return joined([task.result() for task in running])

    async def _lane(self, number: int, faults: Iterator[tuple[int, Fault]]) -> Account:
        label = f"{ascii_uppercase[number]}: " if self._lanes > 1 else ""
        lane = Lane(partial(self._say, label), faults, seed=f"{self.seed}:{number}", options=self._options)
        jobs = self._jobs // self._lanes + (number < self._jobs % self._lanes)
        lasting = self._seconds or _LENGTH * len(self._faults) / self._lanes
        return await lane.run(jobs=jobs, rate=jobs / lasting, every=self._every, breath=_BREATH)

    def _order(self) -> Iterator[tuple[int, Fault]]:
        """Yield numbered faults in random order, each once before any comes again, until the time is over."""
        random, number = Random(self.seed), 0
        while True:
            for fault in random.sample(self._faults, len(self._faults)):
                if self._seconds is not None and time.monotonic() - self._began > self._seconds:
                    return
                yield number, fault
                number += 1
            if self._seconds is None:
                return

    def _say(self, label: str, what: str) -> None:
        print(f"[{time.monotonic() - self._began:7.1f} s] {label}{what}", flush=True)


async def _run(torture: Torture) -> Account:
    """Run it so that SIGTERM ends it as Ctrl-C does, with all that it has started."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await torture.run()


def layout(processes: int) -> list[int]:
    """Return nodes, by how many processes each runs its jobs in: single ones, and where it goes one with two."""
    return [1] * processes if processes < 3 else [*[1] * (processes - 2), 2]


def merged_needs(faults: Sequence[Fault]) -> dict[str, Any]:
    """Return what a ground must be made with so that all of these faults can strike it."""
    found: dict[str, Any] = {}
    for fault in faults:
        for name, value in fault.needs.items():
            found[name] = {**found.get(name, {}), **value} if isinstance(value, dict) else value
    return found


def main() -> int:
    """Run it as the command line says; 0 where nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m faults.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=None, help="default: 500 for each second")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--lanes", type=int, default=1, help="grounds that faults strike at the same time")
    parser.add_argument("--every", type=float, default=10.0, help="seconds from one fault to the next")
    parser.add_argument("--once", action="store_true", help="each fault once, however long that takes")
    parser.add_argument("--only", default="", help="names of faults, with commas between")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs and the ledger")
    given = parser.parse_args()
    wanted = set(filter(None, given.only.split(",")))
    torture = Torture(
        seed=secrets.randbelow(2**32) if given.seed is None else given.seed,
        jobs=int(given.minutes * 60 * 500) if given.jobs is None else given.jobs,
        seconds=None if given.once else given.minutes * 60,
        processes=given.processes,
        lanes=given.lanes,
        every=0.0 if given.once else given.every,
        faults=[fault for fault in all_faults() if not wanted or fault.name in wanted],
        keep=given.keep,
    )
    account = asyncio.run(_run(torture))
    print(account)
    return 0 if account.ok else 1


if __name__ == "__main__":
    sys.exit(main())
