"""Jobs that nobody fetches, stages or knows how to run."""

import asyncio

import pytest
from engine.rig import PATIENCE
from queues.rig import make_worker

from bridge.engine.schema import install_worker_index

from .rig import examined, found, producer, put

OLD = {"scheduled_at": "timezone('UTC', now()) - interval '10 minutes'"}


async def test_a_queue_that_nobody_fetches_is_a_warning_until_somebody_does(installed, own, start, registry):
    ran = asyncio.Event()

    async def run(_job):
        ran.set()

    make_worker(registry, run, queue="alpha")
    job = await put(own, **OLD)
    finding = await found(installed, "unserved-queues", "warning")
    waited = finding.figures["queues"]["alpha"]["waited"]
    assert finding.figures == {"queues": {"alpha": {"jobs": 1, "waited": waited}}}
    assert 600 <= waited < 660
    assert f"alpha: 1 job, the next one (W, id {job}) for 10 min; no Python node serves it" in finding.details
    assert "bridge start --queues alpha:10" in finding.mend

    await start(queues={"alpha": 1})
    await asyncio.wait_for(ran.wait(), PATIENCE)
    await found(installed, "unserved-queues", "ok")


async def test_a_queue_that_is_served_and_stands_still_is_said_to_be_paused_or_foreign(installed, own):
    await put(own, **OLD)
    await producer(own, node="py@a")

    finding = await found(installed, "unserved-queues", "warning")

    assert "paused on py@a, or the worker is unknown there" in finding.details[0]


async def test_a_queue_whose_backlog_moves_is_well(installed, own, monkeypatch):
    first = await put(own, **OLD)
    await put(own, **OLD)

    async def work_meanwhile(_seconds):
        await own.execute("update oban_jobs set state = 'completed', completed_at = now() where id = $1", first)

    monkeypatch.setattr("bridge.doctor.queues.sleep", work_meanwhile)
    assert "worked through" in (await found(installed, "unserved-queues", "ok")).seen


async def test_a_job_that_just_came_or_a_queue_at_work_is_well(installed, own):
    await put(own)
    await found(installed, "unserved-queues", "ok")

    await put(own, **OLD)
    await put(own, state="'executing'", attempt="1", attempted_by="array['ex@a']", attempted_at="now()")
    await found(installed, "unserved-queues", "ok")


@pytest.mark.parametrize("state", ["scheduled", "retryable"])
async def test_due_jobs_that_nobody_stages_are_a_problem_until_somebody_does(installed, own, start, state):
    await put(own, **OLD, state=f"'{state}'")
    finding = await found(installed, "overdue-jobs", "problem")
    assert (finding.figures["jobs"], finding.figures["queues"]) == (1, ["alpha"])
    assert "start a node with queues" in finding.mend

    await own.execute("insert into oban_peers values ('Oban', 'ex@a', now(), now() + interval '1 day')")
    assert "duty of ex@a" in (await found(installed, "overdue-jobs", "problem")).mend

    await own.execute("delete from oban_peers")
    oban = await start(queues={"beta": 1}, stager={"mode": "on"})
    await oban._parts.stager.run_once()
    await found(installed, "overdue-jobs", "ok")


async def test_a_job_that_is_not_due_is_well(installed, own):
    await put(own, state="'scheduled'", scheduled_at="now() + interval '1 hour'")

    await found(installed, "overdue-jobs", "ok")


async def test_workers_that_nobody_is_known_to_have_are_told_by_queue(installed, own):
    await put(own, worker="'Mine'")
    await put(own, worker="'Theirs'")
    await put(own, worker="'Typo'", queue="'beta'")
    await put(own, worker="'Theirs'", state="'completed'", completed_at="now()", attempt="1",
              attempted_at="timezone('UTC', now())", attempted_by="array['ex@a', 'u']")  # fmt: skip
    finding = await found(installed, "unknown-workers", "warning", workers=["Mine"])
    assert finding.figures["never_run"] == [{"queue": "beta", "worker": "Typo", "jobs": 1, "or_more": False}]
    assert finding.figures["foreign"] == [{"queue": "alpha", "worker": "Theirs", "jobs": 1, "or_more": False}]
    assert finding.details == (
        "beta: 1 job of Typo: no node has been seen to run it",
        "alpha: 1 job of Theirs: ran on ex@a",
    )

    await found(installed, "unknown-workers", "note")  # nothing was imported, so nothing can be known
    await own.execute("delete from oban_jobs where worker = 'Typo'")
    await found(installed, "unknown-workers", "note", workers=["Mine"])
    await own.execute("delete from oban_jobs where worker = 'Theirs'")
    await found(installed, "unknown-workers", "ok", workers=["Mine"])


async def test_jobs_that_a_node_took_without_knowing_their_worker_are_a_problem(installed, own):
    job = await put(
        own,
        worker="'app.workers.Python'",
        state="'retryable'",
        attempt="1",
        scheduled_at="now() + interval '1 day'",
        errors="""array['{"at": "2026-11-21T21:47:24.465237Z", "attempt": 1,
                          "error": "** (RuntimeError) unknown worker: app.workers.Python"}']::jsonb[]""",
    )
    finding = await found(installed, "refused-jobs", "problem")
    assert finding.figures == {"workers": ["app.workers.Python"]}
    assert f"1 job refused, ids {job}" in finding.details[0]

    await own.execute("delete from oban_jobs")
    await found(installed, "refused-jobs", "ok")


async def test_quarantined_jobs_are_a_warning_and_told_of_nowhere_else(installed, own):
    job = await put(own, queue="'quarantine'", meta="""'{"quarantined_from": "badges"}'""", **OLD)
    findings = await examined(installed, workers=["Other"])
    finding = findings["quarantined-jobs"]
    assert finding.level == "warning"
    assert finding.details == (f"W, from badges: 1 job, ids {job}",)
    assert findings["unserved-queues"].level == findings["unknown-workers"].level == "ok"

    await own.execute("update oban_jobs set queue = 'badges', meta = '{}'")
    await found(installed, "quarantined-jobs", "ok")


async def test_a_cron_job_that_was_inserted_twice_for_a_minute_is_a_warning(installed, own):
    meta = """'{"cron": true, "cron_expr": "@daily"}'"""
    now = await own.fetchval("select date_trunc('minute', timezone('UTC', now()))::text")
    minute = f"timestamp '{now}'"  # for all of them, though the next one may begin meanwhile
    await put(own, meta=meta, inserted_at=minute)
    await put(own, meta=meta, inserted_at=f"{minute} - interval '1 minute'")
    await put(own, meta=meta, inserted_at=minute, args="""'{"other": "entry"}'""")
    await found(installed, "cron-duplicates", "ok")

    await put(own, meta=meta, inserted_at=f"{minute} + interval '3 seconds'")
    finding = await found(installed, "cron-duplicates", "warning")
    assert finding.details[0].startswith("W (@daily): 1 minute with more than one")


async def test_queues_are_found_one_by_one_whatever_their_backlog(installed, own):
    await own.execute(
        "insert into oban_jobs (worker, queue, scheduled_at) "
        "select 'W', 'q' || n % 7, now() - interval '1 day' from generate_series(1, 20000) as n"
    )
    finding = await found(installed, "unserved-queues", "warning")

    assert finding.figures["queues"].keys() == {f"q{n}" for n in range(7)}


async def fill(conn, worker, number, **columns):
    values = {"queue": "'alpha'", "priority": "0", **columns}
    await conn.execute(
        f"insert into oban_jobs (worker, {', '.join(values)}) "
        f"select '{worker}', {', '.join(values.values())} from generate_series(1, {number})"
    )


async def test_many_jobs_of_others_before_ones_own_are_a_warning_until_the_index_is_there(installed, own):
    await fill(own, "Elixir.Mailer", 1_500)
    await fill(own, "Mine", 1, priority="1")
    await fill(own, "Elixir.Mailer", 500, priority="2")

    finding = await found(installed, "foreign-jobs", "warning", workers=["Mine"])

    assert finding.figures == {"queues": {"alpha": 1_500}, "index": False}
    assert finding.seen == "1,500 jobs of unknown workers at the head of 1 queue"
    assert finding.details == ("alpha: each fetch reads 1,500 jobs of Elixir.Mailer first",)
    assert "bridge install --worker-index" in finding.mend
    await found(installed, "foreign-jobs", "ok")  # nothing was imported, so nothing can be known

    await install_worker_index(own)
    finding = await found(installed, "foreign-jobs", "ok", workers=["Mine"])
    assert "bridge_jobs_worker" in finding.seen


async def test_jobs_of_others_count_in_queues_that_are_worked_here_and_only_before_ones_own(installed, own):
    await fill(own, "Elixir.Mailer", 1_200, queue="'theirs'")
    await fill(own, "Mine", 1)
    await fill(own, "Elixir.Mailer", 1_200, priority="1")
    await found(installed, "foreign-jobs", "ok", workers=["Mine"])

    await producer(own, queue="theirs")
    finding = await found(installed, "foreign-jobs", "warning", workers=["Mine"])
    assert finding.figures["queues"] == {"theirs": 1_200}
