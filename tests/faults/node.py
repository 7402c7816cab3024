"""A node: a real `bridge start` in a process group of its own, as an init system starts it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from .ledger import Ledger
from .machine import Limit
from .workers import LONG, QUEUE

#: `faults.workers` is imported from here, and Bridge from the tree that this is of, whatever is installed.
_TESTS: Final = Path(__file__).resolve().parent.parent
_IMPORTS: Final = "faults.workers"
_PATIENCE: Final = 30.0

#: Seconds of silence after which a node counts as dead: four beats, of which three may be late, as processes are that
#: share two processors with many. All times that have to do with silence follow from it.
RESCUE_AFTER: Final = 3.0

#: Seconds, at the least and at the most, for which a fault silences who isn't dead: longer than the dead get.
SILENCE: Final = (1.1 * RESCUE_AFTER, 1.4 * RESCUE_AFTER)

#: Seconds of a silence that no rescue may follow: with the beat before it and the way back, that of nobody dead.
BRIEF: Final = 0.2 * RESCUE_AFTER

#: Seconds within which the jobs of what died run again: its silence, the next look, a new leader, the fetch; and as
#: much again, for a busy machine.
RESCUED: Final = 2 * (RESCUE_AFTER + 2.0)

#: A rescue within 5 s: silence is looked for twice a second, by a leader who is replaced within 3 s.
QUICK: Final[dict[str, Any]] = {
    "LIFELINE_RESCUE_AFTER": RESCUE_AFTER,
    "LIFELINE_INTERVAL": 0.5,
    "LEADER_INTERVAL": 1.5,
    "STAGER_INTERVAL": 0.25,
    "PRUNER_MODE": "off",
    "SHUTDOWN_GRACE_PERIOD": 3,
    "LOG_LEVEL": "warning",
}

#: Lets a node be killed when the harness is, so that none stays behind; its children end with it. Where there is no
#: such program, whoever kills the harness has to see to its nodes.
_LEASH: Final = ("setpriv", "--pdeathsig=KILL", "--") if shutil.which("setpriv") else ()


class Node:
    """One node, which may be killed, stopped, continued, ended and started again under the same name.

    Args:
        name: Its name.
        dsn: Where its database is, usually by way of the ground's gate.
        folder: For its log, `<name>.log`, to which all of its processes write.
        ledger: Where its jobs note what they do.
        processes: As in `bridge start --processes`.
        queues: As in `bridge start --queues`, beside the queue of its own for probes.
        settings: As BRIDGE_… variables have them, without that prefix.
        environment: More variables, such as LD_PRELOAD; `BRIDGE_…` wins over `settings`.
        command: What stands before `python -m bridge start`, such as `["prlimit", "--as=…"]`.
    """

    def __init__(
        self,
        name: str,
        dsn: str,
        folder: Path,
        ledger: Ledger,
        *,
        processes: int = 1,
        queues: str = f"{QUEUE}:20,{LONG}:5",
        settings: dict[str, Any] = QUICK,
        environment: dict[str, str] | None = None,
        command: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.dsn = dsn
        self.log = folder / f"{name}.log"
        self.processes = processes
        self.queues = queues
        self.settings = settings
        self.environment = environment or {}
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        #: Processes of the node that are stopped by SIGSTOP, as far as `signal` did it.
        self.frozen: set[int] = set()
        self._ledger = ledger

    @property
    def probes(self) -> str:
        """The queue that only this node runs, for jobs that show that it works."""
        return f"probe_{self.name}"

    # Life

    def start(self) -> None:
        """Start it; it works once its first probe has run, see `Ground.works_again`."""
        if self.alive:
            raise RuntimeError(f"node {self.name} runs already")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*_LEASH, *self.command, sys.executable, "-m", "bridge", "start", *self._arguments()],
                cwd=self.log.parent,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    @property
    def alive(self) -> bool:
        """Whether its main process is there; a stopped one is."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its main process, also after its end."""
        if self.process is None:
            raise RuntimeError(f"node {self.name} was never started")
        return self.process.pid

    def children(self) -> list[int]:
        """Return the ids of the processes that run its jobs, where `processes` is more than 1."""
        found: list[int] = []
        with suppress(OSError):  # it ended
            for task in Path(f"/proc/{self.pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def pids(self) -> frozenset[int]:
        """Return the ids of all of its processes."""
        return frozenset([self.pid, *self.children()])

    def signal(self, number: signal.Signals, pid: int | None = None) -> None:
        """Send a signal to its main process, or to the one with `pid`; a process that is gone gets none."""
        target = self.pid if pid is None else pid
        with suppress(ProcessLookupError):
            os.kill(target, number)
        if number == signal.SIGSTOP:
            self.frozen.add(target)
        elif number in (signal.SIGCONT, signal.SIGKILL):
            self.frozen.discard(target)

    async def kill(self) -> frozenset[int]:
        """End the main process by SIGKILL, and wait until all its processes are gone; return their ids."""
        pids = self.pids()
        self.signal(signal.SIGKILL)
        await self._gone(pids)
        return pids

    async def stop(self, timeout: float = _PATIENCE) -> int:
        """Let it end in order by SIGTERM, and return its exit status; a frozen one is continued first."""
        pids = self.pids()
        for pid in tuple(self.frozen):
            self.signal(signal.SIGCONT, pid)
        self.signal(signal.SIGTERM)
        assert self.process is not None
        status = await asyncio.to_thread(self.process.wait, timeout)
        await self._gone(pids)
        return status

    def close(self) -> None:
        """End whatever is left of it, at once."""
        if self.process is None:
            return
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.frozen.clear()

    # What it says

    def mark(self) -> int:
        """Return how long its log is now, for `lines`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def lines(self, since: int = 0) -> list[dict[str, Any]]:
        """Return what it has logged since a mark; what is no JSON, such as a traceback of Python's, as `{"raw": …}`."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(since)
            return [_read(text) for text in log]

    def chatter(self, since: int = 0) -> int:
        """Return how many lines it has logged since a mark that are not of a job's own failure."""
        return sum(not str(line.get("event", "")).startswith("oban.job.") for line in self.lines(since))

    def _arguments(self) -> list[str]:
        queues = f"{self.queues},{self.probes}:4"
        dsn = f"{self.dsn}{'&' if '?' in self.dsn else '?'}application_name={self.name}"  # tells whose a session is
        return [f"--dsn={dsn}", f"--node={self.name}", f"--queues={queues}", f"--import={_IMPORTS}", "--wait"]

    def _environment(self) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("BRIDGE_", "DATABASE_URL", "PG"))
        }
        settings = {f"BRIDGE_{key}": str(value) for key, value in self.settings.items()} | {
            "BRIDGE_PROCESSES": str(self.processes)
        }
        return {
            **kept,
            **settings,
            "PYTHONPATH": f"{_TESTS}:{_TESTS.parent}",
            "PYTHONUNBUFFERED": "1",
            **self._ledger.environment(self.name),
            **self.environment,
        }

    async def _gone(self, pids: frozenset[int]) -> None:
        limit = Limit("processes to end", _PATIENCE)
        assert self.process is not None
        while self.process.poll() is None or any(_is_alive(pid) for pid in pids - {self.process.pid}):
            if limit.is_over():
                raise AssertionError(f"processes of {self.name} did not end: {sorted(pids)}")
            await asyncio.sleep(0.02)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _read(text: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {"raw": text.decode(errors="replace").rstrip()}
