"""Rows that break the contract of their worker: cancelled, or put into quarantine."""

import json

import pytest

from bridge import Job
from bridge.errors import ContractError
from tests.queues.rig import insert_row, make_worker, row_of

from .badges import BAD, GOOD
from .rig import make_contract, obj


class TestBrokenRows:
    @pytest.mark.parametrize("args", [BAD, [1], "text", 3], ids=repr)
    async def test_one_is_cancelled_with_every_violation_and_never_runs(self, make, start, ends, conn, args):
        make(lambda _job: pytest.fail("it ran"))
        await start(queues={"badges": 1})
        job_id = await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(args))
        event = await ends.next()
        row = await row_of(conn, job_id)
        assert (row["state"], row["attempt"], len(row["errors"])) == ("cancelled", 1, 1)
        assert row["cancelled_at"] is not None
        assert isinstance(event.error, ContractError)
        text = row["errors"][0]["error"]
        if args == BAD:
            assert "Badge@1: /id: expected at least 1, got 0; /name: expected text, got 5" in text
        else:
            assert "(root): expected an object" in text

    async def test_even_a_long_list_of_violations_is_complete(self, registry, start, ends, conn):
        numbers = {f"n{nth}": {"type": "integer"} for nth in range(50)}
        cls = make_contract(obj("Numbers", numbers), worker="Numbers", queue="badges")
        make_worker(registry, None, name="Numbers", contract=cls)
        await start(queues={"badges": 1})
        args = json.dumps(dict.fromkeys(numbers, "text"))
        job_id = await insert_row(conn, worker="Numbers", queue="badges", args=args)
        await ends.next()
        [entry] = (await row_of(conn, job_id))["errors"]
        assert [name for name in numbers if f"/{name}: expected an integer" not in entry["error"]] == []

    async def test_quarantine_costs_no_attempt_and_ends_when_somebody_mends_the_row(
        self, make, file, start, ends, conn
    ):
        make(lambda _job: file(path="a", size=1), on_invalid="quarantine")
        oban = await start(queues={"badges": 1})
        job_id = await insert_row(
            conn, worker="Badges.Generate", queue="badges", max_attempts=1, args=json.dumps({**BAD, "colour": "red"})
        )
        await ends.next()
        row = await row_of(conn, job_id)
        assert (row["state"], row["queue"], row["attempt"], row["max_attempts"]) == ("available", "quarantine", 0, 1)
        assert row["meta"]["quarantined_from"] == "badges"
        assert [entry["attempt"] for entry in row["errors"]] == [1]
        assert "/id: expected at least 1, got 0" in row["errors"][0]["error"]
        with pytest.raises(ContractError, match="/id: expected an integer"):
            await oban.update_job(job_id, {"args": {"id": "1", "name": "Ada"}})
        with pytest.raises(ContractError, match="/paper: expected no such field"):
            await oban.update_job(job_id, {"args": {**GOOD, "paper": "a4"}})
        await oban.update_job(job_id, lambda job: {"args": {**job.args, **GOOD}, "queue": "badges"})
        await oban.enqueue(Job("Badges.Generate", args=GOOD, queue="badges"))  # wakes the queue
        async with events_done(ends, job_id):
            pass
        row = await row_of(conn, job_id)
        assert (row["state"], row["attempt"], row["args"]) == ("completed", 1, {**GOOD, "colour": "red"})

    async def test_in_the_quarantine_itself_a_broken_row_is_cancelled(self, make, start, ends, conn):
        make(lambda _job: None, on_invalid="quarantine")
        await start(queues={"quarantine": 1})
        job_id = await insert_row(conn, worker="Badges.Generate", queue="quarantine", args=json.dumps(BAD))
        await ends.next()
        assert (await row_of(conn, job_id))["state"] == "cancelled"

    async def test_one_that_was_cancelled_meanwhile_stays_cancelled(self, start, conn, badge):
        from bridge.engine import Ack, utc_now

        oban = await start()
        engine = oban._parts.engine
        job_id = await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(BAD))
        [job] = await engine.fetch("badges", 1, "node", "uuid", None)
        await oban.cancel_job(job)
        entry = json.dumps({"attempt": 1, "at": "2026-01-01T00:00:00.000000Z", "error": "no"})
        ack = Ack(job_id, 1, "available", utc_now(), error=entry, meta="{}")
        for _ in range(2):
            assert await engine.ack("uuid", [ack]) == {(job_id, 1)}
        row = await row_of(conn, job_id)
        assert (row["state"], row["queue"], row["attempt"], len(row["errors"])) == ("cancelled", "badges", 1, 1)

    async def test_a_late_quarantine_leaves_a_newer_attempt_alone(self, start, conn, badge):
        from bridge.engine import Ack, utc_now

        oban = await start()
        engine = oban._parts.engine
        job_id = await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(GOOD))
        await engine.fetch("badges", 1, "node", "uuid", None)
        ack = Ack(job_id, 1, "available", utc_now(), error='{"attempt": 1}', meta="{}")
        assert await engine.ack("another", [ack]) == set()
        assert (await row_of(conn, job_id))["state"] == "executing"


class events_done:  # noqa: N801 - reads as a function where it is used
    """Wait for the end of a job's latest attempt that was completed."""

    def __init__(self, ends, job_id):
        self._ends, self._id = ends, job_id

    async def __aenter__(self):
        import asyncio

        async with asyncio.timeout(60), self._ends._grown:
            await self._ends._grown.wait_for(
                lambda: any(event.job.id == self._id and event.state == "completed" for _, event in self._ends)
            )

    async def __aexit__(self, *_):
        return None
