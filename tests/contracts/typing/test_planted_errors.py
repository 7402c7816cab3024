"""Type checkers find what is wrong with a use of a contract, and nothing wrong with a right one."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.contracts.build import plan

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of its own, so that no checker writes anything beside the tests."""
    found = tmp_path_factory.mktemp("typed")
    built = plan(HERE / "contracts", python_folder=found / "generated")
    assert built.errors == []
    built.apply()
    shutil.copy(HERE / "planted.py", found)
    return found


def marked(folder: Path) -> list[int]:
    lines = (folder / "planted.py").read_text().splitlines()
    return [number for number, line in enumerate(lines, start=1) if "  # error" in line]


def test_enough_errors_are_planted(folder: Path) -> None:
    assert len(marked(folder)) >= 20


def test_mypy_finds_each_planted_error_and_no_other(folder: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "--hide-error-context"]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), "planted.py", "generated"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(.+?):(\d+): error: ", done.stdout, re.MULTILINE)
    assert sorted({(file, int(line)) for file, line in found}) == [("planted.py", line) for line in marked(folder)], (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize("mode", ["standard", "strict"])
def test_basedpyright_finds_each_planted_error_and_no_other(folder: Path, mode: str) -> None:
    settings = {"typeCheckingMode": mode, "include": ["planted.py", "generated"], "reportUnusedExpression": False}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(set(errors(done.stdout))) == [("planted.py", line) for line in marked(folder)], done.stdout


def errors(output: str) -> Iterator[tuple[str, int]]:
    """Yield the file and line of each error."""
    for found in json.loads(output)["generalDiagnostics"]:
        if found["severity"] == "error":
            yield Path(found["file"]).name, found["range"]["start"]["line"] + 1
