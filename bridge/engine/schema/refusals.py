"""PostgreSQL's refusals, told so that the reader knows what to do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from bridge.engine.schema.statements import quote_ident, statement
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bridge.engine.schema.statements import Connection

Purpose = Literal["read", "create", "alter"]

_REFUSALS = (
    asyncpg.CheckViolationError,
    asyncpg.DependentObjectsStillExistError,
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.ReservedNameError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedTableError,
    asyncpg.UniqueViolationError,
    asyncpg.WrongObjectTypeError,
)


@asynccontextmanager
async def changing(conn: Connection, prefix: str, purpose: Purpose) -> AsyncIterator[None]:
    """Run the block as the only change of that schema, in one transaction: all of it happens, or nothing.

    Whoever comes second waits, and then sees what the first one did.

    Raises:
        SchemaError: PostgreSQL refused; the message says what to do.
    """
    async with translated(conn, prefix, purpose), conn.transaction():
        await conn.execute(statement("lock", prefix), prefix)
        yield


@asynccontextmanager
async def translated(conn: Connection, prefix: str, purpose: Purpose) -> AsyncIterator[None]:
    """Turn PostgreSQL's refusals of the block into SchemaError. A lost connection stays what it is.

    Args:
        conn: It must not be left in a failed transaction, because the privileges are read on it.
        prefix: The schema.
        purpose: What the block does, which decides the privileges that it needs.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        rights = await conn.fetchrow(statement("privileges", prefix), prefix)
        raise SchemaError(_denial(prefix, rights, purpose, error.message or "")) from error
    except _REFUSALS as error:
        detail = f" ({error.detail})" if error.detail else ""
        schema = quote_ident(prefix)
        raise SchemaError(f"PostgreSQL refused this in schema {schema}: {error.message}{detail}") from error


def _denial(prefix: str, rights: Any, purpose: Purpose, refusal: str) -> str:
    missing = list(_missing(prefix, rights, purpose))
    role = quote_ident(rights["role"])
    if not missing:  # an object that neither Oban nor Bridge made, or another owner's
        return f"role {role} may not do this in schema {quote_ident(prefix)}: {refusal}; run it as the owner"
    privileges = " and ".join(privilege for privilege, _ in missing)
    mend = "; ".join(mend for _, mend in missing)
    return f"role {role} lacks {privileges}; let an administrator run: {mend}"


def _missing(prefix: str, rights: Any, purpose: Purpose) -> Iterator[tuple[str, str]]:
    """Yield each privilege that the purpose needs and the role lacks, and the statement that gives it."""
    role, schema, database = (quote_ident(name) for name in (rights["role"], prefix, rights["database"]))
    table = f"{schema}.oban_jobs"
    if not rights["schema_exists"]:
        if not rights["may_create_schemas"]:
            yield f"CREATE on database {database}", f"create schema {schema} authorization {role}"
        return
    if purpose == "alter" and not rights["owns"]:
        owner = quote_ident(rights["owner"])
        yield f"the ownership of {table}, which is {owner}'s", f"grant {owner} to {role}"
    if purpose == "read" and not rights["may_read"]:
        yield f"SELECT on {table}", f"grant select on {table} to {role}"
    if not rights["may_use"]:
        yield f"USAGE on schema {schema}", f"grant usage on schema {schema} to {role}"
    if purpose != "read" and not rights["may_create"]:
        yield f"CREATE on schema {schema}", f"grant create on schema {schema} to {role}"
