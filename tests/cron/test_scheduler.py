"""Each minute's jobs are inserted once, whatever the clock and the nodes do, and nothing is left out in silence."""

import asyncio
import logging
from datetime import timedelta

import pytest
from cluster.rig import poor_role
from proxy import wire_to
from queues.rig import make_worker, row_of, until

from bridge.cron import Entry
from bridge.errors import InvalidSetting
from bridge.testing.interop.gate import Gate

from .rig import Clock, jobs_of, metas

EVERY = {"expression": "* * * * *", "worker": "W", "name": "every"}
HOURLY = {"expression": "@hourly", "worker": "W", "name": "hourly"}
BOOT = {"expression": "@reboot", "worker": "W", "name": "boot"}


async def nothing(_job):
    return None


@pytest.fixture(autouse=True)
def a_worker(worker):
    return worker(nothing, name="W")


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


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
    assert await asyncio.wait_for(heard.get(), 5) == '{"queue": "default"}'


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


# Several nodes


async def test_a_node_that_does_not_lead_inserts_nothing(node, clock, conn):
    leading, following = await node(EVERY), await node(EVERY, leads=False, node="b")
    await following.leader.run_once()
    clock.pass_(minutes=1)
    await following.run_once()
    assert await jobs_of(conn) == []
    await leading.run_once()
    assert await jobs_of(conn) == ["every"]


async def test_the_next_leader_does_not_repeat_a_minute(node, clock, conn):
    first, second = await node(EVERY), await node(EVERY, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    await second.run_once()
    await first.leader.stop()
    await second.leader.run_once()
    await second.run_once()
    assert await jobs_of(conn) == ["every"]
    clock.pass_(minutes=1)
    await second.run_once()
    assert await jobs_of(conn) == ["every", "every"]


async def test_the_next_leader_does_a_minute_that_was_left_undone(node, clock, conn, caplog):
    first, second = await node(EVERY), await node(EVERY, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    clock.set("2026-03-01 12:02:00")
    await second.run_once()  # doesn't lead yet, and the first one is dead
    await conn.execute("delete from oban_peers")
    clock.set("2026-03-01 12:02:45")
    await second.leader.run_once()
    await second.run_once()
    assert await jobs_of(conn) == ["every", "every"]
    assert warnings(caplog) == []


async def test_two_that_believe_to_lead_insert_a_minute_once(node, clock, conn):
    nodes = [await node(EVERY, node="a")]
    for name in ("b", "c", "d"):
        # A database that crashed has forgotten the lease, and those who hold it don't know.
        await conn.execute("delete from oban_peers")
        nodes.append(await node(EVERY, node=name))
    assert all(each.leader.is_leader for each in nodes)
    for _ in range(5):
        clock.pass_(minutes=1)
        await asyncio.gather(*(each.run_once() for each in nodes))
    assert await jobs_of(conn) == ["every"] * 5


async def test_instances_keep_minutes_of_their_own(node, clock, conn):
    one, other = await node(EVERY), await node({**EVERY, "name": "other"}, instance="Other")
    clock.pass_(minutes=1)
    await one.run_once()
    await other.run_once()
    assert sorted(await jobs_of(conn)) == ["every", "other"]


async def test_a_restart_within_the_minute_repeats_nothing_and_leaves_nothing_out(node, clock, conn):
    first = await node(EVERY)
    clock.pass_(minutes=1)
    await first.run_once()
    await first.leader.stop()
    again = await node(EVERY, node="b")
    assert await jobs_of(conn) == ["every"]
    await again.leader.stop()
    clock.set("2026-03-01 12:02:20")  # it was down when the minute began
    await node(EVERY, node="c")
    assert await jobs_of(conn) == ["every", "every"]


# Reboot


async def test_a_reboot_entry_is_inserted_once_with_the_first_minute_that_a_node_does(node, clock, conn):
    scheduler = await node(BOOT, EVERY)
    assert await jobs_of(conn) == []
    for _ in range(3):
        clock.pass_(minutes=1)
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "every", "every"]


async def test_each_node_that_begins_to_lead_inserts_its_reboot_entries(node, clock, conn):
    first, second = await node(BOOT), await node(BOOT, leads=False, node="b")
    clock.pass_(minutes=1)
    await first.run_once()
    await second.run_once()
    await first.leader.stop()
    await second.leader.run_once()
    for _ in range(2):
        clock.pass_(minutes=1)
        await second.run_once()
    assert await jobs_of(conn) == ["boot", "boot"]


async def test_a_commit_whose_answer_is_lost_is_not_repeated(node, clock, conn, installed):
    async with wire_to(installed) as wire:
        scheduler = await node(BOOT, EVERY, dsn=wire.dsn)
        clock.pass_(minutes=1)
        wire.lose_answer(b"COMMIT")
        with pytest.raises(Exception, match="connection"):
            await scheduler.run_once()
        assert wire.lost.is_set()
        assert await jobs_of(conn) == ["boot", "every"]
        await scheduler.run_once()
        clock.pass_(minutes=1)
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "every"]


async def test_a_round_that_is_broken_off_is_done_again_as_a_whole(node, clock, conn, installed):
    async with wire_to(installed) as wire:
        scheduler = await node(BOOT, EVERY, {**EVERY, "name": "second"}, dsn=wire.dsn)
        clock.pass_(minutes=1)
        wire.lose_answer(b"bridge_crons")
        with pytest.raises(Exception, match="connection"):
            await scheduler.run_once()
        assert await jobs_of(conn) == []
        await scheduler.run_once()
    assert await jobs_of(conn) == ["boot", "every", "second"]


async def test_a_leader_that_is_lost_in_the_midst_of_a_minute_holds_it_up_for_a_moment_only(
    node, clock, conn, installed, monkeypatch
):
    """It is frozen, and the server isn't told: the minute's transaction ends there by itself, and the next leader's
    goes on."""
    monkeypatch.setattr("bridge.engine.crons.LIMITS", ("5s", "1s"))
    holders = """
        select from pg_stat_activity join pg_locks using (pid)
        where state = 'idle in transaction' and relation = 'bridge_crons'::regclass and mode = 'RowExclusiveLock'
    """
    first_clock, second = Clock(), await node(EVERY, leads=False, node="b")
    with Gate(installed) as gate:
        first = await node(EVERY, dsn=gate.url(), clock=first_clock)
        first_clock.pass_(minutes=1)
        gate.delay(0.15)
        lost = asyncio.create_task(first.run_once())
        await until(lambda: conn.fetch(holders))
        gate.freeze()

        await conn.execute("delete from oban_peers")
        await second.leader.run_once()
        clock.pass_(minutes=1)
        async with asyncio.timeout(5):
            await second.run_once()

        assert await jobs_of(conn) == ["every"]
        gate.drop()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)


# The clock


async def test_minutes_that_the_clock_leaves_out_are_told_and_not_made_up_for(node, clock, conn, caplog):
    scheduler = await node(EVERY, HOURLY)
    clock.set("2026-03-01 14:05:10")
    await scheduler.run_once()
    assert await jobs_of(conn) == ["every"]
    [told] = warnings(caplog)
    assert told.startswith("no cron jobs were inserted between 2026-03-01 12:00 UTC and 2026-03-01 14:05 UTC")
    assert "W (* * * * *, every) 100 times or more from 2026-03-01 12:01 UTC" in told
    assert "W (@hourly, hourly) 2 times from 2026-03-01 13:00 UTC" in told


async def test_a_single_minute_that_is_left_out_is_told_too(node, clock, conn, caplog):
    scheduler = await node(EVERY)
    clock.set("2026-03-01 12:02:00")
    await scheduler.run_once()
    assert await jobs_of(conn) == ["every"]
    [told] = warnings(caplog)
    assert told.endswith("missed: W (* * * * *, every) at 2026-03-01 12:01 UTC")


async def test_a_gap_in_which_nothing_was_due_is_no_warning(node, clock, conn, caplog):
    caplog.set_level("INFO", "bridge.cron")
    scheduler = await node(HOURLY)
    clock.set("2026-03-01 12:30:00")
    await scheduler.run_once()
    assert warnings(caplog) == []
    assert "missed: nothing" in caplog.text


async def test_what_was_due_while_no_node_ran_is_told_by_the_next_one(node, clock, conn, caplog):
    first = await node(HOURLY)
    clock.pass_(minutes=1)
    await first.run_once()
    await first.leader.stop()
    clock.set("2026-03-01 13:20:00")
    await node(HOURLY, node="b")
    [told] = warnings(caplog)
    assert "missed: W (@hourly, hourly) at 2026-03-01 13:00 UTC" in told
    assert await jobs_of(conn) == []


async def test_a_clock_that_goes_back_repeats_nothing(node, clock, conn, caplog):
    scheduler = await node(EVERY)
    for minute in (1, 2, 3, 4, 5):
        clock.set(f"2026-03-01 12:0{minute}:00")
        await scheduler.run_once()
    for minute in (2, 3, 4, 5):
        clock.set(f"2026-03-01 12:0{minute}:30")
        await scheduler.run_once()
    assert len(await jobs_of(conn)) == 5
    [told] = warnings(caplog)
    assert told == (
        "the clock went back from 2026-03-01 12:05 UTC to 2026-03-01 12:02 UTC: "
        "what was due until the end of 2026-03-01 12:05 UTC was inserted, or told as missed"
    )
    clock.set("2026-03-01 12:06:00")
    await scheduler.run_once()
    assert len(await jobs_of(conn)) == 6


async def test_the_clocks_of_two_nodes_may_differ_a_little(node, conn, caplog):
    ahead, behind = Clock("2026-03-01 12:00:30"), Clock("2026-03-01 12:00:28")
    first, second = await node(EVERY, clock=ahead), await node(EVERY, clock=behind, leads=False, node="b")
    ahead.set("2026-03-01 12:01:01")
    await first.run_once()
    await first.leader.stop()
    await second.leader.run_once()
    for text in ("12:00:59", "12:01:30", "12:02:00"):
        behind.set(f"2026-03-01 {text}")
        await second.run_once()
    assert await jobs_of(conn) == ["every", "every"]
    assert warnings(caplog) == []


async def test_a_clock_that_was_far_ahead_stops_nothing_for_long(node, clock, conn, caplog):
    scheduler = await node(EVERY)
    clock.set("2026-03-01 12:01:00")
    await scheduler.run_once()
    clock.set("2031-01-01 00:00:00")
    await scheduler.run_once()
    clock.set("2026-03-01 12:01:20")
    await scheduler.run_once()
    assert len(await jobs_of(conn)) == 2  # the minute that is shown again was done
    clock.set("2026-03-01 12:02:00")
    await scheduler.run_once()
    assert len(await jobs_of(conn)) == 3
    assert "it counts from the next minute on" in warnings(caplog)[-1]


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
