"""What the caller may choose about a server: its port and PostgreSQL's settings."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.errors import InvalidSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", re.IGNORECASE)
# Others would take the server, its socket or its log to where nobody finds them.
_BRIDGES_OWN = {
    "config_file",
    "data_directory",
    "external_pid_file",
    "listen_addresses",
    "logging_collector",
    "port",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
}


def checked_port(port: int | None) -> int | None:
    """Return `port` if it can be one.

    Raises:
        InvalidSetting: It can't.
    """
    if port is not None and not 0 <= port <= 65535:
        raise InvalidSetting("port", port, "a TCP port from 0 to 65535", "0 takes any free one")
    return port


def checked_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return `settings` with names in lower case, as PostgreSQL takes them.

    Raises:
        InvalidSetting: A name or a value that can't be, or that Bridge sets itself.
    """
    for name, value in settings.items():
        if not _NAME.fullmatch(name):
            raise InvalidSetting("settings", name, "the name of a PostgreSQL setting, such as `work_mem`")
        if name.lower() in _BRIDGES_OWN:
            raise InvalidSetting("settings", name, "a setting that Bridge doesn't set itself", "use `port` for TCP")
        if not isinstance(value, str) or "\0" in value:
            raise InvalidSetting(f"settings.{name}", value, "text without NUL", 'write 64 as "64"')
    return {name.lower(): value for name, value in settings.items()}
