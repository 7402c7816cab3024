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
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_lock: Final = threading.Lock()
_running: subprocess.Popen[str] | None = None


def watch_process(pid: int) -> None:
    """Have the process group of `pid` killed if this process dies."""
    _tell({"do": "watch", "key": f"process {pid}", "pid": pid, "born": _born(pid)})


def watch_container(identifier: str) -> None:
    """Have a container removed if this process dies."""
    _tell({"do": "watch", "key": f"container {identifier}", "container": identifier})


def forget(kind: str, identifier: object) -> None:
    """Leave a `process` or `container` alone from now on."""
    _tell({"do": "forget", "key": f"{kind} {identifier}"})


def _tell(message: dict[str, Any]) -> None:
    with _lock:
        guard = _guard()
        assert guard.stdin is not None  # noqa: S101 - a pipe was asked for
        guard.stdin.write(json.dumps(message) + "\n")
        guard.stdin.flush()
        assert guard.stdout is not None  # noqa: S101
        guard.stdout.readline()  # it has heard


def _guard() -> subprocess.Popen[str]:
    global _running  # noqa: PLW0603 - one for the process, as the pipe is
    if _running is None or _running.poll() is not None:
        # A session of its own, so that the terminal's Ctrl-C and a killed process group don't reach it.
        _running = subprocess.Popen(  # noqa: S603 - this file, by this Python
            [sys.executable, "-I", str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(_dismiss, _running)
    return _running


def _dismiss(guard: subprocess.Popen[str]) -> None:
    guard.communicate()  # closes the pipe, upon which it ends


# In the guard


def main() -> None:
    """Hear what to watch until the pipe closes, and end what is left."""
    watched: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "watch":
            watched[message["key"]] = message
        else:
            watched.pop(message["key"], None)
        print(flush=True)
    for message in watched.values():
        if "container" in message:
            _remove_container(message["container"])
        elif _born(message["pid"]) == message["born"]:  # else the number is another process's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(message["pid"], signal.SIGKILL)


def _remove_container(identifier: str) -> None:
    import docker  # noqa: PLC0415 - only where containers run

    with suppress(Exception):
        client = docker.from_env()
        client.containers.get(identifier).remove(force=True)


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
