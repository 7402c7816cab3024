"""The engine that runs containers, reached through the docker SDK."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bridge.errors import NodeFailed, NodeUnavailable

_SOCKET: Final = "unix:///var/run/docker.sock"
_UNIX: Final = "unix://"
_OTHER: Final = "export DOCKER_HOST=… names another engine"


@contextmanager
def engine() -> Iterator[Any]:
    """Open a client of the engine that `DOCKER_HOST` names, by default the one at its usual socket.

    Raises:
        NodeUnavailable: There is none, or it may not be used.
    """
    client = connect()
    try:
        yield client
    finally:
        client.close()


def connect() -> Any:
    """As `engine`, for whoever closes it later."""
    try:
        import docker  # noqa: PLC0415 - an extra of the package
    except ImportError as error:
        raise NodeUnavailable("the docker SDK is not installed: pip install 'oban-bridge[interop]'") from error
    host = os.environ.get("DOCKER_HOST") or _SOCKET
    try:
        if host.startswith(_UNIX):  # the SDK would leave the sockets open that it can't connect
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(host.removeprefix(_UNIX))
        return docker.from_env()
    except (OSError, docker.errors.DockerException) as error:
        raise NodeUnavailable(_told(host, error)) from error


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Tell what an engine says of a request it refused, or of a connection that was lost meanwhile.

    Raises:
        NodeFailed: It did.
    """
    from docker.errors import DockerException  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415 - the SDK stands on it

    try:
        yield
    except DockerException as error:
        if (response := getattr(error, "response", None)) is not None:
            response.close()  # the SDK leaves it open
        raise NodeFailed(f"{what}: {getattr(error, 'explanation', None) or error}") from error
    except (RequestException, OSError) as error:
        raise NodeFailed(f"{what}: the Docker engine did not answer: {error}") from error


def _told(host: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        mend = f"sudo usermod -aG docker {getpass.getuser()}, and log in again"
        return f"this user may not use the Docker engine at {host}: {mend}"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        start = "sudo systemctl start docker" if sys.platform == "linux" else "start Docker Desktop"
        return f"no Docker engine runs at {host}: {start}; {_OTHER}"
    return f"the Docker engine at {host} can't be used: {error}; {_OTHER}"
