"""The process of a child: started with all that it shares with its parent, and waited for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from bridge.queues.processes.tally import Tally, make_memory


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that was started.

    Attributes:
        process: The process.
        pipe: Our end of the sockets for messages.
        logs: Our end of those for log lines.
        tally: What it has begun.
    """

    process: subprocess.Popen[bytes]
    pipe: socket.socket
    logs: socket.socket
    tally: Tally


def spawn(program: str, title: str) -> Spawned:
    """Start a process.

    Args:
        program: The module that it runs.
        title: What a list of processes shows.

    Raises:
        OSError: The system starts none.
    """
    with ExitStack() as theirs, ExitStack() as ours:
        memory = make_memory()
        theirs.callback(os.close, memory)
        tally = Tally(memory)
        sockets = []
        for pair in (socket.socketpair(), socket.socketpair()):
            ours.enter_context(pair[0])
            theirs.enter_context(pair[1])
            sockets.append(pair)
        (pipe, their_pipe), (logs, their_logs) = sockets
        files = [their_pipe.fileno(), their_logs.fileno(), memory]
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", program, title, *map(str, files)],
            stdin=subprocess.DEVNULL,
            pass_fds=files,
            process_group=0,  # what a terminal sends to the parent's group is not meant for it
        )
        ours.pop_all()
        return Spawned(process, pipe, logs, tally)


def wait(process: subprocess.Popen[bytes], in_order: Callable[[], bool]) -> int:
    """Wait until a process has ended, and return its exit code.

    Unless it ended in order, what its jobs have started is ended, too: they are run again, and would meet it.
    """
    if hasattr(os, "waitid"):
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            if not in_order():  # As long as nobody has asked for its code, its id is nobody else's.
                end_group(process.pid)
    return process.wait()


def end_group(pid: int) -> None:
    """End a child at once, with the processes that its jobs have started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
