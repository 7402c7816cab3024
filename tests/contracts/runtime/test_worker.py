"""Workers with a contract, on a real database: what they get, what is recorded, and what becomes of broken rows."""

import json
from typing import Any

import pytest

from bridge import Cancel, Job, Record, Snooze, Worker, worker
from bridge.errors import ContractError, InvalidJob, InvalidWorker, JobNotFound, ValidationError
from bridge.jobs import contracts
from bridge.jobs.options import build_options
from tests.queues.rig import ENDS, events_of, insert_row, make_worker, row_of

from .rig import enum, make_contract, module_of, obj

BADGE = obj(
    "Badge",
    {
        "id": {"type": "integer", "minimum": 1},
        "name": {"type": "string", "minLength": 1},
        "theme": enum("Theme", "light", "dark"),
        "copies": {"type": "integer", "default": 1},
        "note": {"type": ["string", "null"]},
    },
    required=["id", "name"],
)
FILE = obj("File", {"path": {"type": "string", "minLength": 1}, "size": {"type": "integer"}}, required=["path", "size"])
GOOD = {"id": 1, "name": "Ada"}


@pytest.fixture
def badge():
    return make_contract(BADGE, result=FILE, worker="Badges.Generate", queue="badges", max_attempts=5, tags=("x",))


@pytest.fixture
def file(badge):
    return module_of(badge).File


@pytest.fixture
async def ends():
    with events_of(*ENDS) as found:
        yield found


@pytest.fixture
def make(registry, badge):
    """A function that registers a worker under the contract, whose `process` is `function(job)`."""

    def make_one(function, **options):
        async def process(_self, job):
            return function(job)

        cls = type("Generate", (Worker,), {"process": process})
        cls.options = build_options("Generate", {"contract": badge, **options})
        registry.register(cls, (cls.options.name, *cls.options.aliases))
        return cls

    return make_one


class TestFetching:
    async def test_a_job_without_a_result_says_why(self, badge, start, conn):
        oban = await start()
        job = await badge(**GOOD).enqueue(oban)
        with pytest.raises(JobNotFound, match=f"job {job.id} is available and has recorded nothing yet"):
            await oban.fetch_result(job)
        await conn.execute("update oban_jobs set state = 'completed' where id = $1", job.id)
        with pytest.raises(JobNotFound, match="though Badge@1 describes a result; run it by a worker with that"):
            await oban.fetch_result(job)
        silent = await make_contract(BADGE, worker="Silent")(**GOOD).enqueue(oban)
        await conn.execute("update oban_jobs set state = 'completed' where id = $1", silent.id)
        with pytest.raises(JobNotFound, match=r"as Badge@1 describes no result; add x-job\.result"):
            await oban.fetch_result(silent)


class TestRunning:
    async def test_process_gets_the_object_and_its_result_is_recorded(self, make, badge, file, start, ends, conn):
        seen = []

        def process(job):
            seen.append(job.args)
            return file(path="a.pdf", size=3)

        make(process)
        oban = await start(queues={"badges": 1})
        job = await badge(id=1, name="Ada").enqueue(oban)
        await ends.of(job)
        row = await row_of(conn, job)
        assert (row["state"], row["queue"], row["max_attempts"], row["tags"]) == ("completed", "badges", 5, ["x"])
        assert row["args"] == {"id": 1, "name": "Ada", "copies": 1}
        assert row["meta"]["contract"] == "Badge@1"
        assert seen == [badge(id=1, name="Ada")]
        assert await oban.fetch_result(job) == file(path="a.pdf", size=3)
        assert await oban.fetch_result(job.id) == file(path="a.pdf", size=3)

    @pytest.mark.parametrize(
        ("result", "state"), [(Cancel("no"), "cancelled"), (Snooze(60), "scheduled")], ids=["cancel", "snooze"]
    )
    async def test_what_is_no_result_is_not_checked(self, make, badge, start, ends, conn, result, state):
        make(lambda _job: result)
        job = await badge(**GOOD).enqueue(await start(queues={"badges": 1}))
        await ends.of(job)
        row = await row_of(conn, job)
        assert (row["state"], "return" in row["meta"]) == (state, False)

    async def test_an_explicit_record_is_checked_too(self, make, badge, file, start, ends):
        make(lambda _job: Record(file(path="b.pdf", size=1)))
        oban = await start(queues={"badges": 1})
        job = await badge(**GOOD).enqueue(oban)
        await ends.of(job)
        assert await oban.fetch_result(job) == file(path="b.pdf", size=1)

    @pytest.mark.parametrize("result", [None, {"path": "a"}, {"path": "", "size": 1}, "a.pdf"], ids=repr)
    async def test_a_result_that_breaks_the_contract_fails_the_attempt(self, make, badge, start, ends, conn, result):
        make(lambda _job: result)
        job = await badge(**GOOD).enqueue(await start(queues={"badges": 1}))
        event = await ends.of(job)
        row = await row_of(conn, job)
        assert isinstance(event.error, ContractError)
        assert row["state"] == "retryable"
        assert row["errors"][0]["error"].startswith("** (bridge.errors.ContractError) Badge@1 result: ")

    async def test_a_recorded_result_that_breaks_the_contract_is_refused_when_it_is_fetched(
        self, make, badge, start, ends, conn
    ):
        make(lambda _job: {"path": "a", "size": 1})
        oban = await start(queues={"badges": 1})
        job = await badge(**GOOD).enqueue(oban)
        await ends.of(job)
        other = make_contract(BADGE, result=obj("File", {"path": {"type": "integer"}}), worker="Badges.Other")
        await conn.execute("update oban_jobs set worker = 'Badges.Other' where id = $1", job.id)
        with pytest.raises(ContractError, match="/path: expected an integer"):
            await oban.fetch_result(job)
        assert other.__contract__.result is not None

    async def test_fields_that_nobody_knows_are_let_pass_and_kept(self, make, badge, file, start, ends, conn):
        seen = []

        def process(job):
            seen.append((job.args, dict(job.raw_args)))
            return file(path="a", size=1)

        make(process)
        await start(queues={"badges": 1})
        raw = {**GOOD, "colour": "red", "theme": "neon"}
        await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(raw))
        await ends.next()
        [(args, found)] = seen
        assert found == raw
        assert args.theme == "neon"
        assert args.theme.is_unknown

    async def test_a_worker_may_enqueue_its_job_again_with_all_that_the_row_holds(self, make, file, start, ends, conn):
        found = []

        def process(job):
            found.append(job.again(queue="later", priority=3))
            return file(path="a", size=1)

        make(process)
        oban = await start(queues={"badges": 1})
        raw = {**GOOD, "colour": "red", "theme": "neon"}
        await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(raw), meta='{"a": 1}')
        await ends.next()
        [again] = found
        assert again.args.theme == "neon"
        job = await oban.enqueue(again)
        row = await row_of(conn, job)
        assert (row["args"], row["queue"], row["priority"], row["attempt"]) == (raw, "later", 3, 0)
        assert row["meta"] == {"a": 1, "contract": "Badge@1"}

    async def test_a_row_that_is_inserted_again_keeps_what_nobody_knows(self, badge, start, conn):
        oban = await start()
        raw = {**GOOD, "colour": "red", "theme": "neon"}
        row = await insert_row(conn, worker="Badges.Generate", queue="badges", args=json.dumps(raw))
        job = await oban.get_job(row)
        copied = await oban.enqueue(job)
        assert (await row_of(conn, copied))["args"] == raw
        job = await oban.get_job(row)
        job.read_args(badge.__contract__)
        copied = await oban.enqueue(job)
        assert copied.id != row
        assert (await row_of(conn, copied))["args"] == raw


BAD = {"id": 0, "name": 5}


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

        async with asyncio.timeout(10), self._ends._grown:
            await self._ends._grown.wait_for(
                lambda: any(event.job.id == self._id and event.state == "completed" for _, event in self._ends)
            )

    async def __aexit__(self, *_):
        return None


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


class TestDefinition:
    @pytest.fixture
    def registered(self):
        """A function that defines a worker under a contract with these annotations."""
        from bridge.jobs import registry

        found = []

        def define_one(contract, job, result):
            async def process(_self, job):
                return None

            process.__annotations__ = {"job": job, "return": result}
            found.append(worker(contract=contract)(type("Generate", (Worker,), {"process": process})))

        yield define_one
        for cls in found:
            registry.unregister(cls)

    def test_the_contract_gives_the_options(self, make):
        timed = make_contract(BADGE, worker="T", queue="q", timeout=30, aliases=("Old",), priority=3)
        options = build_options("X", {"contract": timed, "meta": {"a": 1}})
        assert (options.name, options.aliases, options.queue) == ("T", ("Old",), "q")
        assert (options.timeout, options.priority, options.meta) == (30, 3, {"a": 1})

    @pytest.mark.parametrize(
        "option", [{"queue": "x"}, {"max_attempts": 4}, {"name": "X"}, {"tags": ["y"]}, {"timeout": 1}], ids=str
    )
    def test_an_option_that_contradicts_is_refused(self, make, option):
        with pytest.raises(InvalidWorker, match="as the contract Badge@1 has it"):
            make(lambda _job: None, **option)

    def test_an_option_that_agrees_is_not(self, make):
        assert make(lambda _job: None, queue="badges", tags=["x"]).options.queue == "badges"

    def test_elixirs_worker_is_only_taken_over_by_name(self):
        foreign = make_contract(BADGE, worker="Elixir.W", serves="elixir")
        with pytest.raises(InvalidWorker, match=r"pass name='Elixir\.W' to take the worker over"):
            build_options("X", {"contract": foreign})
        assert build_options("X", {"contract": foreign, "name": "Elixir.W"}).name == "Elixir.W"
        with pytest.raises(InvalidWorker):
            build_options("X", {"contract": foreign, "name": "Another"})

    @pytest.mark.parametrize("contract", [dict, 3, Worker], ids=repr)
    def test_only_a_generated_class_is_a_contract(self, contract):
        with pytest.raises(InvalidWorker, match="a class that bridge contracts build wrote"):
            build_options("X", {"contract": contract})

    def test_a_shared_schemas_class_is_said_to_describe_no_job(self, file):
        with pytest.raises(InvalidWorker, match="the contract file of File has no x-job"):
            build_options("X", {"contract": file})

    def test_annotations_of_other_types_are_refused(self, badge, file, registered):
        other = make_contract(BADGE, worker="Other")
        for job, result, told in (
            (Job[other], file, r"process: expected a Job\[Badge\], got 'Job\[Badge\]'"),
            (Job[dict], file, r"got 'Job\[dict\]'"),
            (Job[badge], str, "process: expected -> File, got '-> str'"),
            (Job[badge], other | Cancel, "got '-> Badge'"),
        ):
            with pytest.raises(InvalidWorker, match=told):
                registered(badge, job, result)

    def test_annotations_of_the_contracts_types_or_of_anything_are_taken(self, badge, file, registered):
        kinds = (file, file | None, file | Cancel | Snooze | Record, None, Any, object, dict[str, Any], dict, "Nowhere")
        for result in kinds:
            registered(badge, Job[badge], result)
        silent = make_contract(BADGE, worker="Silent")
        for job in (Job, Job[Any], Job[badge | silent], Any, "Job[Nowhere]"):
            registered(badge, job, file)
        registered(silent, Job[Any], str)

    def test_a_policy_is_one_of_two_and_needs_a_contract(self, make):
        with pytest.raises(InvalidWorker, match="'cancel' or 'quarantine'"):
            make(lambda _job: None, on_invalid="ignore")
        with pytest.raises(InvalidWorker, match="a worker with a contract"):
            build_options("X", {"on_invalid": "quarantine"})

    def test_functions_take_none(self, badge):
        from bridge import job

        with pytest.raises(InvalidWorker, match="put @worker on one"):
            job(contract=badge)(lambda: None)

    def test_the_decorator_registers_the_contracts_names(self):
        from bridge.jobs import registry

        cls = make_contract(BADGE, worker="Decorated", aliases=("Decorated.Old",))

        @worker(contract=cls)
        class Generate:
            async def process(self, job):
                return None

        try:
            assert registry.resolve("Decorated.Old") is registry.resolve("Decorated") is Generate
        finally:
            registry.unregister(Generate)

    def test_two_contracts_of_one_worker_are_refused_unless_it_is_the_same_class_again(self, badge):
        with pytest.raises(InvalidWorker, match="describes it already"):
            make_contract(BADGE, worker="Badges.Generate")
        with pytest.raises(InvalidWorker, match="describes it already"):
            make_contract(BADGE, worker="Badges.Other", aliases=("Badges.Generate",))
        assert contracts.find("Badges.Other") is None
        again = badge.__contract__
        contracts.register(again, ["Badges.Generate"])
        assert contracts.find("Badges.Generate") is again
