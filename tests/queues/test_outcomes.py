"""What becomes of a job, by what its worker does, in the columns that Oban writes."""

import asyncio
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge import Cancel, Discard, Job, Record, Snooze
from bridge.codecs.recorded import decode_recorded
from bridge.errors import JobCancelled, JobError

from .rig import PATIENCE, TIMES, insert_row, returning, row_of, until

GOLDEN = {
    sample["meta"]["case"]: sample
    for sample in json.loads((Path(__file__).parent / "golden" / "outcomes.json").read_text())["samples"]
}


QUEUES = {"default": 20}


async def boom(_job):
    raise ValueError("kaboom é ✓")


async def exit_process(_job):
    raise SystemExit(3)


#: A case of Oban's, and what a worker of ours does to come to the same.
SAME_AS_OBAN = {
    "ok": (returning(None), 20),
    "ok_val": (returning({"done": True}), 20),
    "odd": (returning("whatever"), 20),
    "raise": (boom, 3),
    "exit": (exit_process, 3),
    "cancel": (returning(Cancel("no longer needed")), 3),
    "discard": (returning(Discard()), 3),
    "discard2": (returning(Discard("give up")), 3),
    "snooze": (returning(Snooze(60)), 3),
    "snooze_t": (returning(Snooze(timedelta(minutes=2))), 3),
    "exhausted_raise": (boom, 1),
    "exhausted_kill": (exit_process, 1),
}


@pytest.mark.parametrize("case", SAME_AS_OBAN)
async def test_the_row_is_as_oban_leaves_it(run, case):
    process, max_attempts = SAME_AS_OBAN[case]
    golden = GOLDEN[case]
    row, event = await run(process, max_attempts=max_attempts, meta={"case": case})
    for column in ("state", "attempt", "max_attempts", "meta", "priority", "tags"):
        assert row[column] == golden[column], column
    assert [entry["attempt"] for entry in row["errors"]] == [entry["attempt"] for entry in golden["errors"]]
    assert {time for time in TIMES if row[time]} == {time for time in TIMES if golden[time]}
    assert (row["scheduled_at"] == row["inserted_at"]) == (golden["scheduled_at"] == golden["inserted_at"])
    assert event.state == row["state"]
    assert event.recorded


async def test_a_claimed_row_names_its_node_and_producer(run, start):
    oban = await start(queues=QUEUES, node="py@host-a")
    row, event = await run(boom, oban=oban)
    node, producer = row["attempted_by"]
    assert node == "py@host-a"
    assert producer == oban.check_queue("default").uuid == str(uuid.UUID(producer))
    assert event.job.attempted_by == [node, producer]
    now = datetime.now(UTC).replace(tzinfo=None)
    assert now - timedelta(seconds=20) < row["attempted_at"] <= now


async def test_an_error_entry_has_exactly_what_elixir_reads(run):
    row, _ = await run(boom)
    [entry] = row["errors"]
    assert set(entry) == {"at", "attempt", "error"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["at"])
    headline, *rest = entry["error"].splitlines()
    assert headline == "** (ValueError) kaboom é ✓"
    assert "in boom" in entry["error"]
    assert "bridge/queues" not in entry["error"]
    assert rest


@pytest.mark.parametrize(("attempt", "low", "high"), [(1, 17, 18.7), (2, 19, 20.9), (10, 1039, 1142.9)])
async def test_a_failed_job_waits_by_obans_formula(start, worker, ends, conn, attempt, low, high):
    worker(boom)
    job_id = await insert_row(conn, attempt=attempt - 1)
    await start(queues=QUEUES)
    await ends.next()
    row = await row_of(conn, job_id)
    assert row["state"] == "retryable"
    assert timedelta(seconds=low) <= wait_of(row) <= timedelta(seconds=high)


def wait_of(row):
    """The time from a job's failure to its next attempt."""
    return row["scheduled_at"] - datetime.fromisoformat(row["errors"][0]["at"]).replace(tzinfo=None)


async def test_a_workers_own_backoff_counts(run):
    row, event = await run(boom, methods={"backoff": lambda _self, job: timedelta(minutes=job.attempt * 5)})
    assert row["scheduled_at"] - row["attempted_at"] >= timedelta(minutes=5)
    assert event.state == "retryable"


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 1e30, "5", None, True], ids=repr)
async def test_a_backoff_that_is_none_is_told_and_obans_is_taken(run, caplog, delay):
    row, _ = await run(boom, methods={"backoff": lambda _self, _job: delay})
    assert row["state"] == "retryable"
    assert timedelta(seconds=17) <= wait_of(row) <= timedelta(seconds=18.7)
    assert "backoff of W failed" in caplog.text


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_backoff_that_raises_loses_no_job(run, caplog, error):
    def backoff(_self, _job):
        raise error

    row, _ = await run(boom, methods={"backoff": backoff})
    assert row["state"] == "retryable"
    assert "kaboom" in row["errors"][0]["error"]
    assert "backoff of W failed" in caplog.text


async def test_a_snooze_merges_its_meta(run):
    row, event = await run(returning(Snooze(3600, meta={"page": 7})), meta={"page": 1, "kept": True})
    assert row["meta"] == {"page": 7, "kept": True}
    assert row["scheduled_at"] - row["attempted_at"] >= timedelta(hours=1)
    assert (event.state, event.result.seconds) == ("scheduled", 3600)


async def test_a_snooze_of_the_last_attempt_gets_one_more(run):
    row, _ = await run(returning(Snooze(60)), max_attempts=1)
    assert (row["state"], row["attempt"], row["max_attempts"]) == ("scheduled", 1, 2)


async def test_reasons_are_in_the_errors(run):
    cancelled, event = await run(returning(Cancel("no\x00 longer \ud800")))
    assert cancelled["errors"][0]["error"].splitlines()[0].endswith(r"W cancelled itself: 'no\x00 longer \ud800'")
    assert event.result == Cancel("no\x00 longer \ud800")
    discarded, _ = await run(returning(Discard({"code": 4})))
    assert "W discarded itself: {'code': 4}" in discarded["errors"][0]["error"]


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(("kind", "state"), [(Cancel, "cancelled"), (Discard, "discarded")])
async def test_a_reason_that_can_not_be_shown_changes_nothing(run, kind, state):
    row, _ = await run(returning(kind(Unspeakable())))
    assert row["state"] == state
    assert "Unspeakable" in row["errors"][0]["error"]


async def test_a_record_can_be_read(run, start):
    oban = await start(queues=QUEUES)
    value = {"badges": [1, 2.5, None, True, "é", b"\x00\xff"], "big": 2**80}
    row, event = await run(returning(Record(value)), oban=oban, meta={"kept": 1})
    assert row["state"] == "completed"
    assert set(row["meta"]) == {"kept", "recorded", "return"}
    assert row["meta"]["recorded"] is True
    assert decode_recorded(row["meta"]["return"])["big"] == 2**80
    assert (await oban.fetch_result(row["id"]))["badges"][0:4] == [1, 2.5, None, True]
    assert event.result == Record(value)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Record({"socket": object()}), "result.socket"),
        (Record(float("nan")), "NaN"),
        (Record("x" * 100, limit=50), "at most 50 characters"),
    ],
)
async def test_a_record_that_can_not_be_stored_fails_that_job_alone(run, record, told):
    row, event = await run(returning(record))
    assert row["state"] == "retryable"
    assert told in row["errors"][0]["error"]
    assert event.state == "retryable"
    assert "return" not in row["meta"]


@pytest.mark.parametrize("kind", [Cancel, Discard, Record, Snooze])
async def test_a_result_class_in_place_of_its_instance_is_a_failure(run, kind):
    row, _ = await run(returning(kind))
    assert row["state"] == "retryable"
    assert f"return an instance, {kind.__name__}(…)" in row["errors"][0]["error"]


async def test_any_other_result_completes(run):
    for value in (object(), 0, False, [Cancel("in a list")], ("snooze", 5), ValueError("returned"), float("nan")):
        row, event = await run(returning(value))
        assert row["state"] == "completed"
        assert event.result is value


async def test_each_attempt_adds_its_error_until_the_last(start, worker, ends, conn):
    worker(boom, methods={"backoff": lambda _self, _job: 0})
    oban = await start(queues=QUEUES, stager={"interval": 0.01})
    job = await oban.enqueue(Job("W", max_attempts=3))
    await ends.of(job, attempt=3)
    row = await row_of(conn, job)
    assert (row["state"], row["attempt"], row["discarded_at"] is not None) == ("discarded", 3, True)
    assert [entry["attempt"] for entry in row["errors"]] == [1, 2, 3]
    assert [event.state for _, event in ends] == ["retryable", "retryable", "discarded"]


async def test_an_end_is_told_once_its_row_is_written(start, worker, ends, conn):
    cls = worker(returning(Record(1)))
    oban = await start(queues=QUEUES)
    for _ in range(20):
        job = await oban.enqueue(cls.new())
        await ends.of(job)
        assert (await row_of(conn, job))["state"] == "completed"


async def test_an_end_tells_how_long_the_job_waited_and_ran(run):
    async def process(_job):
        await asyncio.sleep(0.03)

    row, event = await run(process)
    assert 30e6 <= event.duration < PATIENCE * 1e9
    waited = (row["attempted_at"] - row["scheduled_at"]).total_seconds()
    assert event.queue_time == pytest.approx(max(0, waited) * 1e9, abs=1e4)


@pytest.mark.parametrize(
    "change",
    [
        "update oban_jobs set state = 'discarded'",
        "update oban_jobs set attempt = attempt + 1",
        "update oban_jobs set attempted_by = array['other', 'producer']",
        "delete from oban_jobs",
    ],
)
@pytest.mark.parametrize("result", [None, Snooze(5)], ids=["completed", "snoozed"])
async def test_a_row_that_somebody_changed_is_left_alone(start, worker, ends, conn, gate, caplog, change, result):
    async def process(job):
        await gate(job)
        return result

    cls = worker(process)
    oban = await start(queues=QUEUES)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    await conn.execute(change)
    before = await conn.fetch("select * from oban_jobs")
    gate.open()
    event = await ends.of(job)
    assert event.recorded is False
    assert await conn.fetch("select * from oban_jobs") == before
    told = f"job {job.id} was changed by somebody else while it ran; its outcome is dropped"
    await until(lambda: asyncio.sleep(0, told in caplog.text))


async def test_a_job_that_elixir_cancelled_and_that_succeeds_stays_cancelled(start, worker, ends, conn, gate):
    cls = worker(gate)
    oban = await start(queues=QUEUES)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    # An Elixir node whose pkill was lost on the way.
    await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = timezone('UTC', now())")
    gate.open()
    assert (await ends.of(job)).recorded is False
    assert (await row_of(conn, job))["state"] == "cancelled"


async def test_a_job_that_was_cancelled_and_fails_keeps_its_error(start, worker, ends, conn, gate):
    async def process(job):
        await gate(job)
        raise ValueError("on the way out")

    cls = worker(process)
    oban = await start(queues=QUEUES)
    job = await oban.enqueue(cls.new())
    await gate.entered(1)
    await conn.execute("update oban_jobs set state = 'cancelled', cancelled_at = timezone('UTC', now())")
    gate.open()
    assert (await ends.of(job)).recorded is True
    row = await row_of(conn, job)
    assert (row["state"], len(row["errors"])) == ("cancelled", 1)


async def test_a_cancellation_is_no_failure(run):
    _, event = await run(returning(Cancel("enough")))
    assert event.result == Cancel("enough")
    assert not hasattr(event, "error")
    assert issubclass(JobCancelled, Exception)


class TestUnsavedError:
    async def test_backoff_goes_by_the_error_that_it_follows(self, run):
        seen = []

        def backoff(_self, job):
            seen.append(job.unsaved_error)
            return 3_000 if isinstance(job.unsaved_error.reason, ValueError) else 1

        row, event = await run(boom, methods={"backoff": backoff})

        assert row["scheduled_at"] - row["attempted_at"] > timedelta(seconds=2_900)
        assert seen == [event.job.unsaved_error]
        assert (seen[0].kind, seen[0].reason) == ("error", event.error)
        assert seen[0].stacktrace in row["errors"][0]["error"]
        assert seen[0].stacktrace.startswith("Traceback")
        assert seen[0].stacktrace.endswith("ValueError: kaboom é ✓\n")

    async def test_what_is_no_exception_is_an_exit(self, run):
        _, event = await run(exit_process)

        assert event.job.unsaved_error.kind == "exit"
        assert isinstance(event.job.unsaved_error.reason, SystemExit)

    @pytest.mark.parametrize(("result", "error"), [(Cancel("no"), JobCancelled), (Discard("no"), JobError)])
    async def test_a_job_that_ended_itself_has_what_its_errors_say(self, run, result, error):
        _, event = await run(returning(result))

        assert type(event.job.unsaved_error.reason) is error
        assert event.job.unsaved_error.stacktrace == ""

    @pytest.mark.parametrize("result", [None, Snooze(60)])
    async def test_without_a_failure_there_is_none(self, run, result):
        _, event = await run(returning(result))

        assert event.job.unsaved_error is None
