"""Each minute's jobs are inserted once, and with the first one those of a reboot."""

import asyncio
from datetime import timedelta

import pytest
from cluster.rig import poor_role
from proxy import wire_to
from queues.rig import PATIENCE, make_worker, row_of, until

from bridge.cron import Entry
from bridge.errors import InvalidSetting

from .rig import BOOT, EVERY, HOURLY, Clock, a_worker, jobs_of, metas, nothing, warnings

__all__ = ["a_worker"]


# A minute


async def test_a_due_job_is_inserted_once_a_minute(node, clock, conn):
    scheduler = await node(EVERY)
    assert await jobs_of(conn) == []  # as with Oban, the first minute is the next one
    for second in ("00", "01", "30", "59"):
        clock.set(f"2026-03-01 12:01:{second}")
        await scheduler.run_once()
    assert await jobs_of(conn) == ["every"]
    clock.set("2026-03-01 12:02:00")
    await scheduler.run_once()
    assert await jobs_of(conn) == ["every", "every"]


async def test_only_what_matches_the_minute_is_inserted(node, clock, conn):
    scheduler = await node(HOURLY, EVERY, {**HOURLY, "expression": "1 12 1 3 SUN", "name": "once"})
    clock.set("2026-03-01 12:01:00")
    await scheduler.run_once()
    assert await jobs_of(conn) == ["every", "once"]


async def test_the_row_is_an_ordinary_one_with_obans_keys_in_its_meta(node, clock, conn, worker):
    worker(nothing, name="Rich", queue="rich", priority=3, tags=["a"], meta={"team": "x", "cron": "mine"})
    scheduler = await node(
        Entry(
            "* * * * *",
            "Rich",
            args={"n": 1},
            name="rich",
            timezone="Europe/Vienna",
            max_attempts=2,
            meta={"own": True, "cron_expr": "lie"},
        )
    )
    clock.pass_(minutes=1)
    await scheduler.run_once()
    row = await row_of(conn, await conn.fetchval("select id from oban_jobs"))
    expected = {"state": "available", "queue": "rich", "worker": "Rich", "args": {"n": 1}, "priority": 3}
    expected |= {"tags": ["a"], "max_attempts": 2, "attempt": 0, "errors": []}
    assert {key: row[key] for key in expected} == expected
    assert row["meta"] == {
        "team": "x",
        "own": True,
        "cron": True,
        "cron_expr": "* * * * *",
        "cron_name": "rich",
        "cron_tz": "Europe/Vienna",
    }


async def test_the_keys_are_those_of_a_row_that_oban_inserted(node, clock, conn):
    oban = {"cron": True, "cron_tz": "Etc/UTC", "cron_expr": "* * * * *", "cron_name": "56694959"}  # Oban 2.23.1
    scheduler = await node({**EVERY, "name": "56694959"})
    clock.pass_(minutes=1)
    await scheduler.run_once()
    assert await metas(conn) == [oban]


async def test_an_entry_is_read_by_the_clock_of_its_zone(node, clock, conn):
    clock.set("2026-03-01 06:59:30")
    vienna = {"worker": "W", "timezone": "Europe/Vienna"}
    scheduler = await node(
        {**vienna, "expression": "0 8 * * *", "name": "vienna"},
        {**vienna, "expression": "0 7 * * *", "name": "early"},
        {"worker": "W", "expression": "0 7 * * *", "name": "utc"},
    )
    clock.pass_(minutes=1)
    await scheduler.run_once()
    assert sorted(await jobs_of(conn)) == ["utc", "vienna"]


async def test_the_hour_that_comes_twice_is_done_twice_and_the_one_left_out_is_not(node, clock, conn):
    clock.set("2026-10-25 00:29:30")
    entry = {"worker": "W", "timezone": "Europe/Vienna", "expression": "30 2 * * *", "name": "night"}
    scheduler = await node(entry)
    for _ in range(120):
        clock.pass_(minutes=1)
        await scheduler.run_once()
    assert len(await jobs_of(conn)) == 2
    spring = Clock("2026-03-29 00:00:30")
    assert list(scheduler.lines[0].missed(spring(), spring() + timedelta(hours=4), 10)) == []


async def test_queues_hear_of_their_jobs(node, clock, conn, installed):
    heard = asyncio.Queue()
    await conn.add_listener("public.oban_insert", lambda *message: heard.put_nowait(message[3]))
    scheduler = await node(EVERY)
    clock.pass_(minutes=1)
    await scheduler.run_once()
    assert await asyncio.wait_for(heard.get(), PATIENCE) == '{"queue": "default"}'


async def test_an_entry_that_fails_keeps_none_of_the_others_back(node, clock, conn, caplog):
    await conn.execute("alter table oban_jobs add constraint no_13 check (queue <> 'bad')")
    scheduler = await node(EVERY, {**EVERY, "name": "bad", "queue": "bad"}, {**EVERY, "name": "last", "queue": "last"})
    clock.pass_(minutes=1)
    await scheduler.run_once()
    assert sorted(await jobs_of(conn)) == ["every", "last"]
    assert "the cron job bad (cron[1]) could not be inserted" in caplog.text


async def test_jobs_that_the_table_refuses_are_refused_at_the_start(node, conn):
    await conn.execute("alter table oban_jobs add constraint priority_range check (priority between 0 and 3)")
    scheduler = await node({**EVERY, "priority": 9})
    with pytest.raises(InvalidSetting, match=r"cron\[0\]: priority: expected 0 to 3 in this database, got 9"):
        scheduler.check()


# The table that remembers


async def test_a_role_that_may_not_make_the_table_does_as_oban_does(node, clock, conn, installed, caplog):
    await conn.execute("revoke create on schema public from public")
    async with poor_role(conn, installed) as dsn:
        scheduler = await node(BOOT, EVERY, dsn=dsn)
        for _ in range(2):
            clock.pass_(minutes=1)
            for _ in range(2):
                await scheduler.run_once()
        assert await jobs_of(conn) == ["boot", "every", "every"]
        # What came before it took over may have been another leader's.
        other = await node(EVERY, dsn=dsn, leads=False, node="b")
        await scheduler.leader.stop()
        clock.pass_(minutes=1)
        await other.run_once()
        await other.leader.run_once()
        await other.run_once()
        assert len(await jobs_of(conn)) == 3
        clock.pass_(minutes=1)
        await other.run_once()
        assert len(await jobs_of(conn)) == 4
        await other.leader.stop()
    assert sum("without bridge_crons" in text for text in warnings(caplog)) == 2  # once a node


async def test_many_nodes_may_make_the_table_at_once(node, clock, conn):
    nodes = [await node(EVERY, leads=False, node=name) for name in "abcd"]
    await asyncio.gather(*(each._engine.prepare_crons() for each in nodes))
    await conn.execute("drop table bridge_crons")
    await nodes[0].leader.run_once()
    clock.pass_(minutes=1)
    await nodes[0].run_once()
    assert await jobs_of(conn) == ["every"]


# The service


async def test_the_next_round_is_at_the_minutes_beginning(node, clock):
    scheduler = await node(EVERY)
    for text, delay in (("12:00:59.750", 0.25), ("12:00:30", 1.0), ("12:00:00", 1.0)):
        clock.set(f"2026-03-01 {text}")
        assert scheduler._delay() == pytest.approx(delay)


async def test_an_outage_leaves_no_minute_out_that_is_not_over(node, clock, conn, installed, caplog):
    async with wire_to(installed) as wire:
        scheduler = await node(EVERY, dsn=wire.dsn)
        clock.pass_(minutes=1)
        await wire.cut()
        scheduler.interval = 0.05
        scheduler.start()
        await until(lambda: asyncio.sleep(0, "cron failed" in caplog.text))
        assert await jobs_of(conn) == []
        await wire.open()
        await until(lambda: jobs_of(conn))
    assert await jobs_of(conn) == ["every"]


async def test_a_started_instance_inserts_and_runs_its_jobs(start, ends, conn):
    clock = Clock("2026-03-01 12:00:59.900")
    oban = await start(queues={"default": 5}, cron=[EVERY])
    oban._parts.cron._clock = clock  # a minute is long
    await until(lambda: asyncio.sleep(0, oban._parts.leader.is_leader))
    await oban._parts.cron.wait_for_round()
    clock.set("2026-03-01 12:01:00")
    job = (await ends.first(1))[0].job
    assert job.meta["cron_name"] == "every"


async def test_an_instance_with_cron_false_has_no_scheduler(start, worker, registry):
    make_worker(registry, nothing, name="Timed", cron="* * * * *")
    quiet = await start(name="Oban", queues={"default": 1}, cron=False)
    assert quiet._parts.cron.lines == []
    assert not quiet._parts.cron.running


async def test_a_client_inserts_no_cron_jobs_unless_it_is_told_to(start, registry):
    make_worker(registry, nothing, name="Timed", cron="* * * * *")
    client = await start()
    assert not client._parts.cron.running
    await client.stop()
    told = await start(cron=[EVERY])
    assert told._parts.cron.running
    assert [line.worker for line in told._parts.cron.lines] == ["W", "Timed"]
