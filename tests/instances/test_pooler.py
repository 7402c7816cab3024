"""A node behind a pooler in transaction mode: it hears nothing, and works all the same."""

import asyncio
import os
import shutil
import socket
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from pooler import transaction_pooler
from proxy import wire_to
from queues.rig import PATIENCE, insert_row, states, until

from bridge import Oban
from bridge.errors import InvalidSetting
from bridge.pubsub import Link, Status

PGBOUNCER = shutil.which("pgbouncer")

CONFIG = """
[databases]
* = host=127.0.0.1 port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


async def nothing(_job):
    return None


@asynccontextmanager
async def pgbouncer(dsn, folder):
    """PgBouncer itself, before the server of `dsn`."""
    parts = urlsplit(dsn)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(port=parts.port, user=parts.username, own=own))
    arguments = [str(config)]
    if os.geteuid() == 0:  # it refuses to serve as root
        folder.chmod(0o755)
        arguments = ["-u", "nobody", *arguments]
    process = await asyncio.create_subprocess_exec(PGBOUNCER, "-q", *arguments, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", own))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.02)
        yield f"postgresql://postgres@127.0.0.1:{own}{parts.path}"
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(
    params=[
        "our own",
        pytest.param("pgbouncer", marks=pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")),
    ]
)
async def pooled(request, installed, tmp_path):
    """The DSN of the test's database by way of a pooler in transaction mode."""
    if request.param == "pgbouncer":
        # Over TCP: as another user, it may not come near the server's socket.
        async with wire_to(installed) as wire, pgbouncer(wire.dsn, tmp_path) as dsn:
            yield dsn
    else:
        async with transaction_pooler(installed, sessions=3) as pooler:
            yield pooler.dsn


async def status(oban, *wanted):
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(*wanted)


async def test_jobs_start_long_before_a_queue_looks_by_itself_though_no_message_arrives(
    start, pooled, worker, ends, conn, caplog
):
    caplog.set_level("INFO", "bridge.engine")
    cls = worker(nothing)
    oban = await start(dsn=pooled, queues={"default": 5})
    await status(oban, Status.ISOLATED)
    assert oban.notifier.link is Link.CONNECTED
    assert "there is a pooler between this node and PostgreSQL" in caplog.text
    jobs = [
        await insert_row(conn),
        (await oban.enqueue(cls.new(schedule_in=0.2))).id,
        *(job.id for job in await oban.enqueue_many(cls.new({"n": n}) for n in range(200))),
    ]
    await ends.first(len(jobs))
    assert await states(conn) == {"completed": len(jobs)}


async def test_a_listener_with_a_way_of_its_own_hears_everything(start, installed, pooled, worker, ends, conn):
    cls = worker(nothing)
    oban = await start(dsn=pooled, queues={"default": 5}, notifier={"dsn": installed}, stager={"interval": 600})
    await status(oban, Status.SOLITARY)
    await ends.of(await oban.enqueue(cls.new()))
    await oban.pause_queue("default")
    await until(lambda: asyncio.sleep(0, oban.check_queue("default").paused))


async def test_many_statements_at_once_find_their_sessions(start, pooled, worker, ends):
    cls = worker(nothing)
    oban = await start(dsn=pooled, queues={"default": 20}, stager={"interval": 0.05})
    await asyncio.gather(
        *(oban.enqueue(cls.new({"n": n})) for n in range(100)), *(oban.count_jobs() for _ in range(50))
    )
    await ends.first(100)


async def test_prepared_statements_that_a_pooler_loses_are_told_with_the_mend(pooled, registry, worker):
    cls = worker(nothing)
    async with Oban(dsn=pooled, registry=registry, pool_options={"prepared": "on"}) as oban:

        async def lose_one():
            for _ in range(50):
                inserts = (oban.enqueue(cls.new()) for _ in range(5))
                await asyncio.gather(*inserts, *(oban.count_jobs() for _ in range(5)))

        with pytest.raises(InvalidSetting, match="'prepared': 'off'"):
            await lose_one()


@pytest.mark.parametrize(("prepared", "cached"), [("auto", True), ("on", True), ("off", False)])
async def test_straight_to_the_server_statements_are_prepared_unless_told_otherwise(installed, prepared, cached):
    async with Oban(dsn=installed, pool_options={"prepared": prepared}) as oban:
        async with oban._parts.pool.acquire() as conn:
            await conn.fetch("select 1 as mark")
            kept = await conn.fetchval("select count(*) from pg_prepared_statements where statement like '%as mark'")
        assert bool(kept) is cached


async def test_a_pool_of_the_applications_without_prepared_statements_works(pooled, registry, worker):
    cls = worker(nothing)
    async with (
        asyncpg.create_pool(pooled, min_size=3, max_size=3, statement_cache_size=0) as pool,
        Oban(pool=pool, registry=registry) as oban,
    ):
        await asyncio.gather(*(oban.enqueue(cls.new()) for _ in range(20)))
        assert await oban.count_jobs() == {"available": 20}


def test_an_option_that_is_none_is_refused():
    with pytest.raises(InvalidSetting, match=r"pool_options\.prepared: expected one of auto, on, off"):
        Oban(dsn="postgresql:///a", pool_options={"prepared": True})
