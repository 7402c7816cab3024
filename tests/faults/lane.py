"""A lane of a torture: one ground under load, which faults strike one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

from .account import Account
from .faults import Fault
from .ground import Ground

#: Seconds until every job must have come to its end, once there are no more faults.
_SETTLED = 300.0


class Lane:
    """One ground, and the faults that it is to stand.

    Args:
        say: Told what happens.
        faults: Taken from one by one, by all lanes.
        seed: Decides what the load holds, and all that faults choose.
        options: Those of `Ground`.
    """

    def __init__(
        self, say: Callable[[str], None], faults: Iterator[tuple[int, Fault]], *, seed: str, options: dict[str, Any]
    ) -> None:
        self._say = say
        self._faults = faults
        self._seed = seed
        self._options = options
        self._broken: list[str] = []

    async def run(self, *, jobs: int, rate: float, every: float, breath: float) -> Account:
        """Enqueue jobs, let faults strike until there are no more, and return the account.

        Args:
            jobs: How many.
            rate: Jobs a second.
            every: Seconds from one fault's beginning to the next one's, at the least.
            breath: Seconds from one fault's end to the next one's beginning, at the least.
        """
        account = Account()
        try:
            async with Ground(random=Random(self._seed), **self._options) as ground:
                ground.start_load(jobs=jobs, rate=rate)
                await self._torment(ground, every, breath)
                self._say("no more faults")
                account = await self._close(ground)
        except Exception as error:
            self._break(f"the ground could not be made, or ended in order: {error!r}")
        account.blame("promises that were broken", *self._broken)
        return account

    async def _torment(self, ground: Ground, every: float, breath: float) -> None:
        for number, fault in self._faults:
            next_one = time.monotonic() + every
            # A copy, because a fault keeps what its check needs of the last strike.
            if not await self._strike(ground, deepcopy(fault), Random(f"{self._seed}:{number}:{fault.name}")):
                return  # the rest would only say the same, and the account tells more
            await asyncio.sleep(max(breath, next_one - time.monotonic()))

    async def _strike(self, ground: Ground, fault: Fault, random: Random) -> bool:
        """Let a fault strike, and return whether the ground stands."""
        told = len(ground.skipped)
        try:
            hit = await ground.suffer(fault, random)
        except Exception as error:  # whatever it is, the account is what this is for
            self._break(f"{fault.name}: {error!r}")
            return await self._revive(ground)
        if hit is not None:
            took = ground.recovered[fault.name][-1]
            self._say(f"{fault.name} for {hit.ended - hit.began:.1f} s ({hit.note}); works again after {took:.1f} s")
        elif len(ground.skipped) > told:
            self._say(f"skipped {fault.name}: {ground.skipped[fault.name]}")
        return True

    async def _revive(self, ground: Ground) -> bool:
        try:
            await ground.revive()
        except Exception as error:
            self._break(f"the ground could not be brought back: {error!r}")
            return False
        return True

    def _break(self, what: str) -> None:
        self._broken.append(what)
        self._say(f"BROKEN {what}")

    async def _close(self, ground: Ground) -> Account:
        """Return the account once all jobs have come to their ends; without the database there is none but of that."""
        unsettled = ""
        try:
            self._say(f"settled after {await ground.settle(_SETTLED):.1f} s")
        except Exception as error:
            unsettled = repr(error)
        try:
            account = await ground.account()
        except Exception as error:
            account = Account(ordered=len(ground.load.orders), confirmed=ground.load.orders.confirmed)
            account.blame("accounts that could not be taken", repr(error))
        if unsettled:
            what = f"{account.waiting:,} wait: {unsettled}"
            account.blame(f"jobs that did not come to their end within {_SETTLED:g} s", what)
        return account
