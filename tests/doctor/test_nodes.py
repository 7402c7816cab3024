"""Who leads, who is alive, what the dead left behind, and clocks."""

import asyncio

from maintenance.rig import engine_on
from queues.rig import make_worker

from bridge import Job
from bridge.doctor import Level
from bridge.maintenance import Lifeline

from .rig import examined, found, producer, put

EXECUTING = {"state": "'executing'", "attempt": "1"}


def running(uuid, node="py@a", since="1 minute"):
    return {
        **EXECUTING,
        "attempted_by": f"array['{node}', '{uuid}']",
        "attempted_at": f"timezone('UTC', now()) - interval '{since}'",
        "inserted_at": f"timezone('UTC', now()) - interval '{since}'",
        "scheduled_at": f"timezone('UTC', now()) - interval '{since}'",
    }


async def lease(conn, name="Oban", node="ex@a", seconds=30):
    await conn.execute(
        """
        insert into oban_peers
        values ($1, $2, timezone('UTC', now()), timezone('UTC', now()) + $3 * interval '1 second')
        """,
        name, node, float(seconds),
    )  # fmt: skip


async def test_live_and_expired_leases_of_both_languages(installed, own):
    await lease(own)
    await lease(own, "Oban@python", "py@a")
    await lease(own, "Old", "ex@gone", -600)

    finding = await found(installed, "leases", "ok")

    assert finding.seen == "ex@a leads Oban, py@a leads Oban@python"
    assert [(row["node"], row["language"]) for row in finding.figures["live"]] == [
        ("ex@a", "Elixir"),
        ("py@a", "Python"),
    ]
    assert [row["node"] for row in finding.figures["expired"]] == ["ex@gone"]
    assert "Old (Elixir): ex@gone, ran out 10 min ago" in finding.details


async def test_a_lease_for_longer_than_any_node_asks_for_is_a_warning(installed, own):
    await lease(own, seconds=3_600)
    assert "a lease runs for 60 min yet" in (await found(installed, "leases", "warning")).seen

    await own.execute("delete from oban_peers")
    await found(installed, "leases", "note")


async def test_leases_where_oban_s_tables_are_older_than_theirs(installed, own):
    await own.execute("drop table oban_peers")
    await own.execute("create table bridge_peers (name text, node text, started_at timestamp, expires_at timestamp)")
    await own.execute("insert into bridge_peers values ('Oban@python', 'py@a', now(), now() + interval '20 seconds')")
    await own.execute("set timezone = 'UTC'")

    assert (await found(installed, "leases", "ok")).figures["live"][0]["node"] == "py@a"


async def test_nodes_of_both_languages_and_how_they_are_known(installed, own):
    await producer(own, node="py@a", queue="alpha", silent=3)
    await producer(own, node="py@a", queue="beta", silent=23)
    await lease(own, node="ex@leads")
    await put(own, **running("11111111-0000-4000-8000-000000000000", "ex@runs"))
    await put(own, state="'completed'", completed_at="now()", attempt="1", attempted_by="array['ex@ran', 'u']",
              attempted_at="timezone('UTC', now())")  # fmt: skip

    finding = await found(installed, "nodes", "ok")

    assert finding.figures["python"].keys() == {"py@a"}
    assert finding.figures["python"]["py@a"]["queues"] == ["alpha", "beta"]
    assert 3 <= finding.figures["python"]["py@a"]["silent"] < 23
    assert finding.figures["others"].keys() == {"ex@leads", "ex@runs"}
    assert finding.figures["past"].keys() == {"ex@ran"}
    assert finding.figures["others"]["ex@runs"] == "runs 1 job of alpha"
    assert finding.seen == (
        "1 live Python node, 2 others by what they run or lead, 1 more by what they ran in the last hour"
    )


async def test_a_python_node_that_misses_two_beats_is_silent_and_no_live_one(installed, own):
    await producer(own, node="py@beats", silent=2_100, rescue_after=4_800)
    await producer(own, node="py@late", silent=2_700, rescue_after=4_800)
    await producer(own, node="py@dead", silent=36_000, rescue_after=4_800)

    finding = await found(installed, "nodes", "ok")

    assert finding.seen.startswith("1 live Python node, 2 silent, 0 others")
    told = "\n".join(finding.details)
    assert "py@beats (Python): alpha; last beat 35 min ago" in told
    assert "py@late (Python): alpha; silent for 45 min, and due every 20 min" in told
    assert "py@dead (Python): alpha; silent for 10 h" in told


async def test_a_python_node_that_stopped_in_order_is_not_said_to_be_elixir_s_or_there(installed, own, start, registry):
    ended = asyncio.Event()

    async def process(_job):
        ended.set()

    make_worker(registry, process, "Quick", queue="alpha")
    oban = await start(queues={"alpha": 1}, node="py@stopped")
    await oban.enqueue(Job("Quick", queue="alpha"))
    await ended.wait()
    await oban.stop()

    finding = await found(installed, "nodes", "ok")

    assert finding.seen == (
        "0 live Python nodes, 0 others by what they run or lead, 1 more by what they ran in the last hour"
    )
    assert finding.details[0].startswith("py@stopped (Elixir, or stopped since): started its last job")


async def test_two_live_processes_of_one_name_are_a_warning_until_one_is_gone(installed, own):
    first = await producer(own)
    await producer(own)
    await producer(own, silent=3_600)
    assert (await found(installed, "node-names", "warning")).figures == {"names": ["py@a"]}

    await own.execute("delete from bridge_producers where uuid = $1", first)
    await found(installed, "node-names", "ok")


async def test_jobs_of_a_node_that_died_are_a_problem_until_they_are_rescued(installed, own):
    uuid = await producer(own, silent=600)
    job = await put(own, **running(uuid))
    finding = await found(installed, "orphans", "problem")
    assert finding.figures == {"jobs": 1}
    assert f"py@a: 1 job, silent for 10 min, ids {job}" in finding.details
    assert "bridge maintain rescue" in finding.mend

    await lease(own, "Oban@python", "py@b")
    await found(installed, "orphans", "warning")

    async with engine_on(installed) as engine:
        clock = await engine.read_clock()
        await Lifeline(engine, lambda: True).rescue(clock, clock.now)
        await own.execute("update bridge_producers set beat_at = beat_at - interval '1 day'")
        await engine.rescue(clock.now, clock.now.replace(year=2020), 60.0)
    await found(installed, "orphans", "ok")


async def test_jobs_that_no_heartbeat_speaks_for_are_a_warning_once_they_run_for_long(installed, own, start):
    await put(own, **running("22222222-0000-4000-8000-000000000000", "ex@a"))
    await found(installed, "unknown-producers", "ok")

    job = await put(own, **running("33333333-0000-4000-8000-000000000000", "ex@gone", since="5 hours"))
    finding = await found(installed, "unknown-producers", "warning")
    assert f"ex@gone: 1 job, the longest for 5 h, ids {job}" in finding.details

    await (await start()).cancel_job(job)
    await found(installed, "unknown-producers", "ok")


async def test_jobs_of_live_nodes_that_run_for_long_are_a_note(installed, own):
    uuid = await producer(own)
    job = await put(own, **running(uuid, since="3 hours"))
    assert f"ids {job}" in (await found(installed, "long-running", "note")).details[0]
    await found(installed, "orphans", "ok")

    await own.execute("delete from oban_jobs")
    await found(installed, "long-running", "ok")


async def test_a_node_whose_clock_is_ahead_or_behind_is_told(installed, own):
    ahead = await put(own, **running("u", "ex@ahead", since="-9 seconds"))
    assert "ex@ahead" in (await found(installed, "clocks", "warning")).seen

    await own.execute("update oban_jobs set attempted_at = timezone('UTC', now()) - interval '55 seconds', "
                      "attempted_by = array['ex@behind', 'u'], inserted_at = timezone('UTC', now())")  # fmt: skip
    finding = await found(installed, "clocks", "problem")
    assert "ex@behind: 55 s behind" in finding.details
    assert "NTP" in finding.mend

    await own.execute("delete from oban_jobs where id = $1", ahead)
    await found(installed, "clocks", "ok")


async def test_this_machine_s_clock_is_compared_with_the_database_s(installed, own):
    off = (await found(installed, "clocks", "ok")).figures["seconds_behind_the_database"]

    assert abs(off["this machine"]) < 0.5  # the server runs on this very machine


async def test_a_node_of_ours_is_sound_while_it_runs_a_job(installed, own, start, registry):
    begun, end = asyncio.Event(), asyncio.Event()

    async def hold(_job):
        begun.set()
        await end.wait()

    make_worker(registry, hold, "Hold", queue="alpha")
    oban = await start(queues={"alpha": 1}, node="py@live")
    await oban.enqueue(Job("Hold", queue="alpha"))
    await begun.wait()

    findings = await examined(installed, workers=["Hold"])
    end.set()

    worse = {name: finding for name, finding in findings.items() if finding.level.rank > Level.NOTE.rank}
    assert worse == {}
    assert findings["nodes"].figures["python"].keys() == {"py@live"}
    assert findings["nodes"].figures["others"] == {}
