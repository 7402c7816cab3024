"""The end of a conversation that runs in a peer's own interpreter.

A driver is one process: a client that inserts and counts, or a worker. It reads a JSON object a line from standard
input, `{"do": "enqueue", "count": 1000}`, and answers each with one; while jobs run it tells of them in between. What a
peer is made of stands in its own script, as a subclass of `Peer`; this file uses the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

TELL = 0.02  # seconds between two reports of a worker's progress


class Tally:
    """What the jobs of this process tell of themselves; each job's body calls `note`."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self.reset(0)

    def reset(self, target: int) -> None:
        """Begin to count anew, and tell at once when the target is reached."""
        self.target, self.count = target, 0
        self.first = self.first_cpu = 0.0
        self.delays: list[float] = []

    def note(self) -> None:
        """Count a job that runs."""
        if not self.count:
            self.first, self.first_cpu = time.time(), time.process_time()
        self.count += 1
        if self.count == self.target:
            self._tell({"progress": self.count})

    def stamp(self, sent: float) -> None:
        """Count a job that knows when it should have begun."""
        self.delays.append(time.time() - sent)
        self.note()

    async def report(self) -> None:
        """Tell of the count from time to time, as long as it changes."""
        told = 0
        while True:
            await asyncio.sleep(TELL)
            if self.count != told:
                told = self.count
                self._tell({"progress": told})


class Peer(ABC):
    """A job queue under test. All jobs are async; a kind is `noop`, `sleep` (10 ms) or `stamp` (`{"t": seconds}`)."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions are told."""

    def __init__(self, dsn: str, tally: Tally) -> None:
        self.dsn, self.tally = dsn, tally

    @abstractmethod
    async def prepare(self) -> None:
        """Make the tables in a fresh database."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, so that neither inserting nor starting pays for it."""

    async def lend(self) -> None:  # noqa: B027 - most have nothing to do here
        """Get ready to insert, where a worker does without what that takes; no clock runs yet."""

    @abstractmethod
    async def enqueue(self, kind: str, count: int) -> None:
        """Insert so many jobs `{"n": i}` into the queue `bench`, by the fastest way that the peer has."""

    @abstractmethod
    async def enqueue_one(self, args: dict[str, Any], at: float | None = None) -> None:
        """Insert one job of the kind `stamp` the usual way, to begin now or at that time."""

    async def fill(self, what: str, count: int) -> None:
        """Write rows by SQL: `finished`, `waiting` (in another queue), `seen` (all states) or `foreign`."""
        await self.execute(self.fills[what].format(count=count))

    fills: ClassVar[dict[str, str]] = {}
    waiting: ClassVar[str] = ""
    """The SQL that counts the jobs of `bench` whose end is not written yet."""

    @abstractmethod
    async def execute(self, sql: str) -> None:
        """Run SQL."""

    @abstractmethod
    async def count(self, sql: str) -> int:
        """Return the number that the SQL selects."""

    @abstractmethod
    async def start(self, queues: dict[str, int], options: dict[str, Any]) -> None:
        """Start a worker with these queues and limits; return once it runs."""

    async def stop(self) -> None:  # noqa: B027 - most have nothing to do here
        """Stop the worker, so that all is written."""

    async def close(self) -> None:  # noqa: B027 - most have nothing to do here
        """Disconnect."""

    async def usage(self) -> dict[str, Any]:
        """Return what the worker has run and used since its first job."""
        tally = self.tally
        cpu = time.process_time() - tally.first_cpu
        return {"ran": tally.count, "first": tally.first, "cpu": cpu, "rss": resident(), "delays": tally.delays}

    async def versions(self) -> dict[str, str]:
        """Return the versions of what runs here."""
        return versions(self.packages)

    async def reset(self, target: int) -> None:
        """Begin to count anew."""
        self.tally.reset(target)


def resident(process: int | str = "self") -> int:
    """Return a process's resident memory in bytes, this one's unless another is named."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Driver:
    """Reads requests and answers them by a peer."""

    def __init__(self, kind: type[Peer], dsn: str) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what a library prints is no answer
        self.tally = Tally(self.tell)
        self.peer = kind(dsn, self.tally)

    def tell(self, message: dict[str, Any]) -> None:
        """Write a line."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()

    async def serve(self) -> None:
        """Answer until the input ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        telling = asyncio.create_task(self.tally.report())
        while line := await reader.readline():
            request = json.loads(line)
            act: Callable[..., Awaitable[dict[str, Any] | None]] = getattr(self, request.pop("do"))
            try:
                self.tell({"answer": await act(**request) or {}})
            except Exception as error:
                self.tell({"error": f"{type(error).__name__}: {error}"})
                raise
        telling.cancel()
        await self.peer.close()

    async def prepare(self) -> None:
        """Make the tables."""
        await self.peer.prepare()

    async def open(self) -> None:
        """Connect."""
        await self.peer.open()

    async def versions(self) -> dict[str, Any]:
        """Tell the versions, which takes memory: the standard library reads them by its parser of e-mails."""
        return {"versions": await self.peer.versions()}

    async def enqueue(self, count: int, kind: str = "noop") -> dict[str, float]:
        """Insert jobs, and tell the seconds that it took."""
        await self.peer.lend()
        begun, cpu = time.perf_counter(), time.process_time()
        await self.peer.enqueue(kind, count)
        return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}

    async def pace(self, rate: float, count: int) -> None:
        """Insert jobs one by one, so many a second."""
        await self.peer.lend()
        begun = time.time()
        for number in range(count):
            await asyncio.sleep(max(0.0, begun + number / rate - time.time()))
            await self.peer.enqueue_one({"t": time.time()})

    async def schedule(self, count: int, after: float, within: float) -> None:
        """Insert jobs for moments spread over `within` seconds, which begin `after` seconds from now."""
        await self.peer.lend()
        begun = time.time() + after
        for number in range(count):
            at = begun + within * number / count
            await self.peer.enqueue_one({"t": at}, at)

    async def fill(self, what: str, count: int) -> None:
        """Write rows."""
        await self.peer.fill(what, count)

    async def analyze(self) -> None:
        """Let the planner see the tables as they are."""
        await self.peer.execute("analyze")

    async def waiting(self) -> dict[str, str]:
        """Tell the SQL that counts what is left to write, for somebody who asks it without the driver."""
        return {"sql": self.peer.waiting}

    async def unfinished(self) -> dict[str, int]:
        """Count what is left to write."""
        return {"count": await self.peer.count(self.peer.waiting)}

    async def start(self, queues: dict[str, int], target: int = 0, **options: Any) -> None:
        """Start a worker."""
        await self.peer.reset(target)
        await self.peer.start(queues, options)

    async def usage(self) -> dict[str, Any]:
        """Tell what was run and used."""
        return await self.peer.usage()

    async def stop(self) -> None:
        """Stop the worker."""
        await self.peer.stop()


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of distributions that are installed here, and Python's."""
    metadata = import_module("importlib.metadata")
    return {"python": sys.version.split()[0], **{name: metadata.version(name) for name in packages}}


def main(kind: type[Peer]) -> None:
    """Run a driver for that peer, on uvloop where it is installed, with the DSN as its argument."""

    async def run() -> None:
        await Driver(kind, sys.argv[1]).serve()

    try:
        uvloop = import_module("uvloop")
    except ImportError:
        asyncio.run(run())
    else:
        uvloop.run(run())
