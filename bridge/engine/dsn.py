"""A DSN's options, which mean what they mean to libpq: asyncpg knows some, and would send all others to the server."""

from __future__ import annotations

import configparser
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, quote_plus, unquote_plus

from bridge.errors import InvalidSetting


class _Rule(NamedTuple):
    """What becomes of an option that asyncpg doesn't know.

    Attributes:
        harmless: Values that ask for nothing, so that it can be left out.
        mend: What to do about any other.
        inherited: Whether it counts in libpq's environment too: what it asks for would be missed in silence there.
    """

    harmless: tuple[str, ...]
    mend: str
    inherited: bool = False


_VERIFY: Final = "leave it out and write sslmode=verify-full with sslrootcert, which keeps out who sits on the way"
_LOGIN: Final = "leave it out and log in by a password or a certificate"

_RULES: Final[dict[str, _Rule]] = {
    "channel_binding": _Rule(("disable", "prefer"), f"asyncpg can't bind channels: {_VERIFY}", inherited=True),
    "require_auth": _Rule((), f"asyncpg answers whatever way of login is asked for: {_VERIFY}", inherited=True),
    "gssencmode": _Rule(("disable", "prefer"), f"asyncpg encrypts by TLS alone: {_VERIFY}", inherited=True),
    "sslcertmode": _Rule(("allow",), "leave it out: who asks for a certificate is shown it", inherited=True),
    "sslcrldir": _Rule((), "put the lists into one file and name that by sslcrl", inherited=True),
    "requirepeer": _Rule((), "leave it out: who may write to the socket's folder decides who listens", inherited=True),
    "sslsni": _Rule(("1",), "leave it out: the host's name is always sent"),
    "ssl": _Rule(("true",), "write sslmode"),
    "requiressl": _Rule(("0", "1"), "write sslmode"),
    "hostaddr": _Rule((), "write the address in place of the host"),
    "load_balance_hosts": _Rule(("disable",), "leave it out: hosts are tried in their order"),
    "gssdelegation": _Rule(("0",), "leave it out"),
    "replication": _Rule(("false", "off", "no", "0"), "leave it out"),
    "min_protocol_version": _Rule(("3.0",), "leave it out: version 3.0 is spoken"),
    "servicefile": _Rule((), "name the file by PGSERVICEFILE"),
    "scram_client_key": _Rule((), _LOGIN),
    "scram_server_key": _Rule((), _LOGIN),
    "oauth_issuer": _Rule((), _LOGIN),
    "oauth_client_id": _Rule((), _LOGIN),
    "oauth_client_secret": _Rule((), _LOGIN),
    "oauth_scope": _Rule((), _LOGIN),
}  # fmt: skip

#: What has no meaning here, whatever its value: `pool.timeout` notices a dead network, and text is always UTF-8.
_INERT: Final = frozenset({
    "client_encoding", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "max_protocol_version", "sslcompression", "sslkeylogfile", "tcp_user_timeout",
})  # fmt: skip

#: Values that a message shows; any other may be a password that somebody put in the wrong place.
_WORDS: Final = frozenset({"0", "1", "disable", "prefer", "random", "require", "scram-sha-256", "true"})

#: Modes that do without nothing: no other is enough for TLS from the first byte on.
STRICT: Final = ("require", "verify-ca", "verify-full")


def read_dsn(dsn: str) -> tuple[str, dict[str, Any]]:
    """Return a DSN without what asyncpg would send to the server by mistake, and arguments of asyncpg's instead.

    Raises:
        InvalidSetting: An option, or libpq's environment, asks for what can't be had.
    """
    given = check_options(dsn)
    kept = [*_kept(dsn, given), *(["sslmode=require"] if _asks_for_tls(given) else [])]
    address = dsn.partition("?")[0]
    return f"{address}?{'&'.join(kept)}" if kept else address, _arguments(given)


def check_options(dsn: str) -> dict[str, str]:
    """Return the options of a DSN, none of which asks for what can't be had.

    Raises:
        InvalidSetting: One does, or libpq's environment.
    """
    given = options_of(dsn)
    for name, rule in _RULES.items():
        _check(name, rule, given)
    mode = "require" if _asks_for_tls(given) else _found(given, "sslmode")
    if _found(given, "sslnegotiation") == "direct" and mode not in STRICT:
        expected = f"sslmode={', '.join(STRICT[:-1])} or {STRICT[-1]} beside it"
        raise InvalidSetting("sslnegotiation", "direct", expected, "or leave it out")
    return given


def options_of(dsn: str) -> dict[str, str]:
    """Return the options of a DSN, and those of its service that it lacks.

    Raises:
        InvalidSetting: There is no such service; libpq would refuse it too, asyncpg does without.
    """
    query = dict(parse_qsl(dsn.partition("?")[2], keep_blank_values=True))
    service = query.get("service") or os.environ.get("PGSERVICE")
    return query if not service else {**_read_service(service), **query, "service": service}


def find_option(dsn: str, name: str) -> str | None:
    """Return an option of the DSN or of its service, or else of libpq's environment."""
    return _found(options_of(dsn), name)


def _found(given: dict[str, str], name: str) -> str | None:
    return given.get(name) or os.environ.get(_variable(name))


def _variable(name: str) -> str:
    return f"PG{name.replace('_', '').upper()}"


def _check(name: str, rule: _Rule, given: dict[str, str]) -> None:
    source = _variable(name) if rule.inherited and not given.get(name) else ""
    value = os.environ.get(source, "") if source else given.get(name, "")
    if value in ("", *rule.harmless) or (name == "sslcertmode" and value == "disable" and not _has_certificate(given)):
        return
    expected = " or ".join(rule.harmless) or "a DSN without it"
    error = InvalidSetting(name, value if value in _WORDS else "another value", expected, rule.mend)
    error.source = f"environment {source}" if source else ""
    raise error


def _has_certificate(given: dict[str, str]) -> bool:
    return _found(given, "sslcert") is not None or Path("~/.postgresql/postgresql.crt").expanduser().exists()


def _kept(dsn: str, given: dict[str, str]) -> Iterator[str]:
    """Yield the parts of the query that asyncpg gets, as they came."""
    for part in filter(None, dsn.partition("?")[2].split("&")):
        name = unquote_plus(part.partition("=")[0])
        if name == "fallback_application_name":
            if "application_name" not in given:
                yield f"application_name={quote_plus(given.get(name, ''))}"
        elif name not in _INERT and name not in _RULES and name not in ("connect_timeout", "service"):
            yield part


def _asks_for_tls(given: dict[str, str]) -> bool:
    """Tell whether it is asked for by JDBC's name, which libpq takes, or by libpq's own old one."""
    old = given.get("requiressl") or os.environ.get("PGREQUIRESSL")
    return (given.get("ssl") == "true" or old == "1") and _found(given, "sslmode") is None


def _arguments(given: dict[str, str]) -> dict[str, Any]:
    """Return `timeout` and `service`: asyncpg doesn't know the one, and reads PGSERVICE when it is too late.

    libpq: whole seconds; none, zero or less stands for no limit.
    """
    found: dict[str, Any] = {"service": given["service"]} if given.get("service") else {}
    if (limit := connect_limit(given)) is not None:
        if not re.fullmatch("-?[0-9]{1,9}", limit.strip()):
            error = InvalidSetting("connect_timeout", "another text", "whole seconds in the DSN, such as 10")
            error.source = "" if "connect_timeout" in given else "environment PGCONNECT_TIMEOUT"
            raise error
        found["timeout"] = int(limit) if int(limit) > 0 else None
    return found


def connect_limit(given: dict[str, str]) -> str | None:
    """Return `connect_timeout` of a DSN's options, or else of libpq's environment, as a text."""
    limit = given.get("connect_timeout")
    return os.environ.get("PGCONNECT_TIMEOUT") or None if limit is None else limit


def _read_service(name: str) -> dict[str, str]:
    path = Path(os.environ.get("PGSERVICEFILE") or Path("~/.pg_service.conf").expanduser())
    parser = configparser.ConfigParser()  # with its use of %, as asyncpg reads it
    try:
        parser.read(path, encoding="utf-8")
        if name in parser.sections():
            return dict(parser[name])
    except (configparser.Error, OSError, UnicodeDecodeError):  # whose texts show the line, and a password in it
        mend = "each line is [name], key=value or a comment, and a % is written %%"
    else:
        mend = "correct its name, or name the file by PGSERVICEFILE"
    raise InvalidSetting("service", "another name", f"a service that {path} describes", mend)
