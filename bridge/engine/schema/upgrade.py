"""Bringing Oban's tables from versions 9 to 13 to 14, and putting back what got lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.engine.schema.catalog import MANAGED_ELSEWHERE, NEWEST_VERSION, OLDEST_VERSION, Catalog, inspect
from bridge.engine.schema.refusals import changing, translated
from bridge.engine.schema.statements import quote_ident, statement
from bridge.errors import InvalidSetting, SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema.statements import Connection

_STEPS = {
    10: "checks of attempts and priorities, indexes of args and meta",
    11: "table oban_peers",
    12: "no trigger, priorities up to 9",
    13: "indexes of cancelled_at and discarded_at",
    14: "state suspended",
}


async def upgrade(conn: Connection, prefix: str = "public") -> list[str]:
    """Bring tables of version 9 or later to 14 by the steps of Oban's own migrations, in one transaction.

    Nobody can work on the tables meanwhile, and the indexes of a large one take minutes (versions 10 and 13).

    From version 12 on no trigger announces inserts. Elixir nodes of Oban before 2.17 rely on it: jobs that
    they insert are then found by the next staging, about a second later.

    What an old release made otherwise (the order of columns, shorter tags, another main index) stays, as in
    Oban.

    Returns:
        The steps that were taken, as `"V10: …"`; none on version 14 and later.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold.
        SchemaError: There are no tables, or they have no versions; a row breaks a check that a step adds; or
            the role doesn't own them.
    """
    async with changing(conn, prefix, "alter"):
        version = await numbered_version(conn, prefix)
        return [await _take(conn, prefix, step) for step in _STEPS if step > version]


def upgrade_sql(prefix: str = "public", *, from_version: int, to_version: int = NEWEST_VERSION) -> str:
    """Return the SQL of the steps of `upgrade` between two versions, for psql or another migration tool.

    It has no `begin` and `commit`, since such tools bring their own.

    Raises:
        InvalidSetting: The prefix is no name that PostgreSQL can hold, or there are no such versions.
    """
    for field, version in (("from_version", from_version), ("to_version", to_version)):
        if not OLDEST_VERSION <= version <= NEWEST_VERSION:
            raise InvalidSetting(field, version, f"a version from {OLDEST_VERSION} to {NEWEST_VERSION}")
    if from_version > to_version:
        raise InvalidSetting("to_version", to_version, f"{from_version} or later", "no step leads down")
    return "\n".join(
        statement(f"v{step}", prefix) + "\n" + statement("set_version", prefix, version=str(step))
        for step in _STEPS
        if from_version < step <= to_version
    )


async def numbered_version(conn: Connection, prefix: str = "public") -> int:
    """Return the version that `upgrade` would begin at.

    Raises:
        SchemaError: There are no tables that Bridge knows, or they have no versions.
    """
    return _numbered((await inspect(conn, prefix)).require())


async def repair(conn: Connection, prefix: str = "public") -> list[str]:
    """Put back what the tables should have had at their version, while others work on them.

    Indexes are made one by one with `concurrently`, which blocks nobody; checks lock the table while they read
    it. What would rewrite the table, or comes with a later version, is left alone.

    Args:
        conn: A connection that is not in a transaction.
        prefix: The schema.

    Returns:
        The names of what was put back, as in `Catalog.lacks`.

    Raises:
        SchemaError: There are no tables, a row breaks a check, the connection is in a transaction, or the
            role doesn't own the tables.
    """
    if conn.is_in_transaction():
        raise SchemaError("indexes can't be made concurrently in a transaction; repair on a connection that is in none")
    catalog = (await inspect(conn, prefix)).require()
    lacks = [lack for lack in catalog.lacks if not (lack.by_upgrade or lack.by_hand)]
    for lack in lacks:
        async with translated(conn, prefix, "alter"):
            await conn.execute(lack.mend)
    return [lack.name for lack in lacks]


def _numbered(catalog: Catalog) -> int:
    """Return the version of tables whose versions Oban's migrations count."""
    where = f"the tables in schema {quote_ident(catalog.prefix)}"
    if catalog.origin == "oban-py":
        raise SchemaError(
            f"{where} were made by oban-py, which has no versions; Bridge runs on them as they are, "
            "and `bridge status` shows the SQL for what they lack"
        )
    if catalog.version == MANAGED_ELSEWHERE:
        raise SchemaError(f"{where} are managed elsewhere (version ∞); upgrade them there")
    if not catalog.version:
        mend = " ".join(lack.mend for lack in catalog.lacks[:1])
        raise SchemaError(f"{where} tell no version; if Oban's migrations made them, restore it first: {mend}")
    return catalog.version


async def _take(conn: Connection, prefix: str, step: int) -> str:
    await conn.execute(statement(f"v{step}", prefix))
    await conn.execute(statement("set_version", prefix, version=str(step)))
    return f"V{step}: {_STEPS[step]}"
