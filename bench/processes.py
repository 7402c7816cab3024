"""What processes bring: jobs that only compute, run by one process and by several, in turn.

Run it with `python bench/processes.py`. It starts a PostgreSQL of its own. What other programs do meanwhile falls on
both, so the ratio of a round is firmer than its seconds; the same work in bare processes, without a queue, tells what
the machine itself had to give. `busiest` is the processor time of the process that computed most: with a core for each
process, that is how long the jobs take.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any

from burning import Burn

from bridge import Oban, telemetry
from bridge.postgres import temporary_server
from bridge.queues.loop import loop_factory

NAMES = ("jobs", "busiest", "bare")


class Ends:
    """Counts the ends of jobs."""

    def __init__(self) -> None:
        self.count = 0
        self._news = asyncio.Event()

    def __call__(self, _name: str, _event: Any) -> None:
        """Hear of an end."""
        self.count += 1
        self._news.set()

    async def reach(self, count: int) -> None:
        """Wait for so many."""
        while self.count < count:
            self._news.clear()
            await self._news.wait()


async def measure(oban: Oban, ends: Ends, jobs: int, milliseconds: int) -> float:
    """Return the seconds that jobs take."""
    wanted = ends.count + jobs
    begun = time.perf_counter()
    await oban.enqueue_many(Burn.new({"milliseconds": milliseconds}, queue=oban.name) for _ in range(jobs))
    await ends.reach(wanted)
    return time.perf_counter() - begun


def measure_bare(processes: int, options: argparse.Namespace) -> float:
    """Return the seconds that the same work takes without a queue, split over so many processes."""
    work = f"import burning\nfor _ in range({options.jobs // processes}): burning.burn({options.milliseconds})"
    begun = time.perf_counter()
    folder = Path(__file__).parent
    running = [subprocess.Popen([sys.executable, "-c", work], cwd=folder) for _ in range(processes)]  # noqa: S603 - ours
    for process in running:
        process.wait()
    return time.perf_counter() - begun


async def run(dsn: str, options: argparse.Namespace) -> None:
    """Measure in turn, and print."""
    few, many = 1, options.processes
    print(f"{options.jobs} jobs of {options.milliseconds} ms, limit {options.limit}, {os.cpu_count()} cores")
    ends = Ends()
    taken: dict[int, list[float]] = {few: [], many: []}
    bare: dict[int, list[float]] = {few: [], many: []}
    busy: dict[int, list[float]] = {few: [], many: []}
    telemetry.attach("bench", ["oban.job.stop", "oban.job.exception"], ends)
    async with AsyncExitStack() as stack:
        nodes = {count: await stack.enter_async_context(node(dsn, count, options)) for count in (few, many)}
        for each in nodes.values():
            await measure(each, ends, 4 * many, 1)  # all processes are there now
        for nth in range(1, options.rounds + 1):
            for count in (few, many) if nth % 2 else (many, few):
                before = processor_times(nodes[count])
                taken[count].append(await measure(nodes[count], ends, options.jobs, options.milliseconds))
                after = processor_times(nodes[count])
                busy[count].append(max(after[pid] - before[pid] for pid in after))
                bare[count].append(await asyncio.to_thread(measure_bare, count, options))
            told = ", ".join(
                f"{name} {tell(found, -1)}" for name, found in zip(NAMES, (taken, busy, bare), strict=True)
            )
            print(f"round {nth}: {told} (load {os.getloadavg()[0]:.1f})", flush=True)
    for name, found in zip(NAMES, (taken, busy, bare), strict=True):
        ratios = [two / one for one, two in zip(found[few], found[many], strict=True)]
        best = min(found[many]) / min(found[few])
        print(f"{name}: median ratio {median(ratios):.2f}, least {min(ratios):.2f}, of the best times {best:.2f}")


def processor_times(oban: Oban) -> dict[int, float]:
    """Return the seconds that each process of an instance has computed, by its id."""
    pool = oban._parts.processes  # noqa: SLF001 - which no program but this one asks
    return {pid: processor_time(pid) for pid in (os.getpid(), *(() if pool is None else pool.pids()))}


def processor_time(pid: int) -> float:
    """Return the seconds that a process has computed; 0 where the system doesn't tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def node(dsn: str, count: int, options: argparse.Namespace) -> Oban:
    """Return an instance with a queue of its own."""
    name = f"With{count}"
    return Oban(dsn=dsn, name=name, node=name, queues={name: options.limit}, processes=count)


def tell(found: dict[int, list[float]], nth: int) -> str:
    """Return the seconds of a round with each number of processes, and their ratio."""
    (few, first), (many, second) = ((count, times[nth]) for count, times in found.items())
    return f"{first:.2f} s by {few}, {second:.2f} s by {many}: {second / first:.2f} of the time"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--milliseconds", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with temporary_server() as server, asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(Oban(dsn=server.url("postgres")).install())
        runner.run(run(server.url("postgres"), options))


if __name__ == "__main__":
    main()
