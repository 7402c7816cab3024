"""Each fault alone, under load: every node works again within its bound, and the account is right."""

import os

import pytest

from .alone import strike_alone
from .faults import all_faults

SEED = int(os.environ.get("FAULTS_SEED", "1"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.name)
async def test_nothing_is_lost_or_run_without_need(fault):
    account, ground = await strike_alone(fault, seed=SEED)
    if fault.name in ground.skipped:
        pytest.skip(ground.skipped[fault.name])
    print(account)
    assert account.ok, str(account)
    assert account.waiting == 0
    assert account.hits[fault.name] == 1
