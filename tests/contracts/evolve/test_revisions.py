"""`check --against` a git revision: where the contracts were then, and what the lock has lost since."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app
from bridge.contracts.evolve.lock import FILE_NAME, Lock, dump_lock, load_lock

NOTE = {"type": "string"}


def contract(version: int = 1, worker: str = "Demo.Print", **fields: Any) -> dict[str, Any]:
    job = {"worker": worker, "serves": "elixir", "version": version}
    return {"type": "object", "x-job": job, "properties": {"id": {"type": "integer"}, **fields}, "required": ["id"]}


def write(folder: Path, name: str, document: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(document))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contracts", *arguments])


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit() -> None:
    git("add", "-A")
    git("commit", "-qm", "a change")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A released contract in `contracts`, committed."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    found = tmp_path / "contracts"
    found.mkdir()
    write(found, "print_badge", contract())
    assert run("release").exit_code == 0
    commit()
    return found


def test_a_folder_that_was_moved_is_not_taken_for_new_contracts(folder: Path) -> None:
    shutil.move(folder, "schemas")
    write(Path("schemas"), "print_badge", contract(1, id={"type": "string"}))

    result = run("check", "--against", "HEAD", "--contracts", "schemas")

    assert result.exit_code == 2
    assert "contracts/print_badge.json was Demo.Print's there" in result.stderr
    assert "--against HEAD:contracts" in result.stderr


def test_the_folder_of_a_revision_may_be_named(folder: Path) -> None:
    shutil.move(folder, "schemas")
    same = run("check", "--against", "HEAD:contracts", "--contracts", "schemas")
    write(Path("schemas"), "print_badge", contract(1, id={"type": "string"}))

    changed = run("check", "--against", "HEAD:./contracts/", "--contracts", "schemas")

    assert same.exit_code == 0
    assert changed.exit_code == 1
    assert "TYPE_CHANGED" in changed.stdout


def test_one_file_that_was_moved_is_told_too(folder: Path) -> None:
    Path("schemas").mkdir()
    write(Path("schemas"), "mail_badge", contract(1, "Demo.Mail"))
    commit()
    shutil.move("schemas/mail_badge.json", folder)

    result = run("check", "--against", "HEAD")

    assert result.exit_code == 2
    assert "schemas/mail_badge.json was Demo.Mail's there" in result.stderr


def test_a_moved_folder_whose_workers_have_new_names_is_told_too(folder: Path) -> None:
    shutil.rmtree(folder)
    Path("schemas").mkdir()
    write(Path("schemas"), "print_badge", contract(1, "Demo.Other"))

    assert run("check", "--against", "HEAD", "--contracts", "schemas").exit_code == 2


def test_contracts_beside_others_that_stay_are_new(folder: Path) -> None:
    Path("schemas").mkdir()
    write(Path("schemas"), "print_badge", contract())

    result = run("check", "--against", "HEAD", "--contracts", "schemas")

    assert result.exit_code == 0
    assert "CONTRACT_ADDED" in result.stdout


@pytest.mark.parametrize("place", ["HEAD:nothing", "nothing:contracts", ":contracts"])
def test_a_folder_that_the_revision_lacks_is_refused(folder: Path, place: str) -> None:
    assert run("check", "--against", place).exit_code == 2


def drop(path: Path, name: str, version: int) -> None:
    """Take a version out of a lock by hand, all digests recomputed."""
    lock = load_lock(path)
    kept = {
        key: {number: model for number, model in versions.items() if (key, number) != (name, version)}
        for key, versions in lock.contracts.items()
    }
    path.write_text(dump_lock(Lock({key: versions for key, versions in kept.items() if versions}, lock.retired)))


def test_a_version_that_the_lock_lost_since_a_revision_breaks(folder: Path) -> None:
    write(folder, "print_badge", contract(2, note=NOTE))
    assert run("release").exit_code == 0
    commit()
    drop(folder / FILE_NAME, "PrintBadge", 1)

    result = run("check", "--against", "HEAD")

    assert run("check").exit_code == 0
    assert result.exit_code == 1
    assert "RELEASED_DROPPED PrintBadge against PrintBadge@1" in result.stdout


def test_a_lock_that_is_gone_lost_all_of_its_versions(folder: Path) -> None:
    (folder / FILE_NAME).unlink()

    result = run("check", "--against", "HEAD")

    assert result.exit_code == 1
    assert "RELEASED_DROPPED" in result.stdout


def test_a_version_that_was_retired_is_not_lost(folder: Path) -> None:
    write(folder, "print_badge", contract(2, note=NOTE))
    assert run("release", "--retire", "PrintBadge@1").exit_code == 0

    assert "RELEASED_DROPPED" not in run("check", "--against", "HEAD").stdout


def test_a_released_version_with_another_content_than_at_a_revision_breaks(folder: Path) -> None:
    write(folder, "print_badge", contract(1, note=NOTE))
    drop(folder / FILE_NAME, "PrintBadge", 1)
    assert run("release").exit_code == 0

    result = run("check", "--against", "HEAD")

    assert result.exit_code == 1
    assert "RELEASED_EDITED" in result.stdout


@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_revision_is_not_the_current_folder(
    folder: Path, nothing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    result = run("check", "--against", nothing, "--contracts", ".")

    assert result.exit_code == 2
    assert "got nothing" in result.stderr
