"""`bridge jobs cancel`, `retry`, `delete` and `update`."""

import asyncio
import json

import pytest
from queues.rig import PATIENCE, insert_row, make_worker, row_of, states

from bridge import Job
from bridge.cli import job_change
from bridge.errors import InvalidFilter, InvalidJob


async def several(conn, count, **columns):
    return [await insert_row(conn, **columns) for _ in range(count)]


# What is asked first


async def test_a_bulk_change_without_a_terminal_is_refused_and_tells_the_count(bridge, conn):
    await several(conn, 3, queue="mail")
    await several(conn, 2, queue="mail", state="executing", attempt=1)
    done = await bridge.process("jobs", "cancel", "-q", "mail")
    assert (done.returncode, done.stdout) == (2, "")
    assert "would cancel 5 jobs (3 available, 2 executing)" in done.stderr
    assert "--yes" in done.stderr
    assert await states(conn) == {"available": 3, "executing": 2}


@pytest.mark.parametrize(("answer", "exit_code", "left"), [("y", 0, {}), ("n", 1, {"discarded": 3}), ("", 1, None)])
async def test_in_a_terminal_a_bulk_change_is_asked_about(bridge, conn, answer, exit_code, left):
    await several(conn, 3, state="discarded", queue="mail")
    if left is None:
        answer, left = "\x03", {"discarded": 3}  # Ctrl-C
    status, shown = await bridge.terminal("jobs", "delete", "-q", "mail", answer=answer)
    assert "Delete 3 jobs (3 discarded)? [y/N]" in shown
    assert (status, await states(conn)) == (exit_code, left)
    assert ("deleted 3 jobs" in shown) is (exit_code == 0)


async def test_what_changed_after_the_question_is_left_alone(bridge, conn):
    counted, changed = await several(conn, 2, state="discarded")
    later = []

    async def meanwhile():
        later.append(await insert_row(conn, state="discarded"))
        await conn.execute("update oban_jobs set state = 'available' where id = $1", changed)

    loop = asyncio.get_running_loop()
    change = job_change._change

    def between(*arguments):
        # The command runs in a thread with a loop of its own; the test's connection belongs to this one.
        asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(PATIENCE)
        return change(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_change, "_change", between)
        result = await bridge.run("jobs", "delete", "-s", "discarded", "--yes")
    assert result.stdout == "deleted 1 job\n"
    assert result.stderr.startswith("1 of those counted have changed meanwhile")
    left = [row["id"] for row in await conn.fetch("select id from oban_jobs order by id")]
    assert left == [changed, *later]
    assert counted not in left


async def test_ids_that_are_named_one_by_one_need_no_question(bridge, conn):
    first, second, third = await several(conn, 3)
    done = await bridge.process("jobs", "cancel", first, third)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cancelled 2 jobs (2 available)\n", "")
    assert [(await row_of(conn, each))["state"] for each in (first, second, third)] == [
        "cancelled",
        "available",
        "cancelled",
    ]


async def test_ids_with_a_filter_beside_them_are_asked_about(bridge, conn):
    [job_id] = await several(conn, 1, queue="mail")
    assert (await bridge.run("jobs", "cancel", job_id, "-q", "mail")).exit_code == 2
    assert await states(conn) == {"available": 1}


@pytest.mark.parametrize("command", ["cancel", "retry", "delete"])
async def test_neither_ids_nor_filters_are_refused_unless_all_are_meant(bridge, conn, command):
    await several(conn, 2, state="retryable")
    result = await bridge.run("jobs", command, "--yes")
    assert result.exit_code == 2
    assert "--all" in result.stderr
    assert await states(conn) == {"retryable": 2}
    assert (await bridge.run("jobs", command, "--all", "--yes")).exit_code == 0
    assert "retryable" not in await states(conn)
    assert (await bridge.run("jobs", command, "--all", "-q", "x", "--yes")).exit_code == 2


async def test_a_dry_run_counts_and_changes_nothing(bridge, conn):
    await several(conn, 2, state="retryable")
    assert (await bridge.run("jobs", "retry", "-s", "retryable", "--dry-run")).output == (
        "2 jobs (2 retryable) would be retried\n"
    )
    told = json.loads((await bridge.run("jobs", "retry", "--all", "--dry-run", "--json")).output)
    assert told == {"matched": 2, "retried": 0, "dry_run": True}
    assert await states(conn) == {"retryable": 2}


# What is done


async def test_each_change_reaches_the_states_that_it_may(bridge, conn):
    for state in ("available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled"):
        await insert_row(conn, state=state, queue=state, attempt=1)
    assert (await bridge.run("jobs", "cancel", "--all", "--yes")).stdout.splitlines()[0].startswith("cancelled 4 jobs")
    assert await states(conn) == {"cancelled": 5, "completed": 1, "discarded": 1}
    assert (await bridge.run("jobs", "retry", "-s", "discarded", "-s", "completed", "--yes")).exit_code == 0
    assert await states(conn) == {"cancelled": 5, "available": 2}
    await insert_row(conn, state="executing", attempt=1)
    assert (await bridge.run("jobs", "delete", "--all", "--yes", "--json")).stdout == (
        '{"matched": 7, "deleted": 7, "dry_run": false}\n'
    )
    assert await states(conn) == {"executing": 1}


async def test_a_state_that_the_change_leaves_alone_is_refused(bridge):
    result = await bridge.run("jobs", "cancel", "-s", "completed", "--yes")
    assert result.exit_code == 2
    assert "cancel leaves completed jobs alone" in result.stderr
    assert isinstance((await bridge.run("jobs", "cancel", "-s", "done", "--yes")).exception, InvalidFilter)


async def test_filters_that_match_nothing_are_no_mistake_and_ids_are(bridge, conn):
    [ended] = await several(conn, 1, state="completed")
    nothing = await bridge.run("jobs", "cancel", "-q", "none", "--yes")
    assert (nothing.exit_code, nothing.output) == (0, "no job to cancel\n")
    [waiting] = await several(conn, 1)
    some = await bridge.run("jobs", "cancel", ended, waiting, 99)
    assert some.exit_code == 2
    assert some.stdout == "cancelled 1 job (1 available)\n"
    assert some.stderr.splitlines() == [f"job {ended} was left alone: it is completed", "job 99 is not there"]


async def test_many_jobs_are_changed_batch_by_batch(bridge, conn):
    await conn.execute("insert into oban_jobs (worker) select 'W' from generate_series(1, 12000)")
    result = await bridge.run("jobs", "cancel", "--all", "--yes")
    assert result.output == "cancelled 12,000 jobs (12,000 available)\n"
    assert await states(conn) == {"cancelled": 12_000}


async def test_a_job_that_runs_is_stopped_on_its_node(bridge, conn, start, registry):
    running, ended = asyncio.Event(), asyncio.Event()

    async def hang(job):
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    make_worker(registry, hang)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(Job("W"))
    async with asyncio.timeout(PATIENCE):
        await running.wait()
        result = await bridge.run("jobs", "cancel", job.id)
        await ended.wait()
    assert "nodes stop the jobs that run within moments" in result.stdout


# Updating


async def test_columns_are_set_and_meta_is_merged(bridge, conn):
    job_id = await insert_row(conn, meta='{"kept": 1}')
    values = ["queue=slow", "priority=3", 'args={"id": 1}', 'meta={"more": true}', 'tags=["A"]', "worker=Other"]
    result = await bridge.run("jobs", "update", job_id, *(part for value in values for part in ("--set", value)))
    assert result.output == "updated 1 job (1 available)\n"
    row = await row_of(conn, job_id)
    assert (row["queue"], row["priority"], row["args"], row["meta"], row["tags"], row["worker"]) == (
        "slow",
        3,
        {"id": 1},
        {"kept": 1, "more": True},
        ["a"],
        "Other",
    )
    await bridge.run("jobs", "update", job_id, "--set", "scheduled_at=in 5m")
    assert (await row_of(conn, job_id))["state"] == "scheduled"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("priority", "--set: expected COLUMN=VALUE"),
        ("state=available", "expected a column that can be changed"),
        ("priority=high", "priority: expected JSON"),
        ("priority=11", "priority: expected an integer from 0 to 9"),
        ("args=[1]", "args: expected a JSON object"),
        ("scheduled_at=soon", "scheduled_at: expected a time"),
    ],
)
async def test_a_change_that_can_not_be_is_refused(bridge, conn, value, message):
    job_id = await insert_row(conn)
    result = await bridge.run("jobs", "update", job_id, "--set", value)
    assert isinstance(result.exception, InvalidJob)
    assert message in str(result.exception)


async def test_an_update_changes_all_jobs_or_none(bridge, conn):
    await several(conn, 2)
    await insert_row(conn, state="executing", attempt=1)
    result = await bridge.run("jobs", "update", "--all", "--yes", "--set", "scheduled_at=in 5m")
    assert isinstance(result.exception, InvalidJob)
    assert await states(conn) == {"available": 2, "executing": 1}
