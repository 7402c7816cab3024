"""A gate between a node and PostgreSQL, by which a test cuts it off, freezes it, or slows it down."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from bridge.address import mask_password
from bridge.errors import NodeError
from bridge.testing.interop.ferry import Address, Ferry

_PORT: Final = "5432"
_SCHEMES: Final = ("postgresql://", "postgres://")
#: Where servers put their socket when nobody says: of Debian, of others, of PostgreSQL itself.
_FOLDERS: Final = ("/run/postgresql", "/var/run/postgresql", "/private/tmp", "/tmp")  # noqa: S108 - only read


class Gate:
    """A TCP port by which a node reaches the PostgreSQL of a DSN.

    Every method may be called from any thread or event loop, and has taken effect when it returns. A round trip by way
    of it takes a sixth of a millisecond longer, and 100 MB/s and more pass.

    Args:
        dsn: The database, as a URL of libpq's. The server may be on a Unix socket. Of several hosts, or where none is
            named, the first one that answers is taken for each connection.
        bind: The address on which the gate listens; the port is a free one.

    Raises:
        NodeError: The DSN is no such URL.
    """

    def __init__(self, dsn: str, bind: str = "127.0.0.1") -> None:
        self._target = _parse(dsn)
        self._bind = bind
        self._ferry: Ferry | None = None

    def open(self) -> None:
        """Listen on a free port, and take connections.

        Raises:
            NodeError: The gate is open already, or this machine does not have the address.
        """
        if self._ferry is not None:
            raise NodeError("the gate is open already")
        self._ferry = Ferry(self._bind, self._target.servers)

    def close(self) -> None:
        """End every connection, and give the port back; nothing happens where it is closed."""
        ferry, self._ferry = self._ferry, None
        if ferry is not None:
            ferry.stop()

    def url(self, address: str = "127.0.0.1") -> str:
        """Return the DSN by way of the gate, for libpq, asyncpg and Ecto alike.

        User, database and password are spelled out, those of the environment too (`PGUSER`, `PGDATABASE`,
        `PGPASSWORD`), because a node in a container does not share it. Other parameters are kept, such as `sslmode`
        and Ecto's `ssl=true`; a certificate is checked against `address`, though, so `sslmode=verify-full` fails. Not
        kept is `connect_timeout`, seconds as text to libpq, on which Ecto's driver crashes.

        Args:
            address: The host by which the node reaches this machine.
        """
        host = f"[{address}]" if ":" in address else address
        return f"postgresql://{self._target.user}@{host}:{self.port}/{self._target.rest}"

    @property
    def port(self) -> int:
        """The port, the same for as long as the gate is open."""
        return self._opened().port

    @property
    def taken(self) -> int:
        """How many connections it has taken since it was opened."""
        return self._opened().taken

    @property
    def standing(self) -> int:
        """How many connections stand now."""
        return self._opened().standing

    def cut(self) -> None:
        """End the standing connections with a reset, and refuse new ones; the port stays the gate's."""
        self._opened().cut()

    def mend(self) -> None:
        """Take connections again, on the same port; what `freeze` and `delay` asked for stays."""
        self._opened().mend()

    def drop(self) -> None:
        """End the standing connections with a reset, and go on taking new ones."""
        self._opened().drop()

    def freeze(self) -> None:
        """Carry nothing, neither bytes nor ends, until `thaw`; what comes is kept, and nobody learns of it.

        So it is with a host that vanished from the network. New connections are made, and nothing answers them.
        """
        self._opened().freeze()

    def thaw(self) -> None:
        """Carry on: all that was sent meanwhile arrives."""
        self._opened().thaw()

    def delay(self, seconds: float) -> None:
        """Let what comes from now on arrive so much later, either way: an answer takes twice that. 0 ends it.

        Raises:
            NodeError: The delay is negative, or no finite number.
        """
        if not 0 <= seconds < float("inf"):
            raise NodeError(f"delay: expected seconds, 0 or more, got {seconds!r}")
        self._opened().delay(seconds)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        servers = ", ".join(f"{at[0]}:{at[1]}" if isinstance(at, tuple) else at for at in self._target.servers)
        return f"<Gate to {servers}: {self._state()}>"

    def _state(self) -> str:
        ferry = self._ferry
        if ferry is None:
            return "closed"
        state = "cut" if ferry.listener is None else "frozen" if ferry.frozen else "open"
        return f"{state} at {self._bind}:{ferry.port}, {ferry.standing} connections"

    def _opened(self) -> Ferry:
        if self._ferry is None:
            raise NodeError("the gate is not open: call open() first")
        return self._ferry


class _Target(NamedTuple):
    """Where a DSN leads; `user` and `rest` are the parts of it before and after the host."""

    servers: tuple[Address, ...]
    user: str
    rest: str


def _parse(dsn: str) -> _Target:
    refusal = NodeError(f"the DSN: expected postgresql://user@host:port/database, got {mask_password(dsn)}")
    if not dsn.startswith(_SCHEMES):
        raise refusal
    try:
        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        login, _, hosts = parts.netloc.rpartition("@")
        servers = _servers(hosts, options)
    except ValueError:  # its text may hold the password
        raise refusal from None
    name, _, secret = map(unquote, login.partition(":"))
    user = _option(options, "user") or name or os.environ.get("PGUSER") or getpass.getuser()
    secret = _option(options, "password") or secret or os.environ.get("PGPASSWORD", "")
    _option(options, "connect_timeout")
    path = unquote(parts.path.removeprefix("/"))
    database = _option(options, "dbname") or _option(options, "database") or path or os.environ.get("PGDATABASE", user)
    login = quote(user, safe="") + (f":{quote(secret, safe='')}" if secret else "")
    # Elixir's URIs take no "+" for a space in every place, so none is written.
    query = f"?{urlencode(options, quote_via=quote)}" if options else ""
    return _Target(servers, login, quote(database, safe="") + query)


def _servers(hosts: str, options: dict[str, str]) -> tuple[Address, ...]:
    # A parameter counts more than what stands before the path, as libpq has it.
    pairs = [_split(host) for host in hosts.split(",")]
    names = [unquote(name) for name, _ in pairs]
    ports = [port for _, port in pairs]
    host, numeric = _option(options, "host"), _option(options, "hostaddr")
    if given := numeric or host:
        names = given.split(",")
    if given := _option(options, "port"):
        ports = given.split(",")
    if len(ports) == 1:  # one for all of them
        ports *= len(names)
    if len(names) == 1:
        names *= len(ports)
    named = zip(names, ports, strict=True)
    return tuple(at for name, port in named for at in _places(name, int(port or os.environ.get("PGPORT") or _PORT)))


def _split(host: str) -> tuple[str, str]:
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name, port.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def _places(host: str, port: int) -> list[Address]:
    host = host or os.environ.get("PGHOST", "")
    if host:
        return [_socket(host, port) if host.startswith("/") else (host, port)]
    sockets: list[Address] = []
    for folder in _FOLDERS:
        with suppress(OSError):  # a folder of somebody else's
            if Path(_socket(folder, port)).exists():
                sockets.append(_socket(folder, port))
    return [*sockets, ("localhost", port)]


def _socket(folder: str, port: int) -> str:
    return f"{folder}/.s.PGSQL.{port}"


def _option(options: dict[str, str], name: str) -> str:
    return options.pop(name, "")
