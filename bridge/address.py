"""The database's address as a text: what it may look like, and how people may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from bridge.errors import InvalidSetting
from bridge.frames import frameless

#: A password may hold anything, also unescaped: all from the first colon to the last @ is taken for it.
_IN_ADDRESS = re.compile(r"://[^:]*:(.*)@", re.DOTALL)
_KEY = re.compile(r"(?<![^=&?\s])([^=&?\s]+)\s*=\s*")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'(?=\s|$)", re.DOTALL)
_SECRETS = ("password", "passwd", "pwd", "secret", "token", "scram_client_key", "scram_server_key")

#: Where one of these follows a password, the password has ended; any other text after it is masked too.
_PLAIN_OPTIONS = frozenset({
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "database", "dbname",
    "fallback_application_name", "gssencmode", "gsslib", "host", "hostaddr", "keepalives", "krbsrvname",
    "load_balance_hosts", "options", "passfile", "port", "requirepeer", "service", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslrootcert",
    "target_session_attrs", "user",
})  # fmt: skip

#: Options whose values may hold an @ as it is, such as `ada@azure`.
_WITH_AT = _PLAIN_OPTIONS | {"password", "sslpassword"}


@frameless
def check_dsn(name: str, value: Any) -> str:
    """Return a DSN; the message of a refusal doesn't show it, because it may hold a password."""
    if not isinstance(value, str) or not value.startswith(("postgresql://", "postgres://")):
        raise InvalidSetting(name, "another text", "postgresql://user@host:port/database")
    mend = "a password's @, :, / and brackets are written %40, %3A, %2F, %5B and %5D"
    try:
        user, _, hosts = urlsplit(value).netloc.rpartition("@")
    except ValueError:  # its message shows the password
        raise InvalidSetting(name, "another text", "postgresql://user@host:port/database", mend) from None
    if "@" in user:
        raise InvalidSetting(name, "two of them", "one @ in the DSN, before the host", "others are written %40")
    _check_at_signs(name, value)
    for host in hosts.split(","):
        _, colon, port = host.rpartition("]")[2].rpartition(":")
        if colon and not (re.fullmatch("[0-9]{1,5}", port) and int(port) < 65_536):
            raise InvalidSetting(name, "another port", "a port from 0 to 65535 in the DSN", mend)
    return value


def mask_password(dsn: str) -> str:
    """Return a DSN, in either of libpq's forms, for people to see, its passwords as `***`.

    Where it can't be told how far a password goes, more than the password is masked.
    """
    shown, reached = "", 0
    for start, end in sorted(_secret_spans(dsn)):
        if start >= reached:
            shown += f"{dsn[reached:start]}***"
        reached = max(reached, end)
    return shown + dsn[reached:]


def _check_at_signs(name: str, dsn: str) -> None:
    """Refuse a password that seems to have ended before its @, which would stand in messages as host and port."""
    parts = urlsplit(dsn)
    query = [part for part in parts.query.split("&") if unquote_plus(part.partition("=")[0]).lower() not in _WITH_AT]
    if any("@" in text for text in (parts.path, parts.fragment, *query)):
        mend = "a password's /, ? and # are written %2F, %3F and %23, and any other @ is written %40"
        raise InvalidSetting(name, "one behind it", "no @ in the DSN but the one before the host", mend)


def _secret_spans(dsn: str) -> Iterator[tuple[int, int]]:
    if address := _IN_ADDRESS.search(dsn):
        yield address.span(1)
    keys = list(_KEY.finditer(dsn))
    for place, key in enumerate(keys):
        name = unquote_plus(key[1]).lower()
        if any(secret in name for secret in _SECRETS):
            yield key.end(), _end_of_secret(dsn, key.end(), keys[place + 1 :])


def _end_of_secret(dsn: str, start: int, later: list[re.Match[str]]) -> int:
    if "://" not in dsn and dsn.startswith("'", start):
        quoted = _QUOTED.match(dsn, start)
        return quoted.end() if quoted else len(dsn)
    for key in later:
        before = key.start() - 1
        if key.start() > start and dsn[before] in "& \t\r\n" and unquote_plus(key[1]).lower() in _PLAIN_OPTIONS:
            return before
    return len(dsn)
