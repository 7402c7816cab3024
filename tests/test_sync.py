"""The client for code without an event loop."""

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from blocking import blocking, engine_of, lanes, oban, queues
from engine.rig import Ear
from flask import Flask
from queues.rig import PATIENCE, until
from sqlalchemy.orm import Session

from bridge import Job, Record, Worker
from bridge.adapters import background
from bridge.codecs.recorded import encode_recorded
from bridge.engine import inserts, is_unavailable
from bridge.errors import InvalidJob, InvalidSetting, JobNotFound, SchemaError
from bridge.jobs import modes
from bridge.jobs.worker import build_options
from bridge.sync import SyncOban

__all__ = ["oban"]


async def test_jobs_are_inserted_and_announced(oban, conn, installed):
    async with Ear.on(installed) as ear:
        one = await blocking(oban.enqueue, Job("W", queue="alpha", args={"a": 1}))
        more = await blocking(oban.enqueue_many, (Job("W", queue=name) for name in ("beta", "gamma", "beta")))

        assert sorted(await ear.queues()) == ["alpha", "beta", "gamma"]
    assert [job.id for job in (one, *more)] == [1, 2, 3, 4]
    assert one.inserted_at.tzinfo is not None
    assert await queues(conn) == ["alpha", "beta", "gamma", "beta"]


async def test_where_a_loop_runs_it_blocks_and_works(oban, conn):
    oban.enqueue(Job("W", queue="alpha"))
    assert await queues(conn) == ["alpha"]


def test_a_job_is_found_cancelled_and_its_result_fetched(oban):
    job = oban.enqueue(Job("W", args={"a": 1}))
    assert oban.get_job(job.id).args == {"a": 1}
    assert oban.get_job(99) is None
    assert oban.cancel_job(job)
    assert not oban.cancel_job(job)
    assert oban.get_job(job.id).state == "cancelled"
    with pytest.raises(JobNotFound):
        oban.fetch_result(job)
    done = oban.enqueue(Job("W", meta={"recorded": True, "return": encode_recorded({"b": 2})}))
    assert oban.fetch_result(done) == {"b": 2}


async def test_an_error_in_bulk_leaves_nothing(oban, conn, monkeypatch):
    def failing():
        yield Job("W")
        yield Job("W")
        raise ZeroDivisionError

    monkeypatch.setattr(inserts, "CHUNK", 1)
    with pytest.raises(ZeroDivisionError):
        oban.enqueue_many(failing())
    bad = Job("W")
    bad.priority = 10
    with pytest.raises(InvalidJob, match=r"jobs\[1\]"):
        oban.enqueue_many([Job("W"), bad])
    assert await queues(conn) == []
    assert len(oban.enqueue_many([])) == 0


def test_a_stream_is_read_by_the_thread_that_calls(oban):
    threads = set()

    def stream():
        for _ in range(3):
            threads.add(threading.get_ident())
            yield Job("W")

    oban.enqueue_many(stream())
    assert threads == {threading.get_ident()}


async def test_an_asynchronous_stream_is_refused(oban):
    async def stream():
        yield Job("W")

    with pytest.raises(InvalidSetting, match="jobs: expected an iterable of jobs that blocks"):
        oban.enqueue_many(stream())


async def test_many_threads_share_one_client(installed, conn):
    with SyncOban(dsn=installed, pool_options={"max_size": 3}) as oban, ThreadPoolExecutor(16) as threads:
        jobs = list(threads.map(lambda n: oban.enqueue(Job("W", args={"n": n})), range(200)))
        opened = """
            select count(*) <= 4
            from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend'
        """
        await until(lambda: conn.fetchval(opened))  # what others have closed may still be listed, for a moment
    assert {job.args["n"] for job in jobs} == set(range(200))
    assert len({job.id for job in jobs}) == 200


def test_closing_ends_the_thread_and_the_next_use_opens_again(installed):
    oban = SyncOban(dsn=installed)
    assert lanes() == []
    for _ in range(2):
        oban.enqueue(Job("W"))
        assert len(lanes()) == 1
        oban.close()
        oban.close()
        assert lanes() == []


def test_closing_waits_for_the_threads_that_use_it(installed, monkeypatch):
    monkeypatch.setattr(background, "CLOSE", 60)
    oban = SyncOban(dsn=installed, pool_options={"max_size": 2})

    def use(thread):
        for number in range(40):
            oban.enqueue_many([Job("W", args={"n": number, "thread": thread}, unique=True)] * 2)

    with ThreadPoolExecutor(6) as threads:
        uses = [threads.submit(use, thread) for thread in range(6)]
        while not all(use.done() for use in uses):
            oban.close()
    assert [use.result() for use in uses] == [None] * 6
    oban.close()
    assert lanes() == []


def test_what_uses_it_for_too_long_is_told_that_it_was_closed(installed, monkeypatch):
    monkeypatch.setattr(background, "CLOSE", 0.05)
    oban = SyncOban(dsn=installed)

    def jobs():
        yield Job("W")
        oban.close()
        yield Job("W")

    with pytest.raises(ConnectionError, match="closed while it was in use"):
        oban.enqueue_many(jobs())
    assert lanes() == []


def test_its_own_thread_may_let_go_of_it(installed):
    oban = SyncOban(dsn=installed)
    oban.enqueue(Job("W"))
    [thread] = lanes()
    pool = oban._client._own

    pool._lane._loop.call_soon_threadsafe(pool._close)

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_client_that_is_forgotten_closes(installed):
    oban = SyncOban(dsn=installed)
    oban.enqueue(Job("W"))
    del oban
    gc.collect()
    assert lanes() == []


def test_a_database_that_is_away_is_told_each_time_and_found_when_it_is_back(installed):
    oban = SyncOban(dsn="postgresql://postgres@127.0.0.1:1/x")
    for _ in range(2):
        with pytest.raises(OSError, match=r"127\.0\.0\.1"):
            oban.enqueue(Job("W"))
    assert lanes() == []


async def test_lost_connections_are_replaced(oban, conn):
    oban.enqueue(Job("W"))
    await conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    await eventually(lambda: oban.enqueue(Job("W")))
    assert len(await queues(conn)) == 2


async def eventually(call):
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await blocking(call)
            except Exception as error:
                if not is_unavailable(error):
                    raise


async def test_without_tables_it_says_what_to_do(database):
    with SyncOban(dsn=database) as oban, pytest.raises(SchemaError, match="bridge install"):
        oban.enqueue(Job("W"))


WORK_AFTER_FORK = """
import os, sys, threading
from bridge import Job
from bridge.sync import SyncOban

oban = SyncOban(dsn=sys.argv[1])
oban.enqueue(Job("W", queue="parent"))
stop = threading.Event()
busy = threading.Thread(target=lambda: [oban.enqueue(Job("W", queue="busy")) for _ in iter(stop.is_set, True)])
busy.start()
children = []
for _ in range(4):
    with oban._client._own._opening:  # as another thread may hold it
        child = os.fork()
    if child == 0:
        oban.enqueue_many([Job("W", queue="child")] * 2)
        oban.enqueue(Job("W", queue="child"))
        sys.exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
oban.enqueue(Job("W", queue="parent"))
stop.set()
busy.join()
"""


async def test_forked_processes_open_connections_of_their_own(installed, conn):
    # As a web server does that loads the application before it forks its workers.
    warnings = "-Wignore::DeprecationWarning" if sys.version_info >= (3, 12) else "-Werror"  # of forks with threads
    process = await asyncio.create_subprocess_exec(
        sys.executable, warnings, "-c", WORK_AFTER_FORK, installed, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert (process.returncode, told.decode()) == (0, "")
    found = await queues(conn)
    assert (found.count("parent"), found.count("child")) == (2, 12)


async def test_a_script_that_closes_nothing_ends(installed, conn):
    code = """
import sys
from bridge import Job
from bridge.sync import SyncOban
SyncOban(dsn=sys.argv[1]).enqueue(Job('W'))
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code, installed, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert (process.returncode, told.decode()) == (0, "")
    assert await queues(conn) == ["default"]


# Workers, and web applications


async def test_a_view_of_flask(oban, installed, conn):
    engine = engine_of(installed)
    app = Flask("shop")

    @app.post("/orders/<int:number>")
    def order(number):
        with Session(engine) as session, session.begin():
            session.execute(sa.text("create table if not exists orders (number int)"))
            session.execute(sa.text("insert into orders values (:number)"), {"number": number})
            job = oban.enqueue(Job("Ship", args={"number": number}), conn=session)
            if number == 13:
                raise ValueError(number)
            return {"job": job.id}

    assert app.test_client().post("/orders/1").json == {"job": 1}
    assert app.test_client().post("/orders/13").status_code == 500
    assert await queues(conn) == ["default"]
    engine.dispose()


def test_in_inline_mode_jobs_run_where_they_are_enqueued(registry, installed):
    class Doubles(Worker):
        async def process(self, job):
            await asyncio.sleep(0)
            return Record(job.args["n"] * 2)

    Doubles.options = build_options("Doubles", {})
    registry.register(Doubles, ("Doubles",))
    with SyncOban(dsn=installed, registry=registry) as oban:
        with modes.mode("inline"):
            job = oban.enqueue(Doubles.new({"n": 2}))
            [other] = oban.enqueue_many([Doubles.new({"n": 3})])
        assert (job.state, other.state) == ("completed", "completed")
        assert oban.get_job(job.id or 1) is None
    with SyncOban(dsn=installed, registry=registry, testing="inline") as oban:
        assert oban.enqueue(Doubles.new({"n": 2})).state == "completed"
