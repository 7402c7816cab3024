"""Which database a command works on, told where it doesn't answer."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from bridge.config import Setting

_target: ContextVar[Setting | None] = ContextVar("target", default=None)

_EMBEDDED: Final = "the embedded PostgreSQL"


def remember(setting: Setting) -> None:
    """Note where the database is that is about to be asked, and who said so."""
    _target.set(setting)


def remember_embedded(dsn: str) -> None:
    """Note that the embedded server is about to be asked, since nobody named another."""
    remember(Setting("dsn", dsn, _EMBEDDED))


def describe_target() -> str:
    """Return `the database at host:5432/app (from environment DATABASE_URL)`; no user, and never a password."""
    setting = _target.get()
    if setting is None or setting.value is None:
        return "the database"
    return f"the database at {address_of(setting.value)} (from {setting.source})"


def where_from(setting: Setting) -> dict[str, str]:
    """Return a setting's address and source as fields of a log line."""
    address = _EMBEDDED if setting.value is None else address_of(setting.value)
    return {"database": address, "source": setting.source}


def address_of(dsn: str) -> str:
    """Return where a DSN leads: hosts, ports and the database's name."""
    try:
        parts = urlsplit(dsn)
    except ValueError:  # its message shows the password
        return "an address that can't be read"
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    hosts = parts.netloc.rpartition("@")[2] or options.get("host", "")
    if "port" in options and not parts.netloc.rpartition("@")[2]:
        hosts = f"{hosts}:{options['port']}"
    name = unquote(parts.path.removeprefix("/")) or options.get("dbname") or options.get("database") or ""
    return f"{hosts or 'the default host'}/{name}" if name else hosts or "the default host"
