"""The account is honest: a quiet run passes, and whatever is put wrong by hand fails it, by its name."""

import asyncio
import itertools
import json
import os
import shutil
import time
from contextlib import asynccontextmanager
from copy import deepcopy
from random import Random

import asyncpg
import pytest
from databases import dsn_of, run_on_server

from bridge import Oban
from bridge.codecs.recorded import encode_recorded
from bridge.jobs import registry

from .account import Account, joined, take_account
from .causes import Written
from .faults import Hit
from .ledger import NODE, VARIABLE, Execution, Ledger, note
from .load import Load
from .orders import Deed
from .rules import RULES
from .workers import (
    KINDS,
    LONG,
    QUEUE,
    Cancelled,
    Flaky,
    Long,
    Quick,
    Recording,
    Snoozing,
    Steady,
    Tagged,
    TimesOut,
    Unique,
)

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
        self.written = []
        self.job = orders.id_of(len(orders) - 1)  # a quick one

    async def account(self):
        return await take_account(self.conn, self.ledger, self.orders, self.hits, written=self.written)

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


async def test_a_quiet_run_is_right(books):
    account = await books.account()
    assert account.ok, str(account)
    assert account.found == account.confirmed == len(books.orders) == sum(account.states.values())
    assert account.waiting == 0
    assert account.states["cancelled"] == 3  # one by itself, and two from outside
    assert account.states["discarded"] == 2
    assert account.verdict.own == 5  # the flaky one, the snoozing one, the doomed one, the slow one, the retried one
    assert "nothing is wrong" in str(account)


async def test_a_quiet_run_had_all_that_the_load_does(books):
    orders = books.orders
    assert {orders.worker_of(number) for number in range(len(orders))} == {kind.worker for kind in KINDS}
    deeds = [deed for deeds in orders.deeds.values() for deed in deeds]
    assert [(deed.what, deed.done) for deed in deeds] == [("cancel", True), ("cancel", True), ("retry", True)]
    assert [run.outcome for run in books.runs(books.id_of(Cancelled))] == ["cancelled", "cancelled"]
    assert [run.outcome for run in books.runs(books.id_of(TimesOut))] == ["timeout", "completed"]
    inserted = await books.conn.fetchval("select count(*) from oban_jobs where worker = 'Faults.Unique'")
    assert inserted == sum(orders.worker_of(number) is Unique for number in range(len(orders))) < 1 + 8
    assert await books.conn.fetchval("select count(distinct priority) from oban_jobs") == 4


async def test_a_job_that_waits_is_counted(books):
    number = books.orders.add(Quick)
    job = await books.conn.fetchval(
        "insert into oban_jobs (worker, queue, args) values ('Faults.Quick', 'work', $1) returning id",
        f'{{"n": {number}}}',
    )
    books.orders.confirm(number, job)
    account = await books.account()
    assert account.ok, str(account)
    assert (account.waiting, account.found) == (1, len(books.orders))


async def test_a_row_that_was_removed_is_missed(books):
    await books.conn.execute("delete from oban_jobs where id = $1", books.job)
    assert await books.wrong() == {"jobs that are missing", "executions of jobs that are not there"}


async def test_a_row_that_never_came_is_missed(books):
    books.orders.confirm(books.orders.add(Quick), 4_000)
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
    first = books.orders.add(Quick)
    books.orders.add(Quick)
    books.orders.doubts.append((first, 2))
    assert (await books.account()).ok
    await books.conn.execute(
        "insert into oban_jobs (worker, queue, args) values ('Faults.Quick', 'work', $1)", f'{{"n": {first}}}'
    )
    assert await books.wrong() == {"inserts that were done by half"}


async def test_an_attempt_that_ran_twice_is_told(books):
    [run] = books.runs()
    books.add(f"S {run.job} 1 1 other {run.began + 1} work", f"E {run.job} 1 1 other {run.began + 2} completed")
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


async def test_an_outcome_that_an_outage_held_up_may_be_lost_with_its_process(books):
    first = await books.again(after=12)
    killed = Hit("killed", began=first.ended + 7, ended=first.ended + 7.1, pids=frozenset([first.pid]))
    outage = Hit("outage", began=first.ended - 1, ended=first.ended + 3)
    books.hits = [killed]
    assert await books.wrong() == {"second executions that no fault explains"}
    books.hits = [outage, killed]
    account = await books.account()
    assert account.ok, str(account)
    assert account.verdict.by_fault == {"killed": 1}
    books.written = [Written(first.ended + 4, until=first.ended + 3)]
    assert await books.wrong() == {"second executions that no fault explains"}


async def test_executions_at_the_same_time_need_a_fault_that_leaves_the_first_one_alive(books):
    first = await books.again(after=-0.000_001)
    around = {"began": first.began - 1, "ended": first.began + 1, "pids": frozenset([first.pid])}
    books.hits = [Hit("killed", **around)]
    assert await books.wrong() == {"executions at the same time that no fault explains"}
    books.hits = [Hit("stopped", overlaps=True, **around)]
    assert (await books.account()).ok


async def test_a_job_that_completed_without_an_execution_is_told(books):
    books.forget()
    assert await books.wrong() == {
        "completed jobs whose last attempt did not end so",
        "attempts that never began, and no fault hit",
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


async def test_a_job_that_was_changed_is_told(books):
    for change in (
        """args = args || '{"more": 1}'""",
        """meta = '{"more": 1}'""",
        "tags = '{more}'",
        "priority = 1",
        "queue = 'another'",
    ):
        async with books.changed(books.job, change):
            assert await books.wrong() == {"jobs that were changed"}, change
    for change in ("meta = meta - 'of'", "args = args - 'text'", "tags = '{two}'", "priority = 0"):
        async with books.changed(books.id_of(Tagged), change):
            assert await books.wrong() == {"jobs that were changed"}, change
    assert (await books.account()).ok


async def test_a_result_that_was_not_recorded_is_told(books):
    other = json.dumps({"recorded": True, "return": encode_recorded({"order": 1})})
    for change in ("meta = '{}'", f"meta = '{other}'", """meta = meta || '{"return": "#"}'"""):
        async with books.changed(books.id_of(Recording), change):
            assert await books.wrong() == {"recorded results that are wrong"}, change


async def test_attempts_that_nobody_granted_are_told(books):
    for job in (books.job, books.id_of(Snoozing), books.id_of(Flaky)):
        for change in ("max_attempts = max_attempts + 1", "max_attempts = max_attempts - 1"):
            async with books.changed(job, change):
                assert await books.wrong() == {"attempts that nobody granted"}, change


async def test_an_error_that_is_missing_is_told(books):
    for worker in (Flaky, Cancelled, TimesOut):
        async with books.changed(books.id_of(worker), "errors = '{}'"):
            assert await books.wrong() == {"outcomes without their error"}, worker


async def test_an_error_of_an_attempt_that_did_not_fail_is_told(books):
    entry = '{"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}'
    async with books.changed(books.id_of(Snoozing), f"errors = array['{entry}'::jsonb]"):
        assert await books.wrong() == {"errors of attempts that did not fail"}


async def test_an_attempt_that_never_began_needs_a_fault_that_hit_its_node(books):
    [run] = books.runs()
    books.rewrite(lambda line: line.replace(f" {run.job} 1 {run.pid} ", f" {run.job} 2 {run.pid} "))
    await books.update(books.job, "attempt = 2")
    around = {"began": run.began - 2, "ended": run.began - 1}
    for hits in (
        [],
        [Hit("free", **around)],
        [Hit("later", began=run.began + 1, ended=run.began + 2, pids=frozenset([run.pid]))],
    ):
        books.hits = hits
        assert await books.wrong() == {"attempts that never began, and no fault hit"}
    books.hits = [Hit("right", pids=frozenset([run.pid]), **around)]
    account = await books.account()
    assert account.ok, str(account)
    assert account.verdict.unstarted == 1


async def test_the_row_tells_which_node_lost_its_last_attempt_and_when(books):
    [run] = books.runs()
    books.forget()
    await books.update(
        books.job,
        "state = 'discarded', completed_at = null, discarded_at = now(), max_attempts = 1",
    )
    books.orders._options[len(books.orders) - 1] = {"max_attempts": 1}
    killed = {"began": run.began - 0.5, "ended": run.began + 0.5}
    for hit, wrong in (
        (Hit("right", nodes=frozenset(["quiet"]), **killed), False),
        (Hit("right", pids=frozenset([run.pid]), **killed), False),
        (Hit("elsewhere", nodes=frozenset(["other"]), **killed), True),
        (Hit("early", nodes=frozenset(["quiet"]), began=run.began - 9, ended=run.began - 8), True),
        (Hit("late", nodes=frozenset(["quiet"]), began=run.began + 8, ended=run.began + 9), True),
    ):
        books.hits = [hit]
        found = await books.wrong()
        assert ("attempts that never began, and no fault hit" in found) is wrong, (hit, found)


async def test_a_job_that_ran_again_too_late_is_told(books):
    first = await books.again(after=8)
    hit = {"pids": frozenset([first.pid]), "began": first.began - 1, "ended": first.ended + 0.1}
    books.hits = [Hit("right", rescued=first.ended + 9, **hit)]
    assert (await books.account()).ok
    books.hits = [Hit("right", rescued=first.ended + 7, **hit)]
    assert await books.wrong() == {"jobs that ran again too late"}


async def test_a_retry_from_outside_explains_an_execution_after_it(books):
    first = await books.again()
    number = len(books.orders) - 1
    books.orders.deeds[number] = [Deed("retry", first.ended + 5, first.ended + 5.1, True)]
    assert await books.wrong() == {"second executions that no fault explains"}
    books.orders.deeds[number] = [Deed("retry", first.ended + 0.5, first.ended + 0.6, False)]
    assert await books.wrong() == {"second executions that no fault explains"}
    for answer in ((first.ended + 0.6, True), (None, None)):
        books.orders.deeds[number] = [Deed("retry", first.ended + 0.5, *answer)]
        assert (await books.account()).ok


async def test_a_cancelled_job_needs_somebody_who_cancelled_it(books):
    books.orders.deeds.clear()
    assert await books.wrong() == {
        "cancelled jobs whose last attempt did not end so",
        "jobs that ended as they should not",
        "second executions that no fault explains",  # that of the job which was retried
    }


async def test_a_cancelled_job_must_stay_so_unless_it_had_ended(books):
    [run] = books.runs()
    number = len(books.orders) - 1
    books.orders.deeds[number] = [Deed("cancel", run.ended + 5, run.ended + 5.1, False)]
    assert (await books.account()).ok
    books.orders.deeds[number] = [Deed("cancel", run.ended + 5, None, None)]
    assert (await books.account()).ok
    books.orders.deeds[number] = [Deed("cancel", run.ended + 5, run.ended + 5.1, True)]
    assert "cancelled jobs that are not" in await books.wrong()
    async with books.changed(books.job, "state = 'cancelled', cancelled_at = now(), completed_at = null"):
        assert await books.wrong() == {"jobs that were cancelled after their end"}
        books.orders.deeds[number] = [Deed("cancel", run.ended + 0.1, run.ended + 0.2, True)]
        assert (await books.account()).ok  # its outcome was on its way
        books.orders.deeds[number] = [Deed("cancel", run.began - 9, run.began - 8, True)]
        assert await books.wrong() == {"cancelled jobs that ran"}


async def test_an_answer_that_cannot_be_is_told(books):
    books.orders.wrong.append("order 1 is job 2, and was job 3")
    assert await books.wrong() == {"answers that can't be"}


def entry(value):
    """The change that gives a row an error."""
    return f"errors = array['{json.dumps(value)}'::jsonb]"


#: What breaks each rule, in several ways; rows as Oban and Bridge write them never do.
BREAKS = {
    "executing, though all nodes are at rest": ["state = 'executing', completed_at = null"],
    "available without attempts left": ["state = 'available', completed_at = null, max_attempts = 1"],
    "more attempts than there may be": ["attempt = 21"],
    "attempted, and nobody attempted it": ["attempted_by = '{alone}'", "attempted_at = null", "attempted_by = null"],
    "never attempted, and somebody attempted it": ["attempt = 0"],
    "attempted by no producer": ["attempted_by = '{quiet,not-a-uuid}'", "attempted_by[2] = null"],
    "attempted by a node that nobody knows": ["attempted_by[1] = 'stranger'", "attempted_by[1] = null"],
    "executing, retryable or ended, and never attempted": ["attempt = 0, attempted_at = null, attempted_by = null"],
    "completed without its time, or the other way round": ["completed_at = null"],
    "cancelled without its time, or the other way round": ["cancelled_at = now()"],
    "discarded without its time, or the other way round": ["discarded_at = now()"],
    "a state that nobody wrote": ["state = 'suspended'"],
    "a time that others can't read": [
        "scheduled_at = 'infinity'",
        "inserted_at = '-infinity'",
        "completed_at = '10000-01-01'",
        "attempted_at = '0044-03-15 BC'",
        "discarded_at = 'infinity'",
        "cancelled_at = 'infinity'",
    ],
    "args or meta that are no objects": ["meta = '[1]'", "meta = null", "args = '5'"],
    "columns that are null and must not be": ["tags = null"],
    "a priority, queue or worker that can't be": ["priority = 10"],
    "tags that are not as Oban writes them": [
        "tags = '{Upper}'",
        "tags = '{a,b,a}'",
        "tags = array['']",
        "tags = array[null]::text[]",
        "tags = array[' a']",
        r"tags = array[E'a\u00a0']",
        r"tags = array[E'a\n']",
    ],
    "an error that is none": [
        entry({"attempt": 1, "at": "yesterday", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z"}),
        entry({"attempt": "1", "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x", "more": 1}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": ["** (E) x"]}),
        entry("** (E) x"),
    ],
    "an error whose text is none": [
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "x"}),
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (RuntimeError) "}),
    ],
    "an error of no attempt": [
        entry({"attempt": 2, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
        entry({"attempt": 0, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}),
    ],
    "two errors of one attempt": [
        """attempt = 3, errors = array_fill(
        '{"attempt": 2, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"}'::jsonb, array[2]
    )"""
    ],
    "retryable without the error of its attempt": ["state = 'retryable', completed_at = null"],
    "completed by an attempt that failed": [
        entry({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "** (E) x"})
    ],
}


def test_every_rule_is_broken_by_something():
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize(("rule", "change"), [(rule, change) for rule in BREAKS for change in BREAKS[rule]])
async def test_a_row_in_an_impossible_state_is_told(books, rule, change):
    for constraint in ("attempt_range", "positive_max_attempts", "non_negative_priority"):
        await books.conn.execute(f"alter table oban_jobs drop constraint {constraint}")
    await books.update(books.job, change)
    account = await books.account()
    assert account.wrong[rule] == [f"job {books.job}"]


def test_the_account_of_two_grounds_is_the_sum_and_says_where_something_is_wrong():
    first, second = Account(ordered=3, confirmed=2, found=3), Account(ordered=4, confirmed=4, found=4)
    first.states.update(completed=3)
    second.states.update(completed=3, available=1)
    first.hits.update(["node-killed"])
    second.hits.update(["node-killed"])
    first.recovered, second.recovered = {"node-killed": 1.0}, {"node-killed": 2.5, "network-cut": 0.5}
    first.verdict.by_fault.update({"node-killed": 5})
    second.blame("jobs that are missing", "job 7 of order 1")
    whole = joined([first, second])
    assert (whole.ordered, whole.confirmed, whole.found, whole.waiting) == (7, 6, 7, 1)
    assert whole.states == {"completed": 6, "available": 1}
    assert whole.hits == {"node-killed": 2}
    assert whole.recovered == {"node-killed": 2.5, "network-cut": 0.5}
    assert whole.verdict.by_fault == {"node-killed": 5}
    assert whole.wrong == {"jobs that are missing": ["B: job 7 of order 1"]}
    assert not whole.ok
    assert joined([first]).ok


def test_the_ledger_gives_executions_as_they_were_begun(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("S 1 1 10 a 5.0 work\nS 1 2 11 b 7.0 long\nE 1 1 10 a 8.0 completed\n")
    assert ledger.executions() == {1: [Execution(1, 1, 10, "a", 5.0, 8.0, "completed"), Execution(1, 2, 11, "b", 7.0)]}
    assert ledger.begun() == 2
    assert ledger.begun(11) == 1
    assert ledger.in_flight([10]) == []
    assert [run.pid for run in ledger.in_flight([10, 11])] == [11]
    assert ledger.last_begun("work", [10, 11]) == 5.0
    assert ledger.last_begun("long", [10]) == 0.0
    ledger.sync()


def test_the_ledger_finds_some_jobs_executions_in_a_file_that_grows(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    for turn in range(1, 4):
        with ledger.path.open("a") as file:
            for job in range(1, 3001):
                file.write(f"S {job} {turn} 7 a {turn}.1 work\nE {job} {turn} 7 a {turn}.2 failed\n")
            file.write("no line of a ledger\nS 60")  # the rest is on its way
        found = ledger.executions({5, 3000, 9000})
        assert {job: [run.attempt for run in runs] for job, runs in found.items()} == {
            5: list(range(1, turn + 1)),
            3000: list(range(1, turn + 1)),
        }
        assert found[5][-1] == Execution(5, turn, 7, "a", turn + 0.1, turn + 0.2, "failed")
        with ledger.path.open("a") as file:
            file.write("01 99 8 a 0.5 work\n")
    assert [run.attempt for run in ledger.executions({599})[599]] == [1, 2, 3]
    assert ledger.executions({5, 599}) == {job: ledger.executions()[job] for job in (5, 599)}
    assert ledger.in_flight([8]) == [Execution(6001, 99, 8, "a", 0.5)]


def test_the_ledger_leaves_out_what_is_older(tmp_path):
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("".join(f"S {job} 1 7 a {job}.0 work\n" for job in range(1, 5001)))
    jobs = [line.job for line in ledger.lines(since=4500.0)]
    assert jobs == list(range(jobs[0], 5001))
    assert 3400 < jobs[0] <= 4500
    assert len(list(ledger.lines(since=0.0))) == len(list(ledger.lines())) == 5000


def test_a_note_is_one_line_whatever_the_queue_is_called(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "ledger")
    for name, value in ledger.environment("a").items():
        monkeypatch.setenv(name, value)
    begun = time.monotonic()
    note("S", 1, 1, "a queue\nof any name")
    note("S", 2, 1, "")
    assert [line.outcome for line in ledger.lines()] == ["a_queue_of_any_name", "-"]
    assert ledger.last_begun("a_queue_of_any_name", [os.getpid()]) >= begun - 0.001
