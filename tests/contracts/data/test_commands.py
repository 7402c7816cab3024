import asyncio
import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.contracts.evolve.lock import Lock, dump_lock
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.source import load
from bridge.errors import BridgeError, InvalidContract, InvalidFilter, SchemaError

ORDER = Path(__file__).with_name("order.json")
GOOD = '{"id": 1, "target": {"via": "mail"}}'


@pytest.fixture
def folder(tmp_path):
    """A folder with one contract."""
    found = tmp_path / "contracts"
    found.mkdir()
    shutil.copy(ORDER, found / "sync_order.json")
    return found


@pytest.fixture
def bridge(folder):
    """A function that runs a command on the folder's contracts and returns its result."""

    def run(command, *arguments):
        options = [] if command == "infer" else ["--contracts", str(folder)]
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["contracts", command, *arguments, *options])
        if isinstance(result.exception, BridgeError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def on_database(bridge, installed):
    """The same, on the test's database."""

    async def run(*arguments):
        return await asyncio.to_thread(bridge, *arguments, "--dsn", installed)

    return run


async def put(conn, args=GOOD, worker="Shop.SyncOrder", state="available", meta='{"contract": "SyncOrder@2"}', at=None):
    return await conn.fetchval(
        "insert into oban_jobs (worker, args, state, meta, scheduled_at)"
        " values ($1, $2::text::jsonb, $3::text::oban_job_state, $4::text::jsonb, coalesce($5::timestamp, now()))"
        " returning id",
        worker, args, state, meta, at,
    )  # fmt: skip


def test_samples_are_printed_a_line_each_and_keep_the_contract(bridge, folder):
    [model] = load(folder)
    lines = bridge("samples", "SyncOrder", "--count", "30").stdout.splitlines()
    check = compile_checks(model.schema, mode="write")

    assert len(lines) == 30
    assert not [line for line in lines if check(json.loads(line))]


def test_samples_depend_on_the_seed_alone(bridge):
    first, second = (bridge("samples", "sync_order", "--seed", "3").stdout for _ in range(2))

    assert first == second
    assert first != bridge("samples", "sync_order", "--seed", "4").stdout


def test_invalid_samples_name_what_they_break(bridge, folder):
    [model] = load(folder)
    check = compile_checks(model.schema, mode="write")

    for found in json.loads(bridge("samples", "SyncOrder", "--invalid", "--json", "--count", "40").stdout):
        assert {(one.path, one.rule) for one in check(found["args"])} == {(found["path"], found["rule"])}


def test_an_unknown_contract_is_refused_with_the_nearest(bridge):
    with pytest.raises(InvalidContract, match="did you mean 'SyncOrder'"):
        bridge("samples", "SyncOrders")


def test_docs_are_written_and_those_of_contracts_that_are_gone_are_removed(bridge, folder, tmp_path):
    out = tmp_path / "site"
    shutil.copy(ORDER.parents[3] / "contracts" / "badge_file.json", folder)
    bridge("docs", "--out", str(out))
    (folder / "badge_file.json").unlink()
    (out / "own.html").write_text("<p>a page of ours</p>", encoding="utf-8")

    result = bridge("docs", "--out", str(out))

    assert {path.name for path in out.iterdir()} == {"index.html", "sync_order.html", "own.html"}
    assert f"removed {out / 'badge_file.html'}" in result.stdout


def test_docs_tell_the_versions_of_the_lock(bridge, folder, tmp_path):
    (folder / "contracts.lock").write_text(dump_lock(Lock().with_model(load(folder)[0])), encoding="utf-8")

    bridge("docs", "--out", str(tmp_path / "site"))

    assert ">released<" in (tmp_path / "site" / "sync_order.html").read_text(encoding="utf-8")


async def test_drift_reports_each_version_and_workers_without_a_contract(on_database, conn):
    broken = [await put(conn, '{"id": 0, "target": {"via": "mail"}}', meta=meta) for meta in ("null", "[1]", None)]
    await put(conn)
    await put(conn, "[1]", worker="Other")

    report = json.loads((await on_database("drift", "--json")).stdout)

    assert report["uncontracted"] == {"Other": 1}
    assert [(one["contract"], one["rows"], one["valid"]) for one in report["contracts"]] == [
        (None, 3, 0),
        ("SyncOrder@2", 1, 1),
    ]
    assert report["contracts"][0]["breaches"] == [
        {"place": "/id", "rule": "minimum", "rows": 3, "job": max(broken)},
    ]


async def test_drift_reads_rows_in_every_state_and_narrows_to_what_is_asked(on_database, conn):
    for state in ("available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled"):
        await put(conn, state=state)

    async def rows(*options):
        found = json.loads((await on_database("drift", "--json", *options)).stdout)["contracts"]
        return sum(report["rows"] for report in found)

    assert await rows() == 7
    assert await rows("--states", "completed,discarded") == 2
    assert await rows("--sample", "3") == 3
    assert await rows("Shop.SyncOrder", "--since", "1h") == 7
    assert await rows("--since", "2999-01-01") == 0


async def test_drift_exits_with_1_for_invalid_rows_where_it_is_asked_to(on_database, conn):
    await put(conn)
    assert (await on_database("drift", "--exit-code")).exit_code == 0

    await put(conn, "{}")
    assert (await on_database("drift")).exit_code == 0
    assert (await on_database("drift", "--exit-code")).exit_code == 1


async def test_drift_changes_nothing(on_database, conn):
    await put(conn, "{}")
    before = await conn.fetch("select *, xmin::text from oban_jobs")

    await on_database("drift")

    assert await conn.fetch("select *, xmin::text from oban_jobs") == before


@pytest.mark.parametrize("options", [("--states", "done"), ("--since", "yesterday")])
def test_drift_refuses_what_it_does_not_understand(bridge, options):
    with pytest.raises(InvalidFilter):
        bridge("drift", *options)


def test_a_database_without_obans_tables_is_named_as_such(bridge, database):
    with pytest.raises(SchemaError):
        bridge("drift", "--dsn", database)


async def test_infer_prints_a_draft_and_how_it_does(on_database, conn):
    for at in range(40):
        await put(conn, json.dumps({"n": at, "kind": "a" if at % 2 else "b"}), worker="Shop.CountThings")

    result = await on_database("infer", "Shop.CountThings")
    draft = json.loads(result.stdout)

    assert draft["x-job"]["worker"] == "Shop.CountThings"
    assert draft["properties"]["kind"]["enum"] == ["a", "b"]
    assert "accepts 40 of 40 rows read, 100 %" in result.stderr


async def test_infer_writes_a_file_that_loads_and_replaces_none(on_database, conn, folder):
    await put(conn, '{"n": 1}', worker="Shop.CountThings")

    await on_database("infer", "Shop.CountThings", "--out", str(folder))

    assert [model.name for model in load(folder)] == ["CountThings", "SyncOrder"]
    with pytest.raises(InvalidContract, match="a file that is not there yet"):
        await on_database("infer", "Shop.CountThings", "--out", str(folder))


async def test_infer_needs_rows(on_database, conn):
    with pytest.raises(InvalidFilter, match="a worker with jobs"):
        await on_database("infer", "Nobody")


async def test_retention_says_what_rows_need_and_refuses_what_is_to_go(on_database, conn):
    march = datetime(2026, 3, 1)  # noqa: DTZ001 - as the columns have it
    for state in ("scheduled", "scheduled", "retryable", "completed"):
        await put(conn, state=state, meta='{"contract": "SyncOrder@1"}', at=march)

    kept = await on_database("retention")
    refused = await on_database("retention", "--dropping", "SyncOrder@1")

    assert (kept.exit_code, kept.stdout) == (0, "SyncOrder@1: rows are yet to run: 2 scheduled, 1 retryable\n")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "error: CONTRACT_REMOVED_LIVE: SyncOrder@1: rows are yet to run: 2 scheduled, 1 retryable\n"
    )


async def test_retention_asks_the_lock_whose_rows_they_are(on_database, conn, folder):
    await put(conn, worker="Shop.SyncOrder")
    await put(conn, worker="Elsewhere", meta='{"contract": "Elsewhere@1"}')
    lock = dump_lock(Lock().with_model(load(folder)[0]))
    assert (await on_database("retention")).exit_code == 1

    (folder / "contracts.lock").write_text(lock, encoding="utf-8")
    assert (await on_database("retention")).exit_code == 0

    (folder / "sync_order.json").rename(folder / "sync_order.txt")
    shutil.copy(ORDER.parents[3] / "contracts" / "badge_file.json", folder)
    gone = json.loads((await on_database("retention", "--json")).stdout)["refused"]
    assert [(one["rule"], one["worker"], one["live"]) for one in gone] == [
        ("CONTRACT_REMOVED_LIVE", "Shop.SyncOrder", {"available": 1})
    ]


async def test_drift_refuses_a_worker_that_nobody_knows(on_database, conn):
    await put(conn)
    with pytest.raises(InvalidFilter, match=r"a worker with a contract.*got 'no\.Such'.*Shop\.SyncOrder"):
        await on_database("drift", "no.Such")
    assert "Shop.SyncOrder" in (await on_database("drift", "Shop.SyncOrder")).stdout


async def test_drift_says_so_where_a_known_worker_has_no_rows(on_database, conn):
    assert (await on_database("drift", "Shop.SyncOrder")).stdout == "no jobs\n"


async def test_retention_refuses_a_version_that_nobody_knows(on_database, conn):
    with pytest.raises(InvalidFilter, match=r"a version of a contract.*got 'Nope@3'.*SyncOrder@"):
        await on_database("retention", "--dropping", "Nope@3")
    assert (await on_database("retention", "--dropping", "SyncOrder")).exit_code == 0


def test_a_wrong_state_is_told_with_the_plain_name_of_the_nearest(bridge):
    with pytest.raises(InvalidFilter, match="did you mean 'completed'"):
        bridge("drift", "--states", "complete")
