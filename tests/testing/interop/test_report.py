"""The conformance table of the interop suite is what its runs were."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from interop.table import DOCS, facts_of, merge, render, write

TESTS = Path(__file__).parents[2]


def ran(passed=0, failed=0, skipped=0, *reasons):
    return {"passed": passed, "failed": failed, "skipped": skipped, "reasons": list(reasons)}


def facts(oban):
    return facts_of({"oban": oban, "elixir": "1.18.4", "otp": "27"}, postgresql="17.2", oban_py="0.7.0", runner="mix")


def test_a_run_replaces_its_version_and_keeps_the_others():
    old = merge({}, facts("2.9.3"), {"jobs: a": ran(1)}, whole=True)
    both = merge(old, facts("2.23.0"), {"jobs: a": ran(0, 1), "jobs: b": ran(1)}, whole=True)
    again = merge(both, facts("2.23.1"), {"jobs: a": ran(1)}, whole=True)
    assert list(again) == ["2.9", "2.23"]
    assert again["2.9"] == old["2.9"]
    assert (again["2.23"]["oban"], list(again["2.23"]["items"])) == ("2.23.1", ["jobs: a"])


def test_a_part_of_the_suite_leaves_the_other_items():
    whole = merge({}, facts("2.23.0"), {"jobs: a": ran(0, 1), "jobs: b": ran(1)}, whole=True)
    part = merge(whole, facts("2.23.1"), {"jobs: a": ran(1)}, whole=False)
    assert part["2.23"]["items"] == {"jobs: a": ran(1), "jobs: b": ran(1)}


def test_the_page_has_a_row_for_each_item_and_a_column_for_each_version():
    skipped = ran(0, 0, 1, "since 2.20")
    results = merge({}, facts("2.17.12"), {"jobs: a|b": ran(1), "pkill: x": skipped}, whole=True)
    results = merge(results, facts("2.23.1"), {"pkill: x": ran(1, 1), "odd": ran(2)}, whole=True)
    page = render(results)
    assert "| Oban | 2.17.12 | 2.23.1 |" in page
    assert "| passed | 1 | 3 |\n| failed | 0 | 1 |\n| skipped | 1 | 0 |\n" in page
    assert "## jobs\n\n|  | 2.17 | 2.23 |\n| --- | --- | --- |\n| a\\|b | ✓ 1 |  |\n" in page
    assert "| x | — (1) | ✗ 1 of 2 |\n" in page
    assert page.endswith("## Why some did not run\n\n1. since 2.20\n")
    assert page.index("## jobs") < page.index("## pkill") < page.index("## odd")


def test_it_is_written_beside_what_is_there(tmp_path):
    write(facts("2.20.3"), {"jobs: a": ran(1)}, whole=True, folder=tmp_path)
    write(facts("2.23.1"), {"jobs: a": ran(1)}, whole=True, folder=tmp_path)
    results = json.loads((tmp_path / "interop-results.json").read_text())
    assert list(results) == ["2.20", "2.23"]
    assert (tmp_path / "interop-results.md").read_text() == render(results)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", results["2.23"]["date"])


def test_the_page_in_the_documentation_is_that_of_its_results():
    results = json.loads((DOCS / "interop-results.json").read_text())
    assert (DOCS / "interop-results.md").read_text() == render(results)


CONFTEST = """
import os
from pathlib import Path
from types import SimpleNamespace
import pytest
from interop.report import NAME, Report, _versions_of_the_report

HERE = Path(__file__).parent

def pytest_configure(config):
    config.addinivalue_line("markers", "item(text): as in the suite")
    config.pluginmanager.register(Report(config, HERE, HERE), NAME)

@pytest.fixture(scope="session")
def elixir_runner():
    if "NONE" in os.environ:
        pytest.skip("no Elixir node can run here:\\nmix: there is no elixir")
    return SimpleNamespace(name="mix")

@pytest.fixture(scope="session")
def versions(elixir_runner):
    return {"oban": "2.23.1", "elixir": "1.18.4", "otp": "27"}
"""

SUITE = """
import pytest

pytestmark = pytest.mark.item("jobs: all")

@pytest.mark.parametrize("number", range(4))
def test_runs(elixir_runner, number):
    assert number != 2

@pytest.mark.skip(reason="only there")
@pytest.mark.item("jobs: elsewhere")
def test_skips():
    pass

@pytest.fixture
def broken():
    raise RuntimeError

def test_with_a_broken_fixture(elixir_runner, broken):
    pass
"""


def run(folder, *arguments, **env):
    """Run a suite in a process of its own; return what it printed."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_other.py").write_text("def test_without_an_item():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "-ra", *arguments]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "INTEROP_", "BRIDGE_EL"))
    }
    env = {**kept, "PYTHONPATH": str(TESTS), **env}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_outcomes_of_all_processes_are_written(tmp_path, processes):
    printed = run(tmp_path, "-n", processes, str(tmp_path), INTEROP_WRITE="1")
    found = json.loads((tmp_path / "interop-results.json").read_text())["2.23"]
    assert found["items"] == {"jobs: all": ran(3, 2), "jobs: elsewhere": ran(0, 0, 1, "only there")}
    assert (found["elixir"], found["runner"]) == ("1.18.4", "mix")
    assert re.match(r"\d+(\.\d+)?$", found["postgresql"])
    assert "1 failed, 4 passed, 1 skipped, 1 error" in printed.splitlines()[-1]


def test_a_part_of_the_suite_is_written_as_a_part(tmp_path):
    run(tmp_path, str(tmp_path), INTEROP_WRITE="1")
    run(tmp_path, f"{tmp_path}/test_suite.py::test_runs[1]", INTEROP_WRITE="1")
    found = json.loads((tmp_path / "interop-results.json").read_text())["2.23"]
    assert found["items"] == {"jobs: all": ran(1), "jobs: elsewhere": ran(0, 0, 1, "only there")}


def test_nothing_is_written_unasked(tmp_path):
    run(tmp_path, str(tmp_path))
    assert not list(tmp_path.glob("interop-results.*"))


@pytest.mark.parametrize("processes", ["0", "2"])
def test_where_no_node_can_run_the_last_line_says_how_many_did_not_and_why(tmp_path, processes):
    printed = run(tmp_path, "-n", processes, str(tmp_path), INTEROP_WRITE="1", NONE="1").splitlines()
    reason = "no Elixir node can run here: mix: there is no elixir"
    assert printed[-1] == f"6 tests were skipped, and none ran: {reason}"
    assert "1 passed, 6 skipped" in printed[-2]
    assert not list(tmp_path.glob("interop-results.*"))


def test_it_says_so_too_where_others_ran(tmp_path):
    (tmp_path / "test_pair.py").write_text(
        "import pytest\n\n@pytest.mark.item('oban-py: a pair')\ndef test_it(): pass\n"
    )

    printed = run(tmp_path, str(tmp_path), NONE="1").splitlines()

    assert printed[-1] == "5 tests were skipped: no Elixir node can run here: mix: there is no elixir"
