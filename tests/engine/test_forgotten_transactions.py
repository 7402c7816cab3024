"""A node is lost in the midst of a transaction, and the server isn't told: others don't wait for it for long."""

import asyncio

import pytest

from bridge.engine import uniques
from bridge.jobs import Job, Unique
from bridge.testing.interop.gate import Gate

from .rig import PATIENCE, blocked, engine_on

RULE = Unique(period="infinity")

#: How long a transaction may idle here: longer than a pause of this process, which must not end one that goes on.
SHORT = "3s"

#: A lock for which every insert waits, while a test holds it.
DOOR = 4711
SETTING = "idle_in_transaction_session_timeout"


def job(number=1):
    return Job("W", args={"id": number}, unique=RULE)


async def lose(conn, gate, engine, jobs):
    """Let an engine's transaction be forgotten while it holds the locks of its jobs; return what waits in vain."""
    await conn.fetchval("select pg_advisory_lock($1)", DOOR)
    inserting = asyncio.create_task(engine.insert_many(jobs))
    await blocked(conn)
    gate.freeze()
    await conn.fetchval("select pg_advisory_unlock($1)", DOOR)
    return inserting


async def end(gate, *tasks):
    gate.drop()
    gate.thaw()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def gate(installed):
    with Gate(installed) as gate:
        yield gate


@pytest.fixture
async def far(gate):
    """An engine whose way to the database is the gate."""
    async with engine_on(gate.url()) as found:
        yield found
        gate.drop()


@pytest.fixture
async def door(conn):
    """Lets the insert of each job wait for `DOOR`, when its locks are held already."""
    await conn.execute(f"""
        create function wait_for_door() returns trigger language plpgsql as
        $$ begin
          perform pg_advisory_lock_shared({DOOR});
          perform pg_advisory_unlock_shared({DOOR});
          return new;
        end $$;
        create trigger door before insert on oban_jobs for each row execute function wait_for_door()
    """)
    yield
    await conn.execute("drop function wait_for_door cascade")


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("count", [1, 5])
async def test_others_insert_unique_jobs_once_a_forgotten_transaction_has_idled_for_long(
    engine, far, gate, conn, monkeypatch, count
):
    monkeypatch.setattr(uniques, "IDLE", SHORT)
    lost = await lose(conn, gate, far, [job(number) for number in range(count)])

    async with asyncio.timeout(PATIENCE):
        found = await engine.insert(job(0))

    assert not found.conflict
    await end(gate, lost)


@pytest.mark.usefixtures("door")
async def test_so_they_do_where_it_was_between_two_parts(engine, far, gate, conn, monkeypatch):
    monkeypatch.setattr(uniques, "IDLE_BETWEEN", SHORT)
    monkeypatch.setattr("bridge.engine.inserts.CHUNK", 5)
    lost = await lose(conn, gate, far, [job(number) for number in range(12)])

    async with asyncio.timeout(PATIENCE):
        found = await engine.insert(job(0))

    assert not found.conflict
    await end(gate, lost)


@pytest.fixture
async def told(conn):
    """Has every new job say in its tags how long the transaction that inserts it may idle."""
    await conn.execute(f"""
        create function tell() returns trigger language plpgsql as
        $$ begin new.tags = array(select current_setting('{SETTING}')); return new; end $$;
        create trigger tell before insert on oban_jobs for each row execute function tell()
    """)
    yield
    await conn.execute("drop function tell cascade")


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("own", "kept"), [("0", uniques.IDLE), ("500ms", "500ms"), (uniques.IDLE, uniques.IDLE), ("1d", uniques.IDLE)]
)
async def test_a_shorter_limit_of_the_databases_own_is_kept(installed, conn, own, kept):
    dsn = f"{installed}{'&' if '?' in installed else '?'}{SETTING}={own}"
    async with engine_on(dsn) as engine:
        await engine.insert(job())
    assert await conn.fetchval("select tags from oban_jobs") == [kept]


@pytest.mark.usefixtures("told")
async def test_a_stream_of_unique_jobs_may_pause_for_longer(engine, conn, monkeypatch):
    monkeypatch.setattr("bridge.engine.inserts.CHUNK", 2)
    await engine.insert_many([job(number) for number in range(5)])
    found = await conn.fetch("select distinct tags from oban_jobs")
    assert [each["tags"] for each in found] == [[uniques.IDLE_BETWEEN]]


async def test_a_callers_own_transaction_may_idle_for_as_long_as_it_likes(engine, conn):
    async with conn.transaction():
        await engine.insert(job(), conn)
        await engine.insert_many([job(2), job(3)], conn)
        assert await conn.fetchval(f"show {SETTING}") == "0"
