"""Removing Oban's tables, with all jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import inspect
from bridge.engine.schema.refusals import changing
from bridge.engine.schema.statements import OWN_TABLES, quote_ident, statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection


async def uninstall(conn: Connection, prefix: str = "public") -> bool:
    """Drop Oban's tables with all jobs, their enum and functions, and Bridge's own tables; the schema stays.

    Nothing else is dropped: not the other tables of oban-py or Oban Pro, and not what depends on these
    tables, which stops it.

    Returns:
        Whether there was anything to drop.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: A view or a column of someone else's depends on them, they are managed elsewhere, or the
            role doesn't own them. Nothing was dropped then.
    """
    async with changing(conn, prefix, "alter"):
        catalog = await inspect(conn, prefix)
        if catalog.origin == "elsewhere":
            schema = quote_ident(prefix)
            raise SchemaError(f"schema {schema}: these tables are managed elsewhere (version ∞); remove them there")
        if catalog.objects:
            await conn.execute(uninstall_sql(prefix))
    return bool(catalog.objects)


def uninstall_sql(prefix: str = "public") -> str:
    """Return the SQL of `uninstall`, for psql or another migration tool; it passes over what is not there.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    own = "".join(statement("drop_table", prefix, table=table) for table in OWN_TABLES)
    return own + statement("uninstall", prefix)
