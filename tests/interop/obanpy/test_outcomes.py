"""What a job comes to at one Python, in all columns, and as the other reads it."""

from datetime import UTC, timedelta

import pytest

from bridge import Job

from .rows import OURS_AT, THEIRS_AT, between, check, error, now, ran_by, since
from .signals import hearing, settled

pytestmark = pytest.mark.item("oban-py: outcomes and errors")

BOTH = pytest.mark.parametrize("tables", ["elixir's", "oban-py's"], indirect=True)

#: What oban-py is asked to do, and the columns that it writes beside the usual ones. The first retry comes after 15 + 2
#: seconds and up to a tenth more.
THEIRS = {
    "return": ({}, {"state": "completed"}),
    "raise": (
        {"value": "bad é"},
        {"state": "retryable", "errors": [error(1, r"Traceback \(most .*ValueError: bad é\n", THEIRS_AT)], "wait": 17},
    ),
    "overrun": (
        {},
        {
            "state": "retryable",
            "errors": [error(1, r"Traceback .*JobTimeoutError: workers.Act timed out after 0.05s\n", THEIRS_AT)],
            "wait": 17,
        },
    ),
    "cancel": ({"value": "no é"}, {"state": "cancelled", "errors": [error(1, "no é", THEIRS_AT)]}),
    # Elixir and Bridge add an attempt instead, and count nothing.
    "snooze": ({"value": 60}, {"state": "scheduled", "attempt": 0, "meta": {"snoozed": 1}, "wait": 60}),
}

OURS = {
    "return": ({}, {"state": "completed"}),
    "raise": (
        {"value": "bad é"},
        {"state": "retryable", "errors": [error(1, r"\*\* \(ValueError\) bad é\nTraceback .*", OURS_AT)], "wait": 17},
    ),
    "overrun": (
        {},
        {
            "state": "retryable",
            "errors": [error(1, r"\*\* \(bridge.errors.JobTimeout\) .*", OURS_AT)],
            "wait": 17,
        },
    ),
    "cancel": (
        {"value": "no é"},
        {"state": "cancelled", "errors": [error(1, r"\*\* \(bridge.errors.JobCancelled\) .*no é.*", OURS_AT)]},
    ),
    "discard": (
        {"value": "no é"},
        {"state": "discarded", "errors": [error(1, r"\*\* \(bridge.errors.JobError\) .*no é.*", OURS_AT)]},
    ),
    "snooze": ({"value": 60}, {"state": "scheduled", "max_attempts": 4, "wait": 60}),
}

ENDS = ("completed", "retryable", "cancelled", "discarded", "scheduled")


@BOTH
async def test_outcomes_of_oban_py_are_read_by_bridge(obanpy, start, row_when, tables):
    begun = now()
    bridge = await start()
    await obanpy({"shared": 20}, node="py@host-p")
    for act, (args, expected) in THEIRS.items():
        job = await bridge.enqueue(Job("workers.Act", queue="shared", args={"act": act, **args}, max_attempts=3))
        row = await row_when(job.id, *ENDS)
        check(row, **usual(row, job.id, "workers.Act", {"act": act, **args}, begun, "py@host-p", expected))
        check_read(await bridge.get_job(job.id), row)


@BOTH
async def test_outcomes_of_bridge_are_read_by_oban_py(obanpy, ours, start, row_when, tables):
    begun = now()
    ours.serve("mail.Send")
    ours.serve("mail.Hasten", timeout=0.05)
    await start(queues={"shared": 20}, node="bridge@host-b")
    theirs = await obanpy()
    for act, (options, expected) in OURS.items():
        args = {"act": act, **options}
        worker = "mail.Hasten" if act == "overrun" else "mail.Send"
        job_id = await theirs.enqueue(worker, args, queue="shared", max_attempts=3)
        row = await row_when(job_id, *ENDS)
        check(row, **usual(row, job_id, worker, args, begun, "bridge@host-b", expected))
        found = await theirs.call("job", job=job_id)
        assert {
            name: found[name] for name in ("errors", "state", "attempt", "max_attempts", "meta", "attempted_by")
        } == {name: row[name] for name in ("errors", "state", "attempt", "max_attempts", "meta", "attempted_by")}
        for name in ("completed_at", "cancelled_at", "discarded_at", "scheduled_at", "attempted_at"):
            assert found[name] == (row[name] and row[name].isoformat() + "+00:00")


@BOTH
async def test_attempts_of_both_stand_in_one_list_of_errors(obanpy, peer, ours, start, row_when, tables):
    ours.serve("workers.Act")
    bridge, theirs = await start(), await obanpy({"shared": 1})
    job = await bridge.enqueue(
        Job("workers.Act", queue="shared", args={"act": "raise", "value": "first"}, max_attempts=2)
    )
    await row_when(job.id, "retryable")
    await theirs.call("control", action="pause_queue", queue="shared")
    await settled(theirs, shared={"paused": True})
    second_node = await start(queues={"shared": 1}, name="Second", node="bridge@host-b")

    assert await bridge.retry_job(job)
    second = await ours.run_of(job.id)
    assert (second.attempt, second.errors[0]["attempt"]) == (2, 1)
    assert "ValueError: first" in second.errors[0]["error"]
    row = await row_when(job.id, "discarded")
    assert row["errors"] == [
        error(1, r"Traceback .*ValueError: first\n", THEIRS_AT),
        error(2, r"\*\* \(ValueError\) first\n.*", OURS_AT),
    ]
    assert row["discarded_at"] == since(row["attempted_at"])

    # Out of attempts, so either's retry adds one; it is the other's turn again.
    await second_node.stop()
    await bridge.update_job(job, {"args": {"act": "return"}})
    assert await theirs.call("retry", ids=[job.id]) == 1
    await theirs.call("control", action="resume_queue", queue="shared")
    third = (await peer.events.next("ran", nth=2))["job"]
    assert (third["attempt"], third["max_attempts"]) == (3, 3)
    assert [entry["attempt"] for entry in third["errors"]] == [1, 2]
    row = await row_when(job.id, "completed")
    assert (row["attempt"], row["discarded_at"], len(row["errors"])) == (3, None, 2)


async def test_the_last_attempt_of_either_discards(obanpy, ours, start, row_when):
    ours.serve("mail.Send")
    bridge, theirs = await start(queues={"ours": 1}), await obanpy({"theirs": 1})
    args = {"act": "raise", "value": "bad"}
    for_them = (await bridge.enqueue(Job("workers.Act", queue="theirs", args=args, max_attempts=1))).id
    for_us = await theirs.enqueue("mail.Send", args, queue="ours", max_attempts=1)
    for job_id, at in ((for_them, THEIRS_AT), (for_us, OURS_AT)):
        row = await row_when(job_id, "discarded")
        assert row["errors"] == [error(1, ".*ValueError.*bad.*", at)]
        assert (row["attempt"], row["discarded_at"]) == (1, since(row["attempted_at"]))
    assert [event.attempt for event in ours.ran] == [1]


async def test_a_job_snoozed_by_one_goes_on_at_the_other(obanpy, peer, ours, start, row_when):
    """Each counts snoozes in its own way; a job that meets both has its attempts left all the same."""
    ours.serve("workers.Act")
    bridge = await hearing(await start(queues={"shared": 1}, node="bridge@host-b"))
    args = {"act": "snooze", "value": 3600}
    job = await bridge.enqueue(Job("workers.Act", queue="shared", args=args, max_attempts=2))
    row = await row_when(job.id, "scheduled")
    assert (row["attempt"], row["max_attempts"], row["meta"]) == (1, 3, {})

    await bridge.stop_queue("shared")
    await settled(bridge, shared=None)
    theirs = await obanpy({"shared": 1})
    assert await theirs.call("retry", ids=[job.id]) == 1
    await peer.events.next("ran", job__id=job.id)
    row = await row_when(job.id, "scheduled")
    # Its retry writes `uniq_bmp`, which Oban Pro's engine has; nobody else looks at it.
    assert (row["attempt"], row["max_attempts"], row["meta"]) == (1, 3, {"snoozed": 1, "uniq_bmp": []})
    await bridge.update_job(job, {"args": {"act": "return"}})
    assert await bridge.retry_job(job)
    row = await row_when(job.id, "completed")
    assert (row["attempt"], row["max_attempts"]) == (2, 3)


def usual(row, job_id, worker, args, begun, node, expected):
    """The columns that hold much the same whatever a job came to."""
    expected = dict(expected)
    wait = expected.pop("wait", None)
    ends = {state: {f"{state}_at": since(row["attempted_at"])} for state in ("completed", "cancelled", "discarded")}
    return {
        "id": job_id,
        "queue": "shared",
        "worker": worker,
        "args": args,
        "attempt": 1,
        "max_attempts": 3,
        "inserted_at": since(begun),
        "scheduled_at": row["inserted_at"] if wait is None else later(row["attempted_at"], wait),
        "attempted_at": since(row["inserted_at"]),
        "attempted_by": ran_by(node),
        **ends.get(expected["state"], {}),
        **expected,
    }


def later(attempted, wait):
    """So many seconds, and up to a tenth of them more, after an attempt, which ended at some moment until now."""
    return between(attempted + timedelta(seconds=wait), now() + timedelta(seconds=wait * 1.1))


def check_read(job, row):
    """What Bridge reads of a row is what the row says, times as aware ones."""
    for name in ("state", "attempt", "max_attempts", "meta", "tags", "attempted_by"):
        assert getattr(job, name) == row[name]
    for name in ("completed_at", "cancelled_at", "discarded_at", "scheduled_at", "attempted_at"):
        assert getattr(job, name) == (row[name] and row[name].replace(tzinfo=UTC))
    assert [(entry["attempt"], entry["error"]) for entry in job.errors] == [
        (entry["attempt"], entry["error"]) for entry in row["errors"]
    ]
