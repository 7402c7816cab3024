"""Promises of faults: outcomes are written soon after one, and silences are as long as they have to be."""

import itertools
import os
import time

import asyncpg
import pytest
from databases import dsn_of, run_on_server

from bridge import Oban
from bridge.maintenance.lifeline import check_lifeline

from . import promises
from .faults import Hit
from .ledger import Ledger
from .node import BRIEF, QUICK, RESCUE_AFTER, RESCUED, SILENCE
from .workers import Quick

_numbers = itertools.count()


class Place:
    """As much of a ground as promises ask for: a database, a ledger, and no nodes."""

    def __init__(self, conn, ledger):
        self.conn, self.ledger, self.hits, self.nodes = conn, ledger, [], []

    async def sql(self, statement, *values):
        return await self.conn.fetch(statement, *values)

    async def ended(self, job, at, *, pid=7):
        """Note in the ledger that a job ended at a moment, of which its row says nothing."""
        with self.ledger.path.open("a") as file:
            file.write(f"S {job} 1 {pid} a {at - 0.1} work\nE {job} 1 {pid} a {at} completed\n")
        await self.conn.execute("update oban_jobs set state = 'executing', attempt = 1 where id = $1", job)


@pytest.fixture
async def place(tmp_path):
    name = f"bridge_promises_{os.getpid()}_{next(_numbers)}"
    await run_on_server(f'create database "{name}"')
    async with Oban(dsn=dsn_of(name), connect="background") as client:
        await client.install()
        await client.ready()
        jobs = [await client.enqueue(Quick.new({})) for _ in range(3)]
    conn = await asyncpg.connect(dsn_of(name))
    place = Place(conn, Ledger(tmp_path / "ledger"))
    place.jobs = [job.id for job in jobs]
    yield place
    await conn.close()
    await run_on_server(f'drop database "{name}" with (force)')


async def test_what_ended_by_a_faults_end_must_be_written(place):
    now = time.monotonic()
    await place.ended(place.jobs[0], now - 9)
    with pytest.raises(AssertionError, match="outage: 1 outcomes are not written 0 s after"):
        await promises.all_written(place, Hit("outage", now - 10, now - 8), within=0)
    await place.conn.execute("update oban_jobs set state = 'completed' where id = $1", place.jobs[0])
    assert await promises.all_written(place, Hit("outage", now - 10, now - 8), within=0) == now - 8


async def test_nobody_waits_for_what_a_fault_has_cost_or_what_ended_later(place):
    now = time.monotonic()
    await place.ended(place.jobs[0], now - 9, pid=8)
    await place.ended(place.jobs[1], now - 5)
    place.hits.append(Hit("former", now - 9.5, now - 8.5, pids=frozenset([8])))
    begun = time.monotonic()
    await promises.all_written(place, Hit("outage", now - 7, now - 6), within=5)
    assert time.monotonic() - begun < 1


def test_silences_are_long_enough_for_a_rescue_or_short_enough_for_none():
    check_lifeline(interval=QUICK["LIFELINE_INTERVAL"], rescue_after=QUICK["LIFELINE_RESCUE_AFTER"])
    beat = RESCUE_AFTER / 4
    assert RESCUE_AFTER < SILENCE[0] < SILENCE[1]
    # The last beat before it, which may be a tenth late, and the first one after it, on its way back from a failure.
    assert 1.1 * beat + BRIEF + 1.1 * beat < RESCUE_AFTER
    assert SILENCE[1] + QUICK["LIFELINE_INTERVAL"] + QUICK["LEADER_INTERVAL"] < RESCUED
