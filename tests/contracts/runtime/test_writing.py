"""Every way into a row of a worker with a contract: inserts, edits, results; and what none of them shows."""

import json

import pytest

from bridge import Job
from bridge.errors import ContractError, InvalidJob, ValidationError
from tests.queues.rig import insert_row, make_worker, row_of

from .badges import BAD, BADGE, GOOD
from .rig import make_contract, obj

SECRET = obj("Secret", {"pin": {"type": "string", "x-sensitive": True}})


class TestSensitiveValues:
    @pytest.mark.parametrize("pin", ["topsecret\x00", "topsecret\ud800", {"topsecret"}, b"topsecret"], ids=repr)
    async def test_one_that_json_cannot_hold_is_not_shown_to_who_enqueues_it(self, start, pin):
        cls = make_contract(SECRET, worker="Secrets")
        oban = await start()
        for build in (lambda: cls(pin=pin).new(), lambda: Job("Secrets", args={"pin": pin})):
            with pytest.raises(ValidationError) as caught:
                await oban.enqueue(build())
            assert "topsecret" not in f"{caught.value} {caught.value!r}"

    @pytest.mark.parametrize("pin", ["topsecret\x00", "topsecret\ud800", {"topsecret"}, b"topsecret"], ids=repr)
    async def test_one_that_a_result_cannot_hold_is_not_in_the_rows_errors(self, registry, start, ends, conn, pin):
        cls = make_contract(obj("Ask", {}), result=SECRET, worker="Secrets", queue="badges", max_attempts=1)
        make_worker(registry, lambda _job: {"pin": pin}, name="Secrets", contract=cls)
        oban = await start(queues={"badges": 1})
        job = await cls().enqueue(oban)
        await ends.of(job)
        row = await row_of(conn, job)
        assert (row["state"], "a value that is not shown" in row["errors"][0]["error"]) == ("discarded", True)
        assert "topsecret" not in json.dumps(row["errors"])

    @pytest.mark.parametrize("pin", ["topsecret\x00", "topsecret\ud800", {"topsecret"}, b"topsecret"], ids=repr)
    async def test_one_that_an_edit_cannot_hold_is_not_shown(self, start, conn, pin):
        make_contract(SECRET, worker="Secrets")
        oban = await start()
        job_id = await insert_row(conn, worker="Secrets", args='{"pin": "1"}', state="scheduled")
        for worker in ({}, {"worker": "Secrets"}):
            with pytest.raises(ValidationError) as caught:
                await oban.update_job(job_id, {**worker, "args": {"pin": pin}})
            assert "topsecret" not in f"{caught.value} {caught.value!r}"


class TestInserting:
    BROKEN = pytest.mark.parametrize(
        ("args", "path"),
        [
            ({"badge_id": 1, "name": "Ada"}, "/badge_id"),
            ({"name": "Ada"}, "/id"),
            ({**GOOD, "theme": "neon"}, "/theme"),
            ({**GOOD, "id": "1"}, "/id"),
        ],
        ids=["undeclared", "missing", "an unknown value", "a wrong type"],
    )

    @BROKEN
    async def test_every_way_refuses_what_breaks_the_contract(self, make, badge, start, conn, args, path):
        cls = make(lambda _job: None)
        oban = await start()

        async def many(batch):
            await oban.enqueue_many(batch)

        job = Job("Badges.Generate", args=GOOD)
        job.args = args
        ways = {
            "enqueue": lambda: oban.enqueue(Job("Badges.Generate", args=args)),
            "within a transaction": lambda: oban.enqueue(Job("Badges.Generate", args=args), conn=conn),
            "enqueue_many": lambda: many([Job("Badges.Generate", args=GOOD), Job("Badges.Generate", args=args)]),
            "args that were set": lambda: oban.enqueue(job),
            "Worker.enqueue": lambda: cls.enqueue(args),
        }
        for way, insert in ways.items():
            with pytest.raises(ContractError) as caught:
                await insert()
            assert path in [violation.path for violation in caught.value.violations], way
        assert await conn.fetchval("select count(*) from oban_jobs") == 0

    async def test_worker_new_makes_the_object(self, make, badge):
        cls = make(lambda _job: None)
        job = cls.new(GOOD, meta={"a": 1}, priority=2)
        assert (job.args, job.meta, job.queue) == (badge(**GOOD), {"a": 1, "contract": "Badge@1"}, "badges")
        assert cls.new(badge(**GOOD)).args == badge(**GOOD)
        with pytest.raises(ContractError):
            cls.new({**GOOD, "x": 1})

    @pytest.mark.parametrize("before", [1, 5_003], ids=["in the first chunk", "in a later one"])
    async def test_enqueue_many_says_which_job_is_wrong(self, badge, start, conn, before):
        oban = await start()
        good = [Job("Anybody", args={})] * before
        with pytest.raises(ContractError, match=rf"^Badge@1: /id: .*; this is jobs\[{before}\]$") as caught:
            await oban.enqueue_many([*good, Job("Badges.Generate", args={"id": 0, "name": "Ada"})])
        assert [violation.path for violation in caught.value.violations] == ["/id"]
        job = Job("Anybody", args={})
        job.priority = 11
        with pytest.raises(InvalidJob, match=rf"^priority: .*jobs\[{before}\]$"):
            await oban.enqueue_many([*good, job])
        assert await conn.fetchval("select count(*) from oban_jobs") == 0

    async def test_a_python_object_that_breaks_a_bound_is_refused(self, badge, start):
        oban = await start()
        with pytest.raises(ContractError, match="/id: expected at least 1, got 0"):
            badge(id=0, name="Ada").new()
        with pytest.raises(ContractError, match="/name"):
            await oban.enqueue(Job("Badges.Generate", args=badge(id=1, name="")))

    async def test_the_aliases_are_held_to_the_contract_too(self, start):
        make_contract(BADGE, worker="Badges.New", aliases=("Badges.Old",))
        oban = await start()
        with pytest.raises(ContractError):
            await oban.enqueue(Job("Badges.Old", args={}))

    async def test_args_of_another_contract_are_refused(self, badge, make):
        other = make_contract(BADGE, worker="Other")
        cls = make(lambda _job: None)
        for build in (
            lambda: cls.new(other(**GOOD)),
            lambda: Job("Badges.Generate", args=other(**GOOD)),
            lambda: Job("Nobody", args=other(**GOOD)),
        ):
            with pytest.raises(InvalidJob):
                build()

    async def test_an_object_without_a_contract_is_refused_by_its_class(self, badge, file, make):
        cls = make(lambda _job: None)
        for build in (cls.new, lambda args: Job("Badges.Generate", args=args)):
            with pytest.raises(InvalidJob, match="args: expected Badge or a dict, got 'File'"):
                build(file(path="a", size=1))

    async def test_the_tag_is_in_meta_whoever_builds_the_job(self, badge, start, conn):
        oban = await start()
        job = await oban.enqueue(Job("Badges.Generate", args=GOOD, meta={"a": 1}))
        assert job.meta == {"a": 1, "contract": "Badge@1"}
        assert (await row_of(conn, job))["meta"] == {"a": 1, "contract": "Badge@1"}


class TestUpdating:
    async def test_new_args_are_held_to_the_contract_and_tagged(self, badge, start, conn):
        oban = await start()
        job = await badge(**GOOD).enqueue(oban, schedule_in=60)
        with pytest.raises(ContractError):
            await oban.update_job(job, {"args": {"id": 1}})
        assert (await row_of(conn, job))["args"] == {**GOOD, "copies": 1}
        await conn.execute("update oban_jobs set meta = '{}' where id = $1", job.id)
        await oban.update_job(job, {"args": badge(id=2, name="Bob")})
        row = await row_of(conn, job)
        assert (row["args"], row["meta"]) == ({"id": 2, "name": "Bob", "copies": 1}, {"contract": "Badge@1"})

    async def test_what_stood_in_the_row_may_stay(self, badge, start, conn):
        oban = await start()
        raw = {**GOOD, "colour": "red", "theme": "neon"}
        row = await insert_row(conn, worker="Badges.Generate", args=json.dumps(raw))
        await oban.update_job(row, lambda job: {"args": {**job.args, "id": 7}})
        assert (await row_of(conn, row))["args"] == {**raw, "id": 7}

    async def test_a_row_that_holds_no_object_can_be_mended(self, badge, start, conn):
        oban = await start()
        row = await insert_row(conn, worker="Badges.Generate", args="[1]")
        await oban.update_job(row, {"args": GOOD})
        assert (await row_of(conn, row))["args"] == GOOD

    async def test_a_job_may_only_go_to_a_worker_whose_contract_it_keeps(self, badge, start, conn):
        oban = await start()
        row = await insert_row(conn, worker="Anybody", args=json.dumps(BAD))
        with pytest.raises(ContractError):
            await oban.update_job(row, {"worker": "Badges.Generate"})
        await oban.update_job(row, {"worker": "Badges.Generate", "args": GOOD})
        assert (await row_of(conn, row))["worker"] == "Badges.Generate"

    async def test_other_columns_of_a_broken_row_can_be_changed(self, badge, start, conn):
        oban = await start()
        row = await insert_row(conn, worker="Badges.Generate", args=json.dumps(BAD))
        await oban.update_job(row, {"queue": "elsewhere"})
        assert (await row_of(conn, row))["queue"] == "elsewhere"
