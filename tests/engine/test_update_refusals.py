"""Changes that no job may undergo, refused before the database sees them; none of several jobs is changed then."""

import math
from datetime import UTC, datetime

import pytest

from bridge.errors import InvalidJob, ValidationError

from .rig import put, untouched

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - it is what is refused
AWARE = datetime(2030, 1, 1, tzinfo=UTC)
LONG = "q" * 128
NO_OBJECT = "expected a JSON object, such as a dict, got {}; wrap it: {}={{'value': …}}"

UPDATES = {
    "nothing": ({}, "changes: expected a dict of columns and values, got {}"),
    "no dict": (["queue"], "changes: expected a dict of columns and values, got ['queue']"),
    "an unknown column": (
        {"quue": "a"},
        "changes: expected a column that can be changed, got 'quue'; did you mean 'queue'?",
    ),
    "the state": (
        {"state": "completed"},
        (
            "changes: expected a column that can be changed, got 'state'; "
            "known: args, max_attempts, meta, priority, queue, scheduled_at, tags, worker"
        ),
    ),
    "args: a list": ({"args": [1]}, "args: " + NO_OBJECT.format("[1]", "args")),
    "args: None": ({"args": None}, "args: " + NO_OBJECT.format("None", "args")),
    "meta: a list": ({"meta": [1]}, "meta: " + NO_OBJECT.format("[1]", "meta")),
    "meta: NaN": (
        {"meta": {"a": [math.nan]}},
        "meta.a[0]: expected a finite number, got nan; use None: jsonb has no NaN and no infinity",
    ),
    "args: NUL": (
        {"args": {"\0": 1}},
        "args['\\x00']: expected text without U+0000, got '\\x00'; remove the NUL: jsonb can't hold it",
    ),
    "queue: none": ({"queue": ""}, "queue: expected text of 1 to 127 characters, got ''; this has 0"),
    "worker: too long": (
        {"worker": LONG},
        f"worker: expected text of 1 to 127 characters, got '{'q' * 78}…; this has 128",
    ),
    "priority: too high": ({"priority": 10}, "priority: expected an integer from 0 to 9, got 10"),
    "max_attempts: none": ({"max_attempts": 0}, "max_attempts: expected an integer from 1 to 2000000000, got 0"),
    "tags: text": ({"tags": "red"}, "tags: expected a list of texts, got 'red'; put it into brackets"),
    "scheduled_at: without a zone": (
        {"scheduled_at": NAIVE},
        (
            "scheduled_at: expected a datetime with a time zone, got datetime.datetime(2026, 1, 1, 0, 0); "
            "use datetime.now(UTC) or .replace(tzinfo=UTC)"
        ),
    ),
    "scheduled_at: the last moment": (
        {"scheduled_at": datetime.max.replace(tzinfo=UTC)},
        (
            "scheduled_at: expected a time within the years 1 to 9999 in UTC, "
            "got datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.ut…; "
            "PostgreSQL would store infinity, which an Elixir node can't load"
        ),
    ),
    "args: an integer that is too long": (
        {"args": {"a": -(10**1_023)}},
        (
            "args.a: expected an integer of at most 1,024 characters with its sign, got 'an integer of 3399 bits'; "
            "send it as text: Elixir's JSON decoder takes 1,024 digits at most"
        ),
    ),
    "one of several": ({"queue": "beta", "priority": -1}, "priority: expected an integer from 0 to 9, got -1"),
}


@pytest.mark.parametrize(("wanted", "message"), UPDATES.values(), ids=UPDATES.keys())
async def test_updates(engine, conn, ear, wanted, message):
    for _ in range(2):
        await put(conn, "scheduled")

    async with untouched(conn, ear):
        for changes in (wanted, lambda _job: wanted):
            with pytest.raises(ValidationError) as refusal:
                await engine.update({"queue": "alpha"}, changes)

            assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("state", "attempt", "wanted", "least"),
    [
        ("available", 3, {"max_attempts": 3}, 4),
        ("available", 3, {"max_attempts": 1, "priority": 1}, 4),
        # These become available once their time has come, by whoever stages.
        ("scheduled", 3, {"max_attempts": 3}, 4),
        ("retryable", 3, {"max_attempts": 3}, 4),
        ("executing", 3, {"max_attempts": 2}, 3),
        ("completed", 3, {"max_attempts": 2}, 3),
        ("discarded", 5, {"scheduled_at": AWARE}, 6),
        ("completed", 5, {"scheduled_at": AWARE, "max_attempts": 5}, 6),
        ("retryable", 5, {"scheduled_at": AWARE}, 6),
    ],
    ids=str,
)
async def test_an_update_leaves_no_waiting_job_without_attempts(engine, conn, ear, state, attempt, wanted, least):
    """Available with all attempts made, a job takes a slot of every fetch of an Elixir node, for ever."""
    job_id = await put(conn, state, attempt=attempt, max_attempts=5)

    async with untouched(conn, ear):
        with pytest.raises(InvalidJob) as refusal:
            await engine.update({"id": job_id}, wanted)

    came = wanted.get("max_attempts", 5)
    assert str(refusal.value) == (
        f"max_attempts: expected at least {least} for job {job_id} in its state, got {came}; "
        f"it has made {attempt} attempts: change max_attempts to {least} or more"
    )
    [job] = await engine.update({"id": job_id}, {**wanted, "max_attempts": least})
    assert job.max_attempts == least


@pytest.mark.parametrize(
    ("state", "attempt", "wanted"),
    [
        ("available", 3, {"max_attempts": 4}),
        ("executing", 5, {"max_attempts": 5}),
        ("completed", 5, {"max_attempts": 5}),
        ("completed", 0, {"max_attempts": 1}),
        ("available", 5, {"priority": 1}),  # it was without attempts before; that is another one's doing
    ],
    ids=str,
)
async def test_other_updates_are_none_of_that(engine, conn, state, attempt, wanted):
    job_id = await put(conn, state, attempt=attempt, max_attempts=5)

    [job] = await engine.update({"id": job_id}, wanted)

    assert {column: getattr(job, column) for column in wanted} == wanted


async def test_what_a_function_raises_changes_nothing(engine, conn, ear):
    ids = [await put(conn, "scheduled"), await put(conn, "scheduled")]

    def changes(job):
        if job.id == ids[1]:
            raise LookupError("no idea")
        return {"priority": 9}

    async with untouched(conn, ear):
        with pytest.raises(LookupError, match="no idea"):
            await engine.update({"id": ids}, changes)
