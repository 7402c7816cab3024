"""A child as its parent sees it: a process that is started, given jobs, and ended."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bridge.errors import ProcessEnded
from bridge.queues.log import logger
from bridge.queues.processes.liveness import Liveness
from bridge.queues.processes.logs import Line, Note, replay
from bridge.queues.processes.messages import (
    Answer,
    Broken,
    CancelRun,
    Columns,
    Done,
    Heard,
    Limit,
    Ping,
    Pong,
    Quit,
    Ready,
    ReleaseRun,
    Run,
    Setup,
    Stuck,
)
from bridge.queues.processes.spawning import end_group, spawn, wait
from bridge.queues.processes.tally import Tally
from bridge.queues.processes.wire import Channel

#: Seconds in which a child hears that a job is to end, if its event loop goes round at all.
HEARING: Final = 5.0

#: Seconds that released jobs get to come to an end before their process is ended with them.
RELEASE: Final = 0.6

#: Seconds after which a child that still imports is told of.
_UNREADY: Final = 60.0

#: Seconds for what may still be in the pipe of a process that has ended.
_DRAIN: Final = 1.0


class Child:
    """One process.

    A child *retires* where something in it can't be stopped: it gets no more jobs, another one takes its place, and it
    is ended once nothing else runs in it.

    Args:
        program: The module that the process runs.
        on_change: Called when it is ready, when it retires, and when it has ended.
    """

    def __init__(self, program: str, on_change: Callable[[Child], None]) -> None:
        self.ready: Ready | None = None
        self.retired = ""
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()  # it retired, or has ended
        self.broken: Broken | None = None
        self.runs = 0
        self.running: dict[int, asyncio.Future[Done]] = {}
        self.pid = 0
        self.liveness = Liveness()
        self._program = program
        self._on_change = on_change
        self._channel = Channel(Answer, self._on_answer, self._on_closed)
        self._code: int | None = None
        self._closed = False
        self._why_ended = ""
        self._given_up: set[int] = set()
        self._loose: set[int] = set()
        self._unheard: set[int] = set()
        self._exceeded: dict[int, float] = {}
        self._tally: Tally | None = None
        self._quits = False
        self._late_at = time.monotonic() + _UNREADY

    async def start(self, setup: Setup) -> None:
        """Start the process; it is ready later.

        Raises:
            OSError: The system starts none.
        """
        loop = asyncio.get_running_loop()
        found = spawn(self._program, f"{setup.name}@{setup.node}")
        self.pid, self._tally = found.process.pid, found.tally
        waiting = threading.Thread(
            target=self._wait, args=(found.process, loop), name=f"bridge-child-{self.pid}", daemon=True
        )
        waiting.start()
        self._channel.send(setup)
        await self._channel.open(found.pipe)
        await Channel(Note, self._on_note, lambda: None).open(found.logs)

    # Jobs

    @property
    def takes_jobs(self) -> bool:
        """Whether it is ready and neither retires nor ends."""
        return self.ready is not None and not self.gone.is_set() and not self._closed and not self._why_ended

    def run(self, columns: Columns) -> int:
        """Give it a job; return the number of this run."""
        self.runs += 1
        number = self.runs
        self._channel.send(Run(number, columns))
        self.running[number] = asyncio.get_running_loop().create_future()
        return number

    async def done(self, number: int) -> Done:
        """Wait for a run's end.

        Raises:
            ProcessEnded: The process ended first.
        """
        return await self.running[number]

    def has_begun(self, number: int) -> bool:
        """Tell whether it has begun a run; one that it has not may be given to another child."""
        return self._tally is not None and self._tally.begun >= number

    def exceeded(self, number: int) -> float | None:
        """Return the timeout of a run that didn't end though its time was over, for which the process was ended."""
        return self._exceeded.get(number)

    def cancel(self, number: int, reason: str) -> None:
        """End a job that was cancelled; where the process doesn't even hear of it, it retires."""
        self._channel.send(CancelRun(number, reason))
        self._unheard.add(number)
        asyncio.get_running_loop().call_later(HEARING, self._doubt, number)

    def release(self, number: int) -> None:
        """End a job whose queue stops, if need be with the process, where nothing else runs there."""
        self._channel.send(ReleaseRun(number))
        self._given_up.add(number)
        asyncio.get_running_loop().call_later(RELEASE, self._end_released, number)

    async def ends_soon(self, number: int) -> bool:
        """Tell whether the process ends with the thread of a job that was released and can't be stopped."""
        self._loose.add(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), RELEASE + 0.2)
        if self._why_ended:  # A busy system takes its time over that.
            await self.ended.wait()
        return self.ended.is_set()

    # Its end

    def quit(self) -> None:
        """Let it end in order, if it is as far as that."""
        if self.ready is None:
            self.kill("its node stops")
        else:
            self._quits = True
            self._channel.send(Quit())

    def kill(self, why: str) -> None:
        """End it now, with the processes that its jobs have started."""
        self._why_ended = self._why_ended or why
        if self.pid and self._code is None:
            end_group(self.pid)

    def retire(self, why: str) -> None:
        """Give it no more jobs, and end it once nothing runs there but what can't be stopped."""
        if not self.retired:
            self.retired = why
            self.gone.set()
            self._on_change(self)
        self._end_if_idle()

    def how_it_ended(self) -> str:
        """Return how the process ended, as the end of a sentence."""
        if self._why_ended:
            return f"was ended, because {self._why_ended}"
        if self._code is None:
            return "closed its pipe"
        if self._code >= 0:
            return f"ended with exit status {self._code}"
        try:
            name = signal.Signals(-self._code).name
        except ValueError:  # of real time, for instance
            name = f"signal {-self._code}"
        return f"ended with {name}" + ("; memory may have run out" if name == "SIGKILL" else "")

    def _end_if_idle(self) -> None:
        stuck = self.retired or self.running or self._loose
        if stuck and self.running.keys() <= self._given_up:
            self.kill(self.retired or "its jobs did not end when their queue stopped")

    def _end_released(self, number: int) -> None:
        if number in self.running and not self.has_begun(number):
            self._take_back(number)
        self._end_if_idle()

    def _take_back(self, number: int) -> None:
        """Wait no longer for a job that was not begun: once the process goes on, it hears first that it is to end."""
        self._given_up.discard(number)
        future = self.running.pop(number)
        if not future.done():
            future.set_exception(ProcessEnded("the process that it was given to did not begin it"))

    def _doubt(self, number: int) -> None:
        if number not in self._unheard or number not in self.running:
            return
        if not self.has_begun(number):
            self._take_back(number)
        else:
            self._given_up.add(number)
            self.retire(f"it did not hear for {HEARING:g} s that a job is to end")

    # What happens

    def look(self) -> None:
        """Look whether it goes on; end it where it holds up a job whose time is over."""
        if self.ready is None:
            if time.monotonic() > self._late_at:
                self._late_at = float("inf")
                logger.warning("process %d is not ready for jobs after %g s: it still imports", self.pid, _UNREADY)
            return
        if self.liveness.look(bool(self.running)):
            self._channel.send(Ping())
        self._exceeded = self.liveness.exceeded()
        if self._exceeded:
            self.kill(f"it did not go on, and {len(self._exceeded)} of its jobs should have ended by their timeout")
        elif self.liveness.is_news():
            logger.warning(
                "process %d doesn't answer: a job blocks its event loop, or it was stopped; jobs in it: %d; it gets "
                "more only where no other one answers; let what blocks be a plain `def`, and give it a timeout",
                self.pid,
                len(self.running),
            )

    def _on_note(self, note: Note) -> None:
        match note:
            case Line():
                replay(note)
            case Limit(number=number, seconds=seconds):
                if number in self.running:
                    self.liveness.limit(number, seconds)

    def _on_answer(self, answer: Answer) -> None:
        match answer:
            case Done(number=number):
                self._on_done(number, answer)
            case Heard(number=number):
                self._unheard.discard(number)
            case Pong():
                self.liveness.answered()
            case Stuck():
                self.retire("the thread of a job that is over can't be stopped")
            case Ready():
                self.ready = answer
                self._on_change(self)
            case Broken():
                self.broken = answer

    def _on_done(self, number: int, done: Done) -> None:
        future = self.running.pop(number, None)
        self.liveness.over(number)
        if future is not None and not future.done():
            future.set_result(done)
        self._given_up.discard(number)
        self._unheard.discard(number)
        if self.retired:
            self._end_if_idle()

    def _wait(self, process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> None:
        code = wait(process, lambda: self._quits and not self._why_ended)
        with suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits any more.
            loop.call_soon_threadsafe(self._on_exit, code)

    def _on_exit(self, code: int) -> None:
        self._code = code
        if self._closed:
            self._finish()
        else:  # What it has sent is still to be read; a process that it forked may hold the pipe open.
            asyncio.get_running_loop().call_later(_DRAIN, self._finish)

    def _on_closed(self) -> None:
        self._closed = True
        if self._code is not None:
            self._finish()
        else:
            asyncio.get_running_loop().call_later(_DRAIN, self.kill, "it closed its pipe")

    def _finish(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self.gone.set()
        self._channel.close()
        for future in self.running.values():
            if not future.done():
                future.set_exception(ProcessEnded(f"the process that ran it {self.how_it_ended()}"))
        self._on_change(self)
