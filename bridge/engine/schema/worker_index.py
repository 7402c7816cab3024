"""The index by which a node finds its own workers' jobs among those of others in the same queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import inspect
from bridge.engine.schema.refusals import changing, translated
from bridge.engine.schema.statements import statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection


async def install_worker_index(conn: Connection, prefix: str = "public") -> bool:
    """Make the index `bridge_jobs_worker`, while others work on the table.

    It holds available jobs only, by queue and worker. Nodes that start from then on fetch by it: without it, each fetch
    reads the jobs of unknown workers that stand before the known ones' in the queue.

    Args:
        conn: A connection that is not in a transaction.
        prefix: The schema.

    Returns:
        Whether the index was made; False if it was there.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: There are no tables, the connection is in a transaction, or the role doesn't own the table.
    """
    if conn.is_in_transaction():
        raise SchemaError("an index can't be made concurrently in a transaction; use a connection that is in none")
    catalog = (await inspect(conn, prefix)).require()
    if catalog.has_worker_index:
        return False
    async with changing(conn, prefix, "alter"):
        await conn.execute(statement("drop_worker_index", prefix))  # one that was not finished
    async with translated(conn, prefix, "alter"):
        await conn.execute(statement("worker_index", prefix, concurrently="concurrently "))
    return True


def worker_index_sql(prefix: str = "public") -> str:
    """Return the SQL of `install_worker_index`, for psql or another migration tool; it locks the table meanwhile.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
    """
    return f"{statement('worker_index', prefix, concurrently='').rstrip()};\n"
