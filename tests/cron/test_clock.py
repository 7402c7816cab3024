"""A clock that goes back repeats nothing, and what it leaves out is told and not made up for."""

from .rig import EVERY, HOURLY, Clock, a_worker, jobs_of, warnings

__all__ = ["a_worker"]


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
