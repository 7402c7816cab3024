"""A build writes what differs, removes what is orphaned, and touches nothing else."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.build import Plan, plan
from bridge.contracts.emit.header import HEADER

ROOT = Path(__file__).parents[2]
CONTRACT: dict[str, Any] = {
    "x-job": {"worker": "app.Print", "serves": "python"},
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer", "description": "The number."}, "name": {"type": "string"}},
}


def worker(name: str) -> dict[str, Any]:
    return {"x-job": {"worker": name, "serves": "python"}}


class Folder:
    """A project with contracts and the folders that a build writes to."""

    def __init__(self, path: Path) -> None:
        self.contracts, self.python, self.elixir = path / "contracts", path / "python", path / "elixir"
        self.contracts.mkdir()

    def put(self, name: str, document: Any) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        (self.contracts / name).write_text(text, encoding="utf-8")

    def plan(self) -> Plan:
        return plan(self.contracts, python_folder=self.python, elixir_folder=self.elixir, namespace="MyApp.Contracts")

    def build(self) -> Plan:
        found = self.plan()
        assert found.errors == []
        found.apply()
        return found

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.python.parent)): path.read_bytes()
            for folder in (self.python, self.elixir)
            for path in folder.rglob("*")
        }

    def messages(self) -> list[str]:
        return [str(error) for error in self.plan().errors]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.put("print_badge.json", CONTRACT)
    found.put("badge_file.json", {"type": "object", "properties": {"path": {"type": "string"}}})
    return found


def test_a_build_writes_a_file_a_contract_in_both_languages(folder: Folder) -> None:
    folder.build()
    assert sorted(folder.files()) == [
        "elixir/badge_file.ex",
        "elixir/print_badge.ex",
        "elixir/runtime.ex",
        "python/__init__.py",
        "python/badge_file.py",
        "python/print_badge.py",
    ]


def test_every_file_says_first_that_it_is_generated_and_from_what(folder: Folder) -> None:
    folder.build()
    for name, content in folder.files().items():
        assert HEADER in content.decode().splitlines()[0], name
    assert b"from print_badge.json" in folder.files()["python/print_badge.py"].splitlines()[0]


def test_a_second_build_changes_nothing(folder: Folder) -> None:
    folder.build()
    before = folder.files()
    times = {path: path.stat().st_mtime_ns for path in folder.python.iterdir()}
    assert folder.plan().changes == []
    assert folder.plan().unchanged == 6
    folder.build()
    assert folder.files() == before
    assert {path: path.stat().st_mtime_ns for path in folder.python.iterdir()} == times


def test_only_what_changed_is_written(folder: Folder) -> None:
    folder.build()
    folder.put("print_badge.json", {**CONTRACT, "description": "Prints it."})
    assert [path.name for path in folder.build().writes] == ["print_badge.py", "print_badge.ex"]


def test_a_contract_that_went_away_takes_its_files_along(folder: Folder) -> None:
    folder.build()
    (folder.contracts / "badge_file.json").unlink()
    assert [path.name for path in folder.build().removals] == ["badge_file.py", "badge_file.ex"]
    assert not any("badge_file" in name for name in folder.files())
    assert b"BadgeFile" not in folder.files()["python/__init__.py"]


def test_files_of_somebody_else_stay(folder: Folder) -> None:
    folder.build()
    (folder.python / "helpers.py").write_text("x = 1\n")
    (folder.python / "notes.txt").write_text(HEADER)
    (folder.elixir / "helpers.ex").write_text("# mine\n")
    assert folder.build().changes == []
    assert {"python/helpers.py", "python/notes.txt", "elixir/helpers.ex"} <= set(folder.files())


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_file_that_a_build_did_not_write_is_never_overwritten(folder: Folder, place: str) -> None:
    target = folder.python / "print_badge.py"
    folder.python.mkdir()
    if place == "file":
        target.write_text("by_hand = True\n")
    else:
        target.mkdir()
    assert folder.messages() == [f'{target}: expected a file that a build wrote, got "another\'s"; move it away']


def test_an_empty_file_may_be_overwritten(folder: Folder) -> None:
    folder.python.mkdir()
    (folder.python / "__init__.py").touch()
    folder.build()
    assert b"__all__" in folder.files()["python/__init__.py"]


def test_line_ends_of_windows_are_no_difference(folder: Folder) -> None:
    folder.build()
    for path in folder.python.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert folder.plan().changes == []


def test_the_errors_of_all_files_are_told_at_once_and_nothing_is_planned(folder: Folder) -> None:
    folder.put("broken.json", "{")
    folder.put("wrong_keyword.json", {**CONTRACT, "unevaluatedProperties": False})
    folder.put("wrong_type.json", {**CONTRACT, "properties": {"id": {"type": "int"}}})
    folder.put("wrong_reference.json", {**CONTRACT, "properties": {"id": {"$ref": "none.json"}}})
    found = folder.plan()
    assert sorted(str(error).partition("#")[0].partition(":")[0] for error in found.errors) == [
        "broken.json",
        "wrong_keyword.json",
        "wrong_reference.json",
        "wrong_type.json",
    ]
    assert found.changes == []


def test_two_files_that_would_be_one_class_are_refused(folder: Folder) -> None:
    folder.put("other.json", {**CONTRACT, "title": "PrintBadge"})
    name, worker = folder.messages()
    assert "a class name that other.json doesn't have" in name
    assert "a worker that other.json doesn't have" in worker


def test_a_contract_that_only_one_language_can_not_have_stops_the_build(folder: Folder) -> None:
    folder.put(
        "odd.json", {**CONTRACT, **worker("app.Odd"), "properties": {'a"b': {"type": "integer"}}, "required": []}
    )
    folder.put(
        "odder.json", {**CONTRACT, **worker("app.Odder"), "properties": {"a\\b": {"type": "integer"}}, "required": []}
    )
    assert [message.partition(":")[0] for message in folder.messages()] == ["odd.json", "odder.json"]


def test_a_file_called_as_the_support_module_is_refused(folder: Folder) -> None:
    folder.put("runtime.json", {**CONTRACT, **worker("app.Runtime")})
    assert any(message.startswith("runtime.json: ") for message in folder.messages())


def test_no_contracts_are_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        assert len(plan(path, python_folder=tmp_path / "python").errors) == 1


def test_a_build_that_can_not_write_everything_changes_nothing(folder: Folder) -> None:
    folder.build()
    before = folder.files()
    folder.put("print_badge.json", {**CONTRACT, "description": "Prints it."})
    folder.put("another.json", {**CONTRACT, "x-job": {"worker": "app.Another", "serves": "python"}})
    found = folder.plan()
    found.writes[folder.contracts / "print_badge.json" / "no_folder.py"] = "x"
    with pytest.raises(OSError, match=r"print_badge\.json"):
        found.apply()
    assert folder.files() == before


def differences(change: Callable[[Folder], object], folder: Folder) -> list[str]:
    folder.build()
    change(folder)
    return list(folder.plan().differences())


def test_differences_show_the_lines(folder: Folder) -> None:
    def edit(folder: Folder) -> None:
        path = folder.python / "print_badge.py"
        path.write_text(path.read_text().replace("id: int", "id: str"))

    lines = differences(edit, folder)
    assert "-    id: str" in lines
    assert "+    id: int" in lines


def test_differences_name_missing_and_orphaned_files(folder: Folder) -> None:
    def swap(folder: Folder) -> None:
        (folder.contracts / "badge_file.json").rename(folder.contracts / "print_file.json")

    lines = differences(swap, folder)
    assert f"{folder.python / 'print_file.py'}: missing" in lines
    assert f"{folder.elixir / 'badge_file.ex'}: its contract is gone" in lines


def test_differences_of_a_long_file_are_cut(folder: Folder) -> None:
    def grow(folder: Folder) -> None:
        properties = {f"field_{number}": {"type": "integer"} for number in range(100)}
        folder.put("print_badge.json", {**CONTRACT, "properties": properties, "required": []})

    lines = differences(grow, folder)
    assert len(lines) < 100
    assert any("lines more" in line for line in lines)


def test_the_generated_code_of_this_project_is_what_its_contracts_say() -> None:
    found = plan(
        ROOT / "contracts",
        python_folder=ROOT / "python_demo" / "contracts",
        elixir_folder=ROOT / "elixir_demo" / "lib" / "badge_forge" / "contracts",
        namespace="BadgeForge.Contracts",
    )
    assert [str(error) for error in found.errors] == []
    assert list(found.differences()) == []


@pytest.mark.parametrize("result", [{"$ref": "t.json"}, {"type": "array", "items": {"$ref": "t.json"}}])
def test_a_contract_whose_result_is_its_own_class_can_be_imported(
    tmp_path: Path, result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    folder.put("t.json", {**CONTRACT, "x-job": {"worker": "app.T", "serves": "python", "result": result}})
    folder.python = tmp_path / "own_result"
    folder.build()
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("own_result", "own_result.t"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("own_result.t")
    assert module.T.cast({"id": 1}).id == 1


@pytest.mark.parametrize("name", ["my-py", "class", "2py"])
def test_a_folder_that_python_can_not_import_is_refused(folder: Folder, name: str) -> None:
    folder.python = folder.contracts.parent / name
    (message,) = folder.messages()
    assert "a folder whose name Python can import" in message
    assert "my_py" in message or name != "my-py"
