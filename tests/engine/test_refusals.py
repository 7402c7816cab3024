"""What would harm a node is refused: with its field, what came and what to do, before the database sees anything."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from bridge.engine.clock import naive
from bridge.errors import BridgeError, EncodeError, InvalidJob, ValidationError
from bridge.jobs import Job, Worker, registry
from bridge.jobs.worker import register

from .rig import untouched

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - it is what is refused
AWARE = datetime(2030, 1, 1, tzinfo=UTC)
FIRST, LAST = datetime.min, datetime.max  # noqa: DTZ901 - the columns hold naive times
STEP = timedelta(microseconds=1)
LONG = "q" * 128
SHOWN = "q" * 78


class Known(Worker):
    def process(self, job): ...


registry.unregister(register(Known, {"name": "Known", "meta": {"own": 1}}))


def changed(**attributes):
    """Build a job that was right, and change it afterwards: attributes are open."""
    job = Job("W")
    for name, value in attributes.items():
        setattr(job, name, value)
    return job


NO_OBJECT = "expected a JSON object, such as a dict, got {}; wrap it: {}={{'value': …}}"
PRIORITY = "priority: expected an integer from 0 to 9, got {}"
ATTEMPTS = "max_attempts: expected an integer from 1 to 2000000000, got {}"
NO_NUL = "expected text without NUL characters, got 'a\\x00b'; PostgreSQL can't store them"
NO_STATE = "expected one of available, scheduled, suspended, got {}; other states are reached by running the job"
NO_FLOAT = "expected a finite number, got {}; use None: jsonb has no NaN and no infinity"
NO_INTEGER = (
    "expected an integer of at most 1,024 characters with its sign, got 'an integer of 3402 bits'; "
    "send it as text: Elixir's JSON decoder takes 1,024 digits at most"
)
BEYOND = (
    "scheduled_at: expected a time within the years 1 to 9999 in UTC, got datetime.datetime({}; "
    "PostgreSQL would store {}, which an Elixir node can't load"
)
JSON_TYPES = "a JSON type, a datetime, date, time, timedelta, Decimal, UUID, Enum, dataclass or Struct"
JOB_OPTIONS = "max_attempts, meta, priority, queue, replace, schedule_in, scheduled_at, state, tags, unique"

#: What is inserted, and how it is refused.
INSERTS = {
    # args and meta
    "args: a list": (lambda: Job("W", args=[1]), "args: " + NO_OBJECT.format("[1]", "args")),
    "args: text": (lambda: Job("W", args="{}"), "args: " + NO_OBJECT.format("'{}'", "args")),
    "args: bytes": (lambda: Job("W", args=b"{}"), "args: " + NO_OBJECT.format("b'{}'", "args")),
    "args: a number": (lambda: Job("W", args=1), "args: " + NO_OBJECT.format("1", "args")),
    "args: a list, set later": (
        lambda: changed(args=[1]),
        "args: expected an object, got [1]; pass a mapping, a Struct or a dataclass",
    ),
    "args: None, set later": (
        lambda: changed(args=None),
        "args: expected an object, got None; pass a mapping, a Struct or a dataclass",
    ),
    "meta: a list": (lambda: Job("W", meta=[1]), "meta: " + NO_OBJECT.format("[1]", "meta")),
    "meta: a list, set later": (
        lambda: changed(meta=[1]),
        "meta: expected an object, got [1]; pass a mapping, a Struct or a dataclass",
    ),
    "meta: no dict beside the worker's": (
        lambda: Known.new(meta=[1]),
        "meta: expected a dict, which is merged into the worker's own, got [1]",
    ),
    "args: NaN": (lambda: Job("W", args={"a": math.nan}), "args.a: " + NO_FLOAT.format("nan")),
    "args: infinity, within": (
        lambda: Job("W", args={"a": [1, {"b": -math.inf}]}),
        "args.a[1].b: " + NO_FLOAT.format("-inf"),
    ),
    "args: a Decimal that is no number": (
        lambda: Job("W", args={"a": Decimal("NaN")}),
        "args.a: " + NO_FLOAT.format("Decimal('NaN')"),
    ),
    "args: an integer that is too long": (
        lambda: Job("W", args={"a": [10**1_024]}),
        "args.a[0]: " + NO_INTEGER,
    ),
    "meta: an integer that is too long": (
        lambda: Job("W", meta={"m": 10**1_024}),
        "meta.m: " + NO_INTEGER,
    ),
    "meta: infinity": (lambda: Job("W", meta={"m": math.inf}), "meta.m: " + NO_FLOAT.format("inf")),
    "args: half a surrogate pair": (
        lambda: Job("W", args={"a": "x\ud800"}),
        "args.a: expected text without lone surrogates, got 'x\\ud800'; decode the bytes with errors='replace'",
    ),
    "args: half a surrogate pair in a key": (
        lambda: Job("W", args={"a": {"\udfff": 1}}),
        (
            "args.a['\\udfff']: expected text without lone surrogates, got '\\udfff'; "
            "decode the bytes with errors='replace'"
        ),
    ),
    "args: NUL": (
        lambda: Job("W", args={"a": "x\0"}),
        "args.a: expected text without U+0000, got 'x\\x00'; remove the NUL: jsonb can't hold it",
    ),
    "args: NUL in a key": (
        lambda: Job("W", args={"a\0": 1}),
        "args['a\\x00']: expected text without U+0000, got 'a\\x00'; remove the NUL: jsonb can't hold it",
    ),
    "args: NUL deep within": (
        lambda: Job("W", args={"a": [{"b": ["\0"]}]}),
        "args.a[0].b[0]: expected text without U+0000, got '\\x00'; remove the NUL: jsonb can't hold it",
    ),
    "meta: NUL in a key": (
        lambda: Job("W", meta={"m": {"\0": 1}}),
        "meta.m['\\x00']: expected text without U+0000, got '\\x00'; remove the NUL: jsonb can't hold it",
    ),
    "args: bytes within": (
        lambda: Job("W", args={"a": b"x"}),
        (
            "args.a: expected text or another JSON type, got b'x'; "
            "decode it, or declare the field as bytes in a Struct or dataclass to have it as base64"
        ),
    ),
    "args: a set": (
        lambda: Job("W", args={"a": {1}}),
        "args.a: expected a list, got {1}; a set has no order: use sorted(...)",
    ),
    "args: an object of no JSON type": (
        lambda: Job("W", args={"a": 1j}),
        f"args.a: expected a value of {JSON_TYPES}, got 1j; convert the complex to one of these first",
    ),
    # queue and worker
    "queue: none": (
        lambda: Job("W", queue=""),
        "queue: expected text of 1 to 127 characters, got ''; this has 0",
    ),
    "queue: too long": (
        lambda: Job("W", queue=LONG),
        f"queue: expected text of 1 to 127 characters, got '{SHOWN}…; this has 128",
    ),
    "queue: None": (lambda: Job("W", queue=None), "queue: expected text of 1 to 127 characters, got None"),
    "queue: a number, set later": (
        lambda: changed(queue=1),
        "queue: expected text of 1 to 127 characters, got 1",
    ),
    "queue: NUL": (lambda: Job("W", queue="a\0b"), "queue: " + NO_NUL),
    "queue: half a surrogate pair": (
        lambda: Job("W", queue="\ud800"),
        "queue: expected valid Unicode text, got '\\ud800'; it holds half of a surrogate pair",
    ),
    "worker: none": (lambda: Job(""), "worker: expected text of 1 to 127 characters, got ''; this has 0"),
    "worker: too long": (
        lambda: Job(LONG),
        f"worker: expected text of 1 to 127 characters, got '{SHOWN}…; this has 128",
    ),
    "worker: NUL": (lambda: Job("a\0b"), "worker: " + NO_NUL),
    "worker: too long, set later": (
        lambda: changed(worker=LONG),
        f"worker: expected text of 1 to 127 characters, got '{SHOWN}…; this has 128",
    ),
    "worker: a class": (lambda: Job(dict), "worker: expected text of 1 to 127 characters, got <class 'dict'>"),
    # numbers
    "priority: too low": (lambda: Job("W", priority=-1), PRIORITY.format(-1)),
    "priority: too high": (lambda: Job("W", priority=10), PRIORITY.format(10)),
    "priority: a boolean": (lambda: Job("W", priority=True), PRIORITY.format("True")),
    "priority: a float": (lambda: Job("W", priority=1.5), PRIORITY.format(1.5)),
    "priority: text": (lambda: Job("W", priority="1"), PRIORITY.format("'1'")),
    "priority: None": (lambda: Job("W", priority=None), PRIORITY.format("None")),
    "priority: too high, set later": (lambda: changed(priority=10), PRIORITY.format(10)),
    "max_attempts: none": (lambda: Job("W", max_attempts=0), ATTEMPTS.format(0)),
    "max_attempts: too many": (lambda: Job("W", max_attempts=2_000_000_001), ATTEMPTS.format(2_000_000_001)),
    "max_attempts: a boolean": (lambda: Job("W", max_attempts=True), ATTEMPTS.format("True")),
    "max_attempts: none, set later": (lambda: changed(max_attempts=0), ATTEMPTS.format(0)),
    # times
    "scheduled_at: without a zone": (
        lambda: Job("W", scheduled_at=NAIVE),
        (
            "scheduled_at: expected a datetime with a time zone, got datetime.datetime(2026, 1, 1, 0, 0); "
            "use datetime.now(UTC) or .replace(tzinfo=UTC)"
        ),
    ),
    "scheduled_at: without a zone, set later": (
        lambda: changed(scheduled_at=NAIVE, state="scheduled"),
        (
            "scheduled_at: expected a datetime with a time zone, got datetime.datetime(2026, 1, 1, 0, 0); "
            "use datetime.now(UTC) or .replace(tzinfo=UTC)"
        ),
    ),
    "scheduled_at: text": (
        lambda: Job("W", scheduled_at="2026-01-01"),
        "scheduled_at: expected an aware datetime, got '2026-01-01'",
    ),
    "scheduled_at: beyond the years": (
        lambda: Job("W", scheduled_at=datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5)))),
        (
            "scheduled_at: expected a time within the years 1 to 9999 in UTC, "
            "got datetime.datetime(9999, 12, 31, 23, 0, tzinfo=datetime.timezone(datetime.timede…"
        ),
    ),
    "scheduled_at: the last moment": (
        lambda: Job("W", scheduled_at=LAST.replace(tzinfo=UTC)),
        BEYOND.format("9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.ut…", "infinity"),
    ),
    "scheduled_at: the last moment, elsewhere": (
        lambda: Job("W", scheduled_at=LAST.replace(hour=18, tzinfo=timezone(-timedelta(hours=5)))),
        BEYOND.format("9999, 12, 31, 18, 59, 59, 999999, tzinfo=datetime.timezone(da…", "infinity"),
    ),
    "scheduled_at: the last moment, set later": (
        lambda: changed(scheduled_at=LAST.replace(tzinfo=UTC), state="scheduled"),
        BEYOND.format("9999, 12, 31, 23, 59, 59, 999999, tzinfo=datetime.timezone.ut…", "infinity"),
    ),
    "scheduled_at: the first moment": (
        lambda: Job("W", scheduled_at=FIRST.replace(tzinfo=UTC)),
        BEYOND.format("1, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)", "-infinity"),
    ),
    "schedule_in: text": (
        lambda: Job("W", schedule_in="5"),
        "schedule_in: expected a number of seconds or a timedelta, got '5'",
    ),
    "schedule_in: NaN": (
        lambda: Job("W", schedule_in=math.nan),
        "schedule_in: expected a number of seconds or a timedelta, got nan",
    ),
    "schedule_in: a boolean": (
        lambda: Job("W", schedule_in=True),
        "schedule_in: expected a number of seconds or a timedelta, got True",
    ),
    "schedule_in: milliseconds": (
        lambda: Job("W", schedule_in=1_795_000_000_000),
        "schedule_in: expected a time within the years 1 to 9999, got 1795000000000",
    ),
    "schedule_in: more than a float holds": (
        lambda: Job("W", schedule_in=-(10**400)),
        f"schedule_in: expected a number of seconds or a timedelta, got -1{'0' * 77}…",
    ),
    "schedule_in and scheduled_at": (
        lambda: Job("W", schedule_in=1, scheduled_at=AWARE),
        "schedule_in: expected only one of scheduled_at and schedule_in, got 1",
    ),
    # tags
    "tags: text": (
        lambda: Job("W", tags="red"),
        "tags: expected a list of texts, got 'red'; put it into brackets",
    ),
    "tags: None": (lambda: Job("W", tags=None), "tags: expected a list of texts, got None"),
    "tags: a dict": (lambda: Job("W", tags={"a": 1}), "tags: expected a list of texts, got {'a': 1}"),
    "tags: a number within": (lambda: Job("W", tags=["a", 1]), "tags: expected texts, got 1"),
    "tags: NUL": (lambda: Job("W", tags=["a\0b"]), "tags: " + NO_NUL),
    "tags: text, set later": (
        lambda: changed(tags="red"),
        "tags: expected a list of texts, got 'red'; put it into brackets",
    ),
    # states
    "state: executing": (lambda: Job("W", state="executing"), "state: " + NO_STATE.format("'executing'")),
    "state: completed": (lambda: Job("W", state="completed"), "state: " + NO_STATE.format("'completed'")),
    "state: retryable": (lambda: Job("W", state="retryable"), "state: " + NO_STATE.format("'retryable'")),
    "state: none": (lambda: Job("W", state="done"), "state: " + NO_STATE.format("'done'")),
    "state: executing, set later": (
        lambda: changed(state="executing"),
        "state: " + NO_STATE.format("'executing'"),
    ),
    "state: scheduled without a time": (
        lambda: Job("W", state="scheduled"),
        "state: expected a time with it, got 'scheduled'; give scheduled_at or schedule_in",
    ),
    "state: available with a time": (
        lambda: Job("W", state="available", schedule_in=1),
        "state: expected no time with it, got 'available'; leave out scheduled_at and schedule_in",
    ),
    # anything else
    "an unknown option": (
        lambda: Known.new({}, queu="a"),
        "option: expected an option of a job, got 'queu'; did you mean 'queue'?",
    ),
    "an option that is none": (
        lambda: Known.new({}, xyz=True),
        f"option: expected an option of a job, got 'xyz'; known: {JOB_OPTIONS}",
    ),
    "args by name": (
        lambda: Known.new(args={}),
        "option: expected an option of a job, got 'args'; pass them first: new({…})",
    ),
    "no job": (
        lambda: {"worker": "W"},
        "job: expected a Job, got {'worker': 'W'}; build one with Job(…) or Worker.new(…)",
    ),
    "a job that was run": (
        lambda: changed(attempt=1),
        (
            "job: expected a new job, got Job(id=None, worker='W', queue='default', state='available'); "
            "insert job.again(), a new one like it"
        ),
    ),
}


@pytest.mark.parametrize(("build", "message"), INSERTS.values(), ids=INSERTS.keys())
async def test_inserts(engine, conn, ear, build, message):
    async def one():
        await engine.insert(build())

    async def many():
        await engine.insert_many([Job("W"), build(), Job("W")])

    try:
        build()
        named = "; this is jobs[1]"
    except ValidationError:
        named = ""  # what `Job(...)` itself refuses is no job of the list yet

    async with untouched(conn, ear):
        for insert, place in ((one, ""), (many, named)):
            with pytest.raises(ValidationError) as refusal:
                await insert()

            assert str(refusal.value) == message + place
            assert isinstance(refusal.value, InvalidJob | EncodeError)
            assert isinstance(refusal.value, ValueError)
            assert isinstance(refusal.value, BridgeError)


@pytest.mark.parametrize("name", ["q" * 127, "🦉" * 127, " ", "a b\n", "Elixir.Foo", "{}", "'"])
async def test_names_that_the_table_takes(engine, conn, name):
    await engine.insert(Job(name, queue=name))
    await engine.insert_many([Job(name, queue=name)])

    assert [tuple(found) for found in await conn.fetch("select worker, queue from oban_jobs")] == [(name, name)] * 2


@pytest.mark.parametrize(("column", "value"), [("priority", 0), ("priority", 9), ("max_attempts", 2_000_000_000)])
async def test_numbers_that_the_table_takes(engine, conn, column, value):
    await engine.insert(Job("W", **{column: value}))

    assert await conn.fetchval(f"select {column} from oban_jobs") == value


@pytest.mark.parametrize("number", [10**1_024 - 1, 1 - 10**1_023], ids=["positive", "negative"])
async def test_the_longest_integers_that_elixir_reads(engine, conn, number):
    await engine.insert(Job("W", args={"a": number}, meta={"m": number}))

    assert await conn.fetchval("select args ->> 'a' from oban_jobs") == str(number)
    assert await conn.fetchval("select meta ->> 'm' from oban_jobs") == str(number)


@pytest.mark.parametrize("moment", [FIRST + STEP, LAST - STEP], ids=["first", "last"])
async def test_the_first_and_the_last_time_that_elixir_reads(engine, conn, moment):
    await engine.insert(Job("W", scheduled_at=moment.replace(tzinfo=UTC)))

    assert await conn.fetchval("select isfinite(scheduled_at) from oban_jobs")
    assert await conn.fetchval("select scheduled_at from oban_jobs") == moment


@pytest.mark.parametrize("moment", [FIRST, LAST], ids=["first", "last"])
async def test_no_other_way_of_writing_a_time_makes_it_infinite(conn, moment):
    written = naive(moment.replace(tzinfo=UTC))

    assert abs(written - moment) == STEP
    assert await conn.fetchval("select isfinite($1::timestamp)", written)
    assert not await conn.fetchval("select isfinite($1::timestamp)", moment), "the reason for all this"


async def test_the_instance_refuses_the_same_way(conn, ear, start):
    oban = await start()

    async with untouched(conn, ear):
        with pytest.raises(EncodeError, match=r"args\.price: expected a finite number, got nan"):
            await oban.enqueue(Job("W", args={"price": math.nan}))
        with pytest.raises(InvalidJob, match="priority: expected an integer from 0 to 9, got 10"):
            await oban.enqueue_many(Job("W", priority=n) for n in range(11))
