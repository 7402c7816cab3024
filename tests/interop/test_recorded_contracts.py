"""Results that a contract describes: recorded in one language, and typed in the other by the generated code."""

import pytest
from queues.rig import make_worker

from bridge import Record
from bridge.codecs.etf import Atom, Struct
from bridge.errors import ContractError
from python_demo.contracts import BadgeFile, GenerateBadge

from .conftest import PYTHON
from .endings import check_ended, in_python, read_alike
from .rows import error

WORKER = "python_demo.workers.GenerateBadge"
ARGS = {"id": 1, "name": "Nguyễn Thị Hương", "company": None, "type": "speaker"}
META = {"contract": "GenerateBadge@1"}
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ENQUEUE = """
alias BadgeForge.Contracts.GenerateBadge
Oban.insert!(GenerateBadge.new(%GenerateBadge{id: 1, name: "Nguyễn Thị Hương", type: :speaker}, queue: :python)).id
"""
RESULT = "BadgeForge.Contracts.GenerateBadge.fetch_result(Oban.Repo.get!(Oban.config(), Oban.Job, id))"


async def run(shared, py, result):
    """Have Python return `result` from a badge's job that Elixir enqueued by its contract; returns the job's id."""
    seen = []

    async def process(job):
        seen.append(job.args)
        return result

    make_worker(py.registry, process, WORKER, contract=GenerateBadge)
    number = await shared.ex.rpc(ENQUEUE)
    await in_python(shared.at, py, number)
    assert seen == [GenerateBadge(id=1, name="Nguyễn Thị Hương", type="speaker")]
    return number


@pytest.mark.item("recorded: results of a contract")
@pytest.mark.parametrize(
    ("result", "struct"),
    [
        (BadgeFile(path="/srv/ü.pdf", size=20480, sha256=SHA), f'path: "/srv/ü.pdf", size: 20480, sha256: "{SHA}"'),
        (BadgeFile(path="/x", size=0, pages=7), 'path: "/x", size: 0, pages: 7'),
        ({"path": "/x", "size": 2**80}, f'path: "/x", size: {2**80}'),
        (Record(BadgeFile(path="/x", size=1)), 'path: "/x", size: 1'),
    ],
    ids=["class", "defaults", "dict", "record"],
)
async def test_elixir_reads_a_result_of_python_as_the_contracts_struct(shared, python, result, struct):
    py = await python(shared.at)

    number = await run(shared, py, result)

    equal = f"{RESULT} === {{:ok, struct!(BadgeForge.Contracts.BadgeFile, {struct})}}"
    assert await shared.ex.rpc(equal, id=number) is True
    expected = result.value if isinstance(result, Record) else result
    expected = BadgeFile(**expected) if isinstance(expected, dict) else expected
    assert await py.oban.fetch_result(number) == expected
    row = await read_alike(shared.at, shared.ex, py.oban, number)
    recorded = {"recorded": True, "return": row["meta"].get("return")}
    check_ended(
        row,
        "completed",
        node=PYTHON,
        worker=WORKER,
        queue="python",
        args=ARGS,
        max_attempts=5,
        meta={**META, **recorded},
    )


@pytest.mark.item("recorded: results of a contract")
@pytest.mark.parametrize("result", [{"path": "", "size": 1}, {"size": 1}, {"path": "/x", "size": 1, "more": 2}, None])
async def test_python_records_nothing_that_breaks_the_contract_and_elixir_reads_why(shared, python, result):
    py = await python(shared.at)

    number = await run(shared, py, result)

    row = await read_alike(shared.at, shared.ex, py.oban, number)
    text = (
        r"\*\* \(bridge\.errors\.ContractError\) .*BadgeFile.*|\*\* \(bridge\.errors\.ContractError\) .*GenerateBadge.*"
    )
    assert (row["state"], row["meta"], row["errors"]) == ("retryable", META, [error(1, text)])
    assert await shared.ex.rpc(RESULT, id=number) == (Atom("error"), Atom("not_recorded"))


async def recorded_by_elixir(shared, source, options):
    """A row of the contract's worker, with what Elixir's source evaluates to as its result."""
    insert = """
    {value, _bindings} = Code.eval_string(source)
    text = Interop.Recorder.text(value, options, false)
    Interop.Recorder.insert([text], worker: worker)
    """
    return (await shared.ex.rpc(insert, source=source, options=options, worker=WORKER))[0]


FILE = f'%BadgeForge.Contracts.BadgeFile{{path: "/srv/ü.pdf", size: 20480, sha256: "{SHA}", pages: 2}}'


@pytest.mark.item("recorded: results of a contract")
@pytest.mark.parametrize(
    "options", [[], ["compressed"], [["minor_version", 2]]], ids=["plain", "compressed", "minor 2"]
)
@pytest.mark.parametrize(
    "source",
    [f"BadgeForge.Contracts.BadgeFile.dump({FILE})", f"Map.from_struct({FILE})"],
    ids=["dumped", "with atoms for keys"],
)
async def test_python_reads_a_result_of_elixir_as_the_contracts_class(shared, python, source, options):
    py = await python(shared.at, queues={})
    number = await recorded_by_elixir(shared, source, options)

    found = await py.oban.fetch_result(number)

    assert (type(found), found) == (BadgeFile, BadgeFile(path="/srv/ü.pdf", size=20480, sha256=SHA, pages=2))
    assert await shared.ex.rpc(f"{RESULT} === {{:ok, {FILE}}}", id=number) is True


@pytest.mark.item("recorded: results of a contract")
@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ('%{"path" => "/x", "size" => "large"}', ["/size"]),
        ('%{"path" => "/x"}', ["/size"]),
        ('%{"path" => 7, "size" => -1, "pages" => 0, "sha256" => "A"}', ["/pages", "/path", "/sha256", "/size"]),
        ('%{"path" => <<255>>, "size" => 1}', ["/path"]),
        ("[]", [""]),
        ("nil", [""]),
        (FILE, [""]),
    ],
)
async def test_a_result_that_breaks_the_contract_is_refused_by_both(shared, python, source, paths):
    py = await python(shared.at, queues={})
    number = await recorded_by_elixir(shared, source, [])

    with pytest.raises(ContractError) as caught:
        await py.oban.fetch_result(number)

    status, violations = await shared.ex.rpc(RESULT, id=number)
    theirs = sorted((each[Atom("path")], each[Atom("rule")]) for each in violations)
    ours = sorted((violation.path, violation.rule) for violation in caught.value.violations)
    assert status == Atom("error")
    assert [path for path, _rule in ours] == paths
    assert ours == theirs


@pytest.mark.item("recorded: results of a contract")
async def test_a_struct_that_elixir_recorded_is_read_without_a_contract(shared, python):
    py = await python(shared.at, queues={})
    insert = f"Interop.Recorder.insert([Interop.Recorder.text({FILE}, [], false)], [])"
    (number,) = await shared.ex.rpc(insert)

    fields = {"path": "/srv/ü.pdf", "size": 20480, "sha256": SHA, "pages": 2}
    assert await py.oban.fetch_result(number) == Struct("BadgeForge.Contracts.BadgeFile", fields)
