"""The account is honest: a quiet run passes, and whatever is put wrong by hand fails it, by its name."""

import asyncio
import itertools
import os
import shutil
from random import Random

import asyncpg
import pytest
from databases import dsn_of, run_on_server

from bridge import Oban
from bridge.jobs import registry

from .account import take_account
from .faults import Hit
from .ledger import NODE, VARIABLE, Execution, Ledger
from .load import Load, Orders
from .rules import RULES
from .workers import KINDS, LONG, QUEUE, Quick

_numbers = itertools.count()

#: Each kind but the long one, so that the run is short, and a few more of the quick ones.
JOBS = [kind.worker for kind in KINDS if kind.worker.options.queue != LONG] + [Quick] * 5


async def quiet_run(dsn, ledger):
    """Run a few jobs of each kind to their ends."""
    async with Oban(
        dsn=dsn, queues={QUEUE: 10}, node="quiet", registry=registry, stager={"interval": 0.05}, connect="now"
    ) as oban:
        load = Load(oban, Random(1))
        for worker in JOBS:
            await load.order(worker)
        async with asyncio.timeout(30):
            while await unsettled(dsn):  # noqa: ASYNC110 - what is asked for is in rows
                await asyncio.sleep(0.05)
    return load.orders


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
        self.job = orders.id_of(len(orders) - 1)  # a quick one

    async def account(self):
        return await take_account(self.conn, self.ledger, self.orders, self.hits)

    async def wrong(self):
        """What the account finds wrong, by its name."""
        return set((await self.account()).wrong)

    def add(self, *lines):
        with self.ledger.path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def runs(self, job=None):
        return self.ledger.executions({job or self.job})[job or self.job]

    async def again(self, *, after=1.0, pid=1, ended=True):
        """Run the job once more, in another process: the row and the ledger tell of it alike."""
        [first] = self.runs()
        began = (first.ended or first.began) + after
        self.add(f"S {self.job} 2 {pid} other {began} -")
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
    copied = Orders()
    for number in range(len(orders)):
        copied.confirm(copied.add(orders.worker_of(number)), orders.id_of(number))
    conn = await asyncpg.connect(dsn_of(name))
    yield Books(conn, Ledger(tmp_path / "ledger"), copied)
    await conn.close()
    await run_on_server(f'drop database "{name}" with (force)')


async def test_a_quiet_run_is_right(books):
    account = await books.account()
    assert account.ok, str(account)
    assert account.found == account.confirmed == len(JOBS) == sum(account.states.values())
    assert account.waiting == 0
    assert account.states["cancelled"] == 1
    assert account.states["discarded"] == 2
    assert account.verdict.own == 3  # the flaky one, the snoozing one, the doomed one
    assert "nothing is wrong" in str(account)


async def test_a_job_that_waits_is_counted(books):
    number = books.orders.add("Faults.Quick")
    job = await books.conn.fetchval(
        "insert into oban_jobs (worker, queue, args) values ('Faults.Quick', 'work', $1) returning id",
        f'{{"n": {number}}}',
    )
    books.orders.confirm(number, job)
    account = await books.account()
    assert account.ok, str(account)
    assert (account.waiting, account.found) == (1, len(JOBS) + 1)


async def test_a_row_that_was_removed_is_missed(books):
    await books.conn.execute("delete from oban_jobs where id = $1", books.job)
    assert await books.wrong() == {"jobs that are missing", "executions of jobs that are not there"}


async def test_a_row_that_never_came_is_missed(books):
    books.orders.confirm(books.orders.add("Faults.Quick"), 4_000)
    assert await books.wrong() == {"jobs that are missing"}


async def test_a_row_that_is_there_twice_is_told(books):
    await books.conn.execute(
        "insert into oban_jobs (worker, queue, args) select worker, queue, args from oban_jobs where id = $1", books.job
    )
    assert await books.wrong() == {"jobs that are there twice", "jobs under another id"}


async def test_a_row_that_nobody_ordered_is_told(books):
    await books.conn.execute(
        """insert into oban_jobs (worker, queue, args) values ('Faults.Quick', 'work', '{"n": 999}')"""
    )
    assert await books.wrong() == {"jobs that nobody ordered"}


async def test_a_row_whose_worker_has_changed_is_told(books):
    await books.conn.execute("update oban_jobs set worker = 'Faults.Steady' where id = $1", books.job)
    assert await books.wrong() == {"jobs of another worker"}


async def test_an_insert_in_doubt_that_was_done_by_half_is_told(books):
    first = books.orders.add("Faults.Quick")
    books.orders.add("Faults.Quick")
    books.orders.doubts.append((first, 2))
    assert (await books.account()).ok
    await books.conn.execute(
        "insert into oban_jobs (worker, queue, args) values ('Faults.Quick', 'work', $1)", f'{{"n": {first}}}'
    )
    assert await books.wrong() == {"inserts that were done by half"}


async def test_an_attempt_that_ran_twice_is_told(books):
    [run] = books.runs()
    books.add(f"S {run.job} 1 1 other {run.began + 1} -", f"E {run.job} 1 1 other {run.began + 2} completed")
    assert await books.wrong() == {"attempts that ran twice", "second executions that no fault explains"}


async def test_a_second_execution_needs_a_fault_that_hit_the_first_one(books):
    first = await books.again()
    assert await books.wrong() == {"second executions that no fault explains"}
    around = {"began": first.began - 1, "ended": first.began + 1}
    books.hits = [Hit("elsewhere", pids=frozenset([7]), **around), Hit("free", **around)]
    assert await books.wrong() == {"second executions that no fault explains"}
    books.hits = [Hit("later", began=first.began + 60, ended=first.began + 61, pids=frozenset([first.pid]))]
    assert await books.wrong() == {"second executions that no fault explains"}
    books.hits = [Hit("sparing", pids=frozenset([first.pid]), spares_ended=True, **around)]
    assert await books.wrong() == {"second executions that no fault explains"}
    for hit in (
        Hit("right", pids=frozenset([first.pid]), **around),
        Hit("right", nodes=frozenset(["quiet"]), **around),
    ):
        books.hits = [hit]
        account = await books.account()
        assert account.ok, str(account)
        assert account.verdict.by_fault["right"] == 1
        assert "right" in str(account)


async def test_executions_at_the_same_time_need_a_fault_that_leaves_the_first_one_alive(books):
    first = await books.again(after=-0.000_001)
    around = {"began": first.began - 1, "ended": first.began + 1, "pids": frozenset([first.pid])}
    books.hits = [Hit("killed", **around)]
    assert await books.wrong() == {"executions at the same time that no fault explains"}
    books.hits = [Hit("stopped", overlaps=True, **around)]
    assert (await books.account()).ok


async def test_a_job_that_completed_without_an_execution_is_told(books):
    kept = [line for line in books.ledger.path.read_text().splitlines() if line.split()[1] != str(books.job)]
    books.ledger.path.write_text("".join(f"{line}\n" for line in kept))
    assert await books.wrong() == {
        "completed jobs whose last attempt did not end so",
        "attempts that never began, with no fault",
    }


async def test_a_job_whose_last_attempt_came_to_another_end_is_told(books):
    await books.conn.execute(
        "update oban_jobs set state = 'cancelled', cancelled_at = completed_at, completed_at = null where id = $1",
        books.job,
    )
    assert await books.wrong() == {
        "cancelled jobs whose last attempt did not end so",
        "jobs that ended as they should not",
    }


async def test_a_late_ack_that_overwrote_a_later_attempt_is_told(books):
    first = await books.again()
    books.hits = [Hit("right", pids=frozenset([first.pid]), began=first.began, ended=first.began + 9)]
    assert (await books.account()).ok
    await books.conn.execute("update oban_jobs set attempt = 1 where id = $1", books.job)
    assert await books.wrong() == {"rows overwritten by an older attempt"}


async def test_a_job_that_ended_and_waits_again_is_told(books):
    await books.conn.execute("update oban_jobs set state = 'available', completed_at = null where id = $1", books.job)
    assert await books.wrong() == {"jobs that ended and wait yet"}


async def test_a_torn_line_is_told(books):
    books.add("S 12 1 4")
    assert await books.wrong() == {"lines of the ledger that are none"}


#: What breaks each rule; rows as Oban and Bridge write them never do.
BREAKS = {
    "executing, though all nodes are at rest": "state = 'executing', completed_at = null",
    "available without attempts left": "state = 'available', completed_at = null, max_attempts = 1",
    "more attempts than there may be": "attempt = 21",
    "attempted, and nobody attempted it": "attempted_by = '{alone}'",
    "never attempted, and somebody attempted it": "attempt = 0",
    "attempted by no producer": "attempted_by = '{node,not-a-uuid}'",
    "executing, retryable or ended, and never attempted": "attempt = 0, attempted_at = null, attempted_by = null",
    "completed without its time, or the other way round": "completed_at = null",
    "cancelled without its time, or the other way round": "cancelled_at = now()",
    "discarded without its time, or the other way round": "discarded_at = now()",
    "a state that nobody wrote": "state = 'suspended'",
    "args or meta that are no objects": "meta = '[1]'",
    "columns that are null and must not be": "tags = null",
    "a priority, queue or worker that can't be": "priority = 10",
    "an error that is none": """errors = array['{"attempt": 1, "at": "yesterday", "error": "x"}'::jsonb]""",
    "two errors of one attempt": """attempt = 3, errors = array_fill(
        '{"attempt": 2, "at": "2026-01-01T00:00:00.000000Z", "error": "x"}'::jsonb, array[2]
    )""",
    "retryable without the error of its attempt": "state = 'retryable', completed_at = null",
    "completed by an attempt that failed": """errors = array[
        '{"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "x"}'::jsonb
    ]""",
}


@pytest.mark.parametrize("rule", RULES)
async def test_a_row_in_an_impossible_state_is_told(books, rule):
    for constraint in ("attempt_range", "positive_max_attempts", "non_negative_priority"):
        await books.conn.execute(f"alter table oban_jobs drop constraint {constraint}")
    await books.conn.execute(f"update oban_jobs set {BREAKS[rule]} where id = $1", books.job)
    account = await books.account()
    assert account.wrong[rule] == [f"job {books.job}"]


def test_the_ledger_gives_executions_as_they_were_begun(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("S 1 1 10 a 5.0 -\nS 1 2 11 b 7.0 -\nE 1 1 10 a 8.0 completed\n")
    assert ledger.executions() == {1: [Execution(1, 1, 10, "a", 5.0, 8.0, "completed"), Execution(1, 2, 11, "b", 7.0)]}
    assert ledger.begun() == 2
    assert ledger.begun(11) == 1
    assert ledger.in_flight([10]) == []
    assert [run.pid for run in ledger.in_flight([10, 11])] == [11]
    ledger.sync()
