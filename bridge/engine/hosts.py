"""A DSN of several hosts: each gets its own time to answer, so that one that vanished doesn't hide the others."""

from __future__ import annotations

import configparser
import os
import socket
import ssl
import time
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

import asyncpg

from bridge.errors import InvalidSetting

#: A name, an address or a folder with a socket, and a port.
Host: TypeAlias = tuple[str, int]

#: Seconds that each of several hosts gets where the DSN has no `connect_timeout`.
PATIENCE: Final = 5.0

#: Seconds for which a host that did not answer in time comes last.
SHUNNED: Final = 30.0

#: What tells that the next host may do better: away, starting or stopping, or not of the kind that is wanted.
_NEXT: Final = (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched)


#: Seconds that the only one gets: asyncpg's own limit.
LIMIT: Final = 60.0


_SAID: Final = " did not answer: "


class NoAnswerError(TimeoutError):
    """A server gave no answer to a new connection in time, as against one to a statement."""


def reason_of(error: OSError) -> str:
    """Return what the system said, without the database's name, of an error of `Hosts.connect`."""
    told = str(error.strerror or error).rpartition(_SAID)[2]
    return told if error.errno is None or isinstance(error, socket.gaierror) else f"[Errno {error.errno}] {told}"


def address_of(dsn: str) -> str:
    """Return where a DSN leads, for people: hosts, ports and the database's name, no user and never a password."""
    try:
        hosts, name = _hosts_and_name(dsn)
    except ValueError:  # its message shows the password
        return "an address that can't be read"
    return f"{hosts}/{name}" if name else hosts


def _hosts_and_name(dsn: str) -> tuple[str, str]:
    parts = urlsplit(dsn)
    unread = parts.path + parts.fragment + (parts.query if parts.netloc and "@" not in parts.netloc else "")
    if "@" in unread:  # what was taken for a host may be a password, or a part of one
        raise ValueError
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    hosts = parts.netloc.rpartition("@")[2] or options.get("host", "")
    if "port" in options and not parts.netloc.rpartition("@")[2]:
        hosts = f"{hosts}:{options['port']}"
    name = unquote(parts.path.removeprefix("/")) or options.get("dbname") or options.get("database") or ""
    return hosts or "the default host", name


class Hosts:
    """Opens connections to the first of a DSN's hosts that answers and is of the kind that it asks for.

    asyncpg has one limit for all of them together, which the first one uses up where it gives no answer at all, as a
    machine that lost its power or its network. As with libpq, `connect_timeout` is each host's here. One that was
    silent is tried last for a while.
    """

    def __init__(self) -> None:
        self._silent: dict[Host, float] = {}

    async def connect(self, dsn: str, **options: Any) -> Any:
        """Open a connection; arguments and errors are those of `asyncpg.connect`.

        Raises:
            NoAnswerError: A host, the last one of several, gave no answer in time.
        """
        hosts = several_hosts(dsn)
        if not hosts:
            return await _connect(dsn, **options)
        options.setdefault("timeout", PATIENCE)
        failures: list[Exception] = []
        for host in sorted(hosts, key=self._is_silent):
            try:
                conn = await _connect(dsn, host=host[0], port=host[1], **options)
            except _NEXT as error:
                self._note(host, error)
                failures.append(error)
            else:
                self._silent.pop(host, None)
                return conn
        raise min(reversed(failures), key=_unlikely)

    def _is_silent(self, host: Host) -> bool:
        return time.monotonic() < self._silent.get(host, 0.0)

    def _note(self, host: Host, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self._silent[host] = time.monotonic() + SHUNNED


def _unlikely(error: Exception) -> int:
    """Return how unlikely it is that what a host said will pass by itself: of several, that counts which will."""
    if isinstance(error, socket.gaierror):
        return 1
    return 0 if isinstance(error, OSError) else 2


async def _connect(dsn: str, **options: Any) -> Any:
    try:
        return await asyncpg.connect(dsn, **options)
    except TimeoutError as error:
        raise no_answer(dsn, options) from error
    except OSError as error:
        failure = _named(error, _place(dsn, options))
    except configparser.Error:  # its text shows a line of the file, and a password in it
        raise InvalidSetting("service", "another text", "a file of services that can be read", "mend it") from None
    raise failure  # here, so that what the caller was handling stays its context


def no_answer(dsn: str, options: dict[str, Any]) -> NoAnswerError:
    """Return the error of a server that said nothing to a new connection, by the arguments of `Hosts.connect`."""
    limit = options.get("timeout", LIMIT)
    within = "" if limit is None else f" within {limit:g} s"
    return NoAnswerError(f"the database at {_place(dsn, options)} gave no answer to a new connection{within}")


def _place(dsn: str, options: dict[str, Any]) -> str:
    if "host" not in options:
        return address_of(dsn)
    here = f"{options['host']}:{options['port']}"  # one of several, so that the DSN could be read
    name = _hosts_and_name(dsn)[1]
    return f"{here}/{name}" if name else here


def _named(error: OSError, place: str) -> OSError:
    """Return an error of the same kind that names the database, or the same where it is no matter of a connection."""
    if error.filename is not None or isinstance(error, ssl.SSLError):
        return error
    if error.errno is None:  # several addresses of one host
        return OSError(f"the database at {place}{_SAID}{error}") if type(error) is OSError else error
    return type(error)(error.errno, f"the database at {place}{_SAID}{error.strerror}")


def several_hosts(dsn: str) -> list[Host]:
    """Return the hosts of a DSN that can be tried one by one.

    None where it has fewer than two, where asyncpg has to compare them (`prefer-standby`), or where it can't be read:
    asyncpg says what is wrong with it.
    """
    try:
        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query))
        listed = parts.netloc.rpartition("@")[2]
        names = (listed or options.get("host", "")).split(",")
        # asyncpg: a port among the options counts for hosts among the options only, and there more than any other.
        given = "" if listed else options.get("port", "")
        ports = _ports(given or os.environ.get("PGPORT") or "5432", len(names))
        hosts = [_host(name, port, own=not given) for name, port in zip(names, ports, strict=True)]
    except ValueError:
        return []
    compares = options.get("target_session_attrs") == "prefer-standby"
    return [] if len(hosts) < 2 or compares or "" in names else hosts


def _ports(text: str, count: int) -> list[int]:
    ports = [int(port) for port in text.split(",")]
    return ports * count if len(ports) == 1 else ports


def _host(text: str, port: int, *, own: bool) -> Host:
    """Return a host of a list, with the port that it may bring along, or else that one."""
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
        brought = rest.removeprefix(":")
    elif text.startswith("/"):
        name, brought = text, ""
    else:
        name, _, brought = text.partition(":")
    return unquote(name), int(brought) if brought and own else port
