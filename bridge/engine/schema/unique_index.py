"""The unique index that jobs with a rule in their meta are held by, whatever language inserts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import inspect
from bridge.engine.schema.refusals import changing, translated
from bridge.engine.schema.statements import quote_ident, statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection


async def install_unique_index(conn: Connection, prefix: str = "public") -> bool:
    """Make the functions and the index `bridge_jobs_unique`, while others work on the table.

    A job is held by it whose meta has the key `bridge_unique`: `{"fields": […], "keys": […], "states": "successful"}`,
    or true for Oban's defaults. Other jobs are no part of it.

    Args:
        conn: A connection that is not in a transaction.
        prefix: The schema.

    Returns:
        Whether the index was made; False if it was there.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: There are no tables, two jobs in them break a rule, the connection is in a transaction, or the
            role doesn't own the table.
    """
    if conn.is_in_transaction():
        raise SchemaError("an index can't be made concurrently in a transaction; use a connection that is in none")
    catalog = (await inspect(conn, prefix)).require()
    if catalog.has_unique_index:
        return False
    async with changing(conn, prefix, "alter"):
        await conn.execute(statement("drop_unique_index", prefix))  # one that was not finished
        await conn.execute(_functions(prefix))
    async with translated(conn, prefix, "alter"):
        await conn.execute(statement("unique_index", prefix, concurrently="concurrently "))
    return True


def unique_index_sql(prefix: str = "public") -> str:
    """Return the SQL of `install_unique_index`, for psql or another migration tool; it locks the table meanwhile.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    return f"{_functions(prefix)}\n{statement('unique_index', prefix, concurrently='').rstrip()};\n"


def _functions(prefix: str) -> str:
    tag = "$bridge$"
    while tag in quote_ident(prefix):  # a schema may be called that
        tag = f"{tag[:-1]}_$"
    return statement("unique_functions", prefix, tag=tag)
