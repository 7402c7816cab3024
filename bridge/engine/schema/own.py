"""Making Bridge's own tables and its function, beside Oban's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import Catalog, inspect
from bridge.engine.schema.function import NAME, function_sql, install_function
from bridge.engine.schema.refusals import changing
from bridge.engine.statements import Statements

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection

_CREATE = {"bridge_producers": "create_producers", "bridge_crons": "create_crons", "bridge_peers": "create_peers"}


async def install_own(conn: Connection, prefix: str = "public") -> list[str]:
    """Make Bridge's own tables and the function `bridge_enqueue` where they are missing; nothing of Oban's is touched.

    Nodes make the tables when they first need them, if their role may, and do with less without them. So this is for
    whoever lets nodes run as a role that may create nothing; what that role needs is `select, insert, update, delete`
    on them.

    Args:
        conn: A connection, in a transaction or not.
        prefix: The schema.

    Returns:
        The names of what was made; the function's ends with `()`.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: There are no tables of Oban's that Bridge knows, or the role may not create tables.
    """
    async with changing(conn, prefix, "create"):
        catalog = (await inspect(conn, prefix)).require()
        missing = [table for table in _needed(catalog) if table not in catalog.objects]
        for table in missing:
            await conn.execute(Statements(prefix)[_CREATE[table]])
        function = [f"{NAME}()"] if await install_function(conn, prefix) else []
    return missing + function


def own_sql(prefix: str = "public") -> str:
    """Return the SQL of `install_own` beside tables of version 14, for psql or another migration tool."""
    statements = Statements(prefix)
    tables = "".join(f"\n{statements[_CREATE[table]].rstrip()};\n" for table in ("bridge_producers", "bridge_crons"))
    return f"{tables}\n{function_sql(prefix)}"


def _needed(catalog: Catalog) -> list[str]:
    # Leases have a table of Oban's from version 11 on.
    return [table for table in _CREATE if table != "bridge_peers" or not catalog.has_peers]
