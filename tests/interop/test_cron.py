"""Cron of both sides: each inserts its own entries, once a minute in all, whoever stops and starts."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from bridge.cron import Entry

from .conftest import ELIXIR, PYTHON, done
from .pynode import PythonNode
from .rows import Matching, about, check, now, ran_by
from .schedules import held_by

ENTRY = 'plugins: [{Oban.Plugins.Cron, crontab: [{"* * * * *", Interop.Ok, args: %{by: "elixir"}}]}]'
TOML = """
[[cron.entries]]
expression = "* * * * *"
worker = "interop.Ok"
args = { by = "python" }
"""
OURS = Entry("* * * * *", "interop.Ok", args={"by": "python"})

#: Begins Elixir's minute, as its timer does.
EVALUATE = """
pid = Oban.Registry.whereis(Oban, {:plugin, Oban.Plugins.Cron})
send(pid, :evaluate)
:sys.get_state(pid)
Oban.Peer.leader?(Oban)
"""
DECIMAL = Matching("a name of digits", lambda value: isinstance(value, str) and value.isdecimal())
HEX = Matching("a name of eight digits", lambda value: re.fullmatch("[0-9a-f]{8}", value))


def elixirs_meta(version):
    """What Elixir's cron writes into meta."""
    meta = {"cron": True, "cron_expr": "* * * * *"}
    meta |= {"cron_tz": "Etc/UTC"} if version >= (2, 19, 2) else {}
    return meta | ({"cron_name": DECIMAL} if version >= (2, 20, 2) else {})


@pytest.mark.item("cluster: cron")
async def test_elixirs_entries_are_inserted_by_elixirs_leader_beside_a_leader_of_pythons(
    elixir, python, place, oban_version
):
    leader = await elixir(options=ENTRY)
    await held_by(place, ELIXIR)
    other = await elixir(node="ex@host-c", options=ENTRY, queues={})
    py = await python(cron=[OURS])
    await held_by(place, PYTHON, "Oban@python")

    assert [await each.rpc(EVALUATE) for each in (other, leader)] == [False, True]
    [row] = [row for row in await place.rows() if row["args"] == {"by": "elixir"}]
    await done(leader, row["id"])

    check(
        await place.row(row["id"]),
        worker="Interop.Ok",
        queue="elixir",
        state="completed",
        args={"by": "elixir"},
        meta=elixirs_meta(oban_version),
        attempt=1,
        attempted_by=ran_by(ELIXIR),
        attempted_at=about(now()),
        completed_at=about(now()),
    )
    assert py.oban.is_leader


@pytest.mark.item("cluster: cron")
async def test_pythons_entries_are_inserted_by_pythons_leader_beside_a_leader_of_elixirs(elixir, python, place):
    """One is for a worker of Elixir's, which runs there."""
    ex = await elixir(options=ENTRY)
    await held_by(place, ELIXIR)
    theirs = Entry("* * * * *", "Interop.Ok", queue="elixir", args={"by": "python"}, name="elixirs", external=True)
    py = await python(cron=[OURS, theirs])
    await held_by(place, PYTHON, "Oban@python")
    scheduler = py.oban._parts.cron
    await scheduler.wait_for_round()

    before = {row["id"] for row in await place.rows()}  # a minute may have begun meanwhile
    later = datetime.now(UTC) + timedelta(minutes=1)
    scheduler._clock = lambda: later
    await scheduler.run_once()
    await scheduler.run_once()
    ours, elixirs = sorted(
        (row for row in await place.rows() if row["args"] == {"by": "python"} and row["id"] not in before),
        key=lambda row: row["queue"],
        reverse=True,
    )
    await done(ex, elixirs["id"])
    await place.settled(ours["id"], "completed")

    for row, node, name in ((ours, PYTHON, HEX), (elixirs, ELIXIR, "elixirs")):
        check(
            await place.row(row["id"]),
            worker=row["worker"],
            queue=row["queue"],
            state="completed",
            args={"by": "python"},
            meta={"cron": True, "cron_expr": "* * * * *", "cron_tz": "Etc/UTC", "cron_name": name},
            attempt=1,
            attempted_by=ran_by(node),
            attempted_at=about(now()),
            completed_at=about(now()),
        )
    assert (await ex.rpc("Interop.job(id)", id=ours["id"]))["meta"]["cron_expr"] == "* * * * *"


async def fired(place):
    """How often each side's entry was inserted in each minute."""
    found = {}
    for row in await place.rows():
        minute = (row["inserted_at"].replace(second=0, microsecond=0), row["args"]["by"])
        found[minute] = found.get(minute, 0) + 1
    return found


@pytest.mark.item("cluster: cron")
@pytest.mark.timeout(180)
async def test_each_sides_entry_fires_once_in_a_minute_in_which_both_leaders_stop_and_come_back(
    elixir, python, place, tmp_path
):
    """The one test that waits for a minute to begin.

    Elixir's leader goes a little later: its nodes look at the minute at any time within its first second, whoever did
    before, so one that begins to lead within that second inserts the entry again.
    """
    first = PythonNode(tmp_path, place, node="py@host-p", toml=TOML)
    try:
        await first.start()
        await held_by(place, first.node, "Oban@python")
        leader = await elixir(options=ENTRY)
        await held_by(place, ELIXIR)
        await elixir(node="ex@host-c", options=ENTRY)
        py = await python(cron=[OURS])
        minute = now().replace(second=0, microsecond=0) + timedelta(minutes=1)
        both = {(minute, "elixir"), (minute, "python")}

        async with asyncio.timeout(75):
            while not both <= (await fired(place)).keys():  # noqa: ASYNC110 - a row
                await asyncio.sleep(0.05)
        late = now() - minute
        await first.stop()
        await held_by(place, PYTHON, "Oban@python")
        await asyncio.sleep((minute + timedelta(seconds=2) - now()).total_seconds())
        await leader.stop()
        await held_by(place, "ex@host-c")
        await asyncio.gather(leader.start(), first.start())
        for _ in range(2):
            await py.oban._parts.cron.wait_for_round()

        assert now() < minute + timedelta(minutes=1), "the machine was too slow to learn anything"
        assert set((found := await fired(place)).values()) == {1}
        assert both <= found.keys()
        assert late < timedelta(seconds=5)
    finally:
        first.close()
