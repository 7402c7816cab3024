"""Indexes are built anew while others write, on a schedule, by whoever may."""

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
from cluster.rig import poor_role
from engine.rig import blocked

from bridge.cron import Expression
from bridge.errors import InvalidSetting
from bridge.maintenance import Reindexer
from bridge.maintenance.reindexer import INDEXES, check_reindexer

from .rig import engine_on

ALWAYS = Expression.parse("* * * * *")


@pytest.fixture
async def engine(installed):
    async with engine_on(installed) as found:
        yield found


@pytest.fixture
def reindexer(engine):
    def make(**options):
        return Reindexer(engine, options.pop("is_leader", lambda: True), **options)

    return make


async def indexes(conn):
    """The indexes of the table of jobs: (number of its file, whether it is valid) by name."""
    statement = """
        select c.relname, c.relfilenode, i.indisvalid
        from pg_index as i join pg_class as c on c.oid = i.indexrelid
        where i.indrelid = 'oban_jobs'::regclass
    """
    return {row["relname"]: (row["relfilenode"], row["indisvalid"]) for row in await conn.fetch(statement)}


@asynccontextmanager
async def broken_off_rebuild(dsn, conn, index):
    """Leave behind what a rebuild leaves that was broken off; another transaction holds it up meanwhile."""
    holder, builder = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute("insert into oban_jobs (worker) values ('W')")
            rebuild = asyncio.create_task(builder.execute(f"reindex index concurrently {index}"))
            await blocked(conn)
            await conn.execute("select pg_cancel_backend($1)", builder.get_server_pid())
            with pytest.raises(asyncpg.QueryCanceledError):
                await rebuild
        yield
    finally:
        await holder.close()
        await builder.close()


async def test_both_gin_indexes_are_built_anew_and_the_others_left(reindexer, conn):
    before = await indexes(conn)
    done = await reindexer().reindex()
    after = await indexes(conn)
    assert tuple(index.name for index in done.rebuilt) == INDEXES
    assert {name for name in before if after[name] != before[name]} == set(INDEXES)
    assert after.keys() == before.keys()
    assert (done.dropped, done.missing, done.failed) == ((), (), ())


async def test_others_may_be_named_and_what_is_not_there_is_told_once(reindexer, conn, caplog):
    wanted = ["oban_jobs_pkey", "oban_jobs_args_inde", 'odd"; drop table oban_jobs; --']
    service = reindexer(indexes=wanted, schedule=ALWAYS)
    before = await indexes(conn)
    for _ in range(3):
        service._seen = None
        await service.run_once()
    after = await indexes(conn)
    assert {name for name in before if after[name] != before[name]} == {"oban_jobs_pkey"}
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "oban_jobs_args_inde: the table has no such index" in record.getMessage()


async def test_an_index_of_another_table_is_none_of_ours(reindexer, conn):
    done = await reindexer(indexes=["oban_peers_pkey"]).reindex()
    assert (done.rebuilt, done.missing) == ((), ("oban_peers_pkey",))


async def test_what_a_broken_off_rebuild_left_behind_is_dropped(reindexer, conn, installed):
    async with broken_off_rebuild(installed, conn, "oban_jobs_meta_index"):
        assert (await indexes(conn))["oban_jobs_meta_index_ccnew"][1] is False
        planned = await reindexer().plan()
        assert [index.name for index in planned.dropped] == ["oban_jobs_meta_index_ccnew"]
        done = await reindexer().reindex()
        assert [index.name for index in done.dropped] == ["oban_jobs_meta_index_ccnew"]
        assert all(valid for _, valid in (await indexes(conn)).values())
        assert len(await indexes(conn)) == 6


async def test_what_is_no_broken_off_rebuild_is_left_alone(reindexer, conn):
    await conn.execute("insert into oban_jobs (worker) values ('W'), ('W')")
    with pytest.raises(asyncpg.UniqueViolationError):  # it leaves an invalid index, which is for its maker to mend
        await conn.execute("create unique index concurrently oban_jobs_theirs on oban_jobs (worker)")
    await conn.execute("create index oban_jobs_odd_ccnew on oban_jobs (queue)")
    before = await indexes(conn)
    assert before["oban_jobs_theirs"][1] is False
    assert (await reindexer().reindex()).dropped == ()
    assert (await indexes(conn)).keys() == before.keys()


async def test_an_index_that_somebody_is_building_is_left_alone(reindexer, conn, installed):
    """Oban drops it the moment it is done; a rebuild beside it can end in a deadlock."""
    holder, builder = await asyncpg.connect(installed), await asyncpg.connect(installed)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("insert into oban_jobs (worker) values ('W')")
    build = asyncio.create_task(builder.execute("create index concurrently oban_jobs_theirs on oban_jobs (worker)"))
    await blocked(conn)
    before = await indexes(conn)
    service = reindexer(schedule=ALWAYS)
    await service.run_once()
    done = await service.reindex()
    assert (done.rebuilt, done.dropped) == ((), ())
    assert [name for name, _ in done.failed] == list(INDEXES)
    assert await indexes(conn) == before
    await transaction.commit()
    await build
    await service.run_once()  # it is still owed
    assert (await indexes(conn))["oban_jobs_args_index"] != before["oban_jobs_args_index"]
    assert (await indexes(conn))["oban_jobs_theirs"][1] is True
    await holder.close()
    await builder.close()


async def test_a_rebuild_that_takes_too_long_is_given_up_and_tidied(reindexer, conn, installed):
    holder = await asyncpg.connect(installed)
    service = reindexer(indexes=["oban_jobs_args_index"], timeout=1)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("insert into oban_jobs (worker) values ('W')")
    done = await service.reindex()
    assert done.rebuilt == ()
    assert ("oban_jobs_args_index", "it took longer than 1 s") in done.failed
    await transaction.rollback()
    await reindexer(indexes=["oban_jobs_args_index"]).reindex()
    assert all(valid for _, valid in (await indexes(conn)).values())
    assert len(await indexes(conn)) == 6
    await holder.close()


async def test_an_index_that_meets_damaged_data_is_told_of_and_the_others_are_built(reindexer, conn):
    await conn.execute(
        """
        create table damage (there boolean);
        insert into damage values (false);
        create function read_page(bigint) returns bigint immutable language plpgsql as $$
        begin
          if (select there from public.damage) then
            raise exception using errcode = 'XX001', message = 'invalid page in block 7';
          end if;
          return $1;
        end
        $$;
        insert into oban_jobs (worker) values ('W');
        create index damaged on oban_jobs (read_page(id));
        update damage set there = true;
        """
    )
    done = await reindexer(indexes=["damaged", *INDEXES]).reindex()
    assert done.failed == (("damaged", "invalid page in block 7"),)
    assert [index.name for index in done.rebuilt] == list(INDEXES)


async def test_a_role_that_does_not_own_the_table_is_told_so_once(installed, conn, caplog):
    before = await indexes(conn)
    async with poor_role(conn, installed) as dsn, engine_on(dsn) as engine:
        role = dsn.rpartition("role=")[2]
        await conn.execute(f"revoke all on oban_jobs from {role}; grant select, insert on oban_jobs to {role}")
        service = Reindexer(engine, lambda: True, schedule=ALWAYS)
        for _ in range(3):
            service._seen = None
            await service.run_once()
    assert await indexes(conn) == before
    [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "must be owner" in record.getMessage() or "permission denied" in record.getMessage()


async def test_jobs_can_be_written_while_indexes_are_built(reindexer, conn):
    await conn.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 20000)")
    reindex = asyncio.create_task(reindexer().reindex())
    written = 0
    while not reindex.done():
        await conn.execute("insert into oban_jobs (worker) values ('W')")
        written += 1
    assert (await reindex).failed == ()
    assert written > 0


# When


async def test_it_is_done_once_in_a_minute_that_matches_and_by_the_leader_alone(reindexer, conn):
    before = await indexes(conn)
    never = Expression.parse("0 0 29 2 0" if datetime.now(UTC).month != 2 else "0 0 1 7 *")
    for service in (reindexer(), reindexer(schedule=never), reindexer(schedule=ALWAYS, is_leader=lambda: False)):
        await service.run_once()
    assert await indexes(conn) == before
    service = reindexer(schedule=ALWAYS)
    await service.run_once()
    after = await indexes(conn)
    assert after != before
    minute = service._seen
    await service.run_once()
    if service._seen == minute:  # the minute may have ended meanwhile
        assert await indexes(conn) == after


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"enabled": "yes"}, "reindexer.enabled"),
        ({"indexes": "oban_jobs_args_index"}, "reindexer.indexes"),
        ({"indexes": [1]}, "reindexer.indexes"),
        ({"indexes": ["a\0b"]}, "reindexer.indexes"),
        ({"timeout": 0}, "reindexer.timeout"),
    ],
)
def test_options_that_a_reindexer_cant_have_are_refused(options, field):
    with pytest.raises(InvalidSetting) as caught:
        check_reindexer(**options)
    assert caught.value.field == field
