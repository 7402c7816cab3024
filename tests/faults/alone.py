"""One fault alone, under load: `python -m faults.alone node-killed`, with tests/ in PYTHONPATH."""

from __future__ import annotations

import argparse
import asyncio
import sys
from random import Random
from typing import Any

from .account import Account
from .faults import FAMILIES, Fault, all_faults
from .ground import Ground


async def strike_alone(
    fault: Fault, *, seed: int, jobs: int = 4000, rate: float = 400, times: int = 1, **options: Any
) -> tuple[Account, Ground]:
    """Let a fault strike a ground of its own under load, and return the account, and the ground as it was.

    Raises:
        AssertionError: A node did not work again in time, or the fault's own promise was broken.
    """
    async with Ground(**{"random": Random(seed), **fault.needs, **options}) as ground:
        ground.start_load(jobs=jobs, rate=rate)
        await ground.busy(min(jobs, 200))
        for _ in range(times):
            await ground.suffer(fault, Random(seed))
        await ground.settle()
        return await ground.account(), ground


def find(name: str) -> Fault:
    """Return the fault of a name; families that can't be imported are told of, and left out."""
    found: dict[str, Fault] = {}
    for family in FAMILIES:
        try:
            found |= {fault.name: fault for fault in all_faults([family])}
        except ImportError as error:
            print(f"left out: {family}: {error}", file=sys.stderr)
    if name not in found:
        raise SystemExit(f"expected one of {', '.join(sorted(found))}, got {name!r}")
    return found[name]


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m faults.alone", description=__doc__)
    parser.add_argument("fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=400)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--processes", type=int, help="in which each node runs its jobs")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs and the ledger")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    account, ground = asyncio.run(strike_alone(find(given.pop("fault")), **given))
    for hit in ground.hits:
        print(f"{hit.fault} lasted {hit.ended - hit.began:.1f} s: {hit.note}")
    print(f"all nodes worked again after: {ground.recovered}")
    if given["keep"]:
        print(f"kept: {ground.folder}")
    print(account)
    return 0 if account.ok else 1


if __name__ == "__main__":
    sys.exit(main())
