"""Nodes as they come, with no setting changed: how soon what killed ones ran begins again, and what lives is spared."""

import asyncio
import time
from random import Random
from signal import SIGSTOP

import pytest

from . import promises
from .faults import Hit
from .ground import Ground
from .machine import Limit
from .workers import LONG, QUEUE, Long, Steady

#: Seconds after its node's death within which a job has begun again, with all that is configured as it comes.
AGAIN = 60.0


async def leads(ground, node):
    limit = Limit("leases to be taken", 30)
    while await ground.leader() is not node:
        limit.check()
        await asyncio.sleep(0.1)


async def begun_again(ground, caught):
    """Wait for the next attempts of these executions, and return when the last of them began."""
    limit = Limit("jobs to begin again", 2 * AGAIN)
    while True:
        found = await promises.executions(ground, [run.job for run in caught])
        later = [[run.began for run in found[first.job] if run.attempt > first.attempt] for first in caught]
        if all(later):
            return max(began[0] for began in later)
        limit.check()
        await asyncio.sleep(0.1)


@pytest.mark.timeout(900)
async def test_jobs_of_a_killed_leader_and_of_another_node_run_again_within_a_minute():
    async with Ground(nodes=0, random=Random(1)) as ground:
        leader = ground.add_node("a", settings={}, queues=f"{QUEUE}:20")
        leader.start()
        await leads(ground, leader)
        other = ground.add_node("b", settings={}, queues=f"{QUEUE}:20")
        alive = ground.add_node("c", settings={}, queues=f"{QUEUE}:20,{LONG}:5")
        for node in (other, alive):
            node.start()
        await ground.works_again(30)
        lasting = [job.id for job in await ground.load.order_many(Long, 5, {"seconds": AGAIN + 10})]
        await promises.begun(ground, lasting)
        await ground.load.order_many(Steady, 240, {"seconds": 2.0})
        for node in (leader, other):
            await ground.in_flight(node.pids, 5)

        for node in (leader, other):
            node.signal(SIGSTOP)  # so that nothing ends between the count and the end
        began, pids = time.monotonic(), leader.pids() | other.pids()
        caught = ground.ledger.in_flight(pids)
        await asyncio.gather(leader.kill(), other.kill())
        ground.hits.append(Hit("node-killed", began, time.monotonic(), pids=pids))
        ground.nodes = [alive]

        assert len(caught) >= 5
        limit = Limit("jobs to begin again", AGAIN, since=began)
        assert not limit.is_over(await begun_again(ground, caught))
        await ground.settle()
        await promises.ran_once(ground, lasting)
        account = await ground.account()
        print(account)
    assert account.ok, str(account)
    assert account.waiting == 0
