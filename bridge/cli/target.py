"""Which database a command works on, told where it doesn't answer."""

from __future__ import annotations

import sys
from typing import Final

from bridge.config import Setting
from bridge.engine.dsn import connect_limit, options_of
from bridge.engine.hosts import address_of

#: Seconds that a server gets to answer a command, which somebody waits for; a node is more patient.
PATIENCE: Final = 8

#: At most one. No context variable: what a task had set is gone by the time its error is told.
_remembered: Final[list[Setting]] = []

_EMBEDDED: Final = "the embedded PostgreSQL"


def remember(setting: Setting) -> None:
    """Note where the database is that is about to be asked, and who said so."""
    _remembered[:] = [setting]


def remember_embedded(dsn: str) -> None:
    """Note that the embedded server is about to be asked, since nobody named another."""
    remember(Setting("dsn", dsn, _EMBEDDED))


def impatient(dsn: str) -> str:
    """Return a DSN whose server gets `PATIENCE` seconds to answer, unless it or its environment says how many."""
    if connect_limit(options_of(dsn)) is not None:
        return dsn
    return f"{dsn}{'&' if '?' in dsn else '?'}connect_timeout={PATIENCE}"


def embedded_dsn() -> str:
    """Start the embedded PostgreSQL, or find it running, and return its DSN."""
    from bridge.postgres import Server  # noqa: PLC0415 - not there on Windows, and not needed with a DSN

    server = Server()
    server.start()
    print(f"no DSN given: using the embedded PostgreSQL in {server.data_dir}", file=sys.stderr)
    remember_embedded(server.url())
    return server.url()


def describe_target() -> str:
    """Return `the database at host:5432/app (from environment DATABASE_URL)`; no user, and never a password."""
    if not _remembered or (setting := _remembered[-1]).value is None:
        return "the database"
    return f"the database at {address_of(setting.value)} (from {setting.source})"


def where_from(setting: Setting) -> dict[str, str]:
    """Return a setting's address and source as fields of a log line."""
    address = _EMBEDDED if setting.value is None else address_of(setting.value)
    return {"database": address, "source": setting.source}
