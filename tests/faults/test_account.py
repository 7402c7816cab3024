"""The account is honest: a quiet run passes, and whatever is put wrong by hand fails it, by its name."""

import json

from bridge.codecs.recorded import encode_recorded

from .account import Account, joined
from .causes import Written
from .faults import Hit
from .orders import Deed
from .workers import KINDS, Cancelled, Flaky, Quick, Recording, Snoozing, Tagged, TimesOut, Unique


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


async def test_an_attempt_that_a_stop_in_order_took_back_has_cost_none(books):
    [run] = books.runs()
    books.rewrite(lambda line: line.replace(f" {run.job} 1 {run.pid} ", f" {run.job} 2 {run.pid} "))
    await books.update(books.job, "attempt = 2")
    around = {"began": run.began - 2, "ended": run.began - 1, "pids": frozenset([run.pid])}
    books.hits = [Hit("stopped", keeps_claims=True, **around)]
    assert await books.wrong() == {"attempts that a stop in order has cost"}
    async with books.changed(books.job, "max_attempts = max_attempts + 1"):
        assert (await books.account()).ok
    books.hits.append(Hit("killed", **around))
    assert (await books.account()).ok


async def test_a_job_that_failed_or_put_itself_off_must_wait(books):
    for worker in (Flaky, Snoozing, TimesOut):
        job = books.id_of(worker)
        first, second = books.runs(job)
        sooner = f"{first.ended + 0.4:.6f}"
        text = books.ledger.path.read_text()
        books.rewrite(lambda line, job=job, at=f"{second.began:.6f}", sooner=sooner: _at(line, job, at, sooner))
        assert await books.wrong() == {"jobs that ran again too soon"}, worker
        books.hits = [Hit("clock", began=first.began, ended=first.ended, clocks=True)]
        assert (await books.account()).ok, worker
        books.hits = []
        books.ledger.path.write_text(text)


def _at(line, job, at, other):
    """The line, with another time where it is that of a start of a job."""
    return line.replace(at, other) if line.startswith(f"S {job} ") else line


async def test_an_error_from_before_a_fault_must_be_there_after_it(books):
    job = books.id_of(Flaky)
    first, second = books.runs(job)
    books.hits = [Hit("killed", began=second.began + 0.1, ended=second.began + 0.2, pids=frozenset([first.pid]))]
    assert (await books.account()).ok
    async with books.changed(job, "errors = '{}'"):
        assert await books.wrong() == {"outcomes without their error"}
        books.hits = [Hit("killed", began=first.ended, ended=second.began, pids=frozenset([first.pid]))]
        assert (await books.account()).ok


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
