"""The children of an instance: as many as were asked for, whatever becomes of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from bridge.jobs import Job, Registry
from bridge.queues.backoff import RetryDelay
from bridge.queues.log import logger
from bridge.queues.processes.absence import Absence, NoProcessError
from bridge.queues.processes.execution import RemoteExecution
from bridge.queues.processes.liveness import LOOK
from bridge.queues.processes.messages import Setup
from bridge.queues.processes.process import Child
from bridge.telemetry.events import Instance

#: Seconds that children get to end in order.
CLOSE: Final = 2.0

#: Seconds for which the first jobs wait until all children are ready, so that they are spread over all.
_TOGETHER: Final = 5.0

#: Seconds for which jobs that were fetched wait for a child, before they are handed back.
PATIENCE: Final = 10.0

#: Seconds within which the end of a child that had nothing to do counts as a failure to start.
_EARLY: Final = 5.0


class ProcessPool:
    """Starts children, spreads jobs over them by least load, and puts another one in the place of each that ends.

    Args:
        count: How many.
        program: The module that they run.
        setup: What each is told first.
    """

    def __init__(self, count: int, program: str, setup: Callable[[], Setup]) -> None:
        self._count = count
        self._program = program
        self._setup = setup
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._absence = Absence(count)
        self._waiting: set[asyncio.Timeout] = set()
        self._resting = asyncio.Event()
        self._together = False
        self._free = asyncio.Event()
        self._on_ready: Callable[[], None] = lambda: None
        #: The workers that the children know.
        self.workers: frozenset[str] = frozenset()
        #: Whether instruments go around the jobs there, so that they need not here.
        self.instrumented = False

    def start(self) -> None:
        """Start the children, which takes them a moment; again does nothing."""
        if not self._keepers and not self._resting.is_set():
            self._keepers = [
                asyncio.create_task(self._keep(), name=f"bridge-child-{nth}") for nth in range(1, self._count + 1)
            ]
            self._keepers.append(asyncio.create_task(self._look(), name="bridge-children"))
            asyncio.get_running_loop().call_later(_TOGETHER, self._count_free, True)

    @property
    def ready(self) -> bool:
        """Whether any child takes jobs."""
        return self._free.is_set()

    @property
    def stalled(self) -> str:
        """Why no job is fetched; empty while any child takes jobs."""
        return "" if self.ready else self._absence.text

    def on_ready(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever there is a child that takes jobs, and there was none before."""
        self._on_ready = callback

    def pids(self) -> list[int]:
        """Return the ids of the processes."""
        return [child.pid for child in self._children if child.pid]

    def known(self, registry: Registry) -> list[str]:
        """Return the workers that the children can run, and this process knows too."""
        return [name for name in registry.names() if name in self.workers]

    def execution(self, job: Job[Any], registry: Registry, oban: Instance) -> RemoteExecution:
        """Return an execution of a job in one of the children."""
        return RemoteExecution(job, registry, oban, self)

    async def choose(self) -> Child:
        """Return the child with the fewest jobs of those that answer; where there is none, wait for one.

        Raises:
            NoProcessError: None came in time, or none will come any more, because the node stops.
        """
        while True:
            children = [child for child in self._children if child.takes_jobs]
            if children:
                return min(children, key=lambda child: (child.liveness.slow, len(child.running)))
            self._free.clear()
            try:
                await self._wait_for_one()
            except TimeoutError:
                self._absence.hand_back()
                raise NoProcessError from None

    async def _wait_for_one(self) -> None:
        async with asyncio.timeout(0 if self._resting.is_set() else PATIENCE) as limit:
            self._waiting.add(limit)
            try:
                await self._free.wait()
            finally:
                self._waiting.discard(limit)

    def rest(self) -> None:
        """Start no more children: the jobs that run are the last ones, and those that wait for a child wait in vain."""
        self._resting.set()
        for limit in self._waiting:
            if not limit.expired():
                limit.reschedule(0)

    async def stop(self) -> None:
        """End all children: in order, or after two seconds anyway."""
        self.rest()
        for child in list(self._children):
            child.quit()
        await self._wait_for_all(CLOSE)
        for child in list(self._children):
            child.kill("it did not end when its node stopped")
        await self._wait_for_all(CLOSE)
        for keeper in self._keepers:
            keeper.cancel()

    async def _wait_for_all(self, timeout: float) -> None:
        ends = [asyncio.create_task(child.ended.wait()) for child in self._children if child.pid]
        if ends:
            _, pending = await asyncio.wait(ends, timeout=timeout)
            for end in pending:
                end.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            for child in list(self._children):
                child.look()

    # One place

    async def _keep(self) -> None:
        """Keep one place taken: start a child, wait until it is gone, start the next."""
        delay = RetryDelay(first=0.5, longest=30.0)
        while not self._resting.is_set():
            child, begun = Child(self._program, self._on_change), time.monotonic()
            self._children.append(child)
            try:
                await child.start(self._setup())
            except Exception as error:  # the system has no more processes, or a worker came that children can't import
                child.kill("it could not be started in full")
                self._forget(child)
                await self._pause(delay, "a process for jobs", f"can't be started: {error}")
                continue
            await child.gone.wait()
            if child.retired or self._resting.is_set():
                continue
            who = f"process {child.pid}"
            idle = not child.runs and time.monotonic() - begun < _EARLY
            if child.broken is not None:
                await self._pause(delay, who, f"can't run jobs: {child.broken.reason}", child.broken.trace)
            elif child.ready is None:
                await self._pause(delay, who, f"{child.how_it_ended()} before it was ready for jobs")
            elif idle:
                await self._pause(delay, who, child.how_it_ended())
            else:
                delay.reset()
                self._absence.lose(child.how_it_ended())
                jobs = f" (jobs in it: {len(child.running)})" if child.running else ""
                logger.error("%s%s %s; another one takes its place", who, jobs, child.how_it_ended())

    async def _pause(self, delay: RetryDelay, who: str, reason: str, trace: str = "") -> None:
        seconds = delay.next()
        self._absence.note(reason, who, seconds, trace)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._resting.wait()

    def _on_change(self, child: Child) -> None:
        if child.ended.is_set():
            self._forget(child)
            if child.retired:
                logger.warning("process %d was ended: %s", child.pid, child.retired)
        elif child.retired:
            logger.warning("process %d gets no more jobs: %s", child.pid, child.retired)
        elif child.ready is not None:
            self.workers = frozenset(child.ready.workers)
            self.instrumented = child.ready.instrumented
        self._count_free()

    def _forget(self, child: Child) -> None:
        self._children = [other for other in self._children if other is not child]

    def _count_free(self, together: bool = False) -> None:
        free = sum(child.takes_jobs for child in self._children)
        self._together = self._together or together or free == self._count
        if not free or not self._together:
            self._free.clear()
        elif not self._free.is_set():
            self._free.set()
            self._absence.end()
            self._on_ready()
