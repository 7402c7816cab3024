"""Of all events, those are worth a line that tell of work, or of a change."""

import asyncio
import json
import logging

import pytest

from bridge import telemetry
from bridge.telemetry import QueueShutdown, events
from bridge.telemetry.log import attach_logger

from .samples import OBAN, failed, lines_of, stop


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


def test_a_shutdown_without_orphans_is_no_line(caught):
    attach_logger()
    telemetry.emit(events.QUEUE_SHUTDOWN, QueueShutdown("badges", 1, ()))

    assert caught.records == []
