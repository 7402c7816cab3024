"""Databases as Oban's releases and oban-py left them, made by SQL; `catalogs.txt` says what each comes to."""

from contextlib import asynccontextmanager
from uuid import uuid4

from bridge.engine.schema import NEWEST_VERSION, quote_ident
from bridge.engine.schema.statements import statement

from .catalog_dump import DATA

FRESH = [f"V{version}" for version in range(9, NEWEST_VERSION + 1)]
GROWN = [
    "V10 grown by 2.10.1",
    "V11 grown by 2.11.0",
    "V12 grown by 2.17.12",
    "V14 grown by 2.20.3 and 2.21.0",
]
OBAN_PY = "oban-py 0.7.0"
ALL = [*FRESH, *GROWN, OBAN_PY]

_SUSPENDED = "'suspended',"
_TAGS = "text[] default array[]::text[]"
_SHORT_TAGS = "varchar(255)[] default array[]::varchar[]"
_FETCH = (
    "oban_jobs_state_queue_priority_scheduled_at_id_index on {prefix}.oban_jobs"
    " (state, queue, priority, scheduled_at, id)"
)
_OLD_FETCH = (
    "oban_jobs_queue_state_priority_scheduled_at_id_index on {prefix}.oban_jobs"
    " (queue, state, priority, scheduled_at, id)"
)


async def make(conn, kind, prefix="public"):
    """Make the database that is called `kind` in the catalogs, with three jobs in it."""
    await conn.execute(f"create schema if not exists {quote_ident(prefix)}")
    match kind.split():
        case ["oban-py", *_]:
            await _run(conn, "oban_py", prefix)
        case ["V14", "grown", *_]:
            await _make_version(conn, 13, prefix, suspended="")
            await _run(conn, "v14_by_2_21_0", prefix)
        case ["V10", "grown", *_]:
            await _make_version(conn, 10, prefix, suspended="", tags=_SHORT_TAGS, fetch=_OLD_FETCH)
        case [version, "grown", *_]:
            await _make_version(conn, int(version[1:]), prefix, suspended="", tags=_SHORT_TAGS)
        case [version]:
            await _make_version(conn, int(version[1:]), prefix)
    await _fill(conn, prefix)


@asynccontextmanager
async def stranger(conn):
    """Let `conn` act as a new role that owns nothing and may do nothing."""
    role = f"stranger_{uuid4().hex}"  # roles are the whole server's
    await conn.execute(f"create role {role}")
    await conn.execute(f"set role {role}")
    try:
        yield role
    finally:
        await conn.execute("reset role")
        await conn.execute(f"drop owned by {role}; drop role {role}")


async def rows(conn, prefix="public"):
    return await conn.fetch(f"select * from {quote_ident(prefix)}.oban_jobs order by id")


async def _make_version(conn, version, prefix, *, suspended=_SUSPENDED, tags=_TAGS, fetch=_FETCH):
    fetch = fetch.replace("{prefix}", quote_ident(prefix))
    await _run(conn, "v9", prefix, suspended=suspended, tags=tags, fetch=fetch)
    for step in range(10, version + 1):
        await conn.execute(statement(f"v{step}", prefix))
        await conn.execute(statement("set_version", prefix, version=str(step)))


async def _run(conn, name, prefix, **parts):
    sql = (DATA / f"{name}.sql").read_text("utf-8")
    for token, text in {**parts, "prefix": quote_ident(prefix)}.items():
        sql = sql.replace(f"{{{token}}}", text)
    await conn.execute(sql)


async def _fill(conn, prefix):
    await conn.execute(
        f"""
        insert into {quote_ident(prefix)}.oban_jobs (worker, args, state)
        values ('A', '{{}}', 'available'), ('B', '{{"n": 1}}', 'completed'), ('C', '{{}}', 'scheduled')
        """
    )
