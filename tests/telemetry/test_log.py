"""Events as log lines: one line of JSON each, with the keys that Oban's loggers write."""

import json
import logging
from datetime import UTC, datetime

import pytest

from bridge import Job, telemetry
from bridge.telemetry import JobException, JobStart, JobStop, QueueShutdown, events
from bridge.telemetry.log import attach_logger, detach_logger, encode_event, format_event

FIELDS = ["event", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags"]
ENDS = [*FIELDS, "state", "duration", "queue_time"]


@pytest.fixture(autouse=True)
def forget():
    """Forget what a test attached."""
    before = dict(events._handlers)
    yield
    events._handlers.clear()
    events._handlers.update(before)


def make_job(args='{"a": 1}', meta='{"m": 2}', **columns):
    moment = datetime(2026, 1, 1)  # noqa: DTZ001 - as the column has it
    times = dict.fromkeys(
        ["inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at"], moment
    )
    row = {
        "id": 7,
        "state": "executing",
        "queue": "badges",
        "worker": "Badges.Generate",
        "args": args,
        "meta": meta,
        "tags": ["x"],
        "errors": "[]",
        "attempt": 1,
        "max_attempts": 20,
        "priority": 0,
        "attempted_by": ["node", "uuid"],
        **times,
        **columns,
    }
    return Job.from_row(row)


def stop(job=None, **fields):
    return JobStop(
        job or make_job(), **{"state": "completed", "duration": 2_513_000, "queue_time": 5_449_999, **fields}
    )


def failed(error, job=None, **fields):
    return JobException(
        job or make_job(), **{"state": "retryable", "duration": 1_000_000, "queue_time": 0, "error": error, **fields}
    )


# Keys


def test_a_completed_jobs_line():
    assert encode_event(events.JOB_STOP, stop()) == (
        '{"event":"oban.job.stop","id":7,"worker":"Badges.Generate","queue":"badges","attempt":1,"max_attempts":20,'
        '"args":{"a":1},"meta":{"m":2},"tags":["x"],"state":"completed","duration":2.51,"queue_time":5.45}'
    )


def test_a_started_jobs_line():
    line = format_event(events.JOB_START, JobStart(make_job(), system_time=1))

    assert list(line) == FIELDS
    assert line["event"] == "oban.job.start"


def test_a_failed_jobs_line():
    line = format_event(events.JOB_EXCEPTION, failed(ValueError("no")))

    assert list(line) == [*ENDS, "error_type", "error_message"]
    assert (line["state"], line["error_type"], line["error_message"]) == ("retryable", "ValueError", "no")


def test_a_line_of_an_outcome_that_was_not_recorded():
    line = format_event(events.JOB_STOP, stop(recorded=False))

    assert list(line) == [*ENDS, "recorded"]
    assert line["recorded"] is False
    assert list(format_event(events.JOB_EXCEPTION, failed(ValueError(), recorded=False)))[len(ENDS)] == "recorded"


def test_a_queues_line():
    line = encode_event(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1_234_567, (3, 4)))

    assert line == '{"event":"oban.queue.shutdown","queue":"badges","elapsed":1.23,"orphaned":[3,4]}'


@pytest.mark.parametrize(
    ("nanoseconds", "milliseconds"), [(0, 0.0), (4_999, 0.0), (5_001, 0.01), (10_000_000, 10.0), (3_600 * 10**9, 3.6e6)]
)
def test_times_are_milliseconds_with_two_decimals(nanoseconds, milliseconds):
    assert format_event(events.JOB_STOP, stop(duration=nanoseconds))["duration"] == milliseconds


# One line, whatever it holds

HOSTILE = {
    "newlines": '{"a": "one\\ntwo\\r\\n\\u2028three"}',
    "quotes": '{"a": "\\"}{\\\\"}',
    "unicode": '{"é🦉": "\\ud83e\\udd89"}',
    "an integer of many digits": f'{{"n": {"9" * 5_000}}}',
    "an integer beyond 64 bits": '{"n": 123456789012345678901234567890}',
    "a number out of range": '{"n": 1e400}',
    "a tiny number": f'{{"n": 0.{"0" * 400}1}}',
    "a deep nesting": '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}",
    "an array": "[1, 2]",
    "null": "null",
    "no JSON": "[broken",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("column", ["args", "meta"])
def test_one_line_of_json_whatever_a_row_holds(column, text):
    line = encode_event(events.JOB_STOP, stop(make_job(**{column: text})))

    assert "\n" not in line
    assert "\r" not in line
    found = json.loads(line, parse_int=str)
    assert list(found) == ENDS
    assert found["worker"] == "Badges.Generate"


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no repr")


class Named:
    def __repr__(self):
        return "<Named>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Named(), {"a": "<Named>"}),
        ({1, 2}, {"a": [1, 2]}),
        (Unspeakable(), "<not shown: RuntimeError>"),
        ("\ud800", "<not shown: UnicodeEncodeError>"),
    ],
    ids=["an object", "a set", "no repr", "half a surrogate pair"],
)
def test_one_line_of_json_whatever_a_worker_puts_into_its_job(value, shown):
    job = make_job()
    job.args = {"a": value}

    found = json.loads(encode_event(events.JOB_STOP, stop(job)))

    assert found["args"] == shown
    assert list(found) == ENDS


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("one\ntwo"), "one\ntwo"),
        (ValueError("NUL \0 and \ud800"), "NUL \\x00 and \\ud800"),
        (Mute(), "<no text: __str__ raised RuntimeError>"),
        (KeyboardInterrupt(), ""),
    ],
    ids=["lines", "what JSON can't hold", "a failing __str__", "no exception of a program"],
)
def test_one_line_of_json_whatever_was_raised(error, message):
    line = encode_event(events.JOB_EXCEPTION, failed(error))

    assert "\n" not in line
    found = json.loads(line)
    assert (found["error_type"], found["error_message"]) == (type(error).__name__, message)


# The logger


@pytest.fixture
def caught(caplog):
    caplog.set_level(logging.DEBUG, "oban")
    return caplog


def test_events_become_lines_of_the_logger_oban(caught):
    attach_logger()

    telemetry.emit(events.JOB_START, JobStart(make_job(), 1))
    telemetry.emit(events.JOB_EXCEPTION, failed(ValueError("no")))
    telemetry.emit(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1, ()))

    lines = [(line.name, line.levelname, json.loads(line.getMessage())["event"]) for line in caught.records]
    assert lines == [
        ("oban", "INFO", "oban.job.start"),
        ("oban", "ERROR", "oban.job.exception"),
        ("oban", "INFO", "oban.queue.shutdown"),
    ]


def test_a_line_is_never_taken_for_a_format(caught):
    attach_logger()

    telemetry.emit(events.JOB_STOP, stop(make_job('{"a": "100 %s %d %(x)s {}"}')))

    assert json.loads(caught.records[0].getMessage())["args"] == {"a": "100 %s %d %(x)s {}"}


def test_its_level_logger_and_events_can_be_chosen(caplog):
    caplog.set_level(logging.DEBUG, "mine")
    attach_logger(logging.DEBUG, logging.getLogger("mine"), [events.JOB_STOP])

    telemetry.emit(events.JOB_START, JobStart(make_job(), 1))
    telemetry.emit(events.JOB_STOP, stop())

    assert [(line.name, line.levelname) for line in caplog.records] == [("mine", "DEBUG")]


def test_a_level_that_is_off_builds_no_line(caplog):
    caplog.set_level(logging.ERROR, "oban")
    attach_logger()

    telemetry.emit(events.JOB_STOP, "no event: building its line would raise")

    assert caplog.records == []
    assert detach_logger() is True


def test_a_detached_logger_is_silent(caught):
    attach_logger()
    assert detach_logger() is True
    assert detach_logger() is False

    telemetry.emit(events.JOB_STOP, stop())

    assert caught.records == []


def test_two_loggers_have_ids_of_their_own(caught):
    attach_logger(handler_id="one")
    attach_logger(handler_id="two")

    telemetry.emit(events.JOB_STOP, stop())

    assert len(caught.records) == 2
    assert detach_logger("one")
    assert detach_logger("two")


def test_a_job_that_was_built_and_not_stored_has_a_line():
    job = Job("W", args={"when": datetime(2026, 1, 1, tzinfo=UTC)})

    found = json.loads(encode_event(events.JOB_START, JobStart(job, 1)))

    assert (found["id"], found["args"]) == (None, {"when": "2026-01-01T00:00:00Z"})
