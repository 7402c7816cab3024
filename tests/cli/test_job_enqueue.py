"""`bridge jobs enqueue`: one job or many, checked against the contracts that are known."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from queues.rig import row_of, states

from bridge.engine import utc_now
from bridge.errors import EncodeError, InvalidJob

WORKERS = """
import my_contract
from bridge import Worker, job, worker

@worker(queue="mail", max_attempts=3, tags=["w"], meta={"own": 1}, aliases=["Old.Mail"])
class Mail(Worker):
    def process(self, job): ...

@job(queue="mail")
def send(to, text="hi"): ...
"""

CONTRACT = {
    "title": "Order",
    "type": "object",
    "required": ["id", "card"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "card": {"type": "string", "x-sensitive": True},
        "items": {"type": "array", "items": {"type": "integer"}},
    },
    "x-job": {
        "worker": "Shop.Order",
        "serves": "elixir",
        "queue": "orders",
        "max_attempts": 7,
        "result": {"type": "object", "properties": {"token": {"type": "string", "x-sensitive": True}}},
    },
}


@pytest.fixture
async def project(bridge):
    """A folder with workers, and with a contract of an Elixir worker as a generated class."""
    (bridge.folder / "contracts").mkdir()
    (bridge.folder / "contracts" / "order.json").write_text(json.dumps(CONTRACT))
    (bridge.folder / "bridge.toml").write_text('[contracts]\npath = "contracts"\npython = "my_contract"\n')
    built = await bridge.process_without_dsn("contracts", "build")
    assert built.returncode == 0, built.stderr
    (bridge.folder / "my_workers.py").write_text(WORKERS)
    return bridge


async def test_a_job_has_obans_defaults_and_every_option_that_is_given(bridge, conn):
    plain = await bridge.run("jobs", "enqueue", "Mail.Send", "--args", '{"id": 1}')
    assert plain.stdout == "enqueued job 1 of Mail.Send on queue default, available\n"
    assert plain.stderr.startswith("note: no imported module knows Mail.Send, and no contract file, so nothing checked")
    row = await row_of(conn, 1)
    assert (row["args"], row["max_attempts"], row["priority"], row["meta"]) == ({"id": 1}, 20, 0, {})
    options = ["-q", "mail", "--in", "1h", "--priority", 2, "--max-attempts", 4, "-t", "A", "-t", "b"]
    await bridge.run("jobs", "enqueue", "Mail.Send", *options, "--meta", '{"m": 1}')
    row = await row_of(conn, 2)
    assert (row["queue"], row["state"], row["priority"], row["max_attempts"], row["tags"], row["meta"]) == (
        "mail",
        "scheduled",
        2,
        4,
        ["a", "b"],
        {"m": 1},
    )
    assert timedelta(minutes=59) < row["scheduled_at"] - utc_now() <= timedelta(hours=1)
    await bridge.run("jobs", "enqueue", "Mail.Send", "--at", "2030-01-31T09:00:00+01:00")
    assert (await row_of(conn, 3))["scheduled_at"].replace(tzinfo=UTC) == datetime(2030, 1, 31, 8, tzinfo=UTC)
    await bridge.run("jobs", "enqueue", "Mail.Send", "--suspended")
    assert (await row_of(conn, 4))["state"] == "suspended"


async def test_args_come_from_a_file_or_standard_input_too(bridge, conn):
    (bridge.folder / "args.json").write_text('{"from": "file"}', encoding="utf-8-sig")
    await bridge.process("jobs", "enqueue", "W", "--args", "@args.json")
    await bridge.process("jobs", "enqueue", "W", "--args", "-", text='{"from": "stdin", "big": 12345678901234567890}')
    assert (await row_of(conn, 1))["args"] == {"from": "file"}
    assert (await row_of(conn, 2))["args"] == {"from": "stdin", "big": 12345678901234567890}
    missing = await bridge.process("jobs", "enqueue", "W", "--args", "@none.json")
    assert (missing.returncode, missing.stderr.splitlines()[0].split(";")[0]) == (
        1,
        "error: none.json: No such file or directory",
    )


async def test_scripts_get_the_whole_row(bridge):
    done = await bridge.run("jobs", "enqueue", "W", "--json")
    row = json.loads(done.stdout)
    assert (row["id"], row["worker"], row["state"], row["conflict"]) == (1, "W", "available", False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--args", "{"], InvalidJob, "--args: expected JSON"),
        (["--args", "[]"], InvalidJob, "--args: expected a JSON object"),
        (["--args", '{"a": "\\u0000"}'], EncodeError, "args.a"),
        (["--priority", 10], InvalidJob, "priority: expected an integer from 0 to 9"),
        (["--in", "5m", "--at", "now"], InvalidJob, "only one of scheduled_at and schedule_in"),
        (["-q", ""], InvalidJob, "queue: expected text"),
    ],
)
async def test_what_no_node_could_run_is_refused(bridge, conn, options, error, message):
    result = await bridge.run("jobs", "enqueue", "W", *options)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert await states(conn) == {}


async def test_neither_a_worker_nor_a_file_is_wrong_usage(bridge):
    assert (await bridge.run("jobs", "enqueue")).exit_code == 2
    assert (await bridge.run("jobs", "enqueue", "--from", "-", "--args", "{}")).exit_code == 2


async def test_a_unique_job_that_is_there_already_is_told(bridge, conn):
    unique = ["jobs", "enqueue", "W", "--args", '{"id": 1}', "--unique", '{"period": 60, "keys": ["id"]}']
    assert (await bridge.run(*unique)).stdout == "enqueued job 1 of W on queue default, available\n"
    again = await bridge.run(*unique)
    assert (again.exit_code, again.stdout) == (0, "nothing was inserted: job 1 was there already, available\n")
    row = json.loads((await bridge.run(*unique, "--json")).stdout)
    assert (row["id"], row["conflict"]) == (1, True)
    line = '{"args": {"id": %d}, "unique": {"period": 60}}\n'
    many = await bridge.process("jobs", "enqueue", "W", "--from", "-", "--json", text=line % 1 + line % 2)
    assert json.loads(many.stdout) == {"enqueued": 1, "conflicts": 1, "ids": [1, 2]}
    assert await states(conn) == {"available": 2}


# Workers and contracts


async def test_a_worker_of_an_imported_module_gives_its_defaults(project, conn):
    await project.process("jobs", "enqueue", "Old.Mail", "--import", "my_workers", "--meta", '{"m": 1}')
    row = await row_of(conn, 1)
    assert (row["worker"], row["queue"], row["max_attempts"], row["tags"], row["meta"]) == (
        "my_workers.Mail",
        "mail",
        3,
        ["w"],
        {"own": 1, "m": 1},
    )


async def test_a_function_is_given_only_the_arguments_that_it_has(project, conn):
    wrong = await project.process("jobs", "enqueue", "my_workers.send", "--import", "my_workers", "--args", '{"x": 1}')
    assert wrong.returncode == 1
    assert "expected the arguments of send(to, text='hi')" in wrong.stderr
    assert await states(conn) == {}


@pytest.mark.parametrize("how", ["option", "file"])
async def test_args_that_break_a_contract_are_refused_with_every_violation(project, conn, how):
    imports = ["--import", "my_workers"]
    if how == "file":
        toml = project.folder / "bridge.toml"
        toml.write_text('imports = ["my_workers"]\n' + toml.read_text())
        imports = []
    args = json.dumps({"id": 0, "items": [1, "two", *["x"] * 30]})
    done = await project.process("jobs", "enqueue", "Shop.Order", *imports, "--args", args)
    assert (done.returncode, done.stdout) == (1, "")
    first, *violations = done.stderr.splitlines()
    assert first == "error: nothing was inserted: the args break the contract Order@1"
    paths = [line.strip().partition(": ")[0] for line in violations]
    assert sorted(paths) == sorted(["/card", "/id", *(f"/items/{place}" for place in range(1, 32))])
    assert await states(conn) == {}


async def test_a_contract_gives_its_defaults_and_hides_what_is_sensitive(project, conn):
    known = ["--import", "my_workers"]
    args = '{"id": 1, "card": "4111"}'
    done = await project.process("jobs", "enqueue", "Shop.Order", *known, "--args", args, "--json")
    assert json.loads(done.stdout)["args"] == {"id": 1, "card": "<sensitive>"}
    row = await row_of(conn, 1)
    assert (row["args"], row["queue"], row["max_attempts"]) == ({"id": 1, "card": "4111"}, "orders", 7)
    for command in (["list"], ["list", "--json"], ["show", 1], ["show", 1, "--json"]):
        shown = await project.process("jobs", *command, *known)
        assert (shown.returncode, "4111" in shown.stdout, "<sensitive>" in shown.stdout) == (0, False, True)
        assert "4111" in (await project.process("jobs", *command, *known, "--reveal")).stdout
    unknown = await project.process("jobs", "show", 1)
    assert "its contract Order@1 is not known here, so nothing is hidden" in unknown.stderr


@pytest.mark.parametrize("line", ['{"worker": "Shop.Order", "args": {"card": "4111"}', '["4111"]', '"4111"'])
async def test_a_line_that_can_t_be_read_is_not_shown_where_a_contract_hides_values(project, conn, line):
    done = await project.process("jobs", "enqueue", "--import", "my_workers", "--from", "-", text=line)

    assert (done.returncode, await states(conn)) == (1, {})
    assert "got a value that is not shown" in done.stderr
    assert "4111" not in done.stderr


@pytest.mark.parametrize("args", ['["4111"]', '{"card": "4111"'])
async def test_args_that_are_no_object_are_not_shown_where_a_contract_hides_values(project, conn, args):
    known = ["--import", "my_workers"]
    await project.process("jobs", "enqueue", "Shop.Order", *known, "--args", '{"id": 1, "card": "4"}')

    for command in (["enqueue", "Shop.Order", "--args", args], ["update", 1, "--set", f"args={args}"]):
        done = await project.process("jobs", *command, *known)
        assert (done.returncode, "4111" in done.stderr) == (1, False)

    assert await states(conn) == {"available": 1}
    assert (await row_of(conn, 1))["args"] == {"id": 1, "card": "4"}


async def test_a_recorded_result_hides_what_its_contract_calls_sensitive(project, conn):
    from bridge.codecs.recorded import encode_recorded

    known = ["--import", "my_workers", "--json"]
    await project.process("jobs", "enqueue", "Shop.Order", *known, "--args", '{"id": 1, "card": "4111"}')
    meta = json.dumps({"recorded": True, "return": encode_recorded({"token": "t0p", "n": 1})})
    await conn.execute("update oban_jobs set meta = $1::text::jsonb", meta)
    row = json.loads((await project.process("jobs", "show", 1, *known)).stdout)
    assert (row["result"], row["meta"]["return"]) == ({"token": "<sensitive>", "n": 1}, "<sensitive>")
    revealed = json.loads((await project.process("jobs", "show", 1, *known, "--reveal")).stdout)
    assert revealed["result"] == {"token": "t0p", "n": 1}


async def test_an_update_holds_to_the_contract(project, conn):
    known = ["--import", "my_workers"]
    await project.process("jobs", "enqueue", "Shop.Order", *known, "--args", '{"id": 1, "card": "4111"}')
    done = await project.process("jobs", "update", 1, *known, "--set", 'args={"id": 0, "card": "4111"}')
    assert done.returncode == 1
    assert "/id" in done.stderr
    assert (await row_of(conn, 1))["args"]["id"] == 1


async def test_a_worker_that_no_imported_module_knows_is_noted(project):
    done = await project.process("jobs", "enqueue", "my_workers.Mial", "--import", "my_workers")
    assert done.returncode == 0
    assert "no imported module knows my_workers.Mial" in done.stderr
    assert "did you mean 'my_workers.Mail'?" in done.stderr


async def test_a_contract_file_holds_where_its_generated_module_is_not_imported(project, conn):
    for command in (["enqueue", "Shop.Order", "--args", '{"id": 0}'], ["enqueue", "Shop.Order", "--from", "-"]):
        done = await project.process("jobs", *command, text='{"args": {"id": 0}}')
        assert (done.returncode, done.stdout) == (1, "")
        assert "nothing was inserted: the args break the contract Order@1" in done.stderr
        assert sorted(line.strip().partition(": ")[0] for line in done.stderr.splitlines()[1:]) == ["/card", "/id"]
    assert await states(conn) == {}

    done = await project.process("jobs", "enqueue", "Shop.Order", "--args", '{"id": 1, "card": "4111"}', "--json")
    assert (done.stderr, json.loads(done.stdout)["args"]) == ("", {"id": 1, "card": "<sensitive>"})
    row = await row_of(conn, 1)
    assert (row["queue"], row["max_attempts"], row["meta"]) == ("orders", 7, {"contract": "Order@1"})

    done = await project.process("jobs", "update", 1, "--set", 'args={"id": 0, "card": "4111"}')
    assert (done.returncode, "/id" in done.stderr) == (1, True)


async def test_files_that_are_no_contracts_are_refused_where_the_settings_name_their_folder(bridge, conn):
    (bridge.folder / "contracts").mkdir()
    (bridge.folder / "contracts" / "order.json").write_text('{"type": "elephant"}')
    noted = await bridge.process("jobs", "enqueue", "Shop.Order")
    assert (noted.returncode, "note: the files in contracts are no contracts" in noted.stderr) == (0, True)
    (bridge.folder / "bridge.toml").write_text('[contracts]\npath = "contracts"\n')
    refused = await bridge.process("jobs", "enqueue", "Shop.Order")
    assert (refused.returncode, refused.stderr.startswith("error: order.json")) == (1, True)
    assert await states(conn) == {"available": 1}


async def test_an_import_that_is_not_there_is_told(bridge):
    done = await bridge.process("jobs", "enqueue", "W", "--import", "nowhere")
    assert done.returncode == 1
    assert "no module 'nowhere'" in done.stderr


# Many


async def test_a_job_a_line_in_one_transaction(bridge, conn):
    lines = [
        {"worker": "A", "args": {"n": 1}, "queue": "q"},
        {"worker": "B", "schedule_in": 60, "tags": ["x"]},
        {"worker": "B", "scheduled_at": "2030-01-01T00:00:00Z"},
        {},
    ]
    (bridge.folder / "jobs.ndjson").write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    done = await bridge.process("jobs", "enqueue", "Default.Worker", "-q", "d", "--from", "jobs.ndjson", "--json")
    assert json.loads(done.stdout) == {"enqueued": 4, "conflicts": 0, "ids": [1, 2, 3, 4]}
    rows = [await row_of(conn, job_id) for job_id in (1, 2, 3, 4)]
    assert [(row["worker"], row["queue"], row["state"]) for row in rows] == [
        ("A", "q", "available"),
        ("B", "d", "scheduled"),
        ("B", "d", "scheduled"),
        ("Default.Worker", "d", "available"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 3: nothing was inserted: the line: expected JSON"),
        ("[]", "line 3: nothing was inserted: the line: expected a JSON object"),
        ('{"args": {}}', "line 3: nothing was inserted: worker: expected text"),
        ('{"worker": "W", "id": 7}', "line 3: nothing was inserted: option: expected an option of a job, got 'id'"),
        ('{"worker": "W", "args": [1]}', "line 3: nothing was inserted: args: expected a JSON object"),
        ('{"worker": "W", "scheduled_at": "soon"}', "line 3: nothing was inserted: scheduled_at: expected a time"),
        ('{"worker": "W", "args": {"a": "\\u0000"}}', "this is jobs[2]"),
    ],
)
async def test_a_line_that_is_wrong_is_told_by_its_number_and_none_is_inserted(bridge, conn, line, message):
    done = await bridge.process(
        "jobs", "enqueue", "--from", "-", text=f'{{"worker": "W"}}\n{{"worker": "W"}}\n{line}\n'
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert await states(conn) == {}


async def test_a_line_that_breaks_a_contract_is_told_with_every_violation(project, conn):
    text = '{"args": {"id": 1, "card": "1"}}\n{"args": {"id": 0}}\n'
    done = await project.process("jobs", "enqueue", "Shop.Order", "--import", "my_workers", "--from", "-", text=text)
    assert done.returncode == 1
    first, *violations = done.stderr.splitlines()
    assert first == "error: line 2: nothing was inserted: the args break the contract Order@1"
    assert len(violations) == 2
    assert await states(conn) == {}


async def test_more_lines_than_one_statement_takes(bridge, conn):
    done = await bridge.process("jobs", "enqueue", "W", "--from", "-", text='{"args": {}}\n' * 12_000)
    assert done.stdout == "enqueued 12,000 jobs\n"
    assert await states(conn) == {"available": 12_000}
