"""Generated Python: readable, formatted, the same every time, and never more than the contract says."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.emit.python import emit, emit_package
from bridge.contracts.source import load, load_text
from contracts.python_modules import EVERYTHING, JOB, ROOT, contract, imported, reformatted

# What is written


def test_a_field_of_each_kind_has_its_type_and_default() -> None:
    body = contract(EVERYTHING).partition("class Everything(")[2].partition("\n\n\ndefine(")[0]
    assert body.splitlines()[1:] == [
        '    """Has a field of each kind."""',
        "",
        "    id: UUID",
        '    """Whose it is."""',
        "    at: datetime",
        "    date: date_ = date_(2026, 2, 3)",
        "    other_date: date_ | UnsetType = UNSET",
        '    period: Duration = Duration("P1D")',
        "    kind: EverythingKind",
        "    closed: EverythingClosed = EverythingClosed.X",
        '    fee: Decimal = Decimal("1.50")',
        "    big: int = 123456789012345678901234567890",
        "    raw: bytes = b'\\x00\\x01\"\\\\a'",
        "    delivery: Mail | Desk",
        '    labels: list[str] = field(default_factory=lambda: ["visitor"])',
        '    scores: dict[str, float_] = field(default_factory=lambda: {"a": 1.0})',
        "    maybe: str | None",
        "    perhaps: int | UnsetType | None = UNSET",
        "    pair: tuple[int, str]",
        '    constant: Literal["fixed"] = "fixed"',
        "    anything: Any | UnsetType = UNSET",
        '    class_: str | UnsetType = field(name="class", default=UNSET)',
        '    new_: bool = field(name="new", default=False)',
        '    first_name: str | UnsetType = field(name="first-name", default=UNSET)',
        '    """Deprecated. Use name."""',
        "    tree: Tree | UnsetType = UNSET",
        "    when: datetime = datetime(2026, 2, 3, 8, 0, tzinfo=UTC)",
        '    mail: Mail = field(default_factory=lambda: Mail(kind="mail", address="a@b.c"))',
        "    float: float_ = 1.0",
    ]


def test_an_empty_default_needs_no_lambda() -> None:
    properties = {"list": {"type": "array", "default": []}, "map": {"type": "object", "default": {}}}
    body = contract({"x-job": JOB, "type": "object", "properties": properties})
    assert "    list: list_[Any] = field(default_factory=list_)\n" in body
    assert "    map: dict[str, Any] = field(default_factory=dict)\n" in body


def test_nothing_is_imported_that_is_not_used() -> None:
    branches = {"oneOf": [{"$ref": "#/$defs/Mail"}, {"$ref": "#/$defs/Desk"}, {"type": "null"}]}
    mail = {"kind": "mail", "address": "somebody.with.a.long.name@example.org"}
    wide = {"type": "array", "items": branches, "default": [mail, mail]}
    for source in (contract(EVERYTHING), contract({**EVERYTHING, "properties": {"wide": wide}, "required": []})):
        tree = ast.parse(source)
        imports = [part for part in tree.body if isinstance(part, ast.ImportFrom) and part.module != "__future__"]
        body = source.split("\n\n\n", 1)[1]
        for name in (alias.asname or alias.name for part in imports for alias in part.names):
            assert re.search(rf"\b{name}\b", body), name


def test_enums_are_open_unless_they_say_otherwise() -> None:
    source = contract(EVERYTHING)
    assert 'class EverythingKind(OpenEnum):\n    """Part of Everything."""\n\n    A = "a"\n    B_B = "B-b"\n' in source
    assert "class EverythingClosed(StrEnum):" in source


def test_the_job_s_options_are_those_that_are_not_oban_s_defaults() -> None:
    definition = contract(EVERYTHING).partition("\ndefine(\n")[2]
    assert definition.splitlines()[:8] == [
        "    Everything,",
        '    worker="app.Everything",',
        '    serves="python",',
        '    queue="q",',
        "    max_attempts=3,",
        '    tags=("a",),',
        '    unique={"period": 60},',
        "    timeout=30,",
    ]


def test_the_embedded_schema_is_the_normalised_one_without_what_only_people_read() -> None:
    model = load_text(json.dumps(EVERYTHING), "everything.json")
    tree = ast.parse(emit(model, {"everything": model}))
    call = tree.body[-1]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    texts = {word.arg: word.value for word in call.value.keywords}
    schema = json.loads(ast.literal_eval(texts["schema"]))
    assert isinstance(model.schema, dict)
    expected = json.loads(json.dumps(model.schema))
    for part in (expected, expected["$defs"]["Mail"], *expected["properties"].values()):
        part.pop("description", None)
        part.pop("title", None)
    assert schema == expected


def test_a_property_called_description_stays_in_the_schema() -> None:
    properties = {"description": {"type": "string"}, "title": {"type": "string"}, "examples": {"type": "string"}}
    source = contract({"x-job": JOB, "type": "object", "properties": properties})
    assert source.count('{"type":"string"}') == 3


def test_a_ten_field_contract_is_at_most_120_lines() -> None:
    names = [f"field_{number}" for number in range(10)]
    properties: dict[str, Any] = {
        name: {"type": "string", "description": f"What {name} says.", "minLength": 1, "maxLength": 80} for name in names
    }
    document = {"description": "Ten fields.", "x-job": JOB, "type": "object", "required": names[:5]}
    assert len(contract({**document, "properties": properties}).splitlines()) <= 120


def test_a_deprecated_contract_is_told_by_type_checkers_and_in_silence_at_run_time() -> None:
    source = contract({"x-job": JOB, "deprecated": True, "type": "object", "properties": {"a": {}}})
    assert '@deprecated("its contract is deprecated", category=None)\nclass Everything(' in source


def test_the_package_exports_the_root_of_each_file(tmp_path: Path) -> None:
    for name in ("beta.json", "alpha.json"):
        document = {"type": "object", "properties": {"kind": {"enum": ["a"]}}}
        (tmp_path / name).write_text(json.dumps(document))
    source = emit_package({model.module: model for model in load(tmp_path)})
    assert source.splitlines()[3:] == [
        "from .alpha import Alpha",
        "from .beta import Beta",
        "",
        '__all__ = ["Alpha", "Beta"]',
    ]


# Determinism and form


def test_the_same_contract_gives_the_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    (tmp_path / "everything.json").write_text(json.dumps(EVERYTHING))
    program = (
        "import sys; from pathlib import Path; from bridge.contracts.source import load;"
        "from bridge.contracts.emit.python import emit;"
        "found = load(Path(sys.argv[1])); sys.stdout.write(emit(found[0], {found[0].module: found[0]}))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, tmp_path],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert outputs == {contract(EVERYTHING)}


@pytest.mark.parametrize("width", [88, 100, 120])
def test_the_formatter_has_nothing_to_change(width: int) -> None:
    wide = {"oneOf": [{"$ref": "#/$defs/Mail"}, {"$ref": "#/$defs/Desk"}, {"type": "null"}]}
    properties = {**EVERYTHING["properties"], "a_name_that_goes_on_and_on_until_there_is_no_room": wide}
    source = contract({**EVERYTHING, "properties": properties})
    assert "Union[\n" in source
    assert reformatted(source, "--isolated", "--line-length", str(width)) == source


def test_the_formatter_has_nothing_to_change_with_this_project_s_settings() -> None:
    source = contract(EVERYTHING)
    assert reformatted(source, "--config", str(ROOT / "pyproject.toml")) == source


# Several files


def test_files_may_refer_to_each_other_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = {"type": "object", "properties": {"next": {"$ref": "right.json"}, "name": {"type": "string"}}}
    back = {"type": "object", "properties": {"next": {"$ref": "left.json"}}}
    job = {"worker": "app.Circle", "serves": "python", "result": {"$ref": "left.json"}}
    start = {"x-job": job, "type": "object", "properties": {"left": {"$ref": "left.json"}}}
    package = imported(tmp_path, {"left.json": link, "right.json": back, "start.json": start}, monkeypatch)
    args = {"left": {"next": {"next": {"name": "deep"}}}}
    found = package.Start.cast(args)
    assert found.left.next.next == package.Left(name="deep")
    assert found.dump() == args


def test_a_result_may_refer_back_to_its_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"worker": "app.Looped", "serves": "python", "result": {"$ref": "report.json"}}
    start = {"x-job": job, "type": "object", "properties": {"a": {"type": "integer"}}}
    report = {"type": "object", "properties": {"args": {"$ref": "looped.json"}}}
    package = imported(tmp_path, {"looped.json": start, "report.json": report}, monkeypatch)
    assert package.Looped(a=1).dump() == {"a": 1}
