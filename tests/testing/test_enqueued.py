"""Assertions about what is enqueued: what matches, what doesn't, and what the messages say."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import asyncpg
import pytest
from contracts.runtime.rig import make_contract, obj
from queues.rig import returning

from bridge import Job, Oban
from bridge.errors import EncodeError, InstanceNotFound, InvalidFilter
from bridge.jobs import FunctionWorker
from bridge.testing import ANY, all_enqueued, assert_enqueued, refute_enqueued

DEEP = {"id": 1, "config": {"enabled": True, "tags": ["a", {"b": 1, "c": 2}]}, "note": None}


class Colour(StrEnum):
    RED = "red"


async def matches(oban, **filters):
    """Whether a filter finds the job; both assertions must agree."""
    try:
        await assert_enqueued(oban, **filters)
    except AssertionError:
        await refute_enqueued(oban, **filters)
        return False
    with pytest.raises(AssertionError):
        await refute_enqueued(oban, **filters)
    return True


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({"id": 1}, True),
        ({"id": 2}, False),
        ({"id": 1.0}, True),
        ({"id": "1"}, False),
        ({"id": True}, False),
        ({}, True),
        ({"config": {}}, True),
        ({"config": {"enabled": True}}, True),
        ({"config": {"enabled": 1}}, False),
        ({"config": {"enabled": False}}, False),
        ({"config": {"other": True}}, False),
        ({"config": True}, False),
        ({"config": []}, False),
        ({"id": {}}, False),
        ({"config": {"tags": ["a", {"b": 1}]}}, True),
        ({"config": {"tags": ("a", {"b": 1, "c": 2})}}, True),
        ({"config": {"tags": ["a"]}}, False),
        ({"config": {"tags": [{"b": 1}, "a"]}}, False),
        ({"config": {"tags": ["a", {"b": 2}]}}, False),
        ({"note": None}, True),
        ({"gone": None}, False),
        ({"id": ANY}, True),
        ({"note": ANY}, True),
        ({"gone": ANY}, False),
        ({"config": ANY, "id": 1}, True),
        ({"config": {"tags": ANY}}, True),
        ({"config": {"tags": [ANY, {"b": ANY}]}}, True),
        ({"config": {"tags": [ANY]}}, False),
    ],
)
async def test_args_and_meta_match_what_they_contain_at_any_depth(manual, args, found):
    await manual.enqueue(Job("W", args=DEEP, meta=DEEP))
    assert await matches(manual, args=args) is found
    assert await matches(manual, meta=args) is found


async def test_expected_values_are_read_back_from_json_first(manual):
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    await manual.enqueue(Job("W", args={"at": at, "colour": "red", 1: 2}))
    assert await matches(manual, args={"at": at, "colour": Colour.RED, 1: 2})
    assert await matches(manual, args={"at": "2026-05-01T12:00:00Z", "1": 2})
    with pytest.raises(EncodeError, match=r"args\.x"):
        await assert_enqueued(manual, args={"x": float("nan")})


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"worker": "W"}, True),
        ({"worker": "V"}, False),
        ({"worker": ["V", "W"]}, True),
        ({"queue": "mail"}, True),
        ({"queue": "default"}, False),
        ({"priority": 3}, True),
        ({"priority": [1, 2]}, False),
        ({"max_attempts": 5}, True),
        ({"max_attempts": 20}, False),
        ({"attempt": 0}, True),
        ({"attempt": 1}, False),
        ({"state": "available"}, True),
        ({"state": ["available", "scheduled"]}, True),
        ({"state": "scheduled"}, False),
        ({"tags": ["a", "b"]}, True),
        ({"tags": [" A", "B"]}, True),
        ({"tags": ["a"]}, False),
        ({"tags": []}, False),
        ({"errors": []}, True),
        ({"errors": [{"attempt": 1}]}, False),
        ({"attempted_by": []}, True),
        ({"attempted_at": None}, True),
        ({"scheduled_at": None}, False),
        ({"queue": "mail", "worker": "W", "args": {"id": 1}, "priority": 3}, True),
        ({"queue": "mail", "worker": "W", "args": {"id": 2}, "priority": 3}, False),
        ({}, True),
    ],
)
async def test_any_field_of_a_job_is_a_filter(manual, filters, found):
    await manual.enqueue(Job("W", args={"id": 1}, queue="mail", priority=3, max_attempts=5, tags=["a", "b"]))
    assert await matches(manual, **filters) is found


async def test_a_worker_is_named_by_its_class_its_function_or_its_contract(manual, worker, badge):
    def send(to):
        """Do nothing."""

    send.__module__ = "app.mail"
    function = FunctionWorker(send, {"name": "App.send"})
    made = worker(returning(1), name="App.W")
    for job in (made.new(), function.new("you"), badge(id=3).new()):
        await manual.enqueue(job)
        await assert_enqueued(manual, worker=job.worker)
    assert (await assert_enqueued(manual, worker=made)).worker == "App.W"
    assert (await assert_enqueued(manual, worker=function, args={"to": "you"})).worker == "App.send"
    assert (await assert_enqueued(manual, worker=badge, args=badge(id=3))).worker == "Badges.Generate"
    await refute_enqueued(manual, worker=badge, args=badge(id=4))


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"scheduled_in": 3600}, True),
        ({"scheduled_in": timedelta(hours=1)}, True),
        ({"scheduled_in": 3605}, False),
        ({"scheduled_in": 3605, "delta": 10}, True),
        ({"scheduled_in": 3605, "delta": timedelta(seconds=10)}, True),
        ({"scheduled_in": 0}, False),
    ],
)
async def test_a_relative_time_may_be_a_second_off_or_as_much_as_is_said(manual, filters, found):
    await manual.enqueue(Job("W", schedule_in=3600))
    assert await matches(manual, **filters) is found


@pytest.mark.parametrize(("off", "delta", "found"), [(1, 1, True), (1.001, 1, False), (0.5, 0, False), (90, 120, True)])
async def test_a_time_may_be_off_by_delta_either_way(manual, off, delta, found):
    at = datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    await manual.enqueue(Job("W", scheduled_at=at))
    for moment in (at + timedelta(seconds=off), at - timedelta(seconds=off)):
        assert await matches(manual, scheduled_at=moment, delta=delta) is found


async def test_only_jobs_that_wait_are_enqueued(manual, conn, worker):
    made = worker(returning(1))
    ended = await manual.enqueue(made.new())
    await manual.drain_queue("default")
    assert (await manual.get_job(ended.id)).state == "completed"

    waiting = await manual.enqueue_many([Job("A"), Job("B", schedule_in=60), Job("C", state="suspended")])
    cancelled = await manual.enqueue(Job("D"))
    await manual.cancel_job(cancelled)

    found = await all_enqueued(manual)
    assert [job.id for job in found] == [job.id for job in reversed(waiting)]
    assert [job.worker for job in found] == ["C", "B", "A"]
    await refute_enqueued(manual, worker=["D", made.options.name])


async def test_the_newest_match_is_returned(manual):
    await manual.enqueue(Job("W", args={"n": 1}))
    last = await manual.enqueue(Job("W", args={"n": 2}))
    assert (await assert_enqueued(manual, worker="W")).id == last.id
    assert [job.args["n"] for job in await all_enqueued(manual, worker="W")] == [2, 1]


async def test_the_running_instance_is_the_default(manual):
    await manual.enqueue(Job("W"))
    await assert_enqueued(worker="W")
    assert len(await all_enqueued()) == 1
    await refute_enqueued(worker="V")
    await manual.stop()
    with pytest.raises(InstanceNotFound):
        await assert_enqueued(worker="W")


async def test_a_job_that_is_committed_meanwhile_is_waited_for(manual, installed):
    waiting = asyncio.create_task(assert_enqueued(manual, worker="Late", timeout=60))
    refuted = asyncio.create_task(refute_enqueued(manual, worker="Late", timeout=60))
    async with Oban(dsn=installed, name="Other") as other:
        job = await other.enqueue(Job("Late"))
    assert (await waiting).id == job.id
    with pytest.raises(AssertionError, match=f"job {job.id}, Late in queue default, available"):
        await refuted


async def test_a_job_of_the_same_transaction_is_waited_for(manual):
    waiting = asyncio.create_task(assert_enqueued(manual, worker="Late", timeout=60))
    await asyncio.sleep(0)
    await manual.enqueue(Job("Late"))
    await waiting


async def test_waiting_ends_with_the_timeout(manual):
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(AssertionError, match=r"within 0\.05 s"):
        await assert_enqueued(manual, worker="W", timeout=0.05)
    await refute_enqueued(manual, worker="W", timeout=timedelta(seconds=0.05))
    assert 0.1 <= loop.time() - begun < 45  # milliseconds are none


async def test_a_failure_shows_the_nearest_jobs_and_how_they_differ(manual, worker):
    made = worker(returning(1), name="App.W")
    await manual.enqueue(Job("Other", args={"id": 1, "kind": "x"}))
    far = await manual.enqueue(made.new({"id": 2, "kind": "y", "more": {"deep": [1]}}))
    near = await manual.enqueue(made.new({"id": 1, "kind": "z"}, queue="mail"))

    with pytest.raises(AssertionError) as raised:
        await assert_enqueued(manual, worker=made, args={"id": 1, "kind": "x", "more": {"deep": [2]}}, queue="mail")

    assert str(raised.value) == (
        "expected a job to be enqueued that matches\n\n"
        "  worker = App.W\n"
        "  args = {'id': 1, 'kind': 'x', 'more': {'deep': [2]}}\n"
        "  queue = 'mail'\n\n"
        "but found 3 that do not; nearest first:\n\n"
        f"  job {near.id}, App.W in queue mail, available\n"
        "    args.kind: expected 'x', found 'z'\n"
        "    args.more: expected {'deep': [2]}, found no such key\n"
        f"  job {far.id}, App.W in queue default, available\n"
        "    args.id: expected 1, found 2\n"
        "    args.kind: expected 'x', found 'y'\n"
        "    args.more.deep[0]: expected 2, found 1\n"
        "    queue: expected 'mail', found 'default'\n"
        f"  job {near.id - 2}, Other in queue default, available\n"
        "    worker: expected 'App.W', found 'Other'\n"
        "    args.more: expected {'deep': [2]}, found no such key\n"
        "    queue: expected 'mail', found 'default'"
    )


async def test_a_failure_tells_where_nothing_is_enqueued(manual):
    with pytest.raises(AssertionError, match="but no job is available, scheduled or suspended"):
        await assert_enqueued(manual, worker="W")


async def test_a_failure_shows_times_in_utc_and_cuts_long_values(manual):
    await manual.enqueue(Job("W", args={"text": "x" * 1_000}, scheduled_at=datetime(2030, 1, 1, tzinfo=UTC)))
    with pytest.raises(AssertionError) as raised:
        await assert_enqueued(manual, args={"text": "y"}, scheduled_at=datetime(2030, 1, 2, tzinfo=UTC))
    assert "scheduled_at: expected 2030-01-02T00:00:00+00:00, found 2030-01-01T00:00:00+00:00" in str(raised.value)
    assert len(str(raised.value)) < 1_000


async def test_sensitive_values_are_not_shown(manual):
    schema = obj("Login", {"user": {"type": "string"}, "pin": {"type": "string", "x-sensitive": True}}, ["user"])
    login = make_contract(schema, worker="App.Login")
    await manual.enqueue(login(user="ada", pin="1234").new())
    with pytest.raises(AssertionError) as missed:
        await assert_enqueued(manual, worker="App.Login", args={"pin": "9"})
    with pytest.raises(AssertionError) as found:
        await refute_enqueued(manual, worker="App.Login", args={"user": "ada"})
    assert "args.pin: expected '9', found '<sensitive>'" in str(missed.value)
    assert "1234" not in str(missed.value) + str(found.value)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"quue": "x"}, "did you mean 'queue'"),
        ({"state": "completed"}, r"state: expected available, scheduled, suspended.*oban\.jobs\(state=…\)"),
        ({"state": []}, "state: expected"),
        ({"args": [1]}, "args: expected a dict"),
        ({"scheduled_at": datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is what is refused
        ({"scheduled_at": "soon"}, "an aware datetime"),
        ({"scheduled_in": "soon"}, "a number of seconds"),
        ({"scheduled_in": 1, "scheduled_at": datetime.now(UTC)}, "only one of"),
        ({"delta": -1, "worker": "W"}, "delta: expected 0 seconds or more"),
        ({"queue": None}, "queue: expected"),
        ({"priority": "high"}, "priority: expected"),
    ],
)
@pytest.mark.parametrize("ask", [assert_enqueued, refute_enqueued, all_enqueued])
async def test_filters_that_can_not_hold_are_refused(manual, ask, filters, message):
    with pytest.raises(InvalidFilter, match=message):
        await ask(manual, **filters)


@pytest.mark.parametrize("ask", [assert_enqueued, refute_enqueued])
@pytest.mark.parametrize("timeout", [-1, "1"])
async def test_a_timeout_that_is_none_is_refused(manual, ask, timeout):
    with pytest.raises(InvalidFilter, match="timeout: expected"):
        await ask(manual, worker="W", timeout=timeout)


async def test_assertions_on_a_pool_of_connections_work_too(installed):
    async with Oban(dsn=installed, testing="manual") as oban:
        await oban.enqueue(Job("W", args={"id": 1}))
        await assert_enqueued(oban, args={"id": ANY})
    conn = await asyncpg.connect(installed)
    assert await conn.fetchval("select count(*) from oban_jobs") == 1
    await conn.close()
