"""Which jobs a filter selects, and which filters are refused before they reach the database."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.engine import naive
from bridge.engine.filters import build_where, job_id_of, select_jobs
from bridge.errors import InvalidFilter, InvalidWorker, ValidationError
from bridge.jobs import Job, JobState, Worker, job, registry
from bridge.jobs.worker import register

from .rig import put, row

FIELDS = (
    "args, attempt, attempted_after, attempted_before, cancelled_after, cancelled_before, completed_after, "
    "completed_before, discarded_after, discarded_before, error, has_tags, id, inserted_after, inserted_before, "
    "max_attempts, max_id, meta, min_attempt, min_id, node, priority, queue, scheduled_after, scheduled_before, state, "
    "tags, worker"
)
MOMENT = datetime(2025, 12, 1, tzinfo=UTC)
STATES = "available, suspended, scheduled, executing, retryable, completed, discarded, cancelled"


class SendMail(Worker):
    def process(self, job): ...


@job(name="resize")
def resize(width): ...


# They need their options alone; their names are left to other tests.
registry.unregister(register(SendMail, {"name": "Mail.Send"}))
registry.unregister(resize.worker)


class Unregistered(Worker):
    def process(self, job): ...


class Heir(SendMail):
    """It has options by inheritance, but jobs of its own it has none."""


@pytest.fixture
async def ids(conn):
    """Four jobs that differ in everything."""
    return [
        await put(conn, "available", queue="a", worker="Mail.Send", priority=0, args='{"id": 1, "deep": {"x": [1]}}'),
        await put(
            conn,
            "retryable",
            queue="b",
            worker="resize",
            priority=1,
            attempt=3,
            tags=["x", "y"],
            attempted_by=["py@a", "uuid"],
            errors=['{"attempt": 1, "at": "then", "error": "first"}', '"text"', "[]", '{"error": "(Boom) it"}'],
        ),
        await put(
            conn,
            "completed",
            queue="c",
            worker="Other",
            max_attempts=9,
            meta='{"cron": true, "n": 1}',
            attempted_by=["py@b"],
            scheduled_at=naive(MOMENT - timedelta(days=1)),
            completed_at=naive(MOMENT),
        ),
        await put(conn, "suspended", queue="a", worker="Mail.Send", tags=[], meta=None, args="[1]"),
    ]


MATCHES = {
    "nothing": ({}, [0, 1, 2, 3]),
    "a state": ({"state": "retryable"}, [1]),
    "a state's member": ({"state": JobState.COMPLETED}, [2]),
    "states": ({"state": ["available", JobState.SUSPENDED]}, [0, 3]),
    "a queue": ({"queue": "a"}, [0, 3]),
    "queues": ({"queue": ("b", "c", "none")}, [1, 2]),
    "a set of queues": ({"queue": {"b", "c"}}, [1, 2]),
    "a worker's name": ({"worker": "Other"}, [2]),
    "a worker class": ({"worker": SendMail}, [0, 3]),
    "a worker function": ({"worker": resize}, [1]),
    "workers": ({"worker": [SendMail, "resize", "None"]}, [0, 1, 3]),
    "a priority": ({"priority": 0}, [0]),
    "priorities": ({"priority": [0, 1]}, [0, 1]),
    "attempts": ({"attempt": [3]}, [1]),
    "max_attempts": ({"max_attempts": 9}, [2]),
    "args": ({"args": {"id": 1}}, [0]),
    "args within": ({"args": {"deep": {"x": [1]}}}, [0]),
    "args of another value": ({"args": {"id": 2}}, []),
    "meta": ({"meta": {"cron": True}}, [2]),
    "tags": ({"tags": ["x", "y"]}, [1]),
    "tags in another order": ({"tags": ["y", "x"]}, []),
    "some of the tags": ({"tags": ["x"]}, []),
    "tags as they were given on insert": ({"tags": [" X", "y", "Y", ""]}, [1]),
    "no tags": ({"tags": []}, [3]),
    "a tag among others": ({"has_tags": ["y"]}, [1]),
    "two tags among others": ({"has_tags": ["Y ", "x"]}, [1]),
    "a tag that none has": ({"has_tags": ["x", "z"]}, []),
    "a number of attempts and more": ({"min_attempt": 3}, [1]),
    "a node": ({"node": "py@a"}, [1]),
    "nodes": ({"node": ["py@a", "py@b"]}, [1, 2]),
    "a part of an error, in another case": ({"error": "BOOM"}, [1]),
    "an error's text as it is, no pattern": ({"error": "b%m"}, []),
    "a name in an entry that is no text of its error": ({"error": "attempt"}, []),
    "scheduled before": ({"scheduled_before": MOMENT}, [2]),
    "scheduled after": ({"scheduled_after": MOMENT, "state": "retryable"}, [1]),
    "completed before": ({"completed_before": MOMENT + timedelta(microseconds=1)}, [2]),
    "completed before, which leaves out the moment itself": ({"completed_before": MOMENT}, []),
    "completed after, which includes it": ({"completed_after": MOMENT, "state": "completed"}, [2]),
    "completed after that": ({"completed_after": MOMENT + timedelta(microseconds=1), "state": "completed"}, []),
    "inserted before": ({"inserted_before": MOMENT}, []),
    "several": ({"queue": "a", "state": "available", "worker": SendMail, "args": {"id": 1}}, [0]),
    "several of which one does not match": ({"queue": "a", "state": "completed"}, []),
}


@pytest.mark.parametrize(("filters", "expected"), MATCHES.values(), ids=MATCHES.keys())
async def test_matches(engine, ids, filters, expected):
    found = [job.id for job in await engine.select(filters, 10)]

    assert found == [ids[n] for n in reversed(expected)]
    rows = await engine.count(filters, ["state"])
    assert sum(row["jobs"] for row in rows) == len(expected)


async def test_ids(engine, ids):
    assert [job.id for job in await engine.select({"id": ids[1]}, 10)] == [ids[1]]
    assert [job.id for job in await engine.select({"id": iter([ids[1], ids[2], 999])}, 10)] == [ids[2], ids[1]]


async def test_a_range_of_ids_includes_its_ends(engine, ids):
    assert [job.id for job in await engine.select({"min_id": ids[1], "max_id": ids[2]}, 10)] == [ids[2], ids[1]]


async def test_ids_and_states_come_oldest_first_page_by_page(engine, ids):
    first = await engine.ids({}, 3)
    assert first == [(ids[0], "available"), (ids[1], "retryable"), (ids[2], "completed")]
    assert await engine.ids({"min_id": ids[2] + 1}, 3) == [(ids[3], "suspended")]


async def test_rows_without_tags_count_as_having_none(engine, conn):
    job_id = await put(conn, tags=None)

    assert [job.id for job in await engine.select({"tags": []}, 10)] == [job_id]


async def test_the_newest_first_and_no_more_than_the_limit(engine, ids):
    assert [job.id for job in await engine.select({}, 2)] == [ids[3], ids[2]]
    assert await engine.select({}, 0) == []


@pytest.mark.parametrize("act", ["cancel", "retry", "delete"])
async def test_changes_reach_what_the_filter_selects(engine, conn, act):
    ids = [await put(conn, "scheduled", queue=queue) for queue in ("a", "b", "a")]
    left = await row(conn, ids[1])

    assert await getattr(engine, act)({"queue": "a", "state": ["scheduled", "retryable"]}) == [ids[0], ids[2]]
    assert await row(conn, ids[1]) == left


async def test_counts_by_several_columns(engine, ids):
    rows = await engine.count({}, ["queue", "state"])

    assert [tuple(row) for row in rows] == [
        ("a", "available", 1),
        ("a", "suspended", 1),
        ("b", "retryable", 1),
        ("c", "completed", 1),
    ]


@pytest.mark.parametrize(
    "value", ["'; drop table oban_jobs; --", "$1", "{prefix}", "%s", "a' or '1'='1", "é🦉\\"], ids=str
)
async def test_values_are_never_sql(engine, conn, value):
    job_id = await put(conn, queue=value, worker=value, tags=[value])

    for field in ("queue", "worker"):
        assert [job.id for job in await engine.select({field: value}, 10)] == [job_id]
    assert [job.id for job in await engine.select({"tags": [value]}, 10)] == [job_id]
    assert await engine.select({"args": {value: value}}, 10) == []


# Refusals

REFUSALS = {
    "an unknown column": (
        {"stat": "available"},
        "filter: expected a column to filter by, got 'stat'; did you mean 'state'?",
    ),
    "a column that is none": (
        {"xyz": 1},
        f"filter: expected a column to filter by, got 'xyz'; known: {FIELDS}",
    ),
    "a time": (
        {"scheduled_at": 1},
        "filter: expected a column to filter by, got 'scheduled_at'; did you mean 'scheduled_after'?",
    ),
    "no state": ({"state": "done"}, f"state: expected one of {STATES}, got 'done'"),
    "one state that is none": ({"state": ["available", 1]}, f"state: expected one of {STATES}, got 1"),
    "None": ({"state": None}, "state: expected a value or a list of values, got None"),
    "None in a list": ({"queue": [None]}, "queue: expected text, got None"),
    "None for tags": ({"tags": None}, "tags: expected a list of texts, got None"),
    "None for args": ({"args": None}, "args: expected a dict with at least one key, got None"),
    "an empty list": ({"queue": []}, "queue: expected at least one value, got []"),
    "an empty list of ids": ({"id": []}, "id: expected at least one value, got []"),
    "empty args": ({"args": {}}, "args: expected a dict with at least one key, got {}"),
    "a dict": ({"queue": {"a": 1}}, "queue: expected a value or a list of values, got {'a': 1}"),
    "text for a number": ({"id": "1"}, "id: expected an integer from 1 to 9223372036854775807, got '1'"),
    "an id that is none": ({"id": 0}, "id: expected an integer from 1 to 9223372036854775807, got 0"),
    "a boolean": ({"priority": True}, "priority: expected an integer from 0 to 2147483647, got True"),
    "a float": ({"attempt": 1.0}, "attempt: expected an integer from 0 to 2147483647, got 1.0"),
    "a number too large": (
        {"max_attempts": 2**31},
        "max_attempts: expected an integer from 0 to 2147483647, got 2147483648",
    ),
    "a number for a queue": ({"queue": 1}, "queue: expected text, got 1"),
    "bytes": ({"queue": b"a"}, "queue: expected text, got 97"),
    "a moment without a zone": (
        {"scheduled_before": datetime(2026, 1, 1)},  # noqa: DTZ001 - what is refused
        (
            "scheduled_before: expected a datetime with a time zone, got datetime.datetime(2026, 1, 1, 0, 0); use "
            "datetime.now(UTC) or .replace(tzinfo=UTC)"
        ),
    ),
    "no tags to have": ({"has_tags": []}, "has_tags: expected at least one tag, got []"),
    "an empty text of errors": ({"error": ""}, "error: expected a text that is not empty, got ''"),
    "NUL": (
        {"queue": "a\0"},
        "queue: expected text without NUL characters, got 'a\\x00'; PostgreSQL can't store them",
    ),
    "half a surrogate pair": (
        {"worker": "\ud800"},
        "worker: expected valid Unicode text, got '\\ud800'; it holds half of a surrogate pair",
    ),
    "a list for args": ({"args": [1]}, "args: expected a dict with at least one key, got [1]"),
    "NaN in args": (
        {"args": {"a": float("nan")}},
        "args.a: expected a finite number, got nan; use None: jsonb has no NaN and no infinity",
    ),
    "text for tags": ({"tags": "x"}, "tags: expected a list of texts, got 'x'"),
    "a dict for tags": ({"tags": {"x": 1}}, "tags: expected a list of texts, got {'x': 1}"),
    "a number in tags": ({"tags": [1]}, "tags: expected text, got 1"),
    "blank tags": (
        {"tags": [" ", ""]},
        "tags: expected a tag that is not blank, got [' ', '']; pass [] for jobs without tags",
    ),
    "a worker for a queue": ({"queue": SendMail}, "queue: expected text, got <class 'engine.test_filters.SendMail'>"),
    "another class": ({"worker": dict}, "worker: expected text, got <class 'dict'>"),
}


@pytest.mark.parametrize(("filters", "message"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_refused(engine, conn, filters, message):
    job_id = await put(conn, "scheduled")
    before = await row(conn, job_id)

    for act in (engine.cancel, engine.retry, engine.delete):
        if filters != {"id": []}:  # a list of jobs that happens to be empty selects nothing
            with pytest.raises(ValidationError) as refusal:
                await act(filters)
            assert str(refusal.value) == message
    with pytest.raises(ValidationError) as refusal:
        await engine.select(filters, 10)
    assert str(refusal.value) == message
    assert await row(conn, job_id) == before


@pytest.mark.parametrize("cls", [Unregistered, Heir])
def test_a_worker_that_was_not_registered(cls):
    with pytest.raises(InvalidWorker, match=r"worker: expected a registered class, got .*; put @worker\(\) on it"):
        build_where({"worker": cls})


@pytest.mark.parametrize("act", ["cancel", "retry", "delete", "update"])
async def test_a_change_to_every_job_is_refused(engine, conn, act):
    job_id = await put(conn, "scheduled")
    before = await row(conn, job_id)
    arguments = [{"priority": 1}] if act == "update" else []

    with pytest.raises(InvalidFilter) as refusal:
        await getattr(engine, act)({}, *arguments)

    message = "filters: expected at least one, got {}; a change to every job needs one that says so"
    assert str(refusal.value) == message
    assert await row(conn, job_id) == before


@pytest.mark.parametrize("act", ["cancel", "retry", "delete", "update"])
async def test_an_empty_list_of_jobs_changes_none(engine, conn, act):
    await put(conn, "scheduled")
    arguments = [{"priority": 1}] if act == "update" else []

    assert await getattr(engine, act)(select_jobs([], {}), *arguments) == []


@pytest.mark.parametrize("limit", [-1, 1.5, "10", None, True, 2**63])
async def test_a_limit_that_is_none(engine, limit):
    with pytest.raises(InvalidFilter, match="limit: expected an integer from 0 to 9223372036854775807, got"):
        await engine.select({}, limit)


@pytest.mark.parametrize("job_id", [0, -1, "1", None, 1.0, True, 2**63])
async def test_an_id_that_is_none(engine, job_id):
    with pytest.raises(InvalidFilter, match="id: expected an integer from 1 to 9223372036854775807, got"):
        await engine.get(job_id)


async def test_an_id_of_no_job(engine):
    assert await engine.get(2**63 - 1) is None


# The jobs to act on


def test_jobs_by_themselves_or_by_id():
    stored = Job("W")
    stored.id = 7

    assert select_jobs([stored, 8], {}) == {"id": [7, 8]}
    assert select_jobs(iter([8]), {}) == {"id": [8]}
    assert select_jobs(None, {"queue": "a"}) == {"queue": "a"}
    assert (job_id_of(stored), job_id_of(8)) == (7, 8)


def test_jobs_and_filters_together():
    with pytest.raises(InvalidFilter) as refusal:
        select_jobs([1], {"queue": "a"})
    assert str(refusal.value) == "filters: expected either jobs or filters, not both, got {'queue': 'a'}"


@pytest.mark.parametrize("jobs", [7, Job("W")])
def test_one_job_where_a_list_is_expected(jobs):
    with pytest.raises(InvalidFilter, match=r"jobs: expected a list of jobs or ids, got .*; put it into brackets"):
        select_jobs(jobs, {})


def test_a_job_that_was_not_inserted():
    with pytest.raises(InvalidFilter, match=r"job: expected a job with an id, got Job\(id=None.*; insert it first"):
        select_jobs([Job("W")], {})


def test_a_state_that_the_database_lacks_selects_nothing():
    where, values = build_where({"state": ["suspended", "available"], "queue": "a"}, ["available", "scheduled"])

    assert where == "state = any($1::text[]::{prefix}.oban_job_state[]) and queue = any($2::text[])"
    assert values == [["available"], ["a"]]


async def test_a_state_that_cant_be_shown_is_refused_as_any_other(engine):
    class Unshown:
        def __repr__(self):
            raise RuntimeError("no repr")

    for state in (Unshown(), [Unshown()], 5, [[]]):
        with pytest.raises(InvalidFilter, match="state: expected one of available"):
            await engine.select({"state": state}, 10)
