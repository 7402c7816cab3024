"""Removing Oban's tables, with all jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import Catalog, inspect
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
        SchemaError: A view or a column of someone else's depends on them, they are managed elsewhere or are not
            Oban's, or the role doesn't own them. Nothing was dropped then.
    """
    async with changing(conn, prefix, "alter"):
        catalog = require_ours(await inspect(conn, prefix))
        if catalog.objects:
            await conn.execute(uninstall_sql(prefix))
    return bool(catalog.objects)


def require_ours(catalog: Catalog) -> Catalog:
    """Return what the schema has, if it is Bridge's to drop.

    Raises:
        SchemaError: The table `oban_jobs` is somebody else's, or is managed elsewhere.
    """
    where = f"schema {quote_ident(catalog.prefix)}"
    if catalog.origin == "elsewhere":
        raise SchemaError(f"{where}: these tables are managed elsewhere (version ∞); remove them there")
    if catalog.version == 0 and not catalog.supported:
        raise SchemaError(
            f"oban_jobs in {where} is not Oban's table: it has no version, and lacks {catalog.shortcomings}; "
            "nothing was dropped; if it is to go all the same, drop it by SQL"
        )
    return catalog


def uninstall_sql(prefix: str = "public") -> str:
    """Return the SQL of `uninstall`, for psql or another migration tool; it passes over what is not there.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    own = "".join(statement("drop_table", prefix, table=table) for table in OWN_TABLES)
    return own + statement("uninstall", prefix)
