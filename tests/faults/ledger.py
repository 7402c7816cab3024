"""The ledger: a file outside the database in which each execution of a job notes its start and its end."""

from __future__ import annotations

import mmap
import os
import time
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

from .index import Index

#: Names the file, and the node that a process belongs to, to the processes that run jobs.
VARIABLE: Final = "FAULTS_LEDGER"
NODE: Final = "FAULTS_NODE"

_descriptors: dict[str, int] = {}


class Line(NamedTuple):
    """A start ("S") or an end ("E") of an execution.

    `time` is of the machine's monotonic clock, which all processes share and no step of the wall clock moves.
    `outcome` is that of an end; a start has its job's queue there.
    """

    mark: str
    job: int
    attempt: int
    pid: int
    node: str
    time: float
    outcome: str


class Execution(NamedTuple):
    """One attempt of a job as a process ran it; one without an end was cut short, or runs yet."""

    job: int
    attempt: int
    pid: int
    node: str
    began: float
    ended: float | None = None
    outcome: str | None = None


def note(mark: str, job: int, attempt: int, outcome: str) -> None:
    """Append a line, see `Line`.

    It is one write: the lines of several processes never mix, and a killed process leaves whole ones. What is written
    survives the death of the process, because it is in the kernel's page cache; only the machine's own end could lose
    it, so it is enough that the harness syncs the file now and then.
    """
    word = "_".join(outcome.split()) or "-"
    line = f"{mark} {job} {attempt} {os.getpid()} {os.environ[NODE]} {time.monotonic():.6f} {word}\n".encode()
    if os.write(_descriptor(os.environ[VARIABLE]), line) != len(line):
        raise OSError(f"the ledger took only a part of {line!r}: is the disk full that it is on?")


def _descriptor(path: str) -> int:
    if path not in _descriptors:
        _descriptors[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    return _descriptors[path]


class Ledger:
    """The file as the harness has it: made, synced and read, by any of its threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Lines that were no whole ones when the file was last read, and ends without a start.
        self.torn: list[str] = []
        self._lock = Lock()
        self._index = Index()
        self._begun: Counter[int] = Counter()
        self._latest: dict[tuple[int, str], float] = {}
        self._open: dict[tuple[int, int, int], Execution] = {}
        self._followed = 0
        path.touch()

    def environment(self, node: str) -> dict[str, str]:
        """Return what a process must find in its environment to write for a node."""
        return {VARIABLE: str(self.path), NODE: node}

    def sync(self) -> None:
        """Bring all that any process has written to the disk."""
        descriptor = os.open(self.path, os.O_WRONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # What is new, which is all that these read

    def begun(self, pid: int | None = None) -> int:
        """Return how many executions have begun until now, of one process or of all."""
        with self._lock:
            self._follow()
            return self._begun.total() if pid is None else self._begun[pid]

    def last_begun(self, queue: str, pids: Collection[int]) -> float:
        """Return when one of these processes has last begun a job of a queue, by `time.monotonic()`; 0 for never."""
        with self._lock:
            self._follow()
            return max((self._latest.get((pid, queue), 0.0) for pid in pids), default=0.0)

    def in_flight(self, pids: Collection[int]) -> list[Execution]:
        """Return the executions that processes have begun and not ended until now."""
        with self._lock:
            self._follow()
            return [run for run in self._open.values() if run.pid in pids]

    def _follow(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._followed)
            for text in file:
                if not text.endswith(b"\n"):
                    return
                if (line := _parse(text)) is not None:
                    self._take(line)
                self._followed += len(text)

    def _take(self, line: Line) -> None:
        self._index.add(line.job, line.time, self._followed)
        if line.mark == "S":
            self._begun[line.pid] += 1
            self._latest[line.pid, line.outcome] = line.time
            self._open[line.job, line.attempt, line.pid] = Execution(*line[1:6])
        else:
            self._open.pop((line.job, line.attempt, line.pid), None)

    # What was written

    def lines(self, since: float | None = None) -> Iterator[Line]:
        """Yield what is noted, in the order in which it was written.

        Args:
            since: A moment by `time.monotonic()` from which on all is wanted, and little from before; default all.
        """
        self.torn = []
        with self.path.open("rb") as file:
            if since is not None:
                with self._lock:
                    self._follow()
                    file.seek(self._index.since(since))
            for text in file:
                line = _parse(text)
                if line is None:
                    self.torn.append(repr(text))
                else:
                    yield line

    def executions(self, jobs: Collection[int] | None = None) -> dict[int, list[Execution]]:
        """Return the executions of some jobs, or of all, in the order in which they began."""
        found: dict[int, list[Execution]] = {}
        for line in self.lines() if jobs is None else self._lines_of(jobs):
            runs = found.setdefault(line.job, [])
            if line.mark == "S":
                runs.append(Execution(*line[1:6]))
            elif not _end(runs, line):
                self.torn.append(f"an end without a start: {line}")
        return found

    def _lines_of(self, jobs: Collection[int]) -> Iterator[Line]:
        with self._lock:
            self._follow()
            places = [self._index.of(job) for job in set(jobs)]
        if not any(places):
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for place in (place for chain in places for place in chain):
                line = _parse(text[place : text.find(b"\n", place) + 1])
                assert line is not None  # it was one when it was taken
                yield line


def _end(runs: list[Execution], line: Line) -> bool:
    """Note the end of an execution; return whether it has begun."""
    for place in reversed(range(len(runs))):
        run = runs[place]
        if (run.attempt, run.pid, run.ended) == (line.attempt, line.pid, None):
            runs[place] = run._replace(ended=line.time, outcome=line.outcome)
            return True
    return False


def _parse(text: bytes) -> Line | None:
    try:
        mark, job, attempt, pid, node, at, outcome = text.decode().split()
        line = Line(mark, int(job), int(attempt), int(pid), node, float(at), outcome)
    except ValueError:
        return None
    return line if mark in ("S", "E") and text.endswith(b"\n") else None
