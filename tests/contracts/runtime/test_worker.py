"""Workers with a contract, on a real database: what they get, what is recorded, and how they are defined."""

import json
from typing import Any

import pytest

from bridge import Cancel, Job, Record, Snooze, Worker, worker
from bridge.errors import ContractError, EncodeError, InvalidWorker, JobNotFound
from bridge.jobs import contracts
from bridge.jobs.options import build_options
from tests.queues.rig import insert_row, row_of

from .badges import BADGE, GOOD
from .rig import make_contract, obj


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

    async def test_a_row_that_is_too_large_is_not_inserted_again(self, badge, start, conn):
        oban = await start()
        args = json.dumps({**GOOD, "colour": "x" * 16 * 2**20})
        row = await insert_row(conn, worker="Badges.Generate", queue="badges", args=args)
        for typed in (False, True):
            job = await oban.get_job(row)
            if typed:
                job.read_args(badge.__contract__)
            with pytest.raises(EncodeError, match="args: expected at most 16,777,216, got '16,777,2"):
                await oban.enqueue(job)


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
