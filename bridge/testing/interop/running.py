"""A node that runs already, such as that of `docker compose up` or of a developer's own terminal."""

from __future__ import annotations

import base64
import ipaddress
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from bridge.errors import NodeError, NodeFailed, NodeUnavailable
from bridge.testing.interop import guard
from bridge.testing.interop.runner import Boot, Process

_LAST_LINES: Final = 30
_PATIENCE: Final = 60.0  # seconds for the command to reach the node
_HERE: Final = "127.0.0.1"
_ADDRESSES: Final = "address= is the host by which the node reaches this process, bind= where this one listens for it"


class Running:
    """A node that somebody else started: it is asked, and neither stopped, frozen nor cut off.

    The node's own command brings our console into it. Code that tests load stays in the node until it ends.

    Args:
        rpc: What evaluates the Elixir that is appended to it within the node, such as
            `["_build/prod/rel/my_app/bin/my_app", "rpc"]` or
            `["docker", "compose", "exec", "-T", "elixir", "bin/my_app", "rpc"]`.
        address: The host by which the node reaches this process, which for one in a container is not `127.0.0.1`.
        bind: The address on which this process listens for it. Default: `address` where it is a number, else
            `127.0.0.1`.
        folder: Where the command runs. Default: here.
        env: Variables for the command, beside those of this process.
    """

    name = "running"
    owns = False

    def __init__(
        self,
        rpc: Sequence[str | Path],
        *,
        address: str = _HERE,
        bind: str | None = None,
        folder: str | Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._rpc = [str(part) for part in rpc]
        self._folder = folder
        self._env = dict(env or {})
        self.address = address
        self.bind = bind or (address if _is_number(address) else _HERE)
        self._lock = threading.Lock()
        self._prepared = False

    def missing(self) -> str | None:
        """Return what this machine lacks, with its mend; that the node answers is seen by `prepare`."""
        if not self._rpc:
            return "there is no command that reaches the node: name one, as of a release: bin/NAME rpc"
        path = self._environment().get("PATH")
        if shutil.which(Path(self._folder or ".", self._rpc[0]), path=path) or shutil.which(self._rpc[0], path=path):
            return None
        return f"there is no program {self._rpc[0]!r} to reach the node with: name its path, or install it"

    def prepare(self) -> None:
        """See to it that the node answers, once.

        Raises:
            NodeUnavailable: It doesn't, or the command is missing.
        """
        with self._lock:
            if self._prepared:
                return
            if lack := self.missing():
                raise NodeUnavailable(lack)
            try:
                self._evaluate(":ok")
            except NodeFailed as error:
                raise NodeUnavailable(f"no running node answers: {error}\nStart the node, or name another.") from error
            self._prepared = True

    def launch(self, boot: Boot) -> Process:
        """Bring the console into the node; the environment of `boot` is not the node's to have."""
        source = base64.b64encode(boot.script.encode()).decode()
        try:
            self._evaluate(f'Code.eval_string(Base.decode64!("{source}"))')
        except NodeFailed as error:
            mend = f"\n{_ADDRESSES}." if "harness can't be reached" in str(error) else ""
            raise NodeFailed(f"{error}{mend}") from error
        return RunningProcess()

    def _evaluate(self, code: str) -> None:
        told = f"`{shlex.join(self._rpc)}`"  # without the code, which holds the console's token
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is the caller's own
                [*self._rpc, code],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise NodeFailed(f"{told} could not be run: {error.strerror or error}") from error
        guard.watch_process(process.pid)
        try:
            output, _ = process.communicate(timeout=_PATIENCE)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise NodeFailed(f"{told} did not end within {_PATIENCE:g} s") from error
            raise
        finally:
            guard.forget("process", process.pid)
        if process.returncode:
            last = "\n".join(output.decode("utf-8", "replace").strip().splitlines()[-_LAST_LINES:])
            raise NodeFailed(f"{told} ended with {process.returncode}:\n{last}")

    def _environment(self) -> dict[str, str]:
        # A BEAM whose locale is C writes names in Latin-1, and warns of it.
        return {**os.environ, "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8", **self._env}


class RunningProcess:
    """The hold on a node that is not ours: none but that it can be let go."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def wait(self) -> int:
        """Return once it was closed; the end of the node itself shows at its console."""
        self._closed.wait()
        return 0

    def terminate(self) -> None:
        """Refuse."""
        _refuse("stopped")

    def kill(self) -> None:
        """Refuse."""
        _refuse("killed")

    def pause(self) -> None:
        """Refuse."""
        _refuse("paused")

    def resume(self) -> None:
        """Refuse."""
        _refuse("resumed")

    def logs(self) -> str:
        """Return a sentence that says where they aren't."""
        return "(the logs of a running node are not the harness's to read; see where it was started)"

    def close(self) -> None:
        """Let it go."""
        self._closed.set()


def _refuse(what: str) -> NoReturn:
    raise NodeError(f"this node is not the harness's own, so it is not {what} here; do it where it was started")


def _is_number(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
