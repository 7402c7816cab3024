"""The commands as users run them, with real files and a real git."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bridge.cli.main import app

BADGE_FILE = {"title": "BadgeFile", "type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    found = tmp_path / "contracts"
    found.mkdir()
    write(found, "badge_file", BADGE_FILE)
    write(found, "print_badge", contract())
    return found


def contract(version: int = 1, ignore: Any = None, **fields: Any) -> dict[str, Any]:
    properties = {"id": {"type": "integer"}, "file": {"$ref": "badge_file.json"}, "note": {"type": "string"}, **fields}
    return {
        "type": "object",
        **({} if ignore is None else {"x-ignore": ignore}),
        "x-job": {"worker": "Demo.Print", "serves": "elixir", "version": version},
        "properties": {name: node for name, node in properties.items() if node is not None},
        "required": ["id"],
    }


def write(folder: Path, name: str, document: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(document, indent=2))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["contracts", *arguments])


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_release_writes_the_lock_once(folder: Path) -> None:
    first = run("release")
    text = (folder / "contracts.lock").read_text()
    again = run("release")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "released PrintBadge@1" in first.stdout
    assert "released" not in again.stdout
    assert (folder / "contracts.lock").read_text() == text


def test_check_passes_what_was_released(folder: Path) -> None:
    run("release")

    assert run("check").exit_code == 0


def test_release_refuses_what_breaks_and_writes_nothing(folder: Path) -> None:
    run("release")
    text = (folder / "contracts.lock").read_text()
    write(folder, "print_badge", contract(2, id={"type": "string"}))

    result = run("release")

    assert result.exit_code == 1
    assert "TYPE_CHANGED" in result.stdout
    assert (folder / "contracts.lock").read_text() == text


def test_a_version_without_rows_is_retired(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, id={"type": "string"}))

    assert run("release", "--retire", "PrintBadge@1").exit_code == 0
    assert run("check").exit_code == 0
    assert run("release", "--retire", "PrintBadge@9").exit_code == 2


def test_a_row_shows_what_breaks(folder: Path) -> None:
    run("release")
    write(folder, "badge_file", {**BADGE_FILE, "properties": {"url": {"type": "string", "maxLength": 3}}})

    result = run("check")

    assert result.exit_code == 1
    assert "CONSTRAINT_TIGHTENED PrintBadge/properties/file/properties/url/maxLength" in result.stdout
    assert 'row: {"file": {"url": "aaaa"}, "id": 0} is written by old code' in result.stdout


def test_check_reads_a_git_revision(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    write(folder, "print_badge", contract(note=None))

    result = run("check", "--against", "HEAD")

    assert result.exit_code == 1
    assert "FIELD_REMOVED_UNRESERVED" in result.stdout
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "second")
    assert run("check", "--against", "HEAD").exit_code == 0
    assert run("check", "--against", "HEAD~1").exit_code == 1


@pytest.mark.parametrize("revision", ["nothing", "--help", "HEAD; touch broken", "HEAD:contracts"])
def test_what_is_no_revision_is_refused(folder: Path, revision: str) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")

    result = run("check", f"--against={revision}")

    assert result.exit_code == 2
    assert not (folder.parent / "broken").exists()
    assert not (folder / "broken").exists()


@pytest.mark.parametrize("missing", ["HEAD:", "HEAD:print_badge.json"])
def test_a_revision_whose_files_are_missing_is_refused(folder: Path, missing: str) -> None:
    """As in a partial clone: what git can't read is not what wasn't there."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    name = git(folder, "rev-parse", missing)
    (folder / ".git" / "objects" / name[:2] / name[2:]).unlink()

    result = run("check", "--against", "HEAD")

    assert result.exit_code == 2
    assert "partial clone" in result.stderr


def test_diff_compares_two_files(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(other, "badge_file", BADGE_FILE)
    write(other, "print_badge", contract(note={"type": "integer"}))

    result = run("diff", str(folder / "print_badge.json"), str(other / "print_badge.json"))

    assert result.exit_code == 1
    assert "TYPE_CHANGED PrintBadge/properties/note" in result.stdout
    assert run("diff", str(folder), str(folder)).exit_code == 0
    assert run("diff", str(folder), str(tmp_path / "missing")).exit_code == 2


def test_source_breaks_fail_where_they_are_asked_for(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, note=None) | {"x-reserved": ["note"]})

    assert run("check").exit_code == 0
    assert run("check", "--category", "SOURCE").exit_code == 1
    assert run("check", "--category", "nothing").exit_code == 2


def test_github_annotations_name_the_file_and_line_and_are_escaped(folder: Path) -> None:
    run("release")
    write(folder, "badge_file", {**BADGE_FILE, "properties": {"url": {"type": "string", "pattern": "^100%,:$"}}})

    result = run("check", "--format", "github")

    (found,) = [line for line in result.stdout.splitlines() if "CONSTRAINT_TIGHTENED" in line]
    command = re.match(r"::error file=(?P<file>[^,]+),line=(?P<line>\d+),title=[A-Z_]+::(?P<text>.*)", found)
    assert command is not None
    lines = (folder / "badge_file.json").read_text().splitlines()
    assert command["file"].endswith("badge_file.json")
    assert "pattern" in lines[int(command["line"]) - 1]
    assert "^100%25,:$" in command["text"]
    assert "%0A" in command["text"]


def test_json_is_one_object_for_scripts(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, note={"type": "integer"}))

    document = json.loads(run("check", "--format", "json").stdout)

    (change,) = [change for change in document["changes"] if change["rule"] == "TYPE_CHANGED"]
    assert document["failed"] is True
    assert change["verdicts"] == {"ROWS": "fail", "ROLLING": "fail", "SOURCE": "fail"}
    assert [example["row"] for example in change["counterexamples"]] == [{"id": 0, "note": ""}, {"id": 0, "note": 0}]


IGNORE = {"rule": "TYPE_CHANGED", "path": "/properties/note", "reason": "nobody writes notes"}


def test_a_change_is_accepted_with_a_reason(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, [IGNORE], note={"type": "integer"}))

    result = run("check")

    assert result.exit_code == 0
    assert "accepted: nobody writes notes" in result.stdout


def test_an_ignore_covers_its_place_alone(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, [IGNORE], note={"type": "integer"}, id={"type": "string"}))

    assert run("check").exit_code == 1


def test_an_ignore_that_has_expired_fails(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, [{**IGNORE, "until": "2020-01-01"}]))

    result = run("check")

    assert result.exit_code == 1
    assert "expired on 2020-01-01" in result.stdout


def test_an_ignore_without_use_is_told(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(2, [IGNORE]))

    result = run("check")

    assert result.exit_code == 0
    assert "of no use any more" in result.stdout


@pytest.mark.parametrize(
    ("ignore", "told"),
    [
        ({"rule": "TYPE_CHANGED"}, "reason"),
        ({"rule": "TYPE_CHANGED", "reason": "  "}, "reason"),
        ({"reason": "why"}, "rule"),
        ({"rule": "TYPE_CHANGE", "reason": "why"}, "did you mean TYPE_CHANGED"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "until": "soon"}, "a date such as"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "until": "20270101"}, "a date such as"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "until": "2027-W01-1"}, "a date such as"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "until": "2027-02-30"}, "a date such as"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "when": "now"}, "one of rule, path, reason, until"),
        ({"rule": "TYPE_CHANGED", "reason": "why", "path": "note"}, "a JSON Pointer"),
        ("TYPE_CHANGED", "an object with rule and reason"),
    ],
)
def test_an_ignore_that_says_too_little_is_refused(folder: Path, ignore: Any, told: str) -> None:
    run("release")
    write(folder, "print_badge", contract(1, [ignore]))

    result = run("check")

    assert result.exit_code == 2
    assert told in result.stderr


def notes(version: int, *patterns: str) -> dict[str, Any]:
    """A contract whose notes match one of some patterns: patterns are not compared by meaning."""
    return contract(version, note={"anyOf": [{"type": "string", "pattern": pattern} for pattern in patterns]})


def test_what_can_not_be_proven_compatible_fails(folder: Path) -> None:
    write(folder, "print_badge", notes(1, "^a?$", "^b?$"))
    run("release")
    write(folder, "print_badge", notes(2, "^[ab]?$", "^a?$"))

    result = run("check")

    assert result.exit_code == 1
    assert "error: SCHEMA_CHANGED" in result.stdout
    assert "may break, could not be proven" in result.stdout
    assert "accept it by x-ignore with the reason, or check with --lenient" in result.stdout
    assert run("release").exit_code == 1
    assert run("check", "--lenient").exit_code == 0
    assert run("release", "--lenient").exit_code == 0


def test_lenient_lets_nothing_pass_that_a_row_shows_to_break(folder: Path) -> None:
    write(folder, "print_badge", notes(1, "^a?$", "^b?$"))
    run("release")
    write(folder, "print_badge", notes(2, "^c?$", "^d?$"))

    assert run("check", "--lenient").exit_code == 1


def test_what_can_not_be_proven_compatible_is_accepted_with_a_reason(folder: Path) -> None:
    write(folder, "print_badge", notes(1, "^a?$", "^b?$"))
    run("release")
    reason = {"rule": "SCHEMA_CHANGED", "path": "/properties/note", "reason": "the same texts"}
    write(folder, "print_badge", notes(2, "^[ab]?$", "^a?$") | {"x-ignore": [reason]})

    assert run("check").exit_code == 0


def test_adding_an_ignore_does_not_edit_a_release(folder: Path) -> None:
    run("release")
    write(folder, "print_badge", contract(1, [IGNORE]))

    assert run("check").exit_code == 0
