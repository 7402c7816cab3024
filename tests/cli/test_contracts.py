import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONTRACT: dict[str, Any] = {
    "x-job": {"worker": "app.Print", "serves": "python"},
    "type": "object",
    "properties": {"id": {"type": "integer"}},
}
TOML = """
[contracts]
path = "shared"
python = "app/contracts"
"""


def build(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    return subprocess.run(
        [sys.executable, "-m", "bridge", "contracts", "build", *arguments],
        cwd=folder,
        env={**inherited, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bridge.toml").write_text(TOML)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "print_badge.json").write_text(json.dumps(CONTRACT))
    return tmp_path


def test_build_writes_where_the_settings_say(folder: Path) -> None:
    done = build(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "wrote app/contracts/print_badge.py",
        "wrote app/contracts/__init__.py",
        "0 files unchanged",
    ]
    assert build(folder).stdout == "2 files unchanged\n"


def test_options_and_the_environment_win_over_the_file(folder: Path) -> None:
    done = build(folder, "--python", "elsewhere", BRIDGE_CONTRACTS_PATH="shared")
    assert "wrote elsewhere/print_badge.py" in done.stdout
    assert not (folder / "app").exists()


def test_elixir_is_written_beside_python(folder: Path) -> None:
    done = build(folder, "--elixir", "lib/contracts", "--elixir-module", "MyApp.Contracts")
    assert done.returncode == 0
    assert "defmodule MyApp.Contracts.PrintBadge do" in (folder / "lib/contracts/print_badge.ex").read_text()


def test_elixir_needs_its_module(folder: Path) -> None:
    done = build(folder, "--elixir", "lib/contracts")
    assert done.returncode == 1
    assert "contracts.elixir_module: expected a module" in done.stderr


def test_a_folder_to_write_to_is_needed(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.returncode == 1
    assert "pass --python or --elixir" in done.stderr


def test_check_writes_nothing_and_fails_on_a_difference(folder: Path) -> None:
    done = build(folder, "--check")
    assert done.returncode == 1
    assert "app/contracts/print_badge.py: missing" in done.stdout
    assert done.stderr == "error: 2 files to build again: run `bridge contracts build`\n"
    assert not (folder / "app").exists()


def test_check_passes_where_all_is_built(folder: Path) -> None:
    build(folder)
    done = build(folder, "--check")
    assert (done.returncode, done.stdout) == (0, "2 files as the contracts say\n")


def test_check_shows_what_was_edited_by_hand(folder: Path) -> None:
    build(folder)
    path = folder / "app" / "contracts" / "print_badge.py"
    path.write_text(path.read_text().replace("id: int", "id: str"))
    done = build(folder, "--check")
    assert done.returncode == 1
    assert "-    id: str" in done.stdout
    assert "+    id: int" in done.stdout
    assert "1 file to build again" in done.stderr


def test_every_error_has_its_line_and_nothing_is_written(folder: Path) -> None:
    (folder / "shared" / "broken.json").write_text("{")
    (folder / "shared" / "wrong.json").write_text(json.dumps({**CONTRACT, "type": "array"}))
    done = build(folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert [line.split(".json")[0] for line in done.stderr.splitlines()] == ["error: broken", "error: wrong"]
    assert not (folder / "app").exists()


def test_a_file_that_cannot_be_read_or_written_is_named(folder: Path) -> None:
    (folder / "app").write_text("in the way")
    done = build(folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: app/contracts: Not a directory; ")
    (folder / "shared" / "dir.json").mkdir()
    assert build(folder).stderr.startswith("error: dir.json: expected a file, ")


def test_a_file_by_hand_is_not_overwritten(folder: Path) -> None:
    (folder / "app" / "contracts").mkdir(parents=True)
    (folder / "app" / "contracts" / "print_badge.py").write_text("mine = True\n")
    done = build(folder)
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert not (folder / "app" / "contracts" / "__init__.py").exists()


def test_a_file_in_the_way_of_a_folder_is_told_and_not_blamed_on_the_database(folder: Path) -> None:
    (folder / "app").write_text("")
    done = build(folder)
    assert done.returncode == 1
    assert "app" in done.stderr
    assert "a file is in its place; move it away" in done.stderr
    assert "database" not in done.stderr
