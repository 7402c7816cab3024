"""Ends what a harness leaves when it is killed: a process of its own that outlives it by a moment.

The harness tells it over a pipe what it has started. When the pipe closes without a word, as it does however the
harness dies, the guard kills all that still runs, paused or not. Started as a script, so that it imports nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_lock = threading.Lock()
_running: subprocess.Popen[str] | None = None
_watched: Final[dict[str, dict[str, Any]]] = {}  # for another guard, where the first was killed
_parents: Final[list[subprocess.Popen[str]]] = []  # kept, else they would warn that they still run

_LATE: Final = 5.0  # seconds in which an engine may still make the container that a killed harness asked for


def watch_process(pid: int) -> None:
    """Have the process group of `pid` killed if this process dies."""
    _watch(f"process {pid}", {"pid": pid, "born": _born(pid)})


def watch_container(identifier: str) -> None:
    """Have a container removed if this process dies."""
    _watch(f"container {identifier}", {"container": identifier})


def forget(kind: str, identifier: object) -> None:
    """Leave a `process` or `container` alone from now on."""
    key = f"{kind} {identifier}"
    with _lock:
        if _watched.pop(key, None) is not None and _running is not None:
            with suppress(OSError, ValueError):  # it was killed, or this process ends and dismissed it
                _tell(_running, {"do": "forget", "key": key})


def _watch(key: str, what: dict[str, Any]) -> None:
    with _lock:
        _watched[key] = {"do": "watch", "key": key, **what}
        if _running is not None:
            with suppress(OSError, ValueError):
                _tell(_running, _watched[key])
                return
        _begin()


def _begin() -> None:
    global _running  # noqa: PLW0603 - one for the process, as the pipe is
    # A session of its own, so that the terminal's Ctrl-C and a killed process group don't reach it.
    _running = subprocess.Popen(  # noqa: S603 - this file, by this Python
        [sys.executable, "-I", str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(_dismiss, _running, os.getpid())
    for message in _watched.values():
        _tell(_running, message)


def _tell(guard: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert guard.stdin is not None  # noqa: S101 - a pipe was asked for
    assert guard.stdout is not None  # noqa: S101
    guard.stdin.write(json.dumps(message) + "\n")
    guard.stdin.flush()
    if not guard.stdout.readline():  # else it has heard
        raise BrokenPipeError("the guard has ended")


def _dismiss(guard: subprocess.Popen[str], pid: int) -> None:
    if pid == os.getpid():  # a fork runs what its parent registered
        with suppress(OSError, ValueError):
            guard.communicate()  # closes the pipe, upon which it ends


def _leave_to_parent() -> None:
    """Let go of the guard in a forked process, which would hold its pipe open for longer than the parent lives."""
    global _lock, _running  # noqa: PLW0603
    _lock = threading.Lock()  # another thread of the parent may have held it
    _watched.clear()
    guard, _running = _running, None
    if guard is None:
        return
    _parents.append(guard)
    nothing = os.open(os.devnull, os.O_RDWR)
    for pipe in (guard.stdin, guard.stdout):
        if pipe is not None and not pipe.closed:
            os.dup2(nothing, pipe.fileno(), inheritable=False)  # closed, the number would be another file's
    os.close(nothing)


os.register_at_fork(after_in_child=_leave_to_parent)


# In the guard


def main() -> None:
    """Hear what to watch until the pipe closes, and end what is left."""
    watched: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:  # it was killed within the line
            break
        if message["do"] == "watch":
            watched[message["key"]] = message
        else:
            watched.pop(message["key"], None)
        with suppress(BrokenPipeError):
            print(flush=True)
    for message in watched.values():
        # Where the birth differs the number is another process's by now.
        if "pid" in message and _born(message["pid"]) == message["born"]:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(message["pid"], signal.SIGKILL)
    _remove_containers([message["container"] for message in watched.values() if "container" in message])


def _remove_containers(left: list[str]) -> None:
    deadline = time.monotonic() + _LATE
    while left and time.monotonic() < deadline:
        left = [identifier for identifier in left if not _remove_container(identifier)]
        time.sleep(0.1 if left else 0)


def _remove_container(identifier: str) -> bool:
    import docker  # noqa: PLC0415 - only where containers run

    with suppress(Exception):
        client = docker.from_env()
        try:
            client.api.remove_container(identifier, force=True, v=True)
        finally:
            client.close()
        return True
    return False


def _born(pid: int) -> str:
    """Return when a process began, as its system tells it; "" where it can't be told."""
    try:
        # The name, in parentheses, may hold spaces; the start is the 20th field after it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a number
        return done.stdout.strip()


if __name__ == "__main__":
    main()
