"""Engines on real databases, rows as they stand there, and what was announced."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg

from bridge.engine import Ack, Connections, Engine, utc_now
from bridge.engine.schema import inspect
from bridge.jobs import Job

from .schema.oban_databases import ALL, OBAN_PY, make, stranger  # noqa: F401 - for the tests

#: Seconds for what takes milliseconds, on a machine that is slow, busy, and pauses now and then.
PATIENCE = 60

NODE = "py@host-a"
UUID = "6f2f9f0c-5d1e-4d0a-9a55-0d6c6b1c3a01"
OTHER_UUID = "00000000-0000-4000-8000-000000000002"
#: A time that no clock of a test shows.
AT = datetime(2026, 3, 1, 12, 30, 15, 123456)  # noqa: DTZ001 - the columns have no time zone
LATER = AT + timedelta(hours=1)
ERROR = '{"attempt": 1, "at": "2026-03-01T12:30:15.123456Z", "error": "** (ValueError) no"}'

COLUMNS = (
    "id", "state", "queue", "worker", "args", "errors", "attempt", "max_attempts", "inserted_at", "scheduled_at",
    "attempted_at", "completed_at", "attempted_by", "discarded_at", "priority", "tags", "meta", "cancelled_at",
)  # fmt: skip
STATES = ("available", "suspended", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled")
_AS_TEXT = {"state": "state::text", "args": "args::text", "meta": "meta::text", "errors": "to_jsonb(errors)::text"}
_CASTS = {"state": "::text::oban_job_state", "args": "::text::jsonb", "meta": "::text::jsonb"}


async def row(conn, job_id):
    """Return all 18 columns of a job, as they stand in the table; None where it is not there."""
    wanted = ", ".join(f"{_AS_TEXT.get(column, column)} as {column}" for column in COLUMNS)
    found = await conn.fetchrow(f"select {wanted} from oban_jobs where id = $1", job_id)
    if found is None:
        return None
    return {name: _decoded(value) if name in ("args", "errors", "meta") else value for name, value in found.items()}


def _decoded(text):
    return None if text is None else json.loads(text)


def changed_columns(before, after):
    """Return the columns whose values differ, with the new values."""
    assert before.keys() == after.keys() == set(COLUMNS)
    return {name: after[name] for name in COLUMNS if before[name] != after[name]}


async def changes(conn, job_id, act):
    """Return what `act` returned, and the columns that it changed."""
    before = await row(conn, job_id)
    found = await act
    return found, changed_columns(before, await row(conn, job_id))


def without(*names):
    return [state for state in STATES if state not in names]


async def put(conn, state="available", **columns):
    """Write a row by hand whose every column says something, so that no change goes unseen; return its id."""
    values = {
        "state": state,
        "queue": "alpha",
        "worker": "W",
        "args": '{"a": 1}',
        "errors": ['{"attempt": 0, "at": "2026-01-01T00:00:00.000000Z", "error": "** (KeyError) old"}'],
        "attempt": 1,
        "max_attempts": 5,
        "inserted_at": datetime(2026, 1, 1),  # noqa: DTZ001 - as above
        "scheduled_at": datetime(2026, 1, 2),  # noqa: DTZ001
        "attempted_at": datetime(2026, 1, 3),  # noqa: DTZ001
        "completed_at": datetime(2026, 1, 4),  # noqa: DTZ001
        "attempted_by": [NODE, UUID],
        "discarded_at": datetime(2026, 1, 5),  # noqa: DTZ001
        "priority": 2,
        "tags": ["t"],
        "meta": '{"kept": true}',
        "cancelled_at": datetime(2026, 1, 6),  # noqa: DTZ001
        **columns,
    }
    slots = [f"${n}{_CASTS.get(name, '')}" for n, name in enumerate(values, 1)]
    slots = ["$5::text[]::jsonb[]" if slot.startswith("$5") else slot for slot in slots]
    names = ", ".join(values)
    return await conn.fetchval(
        f"insert into oban_jobs ({names}) values ({', '.join(slots)}) returning id", *values.values()
    )


@asynccontextmanager
async def engine_on(dsn, prefix="public", *, init=None, **options):
    """An engine with a pool of its own."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=8, init=init, command_timeout=PATIENCE) as pool:
        async with pool.acquire() as conn:
            catalog = (await inspect(conn, prefix)).require()
        yield Engine(Connections(pool), prefix, catalog, **options)


async def fetch(engine, limit=10, *, queue="alpha", uuid=UUID, workers=None):
    return await engine.fetch(queue, limit, NODE, uuid, workers)


async def insert_and_fetch(engine, **options):
    """Insert a job and claim it, as a producer does."""
    await engine.insert(Job("W", **{"queue": "alpha", **options}))
    [job] = await fetch(engine)
    return job


def ack(job, state, **columns):
    return Ack(job.id, job.attempt, state, **{"at": AT, **columns})


async def blocked(conn, count=1):
    """Wait until `count` other connections of the database wait for a lock."""
    statement = """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0
    """
    async with asyncio.timeout(PATIENCE):
        while await conn.fetchval(statement) < count:
            pass


class Ear:
    """Hears what is announced, as any other node would."""

    def __init__(self, conn):
        self.conn = conn
        self._heard = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def on(cls, dsn, prefix="public"):
        conn = await asyncpg.connect(dsn)
        ear = cls(conn)
        for name in ("insert", "signal", "marker"):
            await conn.add_listener(f"{prefix}.oban_{name}", ear._hear)
        ear._marker = f"{prefix}.oban_marker"
        try:
            yield ear
        finally:
            await conn.close()

    def _hear(self, _conn, _pid, channel, payload):
        self._heard.put_nowait((channel, payload))

    async def heard(self):
        """Return all (channel, payload) so far; what was committed before this call is among them."""
        await self.conn.execute("select pg_notify($1, '')", self._marker)
        found = []
        async with asyncio.timeout(PATIENCE):
            while (message := await self._heard.get())[0] != self._marker:
                found.append((message[0].rpartition("_")[2], json.loads(message[1])))
        return found

    async def queues(self):
        """Return the queues that were announced so far, in the order of the messages."""
        return [payload["queue"] for channel, payload in await self.heard() if channel == "insert"]


def between(since, moment):
    """Tell whether `moment` lies between `since` and now."""
    return since <= moment <= utc_now()


@asynccontextmanager
async def untouched(conn, ear):
    """Check that the block leaves no row, no change to one, no value of the sequence and no notification behind."""
    before = await _fingerprint(conn)
    await ear.heard()
    yield
    assert await _fingerprint(conn) == before
    assert await ear.heard() == []


async def _fingerprint(conn):
    rows = await conn.fetch("select xmin::text, ctid::text, j::text from oban_jobs as j order by id")
    sequence = await conn.fetchrow("select last_value, is_called from oban_jobs_id_seq")
    return [*map(tuple, rows), tuple(sequence)]
