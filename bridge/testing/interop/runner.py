"""What every runner of Elixir nodes is: it boots a BEAM that runs our console, and hands back a handle on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bridge.errors import InvalidSetting


@dataclass(frozen=True, slots=True)
class Boot:
    """What a node is started with.

    Attributes:
        script: The console as Elixir source; evaluating it connects to the harness. It holds the console's token.
        env: Variables of the node's environment, the DSN among them.
    """

    script: str = field(repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@runtime_checkable
class Runner(Protocol):
    """One way to run an Elixir node.

    Attributes:
        name: As the command line and reports know it: `mix`, `release`, `containers`, `running`.
        address: The host by which a node reaches the harness and its gate: `127.0.0.1`, or what stands for the
            host within a container.
        bind: The address on which the harness listens for it.
        owns: Whether the node is the harness's own: it starts it with the application loaded and not started, may kill
            it, and the node ends when the harness does.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above
    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def bind(self) -> str: ...  # noqa: D102
    @property
    def owns(self) -> bool: ...  # noqa: D102

    def missing(self) -> str | None:
        """Return what this machine lacks to run one, with the command that mends it; None if nothing."""

    def prepare(self) -> None:
        """Compile or build what all nodes share; called before each launch, and done once.

        Raises:
            NodeUnavailable: Something is missing.
            NodeFailed: It did not build; the message ends with the last lines that the tool wrote.
        """

    def launch(self, boot: Boot) -> Process:
        """Start a node, and return at once.

        Raises:
            NodeFailed: It could not be started.
        """


@runtime_checkable
class Process(Protocol):
    """A node that was launched; every method blocks, and may be called from any thread."""

    def wait(self) -> int:
        """Return the exit status, once the node has ended."""

    def terminate(self) -> None:
        """Ask for a graceful end, as a deployment does (SIGTERM)."""

    def kill(self) -> None:
        """End it at once (SIGKILL), paused or not; nothing happens where it has ended."""

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open, and nothing answers."""

    def resume(self) -> None:
        """Let a paused one go on."""

    def logs(self) -> str:
        """Return all that it wrote to its standard output and error so far."""

    def close(self) -> None:
        """Release what is held for it, once it has ended."""


def check_environment(env: Mapping[str, str]) -> None:
    """Refuse variables that no process can be given.

    Raises:
        InvalidSetting: A name or a value is none; a value, which may be a secret, is not shown.
    """
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidSetting("env", name, "names of variables, without an equals sign")
        if not isinstance(value, str) or "\0" in value:
            raise InvalidSetting(f"env.{name}", type(value).__name__, "text without a NUL")
