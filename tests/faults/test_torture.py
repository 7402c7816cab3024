"""All faults in one run, each once, in an order that the printed seed decides."""

import os
import secrets

import pytest

from .torture import Torture

JOBS = 20_000


@pytest.mark.timeout(2400)  # a run that hangs; how long each part may take is for the account to say
async def test_nothing_is_lost_when_all_faults_come_one_after_the_other(capsys):
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(2**32))
    with capsys.disabled():
        print()
        account = await Torture(seed=seed, jobs=JOBS, seconds=None, processes=3, lanes=2, every=0.0).run()
        print(account)
    assert account.ok, str(account)
    assert account.waiting == 0
    assert account.confirmed >= JOBS
