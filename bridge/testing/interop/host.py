"""Nodes on this machine: a Mix project run with `mix`, or a release."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bridge.errors import NodeFailed, NodeUnavailable
from bridge.testing.interop import guard
from bridge.testing.interop.console import EVALUATE
from bridge.testing.interop.runner import Boot, Process

_LAST_LINES: Final = 30
_PATIENCE: Final = 15 * 60  # seconds for dependencies to be fetched and compiled


class Host:
    """What `Mix` and `Release` have in common: a command that evaluates our console in a BEAM of this machine."""

    name = "host"
    address = "127.0.0.1"
    bind = "127.0.0.1"
    owns = True

    def __init__(
        self, command: Sequence[str | Path], *, folder: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._command = [str(part) for part in command]
        self._folder = folder
        self._env = dict(env or {})

    def missing(self) -> str | None:
        """Return what is missing, with its mend."""
        program = self._command[0]
        if shutil.which(program, path=self._environment().get("PATH")):
            return None
        return f"there is no program {program!r}: name another, or install Elixir (Debian: apt-get install elixir)"

    def prepare(self) -> None:
        """Raise `NodeUnavailable` where the program is missing."""
        if lack := self.missing():
            raise NodeUnavailable(lack)

    def launch(self, boot: Boot) -> Process:
        """Start the command with the console in its environment."""
        console = base64.b64encode(boot.script.encode()).decode()
        env = {**self._environment(), **boot.env, "BRIDGE_CONSOLE": console}
        return HostProcess(self._command, self._folder, env)

    def _environment(self) -> dict[str, str]:
        # A BEAM whose locale is C writes names in Latin-1, and warns of it.
        return {**os.environ, "LC_ALL": os.environ.get("LC_ALL") or "C.UTF-8", **self._env}


class Mix(Host):
    """A Mix project, compiled where it must be and run with `mix run`.

    Args:
        project: The folder that holds `mix.exs`.
        mix_env: `MIX_ENV`. Default: that of the environment, else `dev`.
        env: Variables for Mix and the nodes, beside those of this process.
    """

    name = "mix"

    def __init__(
        self, project: str | Path, *, mix_env: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        variables = {"MIX_ENV": mix_env, **(env or {})} if mix_env else dict(env or {})
        # `elixir` itself, because its flags come before those of Mix.
        command = ["elixir", "-S", "mix", "run", "--no-start", "--no-halt", "--no-compile", "-e", EVALUATE]
        super().__init__(command, folder=Path(project).resolve(), env=variables)
        self._lock = threading.Lock()
        self._prepared = False

    def missing(self) -> str | None:
        """Return what is missing, with its mend."""
        assert self._folder is not None  # noqa: S101 - given above
        if not (self._folder / "mix.exs").is_file():
            return f"{self._folder} holds no mix.exs: name the folder of a Mix project"
        path = self._environment().get("PATH")
        if not shutil.which("mix", path=path) or not shutil.which("elixir", path=path):
            return "there are no `elixir` and `mix` on the PATH: install Elixir (Debian: apt-get install elixir)"
        return None

    def prepare(self) -> None:
        """Fetch the dependencies and compile, once.

        Raises:
            NodeUnavailable: Elixir, the project or a dependency is not to be had.
            NodeFailed: The project does not compile.
        """
        super().prepare()
        assert self._folder is not None  # noqa: S101 - given above
        with self._lock, (self._folder / "mix.exs").open() as project:
            if self._prepared:
                return
            fcntl.flock(project, fcntl.LOCK_EX)  # two processes that compile into one folder spoil it
            try:
                self._run("deps.get")
            except NodeFailed as error:
                raise NodeUnavailable(str(error)) from error
            self._run("compile")
            self._prepared = True

    def _run(self, *task: str) -> None:
        command = ["mix", *task]
        with tempfile.TemporaryFile("w+b") as output:
            mix = subprocess.Popen(  # noqa: S603 - the caller's own project
                command,
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,  # Mix would ask whether to install Hex
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            guard.watch_process(mix.pid)
            status: int | str
            try:
                status = mix.wait(_PATIENCE)
            except BaseException as error:
                os.killpg(mix.pid, signal.SIGKILL)
                mix.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                status = f"no end within {_PATIENCE} s"
            finally:
                guard.forget("process", mix.pid)
            if status:
                raise NodeFailed(_told(f"`mix {' '.join(task)}` in {self._folder}", status, _read(output)))


class Release(Host):
    """A release made by `mix release`, run by its script `bin/NAME`.

    Args:
        script: The path of that script.
        env: Variables for the nodes, beside those of this process.
    """

    name = "release"

    def __init__(self, script: str | Path, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__([Path(script).resolve(), "eval", EVALUATE], env=env)
        self._script = Path(script).resolve()

    def missing(self) -> str | None:
        """Return what is missing, with its mend."""
        if os.access(self._script, os.X_OK):
            return None
        return f"there is no release at {self._script}: make it with `mix release`"


class HostProcess:
    """A BEAM in a session of its own, with its output in a file."""

    def __init__(self, command: Sequence[str], folder: Path | None, env: Mapping[str, str]) -> None:
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed by close()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException as error:
            self._output.close()
            if isinstance(error, OSError):
                raise NodeFailed(f"{command[0]} could not be started: {error.strerror}") from error
            raise
        guard.watch_process(self._process.pid)

    @property
    def pid(self) -> int:
        """The process number, which is the BEAM's: the scripts of Elixir and of releases become it."""
        return self._process.pid

    def wait(self) -> int:
        """Return the exit status; negative for a signal, as subprocess has it."""
        status = self._process.wait()
        guard.forget("process", self._process.pid)
        return status

    def terminate(self) -> None:
        """Send SIGTERM, upon which a BEAM stops its applications."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill its whole process group."""
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Send SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)

    def logs(self) -> str:
        """Return what it wrote."""
        return _read(self._output)

    def close(self) -> None:
        """Drop the file of its output."""
        self._output.close()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _read(output: object) -> str:
    number = output.fileno()  # type: ignore[attr-defined]  # a temporary file's type has no public name
    return os.pread(number, os.fstat(number).st_size, 0).decode("utf-8", "replace")


def _told(what: str, status: object, output: str) -> str:
    last = "\n".join(output.strip().splitlines()[-_LAST_LINES:])
    mend = ""
    if "Could not find Hex" in output:
        mend = "\nInstall it (mix local.hex --force), or name local checkouts of the dependencies."
    return f"{what} ended with {status}:\n{last}{mend}"
