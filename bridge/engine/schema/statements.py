"""The SQL files of this package, with names filled in."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bridge.errors import InvalidSetting

if TYPE_CHECKING:
    from asyncpg import Connection as _Connection
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = _Connection[Any] | PoolConnectionProxy[Any]

OWN_TABLES = ("bridge_producers", "bridge_peers", "bridge_crons")
"""The tables that are Bridge's, not Oban's: `uninstall` drops them, and none is part of version 14."""

_FOLDER: Final = Path(__file__).parent / "sql"
_LONGEST_NAME = 63


def statement(name: str, prefix: str, **names: str) -> str:
    """Return the text of `sql/<name>.sql` for the schema `prefix`.

    Args:
        name: The file below `sql/`, without `.sql`.
        prefix: The schema, as it is called; it is quoted here.
        names: What to put for the file's other tokens, as it is.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    values = {"prefix": quote_ident(prefix), **names}
    tokens = "|".join(values)
    # One pass: a schema may be called "{index}".
    return re.sub(rf"\{{({tokens})\}}", lambda token: values[token[1]], _read(name))


def quote_ident(name: str) -> str:
    """Return `name` as a quoted SQL identifier: any text is a name, as it stands.

    Raises:
        InvalidSetting: It is empty, not text, holds what UTF-8 or PostgreSQL can't, or is longer than 63
            bytes. PostgreSQL would cut a longer one silently, and two names could become one.
    """
    if not _is_name(name):
        raise InvalidSetting(
            "prefix",
            name,
            f"the name of a PostgreSQL schema: 1 to {_LONGEST_NAME} bytes of UTF-8 without NUL",
            "choose another name",
        )
    return '"' + name.replace('"', '""') + '"'


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or "\0" in name:
        return False
    try:
        return 1 <= len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # a lone surrogate
        return False


@cache
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text("utf-8")
