"""Failures as events of Sentry's SDK, caught before they are sent."""

import asyncio
import json
import logging

import pytest
import sentry_sdk
from contracts.runtime.rig import make_contract, obj
from sentry_sdk.transport import Transport

from bridge import Discard, Job, Oban, Worker, telemetry
from bridge.errors import ValidationError
from bridge.jobs.options import build_options
from bridge.telemetry import events, sentry
from bridge.telemetry.log import attach_logger
from tests.queues.rig import ENDS, events_of, insert_row, make_worker

SECRET = "5105105105105100"


class Kept(Transport):
    def __init__(self, options=None):
        super().__init__(options)
        self.events = []

    def capture_envelope(self, envelope):
        if (event := envelope.get_event()) is not None:
            self.events.append(event)


@pytest.fixture
def sent():
    transport = Kept()
    sentry_sdk.init("https://key@localhost/1", transport=transport, attach_stacktrace=False, default_integrations=True)
    sentry.instrument()
    yield transport.events
    sentry.uninstrument()
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


async def fail(job):
    raise ValueError("no")


@pytest.fixture
def run(installed, registry):
    """A function that runs one job of a worker, and returns it."""

    async def run_one(process=fail, args=None, **options):
        cls = make_worker(registry, process, "W")
        async with Oban(dsn=installed, registry=registry, queues={"badges": 5}) as oban:
            with events_of(*ENDS) as ends:
                return await ends.of(await oban.enqueue(cls.new(args, queue="badges", **options)))

    return run_one


async def test_a_failure_is_an_event_as_the_recipe_has_it(sent, run):
    found = await run(args={"n": 1}, tags=["a"], meta={"m": 2}, max_attempts=3)

    [event] = sent
    assert event["fingerprint"] == ["ValueError", "W", "no"]
    assert event["tags"] == {"oban_worker": "W", "oban_queue": "badges", "oban_state": "retryable"}
    extra = event["extra"]
    extra.pop("sys.argv", None)
    assert extra == {
        "args": {"n": 1},
        "attempt": 1,
        "id": found.job.id,
        "max_attempts": 3,
        "meta": {"m": 2},
        "queue": "badges",
        "tags": ["a"],
        "worker": "W",
    }
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "no")
    assert error["mechanism"]["type"] == "oban"
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["transaction"] == "W"
    assert event["level"] == "error"


async def test_bridges_own_frames_are_not_the_applications_and_show_no_variables(sent, run):
    await run()

    frames = sent[0]["exception"]["values"][0]["stacktrace"]["frames"]
    own = [frame for frame in frames if frame["module"].startswith("bridge.")]
    assert own
    assert not any(frame["in_app"] or "vars" in frame for frame in own)
    assert frames[-1]["in_app"]
    assert "job" in frames[-1]["vars"]


@pytest.mark.parametrize("result", [None, Discard("no")])
async def test_what_is_no_exception_is_no_event(sent, run, result):
    async def work(job):
        return result

    await run(work)

    assert sent == []


async def test_only_what_is_wanted_is_sent(sent, run):
    sentry.uninstrument()
    sentry.instrument(when=lambda event: event.state == "discarded")
    await run()
    assert sent == []
    await run(max_attempts=1)

    assert [event["tags"]["oban_state"] for event in sent] == ["discarded"]


async def test_each_run_has_a_scope_of_its_own(sent, start, registry):
    both = asyncio.Barrier(2)

    async def work(job):
        sentry_sdk.set_tag("mine", job.args["n"])
        sentry_sdk.add_breadcrumb(message=f"step {job.args['n']}")
        await both.wait()
        raise ValueError("no")

    make_worker(registry, work, "W")
    sentry_sdk.add_breadcrumb(message="start")
    oban = await start(queues={"badges": 2})
    with events_of(*ENDS) as ends:
        await oban.enqueue_many(Job("W", queue="badges", args={"n": n}) for n in (1, 2))
        await ends.first(2)

    found = {event["extra"]["args"]["n"]: event for event in sent}
    assert {n: event["tags"]["mine"] for n, event in found.items()} == {1: 1, 2: 2}
    crumbs = {n: [crumb["message"] for crumb in event["breadcrumbs"]["values"]] for n, event in found.items()}
    assert crumbs == {1: ["step 1"], 2: ["step 2"]}


async def test_a_thread_is_within_its_runs_scope(sent, run):
    def work(job):
        sentry_sdk.set_tag("mine", "yes")
        raise ValueError("no")

    await run(work)

    assert sent[0]["tags"]["mine"] == "yes"


async def test_a_failure_that_is_logged_too_is_sent_once(sent, run):
    attach_logger()
    await run()

    assert len(sent) == 1
    logging.getLogger("mine").error("another matter")
    assert len(sent) == 2


def test_an_error_without_a_stack_gets_a_frame_that_names_the_worker(sent):
    error = telemetry.JobException(Job("Shop.Pay", queue="q"), "discarded", 1, 0, ValueError("no"))
    telemetry.emit(events.JOB_EXCEPTION, error)

    [frame] = sent[0]["exception"]["values"][0]["stacktrace"]["frames"]
    assert (frame["module"], frame["function"], frame["in_app"]) == ("Shop.Pay", "process", True)


async def test_args_that_break_a_contract_are_reported_with_the_state_of_their_row(sent, start, registry, conn):
    contract = make_contract(
        obj("Pay", {"n": {"type": "integer"}}, required=["n"]), worker="Sentry.Check", queue="badges"
    )

    class Pays(Worker):
        async def process(self, job):
            raise AssertionError("never")

    Pays.options = build_options("Pays", {"contract": contract})
    registry.register(Pays, (Pays.options.name,))
    await start(queues={"badges": 1})
    with events_of(*ENDS) as ends:
        await insert_row(conn, worker="Sentry.Check", queue="badges", args='{"n": "x"}')
        event = await ends.next()

    assert event.state == "cancelled"
    assert sent[0]["tags"]["oban_state"] == "cancelled"
    assert sent[0]["fingerprint"][:2] == ["ContractError", "Sentry.Check"]


async def test_what_a_contract_calls_sensitive_is_nowhere_in_an_event(sent, start, registry, conn):
    schema = obj("Pay", {"pan": {"type": "string", "x-sensitive": True}, "n": {"type": "integer"}}, required=["n"])
    contract = make_contract(schema, worker="Sentry.Pay", queue="badges")

    class Pays(Worker):
        async def process(self, job):
            pan = job.args.pan
            raise ValueError(f"refused a card of {len(pan or '')} digits")

    Pays.options = build_options("Pays", {"contract": contract})
    registry.register(Pays, (Pays.options.name,))
    oban = await start(queues={"badges": 1})
    with events_of(*ENDS) as ends:
        await oban.enqueue(Job("Sentry.Pay", queue="badges", args={"pan": SECRET, "n": 1}))
        await ends.next()
        await insert_row(conn, worker="Sentry.Pay", queue="badges", args=f'{{"pan": "{SECRET}", "n": "x"}}')
        await ends.next(2)
        await insert_row(conn, worker="Sentry.Pay", queue="badges", args=f'["{SECRET}"]')
        await ends.next(3)
        await insert_row(conn, worker="Sentry.Pay", queue="badges", args='{"n": 1}', meta=f'{{"return": "{SECRET}"}}')
        await ends.next(4)

    kinds = [event["exception"]["values"][-1]["type"] for event in sent]
    assert kinds == ["ValueError", "ContractError", "ContractError", "ValueError"]
    assert "refused a card of 16 digits" in json.dumps(sent[0], default=repr)
    assert SECRET not in json.dumps(sent, default=repr)
    assert sent[0]["extra"]["args"]["pan"] == "<sensitive>"


async def test_a_poison_row_is_reported(sent, start, registry, conn):
    make_worker(registry, fail, "W")
    await start(queues={"badges": 1})
    with events_of(*ENDS) as ends:
        await insert_row(conn, worker="W", queue="badges", args="[1]")
        await ends.next()

    assert sent[0]["extra"]["args"].startswith("<args must be a JSON object")


def test_instrumenting_twice(sent):
    with pytest.raises(ValidationError, match="in use"):
        sentry.instrument()


async def test_without_a_client_jobs_run_and_nothing_is_sent(run):
    sentry_sdk.get_global_scope().set_client(None)
    sentry.instrument()
    event = await run()

    assert event.state == "retryable"
    assert sentry.uninstrument()
    assert not sentry.uninstrument()
