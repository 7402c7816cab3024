"""Faults mixed at random under load: `python -m faults.torture --seed 1 --minutes 30`, with tests/ in PYTHONPATH."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from .account import Account
from .faults import Fault, all_faults
from .ground import GONE, Ground

#: Seconds between faults where each is made just once.
_BREATH: Final = 1.0


class Torture:
    """A run: a load over some processes, a fault every few seconds, and the account.

    Args:
        seed: Decides the order of the faults, and all that they choose; not when processes are scheduled.
        jobs: How many are enqueued.
        seconds: For how long they are, and faults struck; None: until each fault was made once.
        processes: That run jobs.
        every: Seconds from one fault's beginning to the next one's, at the least.
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
        every: float = 10.0,
        faults: Sequence[Fault] | None = None,
        keep: bool = False,
    ) -> None:
        self.seed = seed
        self._random = Random(seed)
        self._jobs, self._seconds, self._every = jobs, seconds, every
        self._faults = all_faults() if faults is None else list(faults)
        self._options = {**merged_needs(self._faults), "processes": layout(processes), "keep": keep}
        self._broken: list[str] = []
        self._began = 0.0

    async def run(self) -> Account:
        """Run it, printing what happens, and return the account."""
        self._began = time.monotonic()
        self._say(f"seed {self.seed}: {self._jobs:,} jobs, {len(self._faults)} faults")
        async with Ground(random=Random(self.seed), **self._options) as ground:
            lasting = self._seconds or 6.0 * len(self._faults)
            ground.start_load(jobs=self._jobs, rate=self._jobs / lasting)
            try:
                await self._torment(ground)
            except (AssertionError, *GONE) as error:  # the rest would only say the same, and the account tells more
                self._broken.append(f"the ground could not be brought back: {error!r}")
            self._say("no more faults")
            account = await self._close(ground)
            account.blame("promises that were broken", *self._broken)
        return account

    async def _torment(self, ground: Ground) -> None:
        for fault in self._order():
            next_one = time.monotonic() + self._every
            await self._strike(ground, fault)
            await asyncio.sleep(max(_BREATH, next_one - time.monotonic()))
            if self._seconds is not None and time.monotonic() - self._began > self._seconds:
                return

    def _order(self) -> Iterator[Fault]:
        """Yield faults in random order, each once before any comes again."""
        while True:
            yield from self._random.sample(self._faults, len(self._faults))
            if self._seconds is None:
                return

    async def _strike(self, ground: Ground, fault: Fault) -> None:
        began = time.monotonic()
        told = len(ground.skipped)
        try:
            hit = await ground.suffer(fault, self._random)
        except (AssertionError, *GONE) as error:
            self._broken.append(f"{fault.name}, after {began - self._began:.0f} s: {error!r}")
            self._say(f"BROKEN {self._broken[-1]}")
            await ground.revive()
        else:
            if hit is not None:
                took = ground.recovered[fault.name][-1]
                self._say(
                    f"{fault.name} for {hit.ended - hit.began:.1f} s ({hit.note}); works again after {took:.1f} s"
                )
            elif len(ground.skipped) > told:
                self._say(f"skipped {fault.name}: {ground.skipped[fault.name]}")

    async def _close(self, ground: Ground) -> Account:
        settled = True
        try:
            self._say(f"settled after {await ground.settle(300):.1f} s")
        except TimeoutError:
            settled = False
        account = await ground.account()
        if not settled:
            account.blame("jobs that did not come to their end within 300 s", f"{account.waiting:,} wait")
        return account

    def _say(self, what: str) -> None:
        print(f"[{time.monotonic() - self._began:7.1f} s] {what}", flush=True)


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
        every=_BREATH if given.once else given.every,
        faults=[fault for fault in all_faults() if not wanted or fault.name in wanted],
        keep=given.keep,
    )
    account = asyncio.run(_run(torture))
    print(account)
    return 0 if account.ok else 1


if __name__ == "__main__":
    sys.exit(main())
