"""The books of a quiet run, in which nothing went wrong, for tests of the account to falsify."""

import asyncio
import itertools
import os
import shutil
from contextlib import asynccontextmanager
from copy import deepcopy
from random import Random

import asyncpg
import pytest
from databases import dsn_of, run_on_server

from bridge import Oban
from bridge.jobs import registry

from .account import take_account
from .ledger import NODE, VARIABLE, Ledger
from .load import Load
from .workers import KINDS, LONG, QUEUE, Cancelled, Long, Quick, Steady, TimesOut

_numbers = itertools.count()

#: Each kind but the long one, so that the run is short, in all of its variants.
JOBS = [
    (kind.worker, {**args, **({"limit": 0.2} if kind.worker is TimesOut else {})}, options)
    for kind in KINDS
    if kind.worker.options.queue != LONG
    for args, options in kind.variants
]


async def quiet_run(dsn, ledger):
    """Run a few jobs of each kind to their ends, and change one's mind about some."""
    async with Oban(
        dsn=dsn, queues={QUEUE: 20}, node="quiet", registry=registry, stager={"interval": 0.05}, connect="now"
    ) as oban:
        load = Load(oban, Random(1))
        for worker, args, options in JOBS:
            await load.order(worker, args, **options)
        await cancel_some(load, ledger)
        await settled(dsn)
        await load._do("retry", number_of(load.orders, Cancelled), oban.retry_job)
        for _ in range(8):
            await load._insert_unique()
        for _ in range(5):
            await load.order(Quick)
        await settled(dsn)
    return load.orders


async def cancel_some(load, ledger):
    """Cancel a job that waits, and one that runs."""
    waiting = await load.order(Long)
    await load._do("cancel", waiting.args["n"], load._client.cancel_job)
    running = await load.order(Steady, {"seconds": 60})
    async with asyncio.timeout(30):
        while running.id not in {run.job for run in ledger.in_flight([os.getpid()])}:  # noqa: ASYNC110 - a file's lines
            await asyncio.sleep(0.02)
    await load._do("cancel", running.args["n"], load._client.cancel_job)


def number_of(orders, worker):
    """The number of the first order of a kind."""
    return next(number for number in range(len(orders)) if orders.worker_of(number) is worker)


async def settled(dsn):
    async with asyncio.timeout(30):
        while await unsettled(dsn):  # noqa: ASYNC110 - what is asked for is in rows
            await asyncio.sleep(0.05)


async def unsettled(dsn):
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval(
            "select count(*) from oban_jobs where state not in ('completed', 'cancelled', 'discarded')"
        )
    finally:
        await conn.close()


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """The database, the ledger and the orders of a run in which nothing went wrong."""
    name = f"bridge_quiet_{os.getpid()}_{next(_numbers)}"
    ledger = Ledger(tmp_path_factory.mktemp("quiet") / "ledger")

    async def run():
        await run_on_server(f'create database "{name}"')
        await Oban(dsn=dsn_of(name)).install()
        return await quiet_run(dsn_of(name), ledger)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(ledger.path))
        patch.setenv(NODE, "quiet")
        orders = asyncio.run(run())
    yield name, ledger, orders
    asyncio.run(run_on_server(f'drop database "{name}" with (force)'))


class Books:
    """A copy of the quiet run, for a test to falsify."""

    def __init__(self, conn, ledger, orders):
        self.conn, self.ledger, self.orders, self.hits = conn, ledger, orders, []
        self.written, self.machine = [], None
        self.job = orders.id_of(len(orders) - 1)  # a quick one

    async def account(self):
        return await take_account(
            self.conn, self.ledger, self.orders, self.hits, written=self.written, machine=self.machine
        )

    async def wrong(self):
        """What the account finds wrong, by its name."""
        return set((await self.account()).wrong)

    def add(self, *lines):
        with self.ledger.path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def rewrite(self, change):
        """Have other lines in the ledger, as if they had been there from the first."""
        path = self.ledger.path
        path.write_text("".join(change(line) for line in path.read_text().splitlines(keepends=True)))
        self.ledger = Ledger(path)

    def forget(self):
        """Have no line of the job in the ledger."""
        self.rewrite(lambda line: "" if line.split()[1] == str(self.job) else line)

    def id_of(self, worker):
        """The job of the first order of a kind."""
        return self.orders.id_of(number_of(self.orders, worker))

    async def update(self, job, changes):
        await self.conn.execute(f"update oban_jobs set {changes} where id = $1", job)

    @asynccontextmanager
    async def changed(self, job, changes):
        """Have a row changed for a while."""
        await self.conn.execute("create temporary table before as table oban_jobs")
        await self.update(job, changes)
        yield
        await self.conn.execute("delete from oban_jobs where id = $1", job)
        await self.conn.execute("insert into oban_jobs select * from before where id = $1", job)
        await self.conn.execute("drop table before")

    def runs(self, job=None):
        return self.ledger.executions({job or self.job})[job or self.job]

    async def again(self, *, after=1.0, pid=1, ended=True):
        """Run the job once more, in another process: the row and the ledger tell of it alike."""
        [first] = self.runs()
        began = (first.ended or first.began) + after
        self.add(f"S {self.job} 2 {pid} other {began} work")
        if ended:
            self.add(f"E {self.job} 2 {pid} other {began + 0.1} completed")
        await self.conn.execute("update oban_jobs set attempt = 2 where id = $1", self.job)
        return first


@pytest.fixture
async def books(quiet, tmp_path):
    template, ledger, orders = quiet
    name = f"{template}_{next(_numbers)}"
    await run_on_server(f'create database "{name}" template "{template}"')
    shutil.copy(ledger.path, tmp_path / "ledger")
    conn = await asyncpg.connect(dsn_of(name))
    yield Books(conn, Ledger(tmp_path / "ledger"), deepcopy(orders))
    await conn.close()
    await run_on_server(f'drop database "{name}" with (force)')
