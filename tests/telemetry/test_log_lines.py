"""An event is one line of JSON with the keys that Oban's loggers write, whatever a job holds."""

import json
from datetime import UTC, datetime

import pytest

from bridge import Job
from bridge.telemetry import JobStart, QueueShutdown, events
from bridge.telemetry.log import encode_event, format_event

from .samples import ENDS, FIELDS, OBAN, Unspeakable, failed, make_job, stop

# Keys


def test_a_completed_jobs_line():
    assert encode_event(events.JOB_STOP, stop()) == (
        '{"event":"oban.job.stop","level":"info","id":7,"worker":"Badges.Generate","queue":"badges","attempt":1,"max_attempts":20,'
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

    assert line == (
        '{"event":"oban.queue.shutdown","level":"info","queue":"badges","elapsed":1.23,"orphaned":[3,4],'
        '"message":"jobs did not end in time; they are written when they end, or rescued once this node is gone"}'
    )


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


def test_a_job_that_was_built_and_not_stored_has_a_line():
    job = Job("W", args={"when": datetime(2026, 1, 1, tzinfo=UTC)})

    found = json.loads(encode_event(events.JOB_START, JobStart(job, 1)))

    assert (found["id"], found["args"]) == (None, {"when": "2026-01-01T00:00:00Z"})


def test_a_shutdown_tells_what_became_of_jobs_that_could_be_ended():
    event = QueueShutdown("badges", 1, (3,), handed_back=(4, 5), discarded=(6,))

    line = format_event(events.QUEUE_SHUTDOWN, event)

    assert (line["orphaned"], line["handed_back"], line["discarded"]) == ([3], [4, 5], [6])


def test_every_event_has_a_line():
    samples = [
        events.SupervisorInit(1, OBAN),
        events.PluginInit("pruner", OBAN),
        events.Notify(OBAN, "mine", ({"a": 1},)),
        events.Operation(OBAN, "ack_jobs", error=ValueError("no")),
    ]
    found = [json.loads(encode_event("name", event)) for event in samples]
    assert found[0] == {"event": "name", "level": "info", "node": "web.1"}
    assert found[1] == {"event": "name", "level": "info", "plugin": "pruner"}
    assert found[2] == {"event": "name", "level": "info", "channel": "mine", "messages": 1, "duration": 0.0}
    assert found[3]["error_message"] == "no"
