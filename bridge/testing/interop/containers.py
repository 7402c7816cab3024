"""Nodes in containers, by the docker SDK."""

from __future__ import annotations

import base64
import ipaddress
import os
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from bridge.errors import InvalidSetting, NodeFailed, NodeUnavailable
from bridge.testing.interop import guard, images
from bridge.testing.interop.console import EVALUATE
from bridge.testing.interop.engine import asked, connect, engine
from bridge.testing.interop.runner import Boot, Process

_DESKTOP: Final = "host.docker.internal"
_HERE: Final = "127.0.0.1"
_LOST: Final = -1
#: States of a container with nothing left in it to end, pause or resume.
_ENDED: Final = frozenset({"exited", "dead", "removing", "removed"})


class Containers:
    """A release in containers, each a node; needs the extra `interop`.

    They share the network of this machine, or on Docker Desktop reach it as `host.docker.internal`. All carry the
    label `bridge.interop`, are removed when they are closed, and by a guard when this process is killed.

    Args:
        image: An image with a release; pulled where this machine doesn't have it. With `build`, what the built one is
            called; default a name made of the folder's and the arguments'.
        build: A folder with a Dockerfile, to build the image from.
        dockerfile: The Dockerfile, from that folder.
        build_args: Its arguments (`ARG`). Those not given take the environment's variable of their name, if there is
            one. Where `BADGE_FORGE_DEPS` names a folder outside of `build`, the build finds it as `vendor`.
        command: What evaluates the Elixir that is appended to it, such as `["bin/my_app", "eval"]`. Default: the
            image's own command, which is expected to end in `start`, with `eval` instead.
        env: Variables for the nodes.
        network: A network of Docker's, such as `bridge`, or `container:NAME` where the tests themselves run in one.
            Default: this machine's, where that can be.
        address: The host by which a container reaches this process. Default: what the network calls for.
        bind: The address on which this process listens for it. Default: likewise.
    """

    name = "containers"
    owns = True

    def __init__(
        self,
        image: str | None = None,
        *,
        build: str | Path | None = None,
        dockerfile: str = "Dockerfile",
        build_args: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        network: str | None = None,
        address: str | None = None,
        bind: str | None = None,
    ) -> None:
        if not (image or build):
            raise InvalidSetting("image", image, "the name of an image, or a folder to build one from as build=")
        self._image = image
        self._build = images.Build(Path(build), dockerfile, build_args) if build else None
        self._command = list(command) if command is not None else None
        self._env = dict(env or {})
        self._network, self._address, self._bind = network, address, bind
        self._lock = threading.Lock()
        self._prepared: _Recipe | None = None

    @property
    def address(self) -> str:
        """The host by which a container reaches this process."""
        return self._address or self._ready().address

    @property
    def bind(self) -> str:
        """The address on which this process listens for it."""
        return self._bind or self._ready().bind

    def missing(self) -> str | None:
        """Return what this machine lacks, with its mend; that an image can be had is seen by `prepare`."""
        try:
            with engine():
                pass
        except NodeUnavailable as error:
            return str(error)
        return self._build.missing() if self._build is not None else None

    def prepare(self) -> None:
        """Build the image, or see to it that this machine has it, once."""
        self._ready()

    def launch(self, boot: Boot) -> Process:
        """Start a container."""
        console = base64.b64encode(boot.script.encode()).decode()
        return Container(self._ready(), {**self._env, **boot.env, "BRIDGE_CONSOLE": console})

    def _ready(self) -> _Recipe:
        with self._lock:
            if self._prepared is None:
                if lack := self.missing():
                    raise NodeUnavailable(lack)
                with engine() as client, asked("the Docker engine refused"):
                    self._prepared = self._recipe(client)
            return self._prepared

    def _recipe(self, client: Any) -> _Recipe:
        if self._build is not None:
            image = self._build.run(client, self._image)
        else:
            image = images.pull(client, str(self._image))
        command = self._evaluating(client.images.get(image).attrs["Config"])
        network = self._network or ("bridge" if _is_desktop(client) else "host")
        return _Recipe(image, command, network, *_ways(client, network))

    def _evaluating(self, config: Mapping[str, Any]) -> list[str]:
        if self._command is not None:
            return [*self._command, EVALUATE]
        own = list(config.get("Cmd") or [])
        if own[-1:] != ["start"]:
            program = self._image or "the image"
            told = f'{program} runs {own}; expected a release\'s command, which ends in "start"'
            raise NodeFailed(f'{told}; say what evaluates Elixir there: command=["bin/NAME", "eval"]')
        return [*own[:-1], "eval", EVALUATE]


class _Recipe(NamedTuple):
    """What all containers of a runner have in common."""

    image: str
    command: list[str]
    network: str
    address: str
    bind: str


def _ways(client: Any, network: str) -> tuple[str, str]:
    """Return how a container reaches this process, and where that has to listen."""
    if network == "host" or network.startswith("container:"):
        return _HERE, _HERE
    if _is_desktop(client):
        return _DESKTOP, _HERE  # it forwards to the loopback
    (pool, *_) = client.networks.get(network).attrs["IPAM"]["Config"]
    gateway = pool.get("Gateway") or str(ipaddress.ip_network(pool["Subnet"])[1])
    return gateway, gateway


def _is_desktop(client: Any) -> bool:
    """Whether the engine runs in a machine of its own, whose network is not this one's."""
    return "Docker Desktop" in str(client.info().get("OperatingSystem"))


class Container:
    """A container with a node, watched by the guard until it is closed."""

    def __init__(self, recipe: _Recipe, environment: Mapping[str, str]) -> None:
        self._client = connect()
        self._container: Any = None
        self._logs: str | None = None
        # The guard is told the name, which is known before there is a container, so that no moment is left unwatched.
        self._name = f"bridge-interop-{os.getpid()}-{secrets.token_hex(4)}"
        guard.watch_container(self._name)
        try:
            with asked("a container could not be started"):
                self._container = self._create(recipe, environment)
                self._container.start()
        except BaseException:
            self._remove()
            raise

    def wait(self) -> int:
        """Return the exit status: 128 and the signal's number for a signal; -1 if it was removed by somebody else."""
        try:
            with asked("its end can't be told"):
                return int(self._container.wait(timeout=None)["StatusCode"])
        except NodeFailed:
            return _LOST

    def terminate(self) -> None:
        """Send SIGTERM, upon which a BEAM stops its applications."""
        self._do(self._container.kill, _ENDED, signal="SIGTERM")

    def kill(self) -> None:
        """Send SIGKILL; the engine thaws a paused one for it to die."""
        self._do(self._container.kill, _ENDED, signal="SIGKILL")

    def pause(self) -> None:
        """Freeze all of its processes."""
        self._do(self._container.pause, _ENDED | {"paused"})

    def resume(self) -> None:
        """Thaw them."""
        self._do(self._container.unpause, _ENDED | {"running"})

    def logs(self) -> str:
        """Return what it wrote, also once it is closed."""
        if self._logs is not None:
            return self._logs
        with asked("the container's log could not be read"):
            return str(self._container.logs().decode("utf-8", "replace"))

    def close(self) -> None:
        """Remove it."""
        if self._logs is None:
            try:
                self._logs = self.logs()
            except NodeFailed as error:
                self._logs = str(error)
            self._remove()

    def _create(self, recipe: _Recipe, environment: Mapping[str, str]) -> Any:
        from docker.types import LogConfig  # noqa: PLC0415 - an extra of the package

        return self._client.containers.create(
            recipe.image,
            recipe.command,
            environment=dict(environment),
            network_mode=recipe.network,
            name=self._name,
            labels={"bridge.interop": str(os.getpid())},
            init=True,  # hands on signals, and reaps what the release's script leaves
            log_config=LogConfig(type="json-file"),  # an engine's default may be one that can't be read back
        )

    def _do(self, act: Callable[..., object], settled: frozenset[str], **options: Any) -> None:
        """Ask the engine, whose refusal says nothing new where the container's state is what was wanted, or ended."""
        from docker.errors import APIError  # noqa: PLC0415

        with asked("the container did not obey"):
            try:
                act(**options)
            except APIError:
                if self._state() not in settled:
                    raise

    def _state(self) -> str:
        from docker.errors import NotFound  # noqa: PLC0415

        try:
            self._container.reload()
        except NotFound:
            return "removed"
        return str(self._container.status)

    def _remove(self) -> None:
        # By name: it may have been made though no answer came. Where the engine is gone, so is what we could do.
        with suppress(NodeFailed), asked("it could not be removed"):
            self._client.api.remove_container(self._name, force=True, v=True)
        self._client.close()
        guard.forget("container", self._name)
