"""How a worker is found, made and run, and for how long."""

import asyncio
import sys
from datetime import timedelta

import pytest

from bridge import Job
from bridge.errors import JobTimeout, UnknownWorker

from .rig import insert_row, returning, row_of

QUEUES = {"default": 20}


async def sleep(_job):
    await asyncio.Event().wait()


async def nothing(_job):
    return None


async def test_a_timeout_fails_the_attempt(run):
    row, event = await run(sleep, timeout=0.05)
    assert row["state"] == "retryable"
    assert row["errors"][0]["error"].splitlines()[0] == "** (bridge.errors.JobTimeout) W timed out after 50ms"
    assert isinstance(event.error, JobTimeout)


async def test_a_timeout_of_the_last_attempt_discards(run):
    row, _ = await run(sleep, timeout=timedelta(milliseconds=20), max_attempts=1)
    assert row["state"] == "discarded"


async def test_a_timeout_method_decides_by_the_job(run):
    methods = {"timeout": lambda _self, job: job.args["limit"]}
    row, _ = await run(sleep, methods=methods, args={"limit": 0.02})
    assert "timed out after 20ms" in row["errors"][0]["error"]


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "5", True], ids=repr)
async def test_a_timeout_that_is_none_fails_the_attempt(run, limit):
    row, _ = await run(returning(1), methods={"timeout": lambda _self, _job: limit})
    assert row["state"] == "retryable"
    assert "timeout: expected" in row["errors"][0]["error"]


async def test_a_timeout_error_of_the_workers_own_stays_its_own(run):
    async def process(_job):
        raise TimeoutError("the printer's")

    row, event = await run(process, timeout=60)
    assert row["errors"][0]["error"].splitlines()[0] == "** (TimeoutError) the printer's"
    assert not isinstance(event.error, JobTimeout)


async def test_a_worker_that_cleans_up_after_its_timeout_is_awaited(run):
    done = asyncio.Event()

    async def process(_job):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            done.set()

    row, _ = await run(process, timeout=0.02)
    assert done.is_set()
    assert "timed out" in row["errors"][0]["error"]


async def test_an_unknown_worker_fails_where_any_is_taken(start, ends, conn):
    job_id = await insert_row(conn, worker="No.Such.Worker", max_attempts=3)
    await start(queues={"default": {"limit": 5, "workers": "any"}})
    event = await ends.next()
    assert isinstance(event.error, UnknownWorker)
    row = await row_of(conn, job_id)
    assert (row["state"], row["attempt"]) == ("retryable", 1)
    headline = row["errors"][0]["error"].splitlines()[0]
    assert headline == "** (bridge.errors.UnknownWorker) unknown worker: No.Such.Worker"


async def test_a_name_from_a_row_imports_nothing(start, ends, conn, tmp_path, monkeypatch):
    (tmp_path / "trap_for_names.py").write_text("raise SystemExit('imported')\nclass Worker: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("trap_for_names.Worker", "trap_for_names", "os.system", "builtins.eval", "tests.queues.rig.Gate"):
        await insert_row(conn, worker=name)
    await start(queues={"default": {"limit": 5, "workers": "any"}})
    for event in await ends.first(5):
        assert isinstance(event.error, UnknownWorker)


async def test_aliases_run_the_jobs_of_former_names(start, worker, ends):
    seen = []

    async def process(job):
        seen.append(job.worker)

    worker(process, "New.Name", aliases=["Old.Name", "older_name"])
    oban = await start(queues=QUEUES)
    await oban.enqueue_many([Job(name) for name in ("New.Name", "Old.Name", "older_name")])
    await ends.first(3)
    assert sorted(seen) == ["New.Name", "Old.Name", "older_name"]


async def test_a_constructor_that_raises_fails_the_attempt(run):
    def refuse(_self):
        raise OSError("no printer")

    row, _ = await run(returning(1), methods={"__init__": refuse})
    assert row["errors"][0]["error"].startswith("** (OSError) no printer")


async def test_a_coroutine_that_nobody_awaited_is_a_failure(run):
    def process(_job):
        return asyncio.sleep(0)

    row, _ = await run(process)
    assert row["state"] == "retryable"
    assert "async def" in row["errors"][0]["error"]


def a_generator(_job):
    yield 1


async def an_async_generator(_job):
    yield 1


@pytest.mark.parametrize("process", [a_generator, an_async_generator])
async def test_a_generator_that_nobody_runs_is_a_failure(run, process):
    row, _ = await run(process)
    assert row["state"] == "retryable"
    assert "generator" in row["errors"][0]["error"]


async def test_what_nobody_reads_is_not_decoded(start, worker, ends, conn, monkeypatch):
    module, decoded = sys.modules["bridge.jobs.job"], []
    decode = module._decode_object

    def counted(field, text):
        decoded.append(field)
        return decode(field, text)

    async def count(job):
        return len(job.args)

    monkeypatch.setattr(module, "_decode_object", counted)
    worker(nothing, "Blind")
    worker(count, "Reader")
    await start(queues={"default": 1})
    await insert_row(conn, worker="Blind", args='{"n": 1}', meta='{"m": 1}')
    await ends.next()
    assert decoded == []
    await insert_row(conn, worker="Reader", args='{"n": 1}', meta='{"m": 1}')
    event = await ends.next(2)
    assert (event.result, decoded) == (1, ["args"])
