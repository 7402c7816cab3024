"""Each fault alone, under load: every node works again within its bound, and the account is right."""

import json
import os
from random import Random

import pytest

from .alone import strike_alone
from .faults import all_faults
from .ground import Ground
from .workers import QUEUE

SEED = int(os.environ.get("FAULTS_SEED", "1"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.name)
async def test_nothing_is_lost_or_run_without_need(fault):
    account, ground = await strike_alone(fault, seed=SEED)
    if fault.name in ground.skipped:
        pytest.skip(ground.skipped[fault.name])
    print(account)
    assert account.ok, str(account)
    assert account.waiting == 0
    assert account.hits[fault.name] == 1


@pytest.mark.timeout(600)
async def test_a_node_that_runs_no_job_of_the_shared_queue_does_not_work():
    async def tell(action):
        signal = {"action": action, "queue": QUEUE, "ident": "Oban.b"}
        await ground.sql("select pg_notify('public.oban_signal', $1)", json.dumps(signal))

    async def look_until_it_has_heard():
        while True:
            await ground.works_again(2)

    async with Ground(random=Random(SEED)) as ground:
        await tell("pause")
        with pytest.raises(AssertionError, match="nodes b did not work again within 2 s"):
            await look_until_it_has_heard()
        await tell("resume")
        await ground.works_again(5)
        await ground.settle()
        account = await ground.account()
    assert account.ok, str(account)
