"""Examinations, and the illnesses to be found by them."""

from contextlib import asynccontextmanager

import asyncpg

from bridge.doctor import Level, examine
from bridge.engine import connect


@asynccontextmanager
async def opened(dsn):
    conn = await connect(dsn, timeout=20, statement_cache_size=0)
    try:
        yield conn
    finally:
        try:
            await conn.close(timeout=1)
        except TimeoutError:
            conn.terminate()


async def examined(dsn, **options):
    """Return what an examination finds, by id; queues are looked at twice without a pause unless told otherwise."""
    options = {"patience": 0.0, **options}
    listen = options.pop("listen_dsn", None)
    if listen is not None:
        options["listen"] = lambda: opened(listen)
    return {finding.id: finding async for finding in examine(lambda: opened(dsn), **options)}


async def level(dsn, name, **options):
    return (await examined(dsn, **options))[name].level


async def found(dsn, name, expected, **options):
    """Return one finding, which has the expected level."""
    finding = (await examined(dsn, **options))[name]
    assert finding.level is Level(expected), finding
    assert finding.looked, finding
    return finding


async def put(conn, table="oban_jobs", **columns):
    """Write a row by hand, as SQL, and return its id: columns are expressions."""
    columns = {"worker": "'W'", "queue": "'alpha'", **columns}
    return await conn.fetchval(
        f"insert into {table} ({', '.join(columns)}) values ({', '.join(columns.values())}) returning id"
    )


async def producer(conn, *, silent=0.0, node="py@a", queue="alpha", uuid=None, rescue_after=60.0):
    """List a producer of Python's that beat so many seconds ago; return its uuid."""
    return await conn.fetchval(
        """
        insert into bridge_producers (uuid, name, node, queue, rescue_after, started_at, beat_at)
        values (coalesce($1, gen_random_uuid()::text), 'Oban', $2, $3, $4, timezone('UTC', now()),
                timezone('UTC', now()) - $5 * interval '1 second')
        returning uuid
        """,
        uuid, node, queue, float(rescue_after), float(silent),
    )  # fmt: skip


@asynccontextmanager
async def role(conn, dsn, *grants):
    """A DSN whose sessions act as a role with these grants alone."""
    name = f"patient_{await conn.fetchval('select pg_backend_pid()')}"
    await conn.execute(f"create role {name}")
    try:
        for grant in grants:
            await conn.execute(f"grant {grant} to {name}")
        yield f"{dsn}{'&' if '?' in dsn else '?'}role={name}"
    finally:
        await conn.execute(f"drop owned by {name}; drop role {name}")


async def connection(dsn):
    return await asyncpg.connect(dsn)
