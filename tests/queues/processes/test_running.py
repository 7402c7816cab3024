"""Jobs that run in other processes come to what they would come to in this one."""

import os

import pytest

from bridge import Cancel, Discard, Oban, Record, Snooze, current_job, telemetry
from bridge.errors import ContractError, InvalidSetting, JobError
from bridge.jobs import registry as default_registry
from bridge.queues.processes import pool
from queues.rig import connected, insert_row, row_of, states, until

from .conftest import ready, wait_of


async def test_jobs_are_spread_over_all_processes(begin, app, ended):
    oban = await begin()
    jobs = await oban.enqueue_many(app.Meet.new({"count": 5}) for _ in range(10))
    await ended(*jobs)
    pids = [await oban.fetch_result(job) for job in jobs]
    assert sorted(pids.count(pid) for pid in set(pids)) == [5, 5]
    assert os.getpid() not in pids


async def test_jobs_that_waited_for_the_processes_are_spread_over_all(begin, app, ended, conn, monkeypatch):
    monkeypatch.setattr(pool, "_TOGETHER", 60)
    jobs = [await insert_row(conn, worker="Processes.Meet", args='{"count": 5}') for _ in range(10)]
    oban = await begin()
    await ended(*jobs)
    pids = [await oban.fetch_result(await oban.get_job(job)) for job in jobs]
    assert sorted(pids.count(pid) for pid in set(pids)) == [5, 5]


async def test_synchronous_jobs_run_in_threads_there(begin, app, ended):
    oban = await begin()
    jobs = await oban.enqueue_many(app.MeetInThreads.new() for _ in range(6))
    await ended(*jobs)
    assert len({await oban.fetch_result(job) for job in jobs}) == 2


async def test_one_process_is_this_one(begin, app, ended):
    oban = await begin(processes=1)
    assert oban._parts.processes is None
    job = await oban.enqueue(app.Where.new())
    await ended(job)
    assert await oban.fetch_result(job) == os.getpid()


async def test_the_limit_holds_for_the_node(begin, app, said, conn):
    oban = await begin(queues={"default": 3}, shutdown_grace_period=0)
    await oban.enqueue_many(app.Slow.new() for _ in range(10))
    await until(lambda: _same(sum(text.startswith("begun") for text in said.texts()) == 3), 30)
    assert len(oban.check_queue("default").running) == 3
    assert await states(conn) == {"available": 7, "executing": 3}


async def test_each_queue_has_its_limit_for_the_node(begin, app, said, conn):
    oban = await begin(queues={"default": 3, "other": 2}, shutdown_grace_period=0)
    await oban.enqueue_many(app.Slow.new(queue=queue) for queue in ("default", "other") for _ in range(6))
    await until(lambda: _same(sum(text.startswith("begun") for text in said.texts()) == 5), 30)
    assert [len(oban.check_queue(queue).running) for queue in ("default", "other")] == [3, 2]
    assert await states(conn) == {"available": 7, "executing": 5}


async def _same(value):
    return value


async def test_odd_rows_run_there(begin, app, ends, conn):
    await begin()
    odd = [
        {"tags": None}, {"tags": [None, "a"]}, {"meta": None}, {"errors": [None, '{"at": 1}', "null"]},
        {"priority": 77}, {"args": '{"n": 1e400}'},
    ]  # fmt: skip
    jobs = [await insert_row(conn, worker="Processes.Where", **columns) for columns in odd]
    found = await ends.first(len(odd))
    assert {event.job.id: event.state for event in found} == dict.fromkeys(jobs, "completed")


async def test_two_thousand_small_jobs_all_run_once(begin, app, conn, ends):
    oban = await begin(queues={"default": 100})
    await oban.enqueue_many(app.Return.new({"what": "none"}) for _ in range(2_000))
    await ends.first(2_000, patience=100)
    rows = await conn.fetch("select state::text, attempt, count(*) from oban_jobs group by 1, 2")
    assert [tuple(row) for row in rows] == [("completed", 1, 2_000)]


async def test_args_and_results_of_megabytes_cross_the_pipe(begin, app, ended):
    oban = await begin()
    args = {"text": 'aé😀\\"' * 600_000, "numbers": [1, 2**60, 1.5, None, True], "nested": {"a": [{}] * 1000}}
    jobs = await oban.enqueue_many([app.Echo.new(args), app.Echo.new({"n": 1})])
    await ended(*jobs)
    assert await oban.fetch_result(jobs[0]) == args
    assert await oban.fetch_result(jobs[1]) == {"n": 1}


FAILURES = ["own", "caused", "exit", "cancelled", "awaitable", "ours", "unreadable"]


async def test_errors_have_the_text_that_they_have_in_one_process(begin, app, ended, conn):
    texts = []
    for processes in (1, 2):
        oban = await begin(processes=processes)
        jobs = [await oban.enqueue(app.Fail.new({"how": how})) for how in FAILURES]
        jobs += [await oban.enqueue(app.FailOddly.new({"how": how})) for how in app.ODD]
        jobs.append(await oban.enqueue(app.FailInThread.new()))
        jobs.append(await insert_row(conn, worker="Processes.Echo", args="[1]"))
        jobs.append(await insert_row(conn, worker="Processes.Weigh", args='{"grams": "much"}'))
        rows = await ended(*jobs, states=("retryable", "cancelled"))
        texts.append([(row["state"], row["errors"][0]["error"]) for row in rows])
        await oban.stop()
    assert texts[0] == texts[1]
    assert "TooHeavy" in texts[0][0][1]


async def test_backoff_sees_the_exception_itself(begin, app, ended):
    oban = await begin()
    [row] = await ended(await oban.enqueue(app.FailInThread.new()), states=("retryable",))
    assert wait_of(row) == 777


@pytest.mark.parametrize(
    ("what", "state", "result"),
    [
        ("cancel", "cancelled", Cancel("enough")),
        ("discard", "discarded", Discard(["a", 1])),
        ("snooze", "scheduled", Snooze(60, meta={"step": 2})),
        ("record", "completed", Record({"a": [1, 2.5, None]})),
        ("bytes", "completed", b"\xff"),
        ("none", "completed", None),
    ],
)
async def test_results_mean_what_they_mean(begin, app, ends, conn, what, state, result):
    oban = await begin(processes=2)
    job = await oban.enqueue(app.Return.new({"what": what}))
    event = await ends.of(job)
    assert (event.state, event.result, event.recorded) == (state, result, True)
    row = await row_of(conn, job)
    assert row["state"] == state
    if what == "snooze":
        assert (row["meta"], row["max_attempts"]) == ({"step": 2}, 21)


async def test_a_result_that_is_no_plain_data_is_seen_as_text(begin, app, ends):
    oban = await begin()
    event = await ends.of(await oban.enqueue(app.Return.new({"what": "object"})))
    assert event.result.startswith("environ(")
    event = await ends.of(await oban.enqueue(app.Return.new({"what": "hostile"})))
    assert (event.state, event.result) == ("completed", "<Hostile>")
    event = await ends.of(await oban.enqueue(app.Return.new({"what": "huge"})))
    assert event.result.startswith("b'xxx")
    assert len(event.result) < 1_000


async def test_events_are_sent_once_and_here_within_the_job(begin, app, ended):
    seen = []
    telemetry.attach("here", "oban.job.*", lambda name, event: seen.append((name, event, current_job())))
    try:
        oban = await begin()
        good, bad = await oban.enqueue(app.Where.new()), await oban.enqueue(app.Fail.new({"how": "own"}))
        await ended(good, bad, states=("completed", "retryable"))
        await until(lambda: _same(len(seen) == 4))
    finally:
        telemetry.detach("here")
    assert sorted((name, event.job.id) for name, event, _ in seen) == [
        ("oban.job.exception", bad.id),
        ("oban.job.start", good.id),
        ("oban.job.start", bad.id),
        ("oban.job.stop", good.id),
    ]
    assert all(job is event.job for _, event, job in seen)
    [failed] = [event for name, event, _ in seen if name.endswith("exception")]
    assert (type(failed.error).__name__, isinstance(failed.error, JobError)) == ("TooHeavy", True)
    assert failed.job.unsaved_error.reason is failed.error
    assert "TooHeavy" in failed.job.unsaved_error.stacktrace
    assert failed.job.unsaved_error.kind == "error"
    assert failed.duration > 0
    assert failed.oban.node == oban.node


async def test_contracts_hold_there(begin, app, ends, conn, ended):
    oban = await begin()
    job = await oban.enqueue(app.WeighParcel.new({"grams": 1500}))
    await ended(job)
    assert (await oban.fetch_result(job)).kilograms == 1.5
    broken = await insert_row(conn, worker="Processes.Weigh", args='{"grams": 0}')
    [row] = await ended(broken, states=("cancelled",))
    assert "/grams" in row["errors"][0]["error"]
    error = (await ends.of(await oban.get_job(broken))).error
    assert isinstance(error, ContractError)
    assert [violation.path for violation in error.violations] == ["/grams"]


async def test_a_worker_enqueues_and_asks_by_the_instance_of_the_same_name(begin, app, ended, conn):
    oban = await begin()
    job = await oban.enqueue(app.Parent.new())
    await ended(job)
    made, worker, state, node = await oban.fetch_result(job)
    assert (worker, state, node) == ("Processes.Parent", "executing", oban.node)
    [row] = await ended(made)
    assert row["args"] == {"of": job.id}


async def test_a_process_connects_only_where_a_job_asks_for_it(begin, app, ended, conn):
    # A pool that does not grow; one more listens, and one is the test's.
    oban = await begin(pool_options={"min_size": 3, "max_size": 3})
    await connected(oban)
    job = await oban.enqueue(app.Return.new({"what": "none"}))
    await ended(job)
    opened = """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend'
    """
    # What others have closed may still be listed, for a moment; what a process has opened would stay.
    await until(lambda: _is(5, conn.fetchval(opened)))
    assert len(await conn.fetch("select 1 from bridge_producers")) <= 1


async def _is(count, counting):
    return await counting == count


async def test_their_log_is_ours(begin, app, ended, said):
    oban = await begin()
    await ended(await oban.enqueue(app.Talk.new()))
    record = await said.of("hello there")
    assert (record.name, record.levelname, record.order) == ("app.talk", "INFO", 7)
    assert record.what.startswith("<queues.processes.app.Talk")
    assert record.process in [child.pid for child in ready(oban)]
    assert "ZeroDivisionError" in (await said.of("100 %")).exc_text


async def test_workers_that_only_this_process_knows_are_left_alone(begin, app, ended, conn):
    oban = await begin()
    lone = type(app.Where)("Lone", (app.Where,), {})
    default_registry.register(lone, ["Processes.Lone"])
    try:
        waiting = await insert_row(conn, worker="Processes.Lone")
        await ended(await oban.enqueue(app.Where.new()))
        assert str((await oban.get_job(waiting)).state) == "available"
    finally:
        default_registry.unregister(lone)


@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True, 257, {"count": 0}, {"imports": "app"}, {"number": 2}, None])
def test_what_is_no_number_of_processes_is_refused(value):
    with pytest.raises(InvalidSetting, match="processes"):
        Oban(dsn="postgresql://h/d", processes=value)


def test_processes_need_what_others_can_use(registry):
    with pytest.raises(InvalidSetting, match="pass dsn="):
        Oban(pool=object(), processes=2)
    with pytest.raises(InvalidSetting, match="registry"):
        Oban(dsn="postgresql://h/d", processes=2, registry=registry)
    assert Oban(pool=object(), processes=1)


async def test_workers_of_the_script_itself_are_refused(installed, app):
    cls = type(app.Where)("Own", (app.Where,), {"__module__": "__main__"})
    default_registry.register(cls, ["Processes.Own"])
    try:
        with pytest.raises(InvalidSetting, match="move it out of the script"):
            await Oban(dsn=installed, processes=2, queues={"default": 1}).start()
    finally:
        default_registry.unregister(cls)


async def test_under_test_no_process_is_started(installed, app):
    async with Oban(dsn=installed, processes=2, queues={"default": 1}, testing="manual") as oban:
        assert oban._parts.processes is None
