"""Jobs that are inserted within transactions: nobody sees them before the commit, which announces them once."""

import asyncio
import base64
import gzip
import json
from contextlib import asynccontextmanager

import asyncpg
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bridge import Job

from .conftest import done
from .crossings import in_elixir, in_python
from .rows import check

# Without a stager, which announces queues too: what is heard was said by the insert.
SHARED = {"options": "stage_interval: :infinity"}
QUIET = {"stager": {"mode": "off"}}

ELIXIR_JOBS = [["interop.Ok", {"n": n}, {"queue": "python"}] for n in range(3)]


class Announcements:
    """What is said on the channel `insert`."""

    def __init__(self, place):
        self._place = place
        self._channel = f"{place.prefix}.oban_insert"
        self._queues = []
        self._echo = asyncio.Event()

    async def all(self):
        """The queues that were announced until now: messages come in the order of their commits."""
        self._echo.clear()
        await self._place.conn.execute("select pg_notify($1, '{}')", self._channel)
        await asyncio.wait_for(self._echo.wait(), 10)
        return list(self._queues)

    def hear(self, _conn, _pid, _channel, payload):
        text = payload if payload.startswith("{") else gzip.decompress(base64.b64decode(payload))
        if message := json.loads(text):
            self._queues.append(message["queue"])
        else:
            self._echo.set()

    @asynccontextmanager
    async def listen(self):
        conn = await asyncpg.connect(self._place.dsn)
        try:
            await conn.add_listener(self._channel, self.hear)
            yield self
        finally:
            await conn.close()


@pytest.fixture
async def announced(shared):
    async with Announcements(shared.at).listen() as heard:
        yield heard


async def enqueue_all(oban, conn):
    jobs = [Job("Interop.Ok", queue="elixir", args={"n": n}) for n in range(2)]
    return [*await oban.enqueue_many(jobs, conn=conn), await oban.enqueue(Job("Interop.Ok", queue="elixir"), conn=conn)]


@asynccontextmanager
async def asyncpg_transaction(dsn):
    conn = await asyncpg.connect(dsn)
    transaction = conn.transaction()
    await transaction.start()
    yield conn, transaction.commit, transaction.rollback
    await conn.close()


@asynccontextmanager
async def psycopg_transaction(dsn):
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        yield conn, conn.commit, conn.rollback


@asynccontextmanager
async def sqlalchemy_transaction(dsn):
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with AsyncSession(engine) as session:
        yield session, session.commit, session.rollback
    await engine.dispose()


TRANSACTIONS = [asyncpg_transaction, psycopg_transaction, sqlalchemy_transaction]


@pytest.mark.item("jobs: insert within a transaction")
@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=["asyncpg", "psycopg", "sqlalchemy"])
async def test_what_python_inserts_in_a_transaction_runs_in_elixir_once_it_commits(
    shared, python, announced, transaction
):
    py = await python(shared.at, queues={}, **QUIET)

    async with transaction(shared.at.dsn) as (conn, commit, _):
        jobs = await enqueue_all(py.oban, conn)
        assert await announced.all() == []
        assert [await shared.at.row(job.id) for job in jobs] == [None] * 3
        await commit()

    for job in jobs:
        assert await shared.at.settled(job.id, "completed")
        check(await shared.at.row(job.id), **in_elixir(args=job.args))
    assert await announced.all() == ["elixir"]


@pytest.mark.item("jobs: insert within a transaction")
async def test_what_elixir_inserts_in_a_transaction_runs_in_python_once_it_commits(shared, python, announced):
    py = await python(shared.at, **QUIET)

    numbers = await shared.ex.rpc("Interop.Jobs.hold(jobs)", jobs=ELIXIR_JOBS)
    assert await announced.all() == []
    assert [await shared.at.row(number) for number in numbers] == [None] * 3
    await shared.ex.rpc("Interop.Jobs.settle(:commit)")
    await py.ends.next(3)

    for number, (_, args, _) in zip(numbers, ELIXIR_JOBS, strict=True):
        assert await shared.at.settled(number, "completed")
        check(await shared.at.row(number), **in_python(args=args))
    assert await announced.all() == ["python"]


@pytest.mark.item("jobs: insert within a transaction that is rolled back")
@pytest.mark.parametrize("transaction", TRANSACTIONS, ids=["asyncpg", "psycopg", "sqlalchemy"])
async def test_a_rollback_in_python_leaves_no_job_and_no_word_to_elixir(shared, python, announced, transaction):
    py = await python(shared.at, queues={}, **QUIET)

    async with transaction(shared.at.dsn) as (conn, _, rollback):
        jobs = await enqueue_all(py.oban, conn)
        await rollback()

    assert await announced.all() == []
    later = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
    await done(shared.ex, later.id)
    assert later.id > jobs[-1].id
    assert [await shared.at.row(job.id) for job in jobs] == [None] * 3


@pytest.mark.item("jobs: insert within a transaction that is rolled back")
async def test_a_rollback_in_elixir_leaves_no_job_and_no_word_to_python(shared, python, announced):
    py = await python(shared.at, **QUIET)

    numbers = await shared.ex.rpc("Interop.Jobs.hold(jobs)", jobs=ELIXIR_JOBS)
    await shared.ex.rpc("Interop.Jobs.settle(:rollback)")

    assert await announced.all() == []
    later = await shared.ex.rpc('Interop.insert("interop.Ok", %{}, queue: "python")')
    assert (await py.ends.next()).job.id == later
    assert [await shared.at.row(number) for number in numbers] == [None] * 3


@pytest.mark.item("jobs: insert notification")
async def test_both_announce_each_queue_once_and_no_job_that_waits_for_its_time(shared, python, announced):
    py = await python(shared.at, queues={}, **QUIET)
    queues = ["north", "south", "north", "east", "south"]

    await py.oban.enqueue_many(
        Job("Nobody", queue=queue, schedule_in=60 if queue == "east" else None) for queue in queues
    )
    ours = await announced.all()
    jobs = [["Nobody", {}, {"queue": queue} | ({"schedule_in": 60} if queue == "east" else {})] for queue in queues]
    await shared.ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=jobs)
    theirs = (await announced.all())[len(ours) :]

    assert (sorted(ours), sorted(theirs)) == (["north", "south"], ["north", "south"])
