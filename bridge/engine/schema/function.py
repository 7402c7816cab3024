"""`bridge_enqueue`, the SQL function by which any language inserts a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.codecs.json import LIMITS, limit_of
from bridge.engine.schema.statements import quote_ident, statement

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection

NAME = "bridge_enqueue"


async def install_function(conn: Connection, prefix: str) -> bool:
    """Make the function, or anew where another release's or one with other limits is there; return whether it was.

    It depends on no table, so that Oban's own migrations may drop theirs.
    """
    [found] = await conn.fetch(statement("enqueue_source", prefix), prefix, NAME)
    if found["source"] == _body(prefix):
        return False
    await conn.execute(function_sql(prefix))
    return True


def function_sql(prefix: str = "public") -> str:
    """Return the SQL that makes the function, or replaces it.

    The limits of args and meta that hold here are written into it: the server doesn't know the environment of nodes.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold, or the environment has a limit that is none.
    """
    body, tag = _body(prefix), "$bridge$"
    while tag in body:  # a schema may be called that
        tag = f"{tag[:-1]}_$"
    return statement("enqueue", prefix, body=f"{tag}{body}{tag}")


def _body(prefix: str) -> str:
    table = f"{quote_ident(prefix)}.oban_jobs"
    limits = {f"{field}_limit": str(limit_of(field)) for field in LIMITS}
    return statement("enqueue_body", prefix, channel=_literal(f"{prefix}.oban_insert"), table=_literal(table), **limits)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
