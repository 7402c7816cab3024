"""Events as log lines: one line of JSON each, with the keys that Oban's loggers write."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest

from bridge import Job, telemetry
from bridge.errors import ValidationError
from bridge.telemetry import JobException, JobStart, JobStop, QueueShutdown, events
from bridge.telemetry.log import attach_logger, detach_logger, encode_event, format_event

FIELDS = ["event", "level", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags"]
ENDS = [*FIELDS, "state", "duration", "queue_time"]


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
    telemetry.emit(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1, (3,)))

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


# What is worth a line

SHOP = events.Instance("Shop", "public", "web.1")
OBAN = events.Instance(node="web.1")


def lines_of(caught):
    return [json.loads(record.getMessage()) for record in caught.records]


@pytest.mark.parametrize("status", ["isolated", "solitary", "clustered"])
def test_a_node_that_learns_whom_it_hears(caught, status):
    attach_logger()
    telemetry.emit(events.NOTIFIER_SWITCH, events.NotifierSwitch(status, OBAN))

    [line] = lines_of(caught)
    assert list(line) == ["event", "level", "connectivity_status", "message"]
    assert (line["event"], line["connectivity_status"]) == ("oban.notifier.switch", status)
    assert line["message"]


def test_a_node_that_stops_and_so_hears_nobody_is_worth_no_line(caught):
    attach_logger()
    telemetry.emit(events.NOTIFIER_SWITCH, events.NotifierSwitch("unknown", OBAN))
    assert not caught.records


@pytest.mark.parametrize(
    ("mode", "message"),
    [("global", "this node's queues are told of jobs"), ("local", "this node's queues look for jobs themselves")],
)
def test_a_stagers_mode(caught, mode, message):
    attach_logger()
    telemetry.emit(events.STAGER_SWITCH, events.StagerSwitch(mode, OBAN))

    [line] = lines_of(caught)
    assert (line["event"], line["mode"]) == ("oban.stager.switch", mode)
    assert line["message"] == message


def election(**fields):
    return events.Election(OBAN, "Oban@python", **fields)


def test_an_election_that_changes_nothing_is_no_line(caught):
    attach_logger()
    for name in ("oban.peer.election.start", "oban.peer.election.stop"):
        telemetry.emit(name, election(leader=True, was_leader=True))
        telemetry.emit(name, election(leader=False, was_leader=False))

    assert caught.records == []


@pytest.mark.parametrize(
    ("leader", "message"), [(True, "this node leads now"), (False, "this node does not lead any more")]
)
def test_an_election_that_changes_who_leads(caught, leader, message):
    attach_logger()
    telemetry.emit("oban.peer.election.stop", election(leader=leader, was_leader=not leader, peer="web.1"))

    [line] = lines_of(caught)
    assert (line["leader"], line["was_leader"]) == (leader, not leader)
    assert (line["node"], line["peer"], line["message"]) == ("web.1", "web.1", message)


def test_a_lost_leadership_is_an_error(caught):
    attach_logger()
    error = TimeoutError("no answer")
    telemetry.emit("oban.peer.election.exception", election(leader=False, was_leader=True, error=error))
    telemetry.emit("oban.peer.election.exception", election(leader=False, was_leader=False, error=error))

    [record] = caught.records
    assert record.levelname == "ERROR"
    assert json.loads(record.getMessage())["error_message"] == "no answer"


@pytest.mark.parametrize(
    ("plugin", "found"),
    [
        ("stager", {"staged_count": 3}),
        ("pruner", {"pruned_count": 3}),
        ("lifeline", {"rescued_jobs": (1, 2), "discarded_jobs": (3,)}),
        ("cron", {"jobs": (4,)}),
        ("reindexer", {"reindexed": ("oban_jobs_args_index",)}),
    ],
)
def test_a_round_that_did_something(caught, plugin, found):
    attach_logger()
    telemetry.emit("oban.plugin.stop", events.Plugin(OBAN, plugin, duration=1_500_000, **found))

    counts = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    assert lines_of(caught) == [
        {"event": "oban.plugin.stop", "level": "info", "plugin": plugin, "duration": 1.5, **counts}
    ]


def test_a_round_that_did_nothing_is_no_line(caught):
    attach_logger()
    for part in ("init", "start", "stop"):
        event = events.PluginInit("pruner") if part == "init" else events.Plugin(OBAN, "pruner")
        telemetry.emit(f"oban.plugin.{part}", event)

    assert caught.records == []


def failed_round(**fields):
    telemetry.emit("oban.plugin.exception", events.Plugin(OBAN, "pruner", error=ValueError("no"), **fields))


def test_a_round_that_failed_is_for_debugging_because_its_service_warns(caught):
    attach_logger()
    failed_round()
    telemetry.emit("oban.plugin.exception", events.Plugin(OBAN, "pruner", error=asyncio.CancelledError()))

    [record] = caught.records
    assert record.levelname == "DEBUG"
    line = json.loads(record.getMessage())
    assert (line["level"], line["plugin"], line["error_type"]) == ("debug", "pruner", "ValueError")
    assert line["error_message"] == "no"


def test_rounds_that_fail_in_a_row_are_told_at_first_and_each_tenth_time_with_their_number(caught):
    attach_logger()
    for failures in range(1, 32):
        failed_round(failures=failures)
    failed_round(failures=1)

    assert [line["failures"] for line in lines_of(caught)] == [1, 11, 21, 31, 1]


@pytest.mark.parametrize("encode", [True, False])
def test_a_line_has_its_level(caught, encode):
    attach_logger(logging.WARNING, encode=encode)
    telemetry.emit(events.JOB_STOP, stop())
    telemetry.emit(events.JOB_EXCEPTION, failed(ValueError("no")))

    assert [record.levelname for record in caught.records] == ["WARNING", "ERROR"]
    if encode:
        assert [line["level"] for line in lines_of(caught)] == ["warning", "error"]
    else:
        assert [record.oban["level"] for record in caught.records] == ["warning", "error"]
        assert caught.records[1].getMessage().startswith("oban.job.exception level=error id=7 ")


def test_a_shutdown_tells_what_became_of_jobs_that_could_be_ended():
    event = QueueShutdown("badges", 1, (3,), handed_back=(4, 5), discarded=(6,))

    line = format_event(events.QUEUE_SHUTDOWN, event)

    assert (line["orphaned"], line["handed_back"], line["discarded"]) == ([3], [4, 5], [6])


def test_a_shutdown_without_orphans_is_no_line(caught):
    attach_logger()
    telemetry.emit(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1, ()))

    assert caught.records == []


@pytest.mark.parametrize(
    ("chosen", "logged"),
    [
        ("job", ["oban.job.start"]),
        (["queue", "stager"], ["oban.queue.shutdown", "oban.stager.switch"]),
        ("all", ["oban.job.start", "oban.queue.shutdown", "oban.stager.switch"]),
        ("oban.engine.*", ["oban.engine.ack_jobs.stop"]),
        (["job", "oban.engine.ack_jobs.stop"], ["oban.job.start", "oban.engine.ack_jobs.stop"]),
    ],
)
def test_events_are_chosen_by_group_name_or_pattern(caught, chosen, logged):
    attach_logger(events=chosen)
    telemetry.emit(events.JOB_START, JobStart(make_job(), 1))
    telemetry.emit(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1, (3,)))
    telemetry.emit(events.STAGER_SWITCH, events.StagerSwitch("local"))
    telemetry.emit("oban.engine.ack_jobs.stop", events.Operation(OBAN, "ack_jobs", count=3, ids=(1, 2, 3)))

    assert [line["event"] for line in lines_of(caught)] == logged


@pytest.mark.parametrize("chosen", ["jobs", ["job", "oban.jobs.*"], "plugins"])
def test_a_group_that_is_none(chosen):
    with pytest.raises(ValidationError, match="events: expected"):
        attach_logger(events=chosen)
    assert detach_logger() is False


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


# Instances and encoding


def test_a_line_names_its_instance_where_that_has_a_name_of_its_own(caught):
    attach_logger()
    telemetry.emit(events.JOB_START, JobStart(make_job(), 1, SHOP))
    telemetry.emit(events.JOB_START, JobStart(make_job(), 1, OBAN))

    first, second = lines_of(caught)
    assert first["oban"] == "Shop"
    assert list(second) == FIELDS


def test_a_logger_for_one_instance(caught):
    attach_logger(name="Shop")
    telemetry.emit(events.JOB_START, JobStart(make_job(), 1, SHOP))
    telemetry.emit(events.JOB_START, JobStart(make_job(), 1, OBAN))

    assert [line["oban"] for line in lines_of(caught)] == ["Shop"]
    attach_logger()
    with pytest.raises(ValidationError, match="in use"):
        attach_logger()
    with pytest.raises(ValidationError, match="in use"):
        attach_logger(name="Shop")
    assert detach_logger(name="Shop") is True
    assert detach_logger() is True


def test_lines_for_people_and_a_dictionary_for_formatters(caught):
    attach_logger(encode=False)
    telemetry.emit(events.JOB_STOP, stop(make_job('{"a": "b c"}')))

    [record] = caught.records
    assert record.getMessage() == (
        "oban.job.stop level=info id=7 worker=Badges.Generate queue=badges attempt=1 max_attempts=20 "
        'args={"a":"b c"} meta={"m":2} tags=["x"] state=completed duration=2.51 queue_time=5.45'
    )
    assert record.oban == format_event(events.JOB_STOP, stop(make_job('{"a": "b c"}')))


@pytest.mark.parametrize("text", ["", "a b", 'say "a"', "a=b", "one\ntwo"])
def test_a_text_that_could_be_taken_for_more_is_quoted(caught, text):
    attach_logger(encode=False)
    telemetry.emit(events.JOB_EXCEPTION, failed(ValueError(text)))

    assert caught.records[0].getMessage().endswith(f"error_message={json.dumps(text)}")


def test_a_text_line_is_one_line_whatever_a_worker_puts_into_its_job(caught):
    attach_logger(encode=False)
    job = make_job()
    job.args = {"a": Unspeakable()}
    telemetry.emit(events.JOB_STOP, stop(job))

    assert "args=<not shown: RuntimeError>" in caught.records[0].getMessage()
