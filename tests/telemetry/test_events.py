"""Events reach the handlers that asked for them, and a broken handler breaks nothing else."""

import asyncio
import logging
import sys
import threading

import pytest

from bridge import telemetry
from bridge.errors import ValidationError
from bridge.telemetry import events

START, STOP, EXCEPTION, SHUTDOWN = events.JOB_START, events.JOB_STOP, events.JOB_EXCEPTION, events.QUEUE_SHUTDOWN


def recorder():
    heard = []

    def record(name, event):
        heard.append((name, event))

    return heard, record


def test_the_names_are_those_of_oban():
    single = [name for name in events.EVENTS if not name.startswith(("oban.engine.", "oban.notifier.notify"))]
    assert single == [
        "oban.job.start",
        "oban.job.stop",
        "oban.job.exception",
        "oban.queue.shutdown",
        "oban.supervisor.init",
        "oban.notifier.switch",
        "oban.stager.switch",
        "oban.plugin.init",
        "oban.plugin.start",
        "oban.plugin.stop",
        "oban.plugin.exception",
        "oban.peer.election.start",
        "oban.peer.election.stop",
        "oban.peer.election.exception",
    ]
    assert "oban.engine.insert_job.start" in events.EVENTS
    assert "oban.notifier.notify.exception" in events.EVENTS
    assert len(set(events.EVENTS)) == len(events.EVENTS)


def test_a_handler_hears_what_it_asked_for():
    heard, record = recorder()
    telemetry.attach("mine", [START, STOP], record)

    for name in events.EVENTS:
        telemetry.emit(name, f"event of {name}")

    assert heard == [(START, f"event of {START}"), (STOP, f"event of {STOP}")]


def test_several_handlers_hear_it_in_the_order_of_their_attachment():
    order = []
    for name in "abc":
        telemetry.attach(name, [START], lambda _event, _data, name=name: order.append(name))

    telemetry.emit(START, None)

    assert order == ["a", "b", "c"]


def test_a_detached_handler_hears_no_more():
    heard, record = recorder()
    telemetry.attach("mine", [START], record)

    assert telemetry.detach("mine") is True
    telemetry.emit(START, None)

    assert heard == []
    assert telemetry.detach("mine") is False


def test_whether_anybody_listens():
    assert not telemetry.wanted(START)
    telemetry.attach("mine", [START], print)

    assert telemetry.wanted(START)
    assert not telemetry.wanted(STOP)


def test_a_handler_that_raises_is_detached_and_told_of_and_the_others_hear_it(caplog):
    heard, record = recorder()

    def broken(_name, _event):
        raise RuntimeError("no disk")

    telemetry.attach("broken", [START], broken)
    telemetry.attach("sound", [START], record)

    with caplog.at_level(logging.ERROR, "bridge.telemetry"):
        telemetry.emit(START, 1)
        telemetry.emit(START, 2)

    assert heard == [(START, 1), (START, 2)]
    [line] = caplog.records
    assert line.getMessage() == "telemetry handler 'broken' raised on oban.job.start and was detached"
    assert "no disk" in str(line.exc_info[1])
    assert telemetry.detach("broken") is False


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, BaseException])
def test_a_handler_cannot_end_the_task_that_tells_it(error, caplog):
    heard, record = recorder()

    def broken(_name, _event):
        raise error

    telemetry.attach("broken", [START], broken)
    telemetry.attach("sound", [START], record)

    telemetry.emit(START, 1)

    assert heard == [(START, 1)]
    assert telemetry.detach("broken") is False
    assert caplog.messages == ["telemetry handler 'broken' raised on oban.job.start and was detached"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_meant_for_the_process_passes_a_handler_and_leaves_it_attached(error):
    def interrupted(_name, _event):
        raise error

    telemetry.attach("mine", [START], interrupted)

    with pytest.raises(error):
        telemetry.emit(START, 1)

    assert telemetry.detach("mine") is True


def test_a_handler_may_detach_itself_and_attach_another():
    heard, record = recorder()

    def once(name, event):
        telemetry.detach("once")
        telemetry.attach("later", [START], record)

    telemetry.attach("once", [START], once)
    telemetry.emit(START, 1)
    telemetry.emit(START, 2)

    assert heard == [(START, 2)]


def test_a_handler_that_raises_does_not_take_its_successor_with_it():
    heard, record = recorder()

    def once(_name, _event):
        telemetry.detach("mine")
        telemetry.attach("mine", [START], record)
        raise RuntimeError("too late")

    telemetry.attach("mine", [START], once)
    telemetry.emit(START, 1)
    telemetry.emit(START, 2)

    assert heard == [(START, 2)]
    assert telemetry.detach("mine")


def test_handlers_come_and_go_from_any_thread():
    errors = []

    def come_and_go(name):
        try:
            for _ in range(1_500):
                telemetry.attach(name, [START], print)
                assert telemetry.wanted(START)
                telemetry.detach(name)
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=come_and_go, args=(f"t{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        for n in range(6):
            telemetry.detach(f"t{n}")

    assert errors == []
    assert not telemetry.wanted(START)


def test_a_handler_may_emit():
    heard, record = recorder()
    telemetry.attach("relay", [START], lambda _name, event: telemetry.emit(STOP, event))
    telemetry.attach("end", [STOP], record)

    telemetry.emit(START, 1)

    assert heard == [(STOP, 1)]


def test_an_id_that_is_in_use():
    heard, record = recorder()
    telemetry.attach("mine", [START], record)

    with pytest.raises(ValidationError) as refusal:
        telemetry.attach("mine", [STOP], print)

    assert str(refusal.value) == "handler_id: expected an id that is not in use, got 'mine'; detach the other one first"
    telemetry.emit(START, 1)
    assert heard == [(START, 1)]


def test_an_event_that_is_none():
    with pytest.raises(ValidationError) as refusal:
        telemetry.attach("mine", [START, "oban.job.sart"], print)

    assert str(refusal.value) == (
        "events: expected the name of an event, or a pattern such as oban.job.*, got 'oban.job.sart'"
    )
    assert telemetry.detach("mine") is False


# Patterns


def test_a_pattern_stands_for_the_names_that_it_matches():
    heard, record = recorder()
    telemetry.attach("mine", "oban.job.*", record)

    for name in events.EVENTS:
        telemetry.emit(name, None)

    assert [name for name, _ in heard] == [START, STOP, EXCEPTION]


def test_names_and_patterns_together():
    heard, record = recorder()
    telemetry.attach("mine", ["oban.*.exception", STOP], record)

    for name in (START, STOP, EXCEPTION, "oban.plugin.exception", "oban.engine.ack_jobs.exception"):
        telemetry.emit(name, None)

    assert [name for name, _ in heard] == [STOP, EXCEPTION, "oban.plugin.exception", "oban.engine.ack_jobs.exception"]


def test_a_pattern_that_matches_nothing():
    with pytest.raises(ValidationError, match=r"expected the name of an event, or a pattern such as oban\.job\.\*"):
        telemetry.attach("mine", "oban.jobs.*", print)


def test_a_span_is_wanted_where_one_of_its_events_is():
    assert not telemetry.wanted(events.PLUGIN)
    telemetry.attach("mine", "oban.plugin.exception", print)

    assert telemetry.wanted(events.PLUGIN)
    assert not telemetry.wanted(events.ELECTION)
    assert not telemetry.wanted("oban.plugin.stop")
    telemetry.detach("mine")
    assert not telemetry.wanted(events.PLUGIN)


# Spans

OBAN = events.Instance("Shop")


def test_a_span_is_a_start_and_a_stop_with_what_came_of_it():
    heard, record = recorder()
    telemetry.attach("mine", "oban.plugin.*", record)

    with telemetry.span(events.PLUGIN, events.Plugin, OBAN, "pruner") as span:
        span.set(pruned_count=3)

    [(first, begun), (last, ended)] = heard
    assert (first, last) == ("oban.plugin.start", "oban.plugin.stop")
    assert (begun.duration, begun.pruned_count, begun.oban) == (0, 0, OBAN)
    assert begun.system_time > 0
    assert (ended.system_time, ended.pruned_count, ended.error) == (begun.system_time, 3, None)
    assert ended.duration > 0


def test_a_span_that_fails_is_a_start_and_an_exception_and_the_error_goes_on():
    heard, record = recorder()
    telemetry.attach("mine", "oban.plugin.*", record)
    error = ValueError("no")

    with pytest.raises(ValueError, match="no"), telemetry.span(events.PLUGIN, events.Plugin, OBAN, "pruner"):
        raise error

    assert [name for name, _ in heard] == ["oban.plugin.start", "oban.plugin.exception"]
    assert heard[1][1].error is error


def test_a_span_that_nobody_listens_to_builds_nothing():
    telemetry.attach("mine", "oban.peer.*", print)

    def never(*_values):
        raise AssertionError("nobody wants it")

    with telemetry.span(events.PLUGIN, never, OBAN) as span:
        span.set(pruned_count=3)

    assert span is telemetry.NO_SPAN
