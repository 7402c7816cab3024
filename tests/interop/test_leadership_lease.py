"""Each language has a leader, by a lease of its own: nothing that Python's nodes do displaces Elixir's."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta

import asyncpg
import pytest
from queues.rig import until

from bridge import Job, Oban
from bridge.jobs import Registry

from .conftest import ELIXIR, PYTHON
from .journal import Journal
from .pynode import PythonNode
from .schedules import LATEST, held_by

#: Whether the node leads, once it has done all that it was told so far.
LEADS = "Oban.Peer.leader?(Oban)"
ELECT = f"send(Oban.Registry.whereis(Oban, Oban.Peer), :election)\n{LEADS}"


def node(place, name, **options):
    """A Python node of another instance: those of one process have names of their own."""
    options = {"leader": {"interval": 0.2}, "stager": {"interval": 0.1}, **options}
    return Oban(dsn=place.dsn, prefix=place.prefix, name=name, node=f"py@{name}", registry=Registry(), **options)


@pytest.mark.item("cluster: Elixir's leader is never displaced")
async def test_elixirs_leader_keeps_its_lease_while_python_nodes_start_elect_die_and_stop(elixir, place, tmp_path):
    journal = await Journal(place).open()
    ex = await elixir()
    await held_by(place, ELIXIR)
    started = f"select started_at from {place.table.replace('oban_jobs', 'oban_peers')} where name = 'Oban'"
    since = await place.conn.fetchval(started)
    first = PythonNode(tmp_path, place, node="py@host-p")
    try:
        async with AsyncExitStack() as stack:
            for name in ("Oban", "A", "Zebra"):
                oban = await stack.enter_async_context(node(place, name, queues={"python": 1}))
                await until(lambda oban=oban: _leads(oban))
                assert await ex.rpc(ELECT)
            before = await journal.leases("Oban@python")
            await until(lambda: _has_more(journal, before, 10))
            assert await ex.rpc(ELECT)
        assert await ex.rpc(ELECT)
        await first.start()
        await held_by(place, first.node, "Oban@python")
        assert await ex.rpc(ELECT)
        await first.kill()
        assert await ex.rpc(ELECT)
    finally:
        first.close()

    assert {holder for _, holder in await journal.leases()} == {ELIXIR}
    assert {deed for deed, _ in (await journal.leases())[1:]} == {"update"}
    assert await place.conn.fetchval(started) == since


async def _leads(oban):
    return oban.is_leader


async def _has_more(journal, before, count):
    return len(await journal.leases("Oban@python")) >= len(before) + count


@pytest.mark.item("cluster: Elixir's leader is never displaced")
async def test_pythons_leader_keeps_its_lease_while_elixir_nodes_start_elect_die_and_stop(elixir, python, place):
    journal = await Journal(place).open()
    py = await python(leader={"interval": 0.5})
    await held_by(place, PYTHON, "Oban@python")
    ex = await elixir()
    other = await elixir(node="ex@host-c")
    for each in (ex, other):
        await each.rpc(ELECT)
    await ex.stop()
    await held_by(place, "ex@host-c")
    await other.kill()
    before = await journal.leases("Oban@python")
    await until(lambda: _has_more(journal, before, 2))

    assert {holder for _, holder in await journal.leases("Oban@python")} == {PYTHON}
    assert {deed for deed, _ in (await journal.leases("Oban@python"))[1:]} == {"update"}
    assert py.oban.is_leader


@pytest.mark.item("cluster: Elixir's leader is never displaced")
async def test_a_python_leader_that_stops_calls_no_election_of_elixirs(elixir, python, place):
    ex = await elixir()
    await held_by(place, ELIXIR)
    py = await python()
    await held_by(place, PYTHON, "Oban@python")
    journal = await Journal(place).open()
    heard = []
    listener = await asyncpg.connect(place.dsn)
    await listener.add_listener(f"{place.prefix}.oban_leader", lambda *said: heard.append(json.loads(said[3])))

    await py.oban.stop()
    await until(lambda: _is(heard))
    assert await ex.rpc(LEADS)

    assert heard == [{"down": "Oban@python"}]
    assert await journal.leases() == []
    await listener.close()


async def _is(found):
    return bool(found)


@pytest.mark.item("cluster: Elixir's leader is never displaced")
async def test_each_side_tells_both_leaders(elixir, python, place, oban_version):
    ex = await elixir()
    await held_by(place, ELIXIR)
    py = await python()
    await held_by(place, PYTHON, "Oban@python")

    assert {(peer.name, peer.node) for peer in await py.oban.peers()} == {("Oban", ELIXIR), ("Oban@python", PYTHON)}
    assert await py.oban.get_leader() == PYTHON
    if oban_version >= (2, 18):
        assert await ex.rpc("Oban.Peer.get_leader(Oban)") == ELIXIR


@pytest.mark.item("cluster: Elixir's leader dies and comes back")
async def test_an_elixir_leader_that_was_killed_comes_back_to_its_own_lease(elixir, python, place, oban_version):
    """From 2.23.1 on it leads at once. Before, nobody of Elixir's does until the lease has run out."""
    ex = await elixir()
    await held_by(place, ELIXIR)
    py = await python()
    await held_by(place, PYTHON, "Oban@python")

    await ex.kill()
    await ex.start()
    assert await ex.rpc(LEADS) is (oban_version >= (2, 23, 1))

    job = await py.oban.enqueue(Job("Interop.Ok", queue="elixir", schedule_in=0.2))
    row = await place.settled(job.id, "completed")
    assert row["attempted_at"] - row["scheduled_at"] < timedelta(seconds=LATEST)
