"""Events become lines of a logger, whose level, name, events and form can be chosen."""

import json
import logging

import pytest

from bridge import telemetry
from bridge.errors import ValidationError
from bridge.telemetry import JobStart, QueueShutdown, events
from bridge.telemetry.log import attach_logger, detach_logger, format_event

from .samples import FIELDS, OBAN, SHOP, Unspeakable, failed, lines_of, make_job, stop


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


# Which events


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
