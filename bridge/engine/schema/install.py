"""Making Oban's tables, exactly as Oban's own migrations leave them at version 14."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import inspect
from bridge.engine.schema.refusals import changing
from bridge.engine.schema.statements import quote_ident, statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection


async def install(conn: Connection, prefix: str = "public", *, create_schema: bool = True) -> bool:
    """Make Oban's tables of version 14, so that an Elixir node can join the database without a migration.

    Tables that are there stay as they are, whatever made them. Any number of installers may run at once.

    Args:
        conn: A connection, in a transaction or not.
        prefix: The schema.
        create_schema: Make the schema if it is missing. Oban 2.23: the option of that name.

    Returns:
        Whether they were made; False if they were there.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: The tables that are there are too old, something else has their names, or the role may
            not make them.
    """
    async with changing(conn, prefix, "create"):
        catalog = await inspect(conn, prefix)
        if catalog.version is not None:
            catalog.require()
            return False
        if catalog.in_the_way:
            catalog.require()
        if not catalog.schema_exists:
            await _make_schema(conn, prefix, allowed=create_schema)
        await conn.execute(statement("install", prefix))
    return True


def install_sql(prefix: str = "public", *, create_schema: bool = True) -> str:
    """Return the SQL of `install`, for psql or another migration tool.

    It has no `begin` and `commit`, since such tools bring their own, and fails where the tables are there. It
    makes the schema first, unless that is `public` or `create_schema` is off: a role that may not make
    schemas may not say `create schema if not exists` either.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    schema = statement("create_schema", prefix) + "\n" if create_schema and prefix != "public" else ""
    return schema + statement("install", prefix)


async def _make_schema(conn: Connection, prefix: str, *, allowed: bool) -> None:
    if not allowed:
        raise SchemaError(
            f"there is no schema {quote_ident(prefix)}; create it first, or let Bridge (create_schema=True)"
        )
    await conn.execute(statement("create_schema", prefix))
