"""An instance starts also where its database, or Oban's tables in it, are not there yet."""

import asyncio
import os

import asyncpg
import pytest
from databases import dsn_of, run_on_server
from engine.schema.oban_databases import OBAN_PY, make
from proxy import wire_to
from queues.rig import PATIENCE, insert_row, until

from bridge import Oban
from bridge.engine.schema import install, upgrade
from bridge.errors import InstanceNotFound, InvalidSetting, NotRunning, SchemaError


async def nothing(_job):
    return None


async def migrate(dsn):
    conn = await asyncpg.connect(dsn)
    await install(conn, "public")
    await conn.close()


def waiting(caplog):
    return [record.getMessage() for record in caplog.records if "can't start yet" in record.getMessage()]


async def test_by_default_a_start_fails_at_once_and_can_be_repeated(database):
    oban = Oban(dsn=database)
    with pytest.raises(SchemaError, match="bridge install"):
        await oban.start()
    with pytest.raises(InstanceNotFound):
        Oban.get_instance()
    await migrate(database)
    async with oban:
        assert await oban.count_jobs() == {}


async def test_in_the_background_it_starts_when_the_tables_are_there(database, registry, worker, ends, caplog):
    worker(nothing)
    oban = Oban(dsn=database, registry=registry, queues={"default": 1}, connect="background")
    async with asyncio.timeout(PATIENCE), oban:
        await until(lambda: asyncio.sleep(0, waiting(caplog)))
        with pytest.raises(NotRunning, match=r"not running yet: SchemaError: .*bridge install"):
            await oban.count_jobs()
        await migrate(database)
        await oban.ready()
        conn = await asyncpg.connect(database)
        await insert_row(conn)
        await ends.next()
        await conn.close()
    assert len(waiting(caplog)) == 1


async def test_it_waits_for_the_tables(database, caplog):
    oban = Oban(dsn=database, connect="wait")
    starting = asyncio.create_task(oban.start())
    await until(lambda: asyncio.sleep(0, waiting(caplog)))
    assert not starting.done()
    await migrate(database)
    async with asyncio.timeout(PATIENCE):
        await starting
    assert await oban.count_jobs() == {}
    await oban.stop()


@pytest.mark.parametrize("connect", ["wait", "background"])
async def test_it_waits_for_the_server(installed, caplog, connect):
    async with wire_to(installed) as wire:
        await wire.cut()
        oban = Oban(dsn=wire.dsn, connect=connect)
        starting = asyncio.create_task(oban.start())
        await until(lambda: asyncio.sleep(0, waiting(caplog)))
        await wire.open()
        async with asyncio.timeout(PATIENCE):
            await starting
            await oban.ready()
        assert await oban.count_jobs() == {}
        await oban.stop()


@pytest.mark.parametrize("connect", ["wait", "background"])
async def test_it_waits_for_a_server_that_takes_writes(installed, conn, caplog, connect):
    """A node that starts in the midst of a failover: every server answers, and none is the primary."""
    database = await conn.fetchval("select quote_ident(current_database())")
    await conn.execute(f"alter database {database} set default_transaction_read_only = on")
    oban = Oban(dsn=f"{installed}{'&' if '?' in installed else '?'}target_session_attrs=read-write", connect=connect)
    starting = asyncio.create_task(oban.start())
    await until(lambda: asyncio.sleep(0, waiting(caplog)))
    await conn.execute(f"alter database {database} reset default_transaction_read_only")
    async with asyncio.timeout(PATIENCE):
        await starting
        await oban.ready()
    assert await oban.count_jobs() == {}
    await oban.stop()


@pytest.mark.parametrize("host", ["nowhere.invalid", "224.0.0.1"])
async def test_it_waits_for_a_server_to_which_no_way_leads(caplog, host):
    oban = Oban(dsn=f"postgresql://u:tell-nobody@{host}/x", connect="background")
    async with oban:
        await until(lambda: asyncio.sleep(0, waiting(caplog)))
        with pytest.raises(NotRunning, match="not running yet: ") as refused:
            await oban.count_jobs()
    assert "tell-nobody" not in caplog.text + str(refused.value)


async def test_it_waits_for_the_database(caplog):
    name = f"not_there_yet_{os.getpid()}"
    oban = Oban(dsn=dsn_of(name), connect="background")
    async with oban:
        await until(lambda: asyncio.sleep(0, waiting(caplog)))
        await run_on_server(f"create database {name}")
        await migrate(dsn_of(name))
        async with asyncio.timeout(PATIENCE):
            await oban.ready()
    await run_on_server(f"drop database {name} with (force)")


async def test_it_can_be_stopped_while_it_waits(database, caplog):
    oban = Oban(dsn=database, connect="wait")
    starting = asyncio.create_task(oban.start())
    await until(lambda: asyncio.sleep(0, waiting(caplog)))
    async with asyncio.timeout(PATIENCE):
        await oban.stop()
        with pytest.raises(NotRunning):
            await starting
    with pytest.raises(InstanceNotFound):
        Oban.get_instance()
    await migrate(database)
    async with asyncio.timeout(PATIENCE), oban:
        assert await oban.count_jobs() == {}


async def test_a_start_that_is_cancelled_leaves_nothing_behind(database, caplog):
    before = asyncio.all_tasks()
    starting = asyncio.create_task(Oban(dsn=database, connect="wait").start())
    await until(lambda: asyncio.sleep(0, waiting(caplog)))
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert asyncio.all_tasks() == before
    with pytest.raises(InstanceNotFound):
        Oban.get_instance()


async def test_what_can_never_work_is_not_waited_for(installed, caplog):
    dsn = f"{installed}{'&' if '?' in installed else '?'}connect_timeout=soon"
    with pytest.raises(InvalidSetting, match="connect_timeout"):
        await Oban(dsn=dsn, connect="wait").start()
    oban = Oban(dsn=dsn, connect="background")
    await oban.start()
    with pytest.raises(InvalidSetting, match="connect_timeout"):
        await oban.ready()
    with pytest.raises(NotRunning, match="connect_timeout"):
        await oban.count_jobs()
    await oban.stop()
    assert "can't start" in caplog.text


@pytest.mark.parametrize("value", ["later", None, True, ""])
def test_a_way_to_connect_that_is_none_is_refused(value):
    with pytest.raises(InvalidSetting, match="one of now, wait, background"):
        Oban(dsn="postgresql:///a", connect=value)


@pytest.mark.parametrize("testing", ["disabled", "manual"])
async def test_tables_of_an_older_version_are_told_with_the_mend(database, caplog, testing):
    conn = await asyncpg.connect(database)
    await make(conn, "V12")

    async with Oban(dsn=database, testing=testing):
        pass
    [told] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "version 12 of 14" in told
    assert "`bridge upgrade`" in told
    assert "Elixir" in told

    caplog.clear()
    await upgrade(conn)
    await conn.close()
    async with Oban(dsn=database, testing=testing):
        pass
    assert caplog.records == []


async def test_tables_without_versions_are_not_called_old(database, caplog):
    conn = await asyncpg.connect(database)
    await make(conn, OBAN_PY)
    await conn.close()

    async with Oban(dsn=database):
        pass

    assert caplog.records == []


async def test_a_stop_that_nobody_waits_for_leaves_the_name_free(installed, caplog):
    oban = Oban(dsn=dsn_of("never_there"), connect="background")
    await oban.start()
    await until(lambda: asyncio.sleep(0, waiting(caplog)))
    stopping = asyncio.create_task(oban.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    async with Oban(dsn=installed) as another:
        assert await another.count_jobs() == {}
