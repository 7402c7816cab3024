"""Rows that should not be there neither starve a queue nor stop it."""

import pytest

from bridge.telemetry.log import encode_event

from .rig import insert_row, row_of

QUEUES = {"default": 2}

#: Rows that stop a queue of Elixir's, or that nobody could have written with Oban.
UNREADABLE = {
    "args that are a list": {"args": "[1, 2]"},
    "args that are text": {"args": '"text"'},
    "args that are null": {"args": "null"},
    "args that are a number": {"args": "42"},
    "meta that is a list": {"meta": "[]"},
    "meta that is text": {"meta": '"text"'},
}

HARMLESS = {
    "no meta": {"meta": None},
    "no tags": {"tags": None},
    "args with a number beyond a float": {"args": '{"n": 1e400}'},
    "args with a million digits": {"args": '{"n": ' + "9" * 100_000 + "}"},
    "args that are deep": {"args": '{"a":' * 2_000 + "1" + "}" * 2_000},
    "a priority beyond nine": {"priority": 77},
    "attempted by nobody": {"attempted_by": None},
    "attempted by too many": {"attempted_by": ["a", "b", "c"]},
}


async def nothing(_job):
    return None


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_row_that_can_not_be_decoded_fails_alone(start, worker, ends, conn, case):
    ran = []

    async def process(job):
        ran.append(job.id)

    worker(process)
    bad = await insert_row(conn, **UNREADABLE[case])
    good = [await insert_row(conn) for _ in range(3)]
    await start(queues=QUEUES)
    await ends.first(4)
    assert sorted(ran) == good
    row = await row_of(conn, bad)
    assert row["state"] == "retryable"
    field = next(iter(UNREADABLE[case]))
    assert f"{field} must be a JSON object" in row["errors"][0]["error"]
    # The log's line about such a row must not fail either.
    for name, event in ends:
        assert encode_event(name, event).startswith("{")


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_row_that_can_not_be_decoded_is_discarded_at_last(start, worker, ends, conn, case):
    worker(nothing)
    bad = await insert_row(conn, max_attempts=1, **UNREADABLE[case])
    await start(queues=QUEUES)
    await ends.next()
    assert (await row_of(conn, bad))["state"] == "discarded"


@pytest.mark.parametrize("case", HARMLESS)
async def test_an_odd_row_runs(start, worker, ends, conn, case):
    worker(nothing)
    odd = await insert_row(conn, **HARMLESS[case])
    await start(queues=QUEUES)
    event = await ends.next()
    assert (event.job.id, event.state) == (odd, "completed")


async def test_a_result_is_merged_into_meta_that_is_none(start, worker, ends, conn):
    from bridge import Record

    async def process(_job):
        return Record(1)

    worker(process)
    odd = await insert_row(conn, meta=None)
    await start(queues=QUEUES)
    await ends.next()
    assert (await row_of(conn, odd))["meta"]["recorded"] is True


async def test_rows_without_attempts_left_are_passed_over(start, worker, ends, conn):
    worker(nothing)
    spent = [await insert_row(conn, attempt=3, max_attempts=3) for _ in range(10)]
    good = await insert_row(conn, priority=9)
    await start(queues={"default": 1})
    event = await ends.next()
    assert event.job.id == good
    assert {(await row_of(conn, job))["state"] for job in spent} == {"available"}


async def test_due_rows_without_attempts_left_are_not_staged(start, worker, ends, conn):
    worker(nothing)
    spent = await insert_row(conn, state="retryable", attempt=3, max_attempts=3)
    good = await insert_row(conn, state="retryable", attempt=2, max_attempts=3)
    await start(queues=QUEUES)
    event = await ends.next()
    assert event.job.id == good
    assert (await row_of(conn, spent))["state"] == "retryable"


@pytest.mark.parametrize("moment", ["-infinity", "infinity"])
async def test_a_moment_without_end_is_no_hindrance(start, worker, ends, conn, moment):
    worker(nothing)
    odd = await insert_row(conn)
    await conn.execute(f"update oban_jobs set scheduled_at = '{moment}', inserted_at = '{moment}'")
    good = await insert_row(conn)
    await start(queues=QUEUES)
    assert {event.job.id for event in await ends.first(2)} == {odd, good}


@pytest.mark.parametrize("moment", ["0044-03-15 BC", "12026-01-01"])
async def test_a_moment_that_python_can_not_hold_costs_no_other_job(start, worker, ends, conn, moment):
    worker(nothing)
    odd = await insert_row(conn)
    await conn.execute(f"update oban_jobs set scheduled_at = '{moment}'")
    good = [await insert_row(conn) for _ in range(5)]
    await start(queues={"default": 10})
    assert {event.job.id for event in await ends.first(6)} == {odd, *good}


async def test_errors_of_any_shape_are_added_to(start, worker, ends, conn):
    async def process(_job):
        raise ValueError("one more")

    worker(process)
    odd = await insert_row(conn, attempt=1)
    await conn.execute("""update oban_jobs set errors = array['"text"', 'null', '{"at": 5}']::jsonb[]""")
    await start(queues=QUEUES)
    await ends.next()
    errors = (await row_of(conn, odd))["errors"]
    assert errors[:3] == ["text", None, {"at": 5}]
    assert "one more" in errors[3]["error"]
