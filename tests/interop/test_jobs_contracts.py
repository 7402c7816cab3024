"""Badge Forge's own jobs, by the modules that are generated for both languages from its contracts."""

import asyncio
import json
from pathlib import Path

import pytest

import python_demo.workers as demo
from bridge import Job
from bridge.errors import ContractError, RemoteError
from python_demo.contracts import BadgeFile, GenerateBadge, PrintCenter

from .conftest import ELIXIR, PYTHON, done
from .crossings import ended
from .rows import Matching, check, error, ran_by

SHARED = {"queues": {}}
GENERATE = {"worker": "python_demo.workers.GenerateBadge", "queue": "badges", "max_attempts": 5}
PRINT = {"worker": "BadgeForge.PrintCenter", "queue": "printing"}
RECORDED = Matching(
    "the contract's mark and what was recorded",
    lambda meta: meta.keys() == {"contract", "recorded", "return"} and meta["recorded"] is True,
)
CANCELLED = {"state": "cancelled", "attempt": 1}

PRINTED = """
for {path, pdf} <- files do
  File.mkdir_p!(Path.dirname(path))
  File.write!(path, pdf)
end

:ok = Oban.start_queue(queue: :printing, limit: 5, local_only: true)
"""


@pytest.fixture
async def rendering(shared, python, tmp_path, monkeypatch):
    """The demo's worker, in the queue `badges`, with PDFs in a folder of this test."""
    monkeypatch.setattr(demo.settings, "folder", tmp_path)
    py = await python(shared.at, queues={})
    py.registry.register(demo.GenerateBadge, [demo.GenerateBadge.options.name])
    await py.oban.start_queue("badges", 5, local_only=True)
    return py


@pytest.fixture
async def printing(shared):
    """The Elixir side's queue; `serve(paths)` puts these files where that node finds them, and starts it."""

    async def serve(paths=()):
        files = [(path, await asyncio.to_thread(Path(path).read_bytes)) for path in paths]
        assert await shared.ex.rpc(PRINTED, files=files) == "ok"

    yield serve
    await shared.ex.rpc("Oban.stop_queue(queue: :printing, local_only: true)")


@pytest.mark.item("jobs: contracts, Badge Forge")
async def test_badges_go_from_elixir_to_python_and_back(shared, rendering, printing, tmp_path):
    numbers = await shared.ex.rpc("for job <- BadgeForge.enqueue_batch(3), do: job.id")
    orders = {number: (await shared.at.row(number))["args"] for number in numbers}
    await rendering.ends.first(3, patience=60)
    prints = [row for row in await shared.at.rows() if row["queue"] == "printing"]
    await printing([row["args"]["path"] for row in prints])

    for number, args in orders.items():
        assert await shared.at.settled(number, "completed")
        check(await shared.at.row(number), **ended(PYTHON, **GENERATE, args=args, meta=RECORDED))
    assert sorted(row["args"]["id"] for row in prints) == [1, 2, 3]
    for row in prints:
        assert row["args"]["path"].startswith(str(tmp_path))
        check(
            await shared.at.settled(row["id"], "completed"),
            **ended(ELIXIR, **PRINT, args=row["args"], meta={"contract": "PrintCenter@1"}),
        )


@pytest.mark.item("jobs: contracts, Badge Forge")
async def test_each_side_reads_the_result_as_its_own_class(shared, rendering, tmp_path):
    (number,) = await shared.ex.rpc("for job <- BadgeForge.enqueue_batch(1), do: job.id")
    await rendering.ends.next()
    assert await shared.at.settled(number, "completed")

    file = await rendering.oban.fetch_result(number)
    code = """
    job = Oban.Repo.get!(Oban.config(), Oban.Job, id)
    {:ok, %BadgeForge.Contracts.BadgeFile{} = file} = BadgeForge.Contracts.GenerateBadge.fetch_result(job)
    Map.from_struct(file)
    """
    theirs = await shared.ex.rpc(code, id=number)

    assert isinstance(file, BadgeFile)
    assert file.path.startswith(str(tmp_path))
    assert theirs == {"path": file.path, "size": file.size, "sha256": file.sha256, "pages": 1}


@pytest.mark.item("jobs: contracts, rows")
async def test_both_languages_write_the_same_row_for_the_same_job(shared, python):
    py = await python(shared.at, queues={})
    options = {"priority": 2, "tags": ["x"], "meta": {"batch": 7}}

    jobs = [
        await PrintCenter(id=2**53 - 1, name="Zoë 😀", path="/srv/1.pdf").enqueue(py.oban, **options),
        await GenerateBadge(id=1, name="José").enqueue(py.oban, **options),
    ]
    code = """
    alias BadgeForge.Contracts.{GenerateBadge, PrintCenter}
    options = [priority: 2, tags: ["x"], meta: %{batch: 7}]

    for changeset <- [
          PrintCenter.new(%PrintCenter{id: 2 ** 53 - 1, name: "Zoë 😀", path: "/srv/1.pdf"}, options),
          GenerateBadge.new(%GenerateBadge{id: 1, name: "José"}, options)
        ],
        do: Oban.insert!(changeset).id
    """
    numbers = await shared.ex.rpc(code)

    more = {"priority": 2, "tags": ["x"]}
    for number in (jobs[0].id, numbers[0]):
        args = {"id": 2**53 - 1, "name": "Zoë 😀", "path": "/srv/1.pdf"}
        check(await shared.at.row(number), **PRINT, **more, args=args, meta={"batch": 7, "contract": "PrintCenter@1"})
    for number in (jobs[1].id, numbers[1]):
        args = {"id": 1, "name": "José", "company": None, "type": "attendee"}
        meta = {"batch": 7, "contract": "GenerateBadge@1"}
        check(await shared.at.row(number), **GENERATE, **more, args=args, meta=meta)
    await py.oban.delete_jobs([*jobs, *numbers])


@pytest.mark.item("jobs: contracts, refused")
async def test_both_languages_refuse_to_insert_what_breaks_the_contract_and_say_all_of_it(shared, python):
    py = await python(shared.at, queues={})
    before = await shared.at.states()

    with pytest.raises(ContractError) as ours:
        await GenerateBadge(id=0, name="", company="x" * 201).enqueue(py.oban)
    with pytest.raises(RemoteError) as theirs:
        await shared.ex.rpc(
            "BadgeForge.Contracts.GenerateBadge.new("
            '%BadgeForge.Contracts.GenerateBadge{id: 0, name: "", company: String.duplicate("x", 201)})'
        )

    told = {(each.path, each.message.partition(", got")[0]) for each in ours.value.violations}
    assert {path for path, _ in told} == {"/id", "/name", "/company"}
    for path, expected in told:
        assert f"{path}: {expected}, got" in theirs.value.banner
    assert await shared.at.states() == before


@pytest.mark.item("jobs: contracts, refused")
async def test_a_row_that_breaks_the_contract_is_cancelled_by_python_with_every_violation(shared, rendering):
    number = await shared.ex.rpc(
        f'Interop.insert("{GENERATE["worker"]}", %{{badge_id: 1, company: 5}}, queue: "badges", max_attempts: 5)'
    )
    await rendering.ends.next()

    row = await shared.at.settled(number, "cancelled")
    broken = {
        "args": {"badge_id": 1, "company": 5},
        "cancelled_at": row["cancelled_at"],
        "attempted_at": row["attempted_at"],
    }
    text = "".join(rf"(?=.*{path})" for path in ("id", "name", "/company")) + ".*"
    check(row, **GENERATE, **CANCELLED, **broken, attempted_by=ran_by(PYTHON), errors=[error(1, text)])


@pytest.mark.item("jobs: contracts, refused")
async def test_a_row_that_breaks_the_contract_is_cancelled_by_elixir_with_every_violation(shared, python, printing):
    await python(shared.at, queues={})
    await printing()
    args = {"badge_id": 1, "path": ""}
    statement = f"insert into {shared.at.table} (worker, queue, args) values ($1, $2, $3::text::jsonb) returning id"
    number = await shared.at.conn.fetchval(statement, PRINT["worker"], PRINT["queue"], json.dumps(args))
    await shared.ex.rpc('Oban.Notifier.notify(Oban, :insert, %{queue: "printing"})')
    await done(shared.ex, number)

    row = await shared.at.row(number)
    broken = {"args": args, "cancelled_at": row["cancelled_at"], "attempted_at": row["attempted_at"]}
    text = r"\*\* \(Oban.PerformError\) BadgeForge.PrintCenter failed with \{:cancel, \"PrintCenter@1: "
    text += "".join(rf"(?=.*{path})" for path in ("id", "name", "/path")) + ".*"
    check(row, **PRINT, **CANCELLED, **broken, attempted_by=ran_by(ELIXIR), errors=[error(1, text)])


@pytest.mark.item("jobs: contracts, refused")
async def test_what_elixir_would_refuse_python_refuses_by_the_name_of_the_worker_too(shared, python):
    py = await python(shared.at, queues={})
    before = await shared.at.states()

    with pytest.raises(ContractError, match="/badge_id"):
        await py.oban.enqueue(Job(PRINT["worker"], queue="printing", args={"badge_id": 1, "name": "A", "path": "/a"}))

    assert await shared.at.states() == before


@pytest.mark.item("jobs: contracts, newer rows")
async def test_readers_of_both_let_pass_what_a_newer_writer_knows(shared, rendering, printing):
    """An unknown field, and an enum's new value: the languages may be deployed one after the other."""
    newer = {"id": 9, "name": "Ada", "type": "volunteer", "pronouns": "she"}
    number = await shared.ex.rpc(
        f'Interop.insert("{GENERATE["worker"]}", args, queue: "badges", max_attempts: 5, meta: meta)',
        args=newer,
        meta={"contract": "GenerateBadge@2"},
    )
    end = await rendering.ends.next()
    statement = f"select id, args from {shared.at.table} where queue = 'printing' and args @> '{{\"id\": 9}}'"
    confirmed = await shared.at.conn.fetchrow(statement)
    args = json.loads(confirmed["args"])
    await shared.at.conn.execute(
        f"""update {shared.at.table} set args = args || '{{"copies": 2}}' where id = $1""", confirmed["id"]
    )
    await printing([args["path"]])
    await done(shared.ex, confirmed["id"])

    assert (end.job.args.type.is_unknown, end.job.id) == (True, number)
    check(await shared.at.settled(number, "completed"), **ended(PYTHON, **GENERATE, args=newer, meta=RECORDED))
    meta = {"contract": "PrintCenter@1"}
    check(await shared.at.row(confirmed["id"]), **ended(ELIXIR, **PRINT, args={**args, "copies": 2}, meta=meta))
