"""The client for code without an event loop, on connections of the caller's."""

import psycopg
import pytest
from blocking import engine_of, lanes, oban, queues
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from bridge import Job
from bridge.engine import inserts
from bridge.engine.schema import install
from bridge.errors import InvalidSetting
from bridge.sync import SyncOban

__all__ = ["oban"]


async def test_a_job_in_the_callers_transaction(oban, installed, conn):
    with psycopg.connect(installed) as held:
        oban.enqueue(Job("W", queue="alpha"), conn=held)
        oban.enqueue_many([Job("W", queue="beta")], conn=held)
        assert await queues(conn) == []
        held.commit()
        oban.enqueue(Job("W", queue="lost"), conn=held)
        held.rollback()
    assert await queues(conn) == ["alpha", "beta"]
    assert lanes() == []  # no connection of the client's own was needed


async def test_a_client_without_connections_of_its_own(installed, conn):
    oban = SyncOban()
    with psycopg.connect(installed, autocommit=True) as held:
        oban.enqueue(Job("W", queue="alpha"), conn=held)
    assert await queues(conn) == ["alpha"]
    with pytest.raises(InvalidSetting, match=r"got None; pass conn=…, or make SyncOban\(dsn=…\)"):
        oban.enqueue(Job("W"))


async def test_a_session_that_stands_for_all_calls(installed, conn):
    engine = engine_of(installed)
    session = scoped_session(sessionmaker(engine))
    oban = SyncOban(conn=session)
    oban.enqueue(Job("W", queue="alpha"))
    oban.enqueue_many([Job("W", queue="beta")])
    assert oban.get_job(1).queue == "alpha"
    assert await queues(conn) == []
    session.commit()
    oban.enqueue(Job("W", queue="lost"))
    session.remove()
    assert await queues(conn) == ["alpha", "beta"]
    engine.dispose()


async def test_an_engine_of_sqlalchemy(installed, conn, monkeypatch):
    engine = engine_of(installed)
    oban = SyncOban(engine=engine)
    oban.enqueue(Job("W", queue="alpha"))
    oban.enqueue_many([Job("W", queue="beta")])
    assert oban.get_job(2).queue == "beta"
    monkeypatch.setattr(inserts, "CHUNK", 1)
    with pytest.raises(AttributeError):
        oban.enqueue_many(job.nothing for job in [Job("W")])
    with Session(engine) as session:
        oban.enqueue(Job("W", queue="lost"), conn=session)
    assert await queues(conn) == ["alpha", "beta"]
    engine.dispose()


async def test_what_does_not_block_is_refused(oban, installed, conn):
    engine = create_async_engine(installed.replace("postgresql://", "postgresql+asyncpg://", 1))
    with pytest.raises(InvalidSetting, match="engine: expected a blocking engine of SQLAlchemy"):
        SyncOban(engine=engine)
    async with AsyncSession(engine) as session:
        for held in (conn, session):
            for call in (oban.enqueue, SyncOban().enqueue):
                with pytest.raises(InvalidSetting, match=r"conn: expected .* that blocks, .*; asynchronous ones are"):
                    call(Job("W"), conn=held)
            with pytest.raises(InvalidSetting, match="that blocks"):
                SyncOban(conn=held).enqueue(Job("W"))
    await engine.dispose()


def test_a_call_without_any_connection_tells_how_to_give_one():
    for call in (lambda: SyncOban().enqueue(Job("W")), lambda: SyncOban().get_job(1)):
        with pytest.raises(InvalidSetting, match=r"got None; pass conn=…, or make SyncOban\(dsn=…\)"):
            call()


def test_more_than_one_way_to_connect_is_refused(installed):
    with pytest.raises(InvalidSetting, match="at most one of dsn, conn and engine"):
        SyncOban(dsn=installed, conn=object())
    with pytest.raises(InvalidSetting, match="dsn"):
        SyncOban(dsn="sqlite://")
    with pytest.raises(InvalidSetting, match="prefix"):
        SyncOban(prefix="")
    with pytest.raises(InvalidSetting, match="pool_options"):
        SyncOban(dsn=installed, pool_options=5)


async def test_another_schema(database, conn):
    await install(conn, 'my "own"')
    with SyncOban(dsn=database, prefix='my "own"') as oban:
        oban.enqueue(Job("W"))
    assert await conn.fetchval('select count(*) from "my ""own""".oban_jobs') == 1
