"""What a child does: runs the jobs that its parent sends, and tells what they came to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from bridge.jobs import Job, Registry, Worker
from bridge.queues.execution import Execution
from bridge.queues.processes.messages import (
    CancelRun,
    Heard,
    Limit,
    Order,
    Ping,
    Pong,
    Quit,
    Ready,
    ReleaseRun,
    Run,
    Stuck,
)
from bridge.queues.processes.outcomes import pack
from bridge.queues.processes.tally import Tally
from bridge.queues.processes.wire import Channel
from bridge.telemetry import instruments
from bridge.telemetry.events import Instance

#: Seconds after which the thread of a job that was cancelled or timed out counts as one that goes on for ever.
THREAD_GRACE: Final = 5.0


def live_with_parent(pipe: socket.socket) -> None:
    """End this process at once when its parent's end of `pipe` is closed, whatever the event loop does then.

    Signals that are sent to all processes at once, such as by a terminal or systemd, are left to the parent, which lets
    running jobs end. Processes that a worker forks or starts get them as anybody does: `multiprocessing` ends its own
    by SIGTERM.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        numbers.append(signal.SIGHUP)
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        # Ignored ones would be ignored by the programs that a worker starts, too.
        signal.signal(number, lambda *_: None)
    os.register_at_fork(after_in_child=lambda: _take_signals(before))
    threading.Thread(target=_watch, args=(pipe,), name="bridge-parent", daemon=True).start()


def _take_signals(handlers: Mapping[int, Any]) -> None:
    for number, handler in handlers.items():
        with suppress(ValueError):  # In another thread than the first, where there is no setting any.
            signal.signal(number, handler)


def _watch(pipe: socket.socket) -> None:
    while True:
        try:
            if not pipe.recv(1):
                _end_all()
        except InterruptedError:
            continue
        except OSError:
            _end_all()


def _end_all() -> None:
    """End this process, and those that its jobs have started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


class RanHere(Execution):
    """An execution whose events are the parent's to send, and which the parent ends where nobody here can.

    Args:
        tell_limit: Tells the parent of a timeout.
    """

    def __init__(self, job: Job[Any], registry: Registry, oban: Instance, tell_limit: Callable[[float], None]) -> None:
        super().__init__(job, registry, oban)
        self._tell_limit = tell_limit

    def _report_start(self) -> None:
        pass

    async def _process_within(self, worker: Worker, limit: float) -> Any:
        self._tell_limit(limit)
        return await super()._process_within(worker, limit)


class Server:
    """Runs jobs for a parent until it is told to quit.

    Args:
        registry: The workers.
        oban: The instance that the jobs belong to.
        tally: Where the parent sees what was begun.
        tell: Tells the parent of a timeout, whatever the event loop does.
    """

    def __init__(self, registry: Registry, oban: Instance, tally: Tally, tell: Callable[[Limit], None]) -> None:
        self._registry = registry
        self._oban = oban
        self._tally = tally
        self._tell = tell
        self._running: dict[int, tuple[RanHere, asyncio.Task[None]]] = {}
        self._over = asyncio.Event()
        self._channel = Channel(Order, self._on_order, self._on_closed)

    async def serve(self, sock: socket.socket) -> None:
        """Run jobs until the parent says that it was the last one."""
        self._channel.send(Ready(self._registry.names(), instruments.installed()))
        await self._channel.open(sock)
        await self._over.wait()

    def _on_closed(self) -> None:
        # Not told to quit, so the parent is gone. To leave in order here would be to leave what the jobs have started.
        if not self._over.is_set():
            _end_all()

    def _on_order(self, order: Order) -> None:
        match order:
            case Run():
                self._start(order)
            case CancelRun(number=number, reason=reason):
                self._channel.send(Heard(number))
                if (found := self._running.get(number)) is not None:
                    execution, task = found
                    execution.cancel(task, reason)
            case ReleaseRun(number=number):
                if (found := self._running.get(number)) is not None:
                    execution, task = found
                    execution.release(task)
            case Ping():
                self._channel.send(Pong())
            case Quit():
                self._over.set()

    def _start(self, run: Run) -> None:
        job, number = run.columns.job(), run.number
        execution = RanHere(job, self._registry, self._oban, lambda limit: self._tell(Limit(number, limit)))
        task = asyncio.create_task(self._execute(run.number, execution), name=f"bridge-job-{job.id}")
        self._running[run.number] = (execution, task)

    async def _execute(self, number: int, execution: RanHere) -> None:
        self._tally.begin(number)
        try:
            outcome = await execution.run()
        except BaseException as error:  # no job is left without an outcome
            outcome = execution.failed(error)
        del self._running[number]
        try:
            self._channel.send(pack(number, outcome, abandoned=execution.abandoned))
        except Exception as error:  # such as one that is too long for a frame
            self._channel.send(pack(number, execution.failed(error), abandoned=execution.abandoned))
        if execution.abandoned:
            threads = [thread for thread in threading.enumerate() if thread.name == f"job-{execution.job.id}"]
            asyncio.get_running_loop().call_later(THREAD_GRACE, self._look_for, number, threads)

    def _look_for(self, number: int, threads: Sequence[threading.Thread]) -> None:
        if any(thread.is_alive() for thread in threads):
            self._channel.send(Stuck(number))
