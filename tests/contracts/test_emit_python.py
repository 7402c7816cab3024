"""Generated Python: readable, formatted, the same every time, and never more than the contract says."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.emit.python import emit, emit_package, literals
from bridge.contracts.emit.python.names import field_names, member_names
from bridge.contracts.source import load, load_text
from bridge.errors import InvalidContract

ROOT = Path(__file__).parents[2]
JOB = {"worker": "app.Everything", "serves": "python"}

EVERYTHING: dict[str, Any] = {
    "title": "Everything",
    "description": "Has a field of each kind.",
    "x-job": {**JOB, "queue": "q", "max_attempts": 3, "tags": ["a"], "unique": {"period": 60}, "timeout": 30},
    "type": "object",
    "required": ["id", "at", "kind", "delivery", "maybe", "pair", "constant"],
    "properties": {
        "id": {"type": "string", "format": "uuid", "description": "Whose it is."},
        "at": {"type": "string", "format": "date-time"},
        "date": {"type": "string", "format": "date", "default": "2026-02-03"},
        "other_date": {"type": "string", "format": "date"},
        "period": {"type": "string", "format": "duration", "default": "P1D"},
        "kind": {"enum": ["a", "B-b", ""]},
        "closed": {"enum": ["x", "y"], "x-closed": True, "default": "x"},
        "fee": {"type": "string", "format": "decimal", "default": "1.50"},
        "big": {"type": "string", "format": "bigint", "default": "123456789012345678901234567890"},
        "raw": {"type": "string", "contentEncoding": "base64", "default": "AAEiXGE="},
        "delivery": {"oneOf": [{"$ref": "#/$defs/Mail"}, {"$ref": "#/$defs/Desk"}]},
        "labels": {"type": "array", "items": {"type": "string"}, "default": ["visitor"]},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}, "default": {"a": 1}},
        "maybe": {"type": ["string", "null"]},
        "perhaps": {"type": ["integer", "null"]},
        "pair": {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "items": False,
            "minItems": 2,
        },
        "constant": {"const": "fixed"},
        "anything": {},
        "class": {"type": "string"},
        "new": {"type": "boolean", "default": False},
        "first-name": {"type": "string", "deprecated": True, "description": "Use name."},
        "tree": {"$ref": "#/$defs/Tree"},
        "when": {"type": "string", "format": "date-time", "default": "2026-02-03T10:00:00+02:00"},
        "mail": {"$ref": "#/$defs/Mail", "default": {"kind": "mail", "address": "a@b.c"}},
        "float": {"type": "number", "default": 1},
    },
    "$defs": {
        "Mail": {
            "type": "object",
            "description": "By post.",
            "required": ["kind", "address"],
            "properties": {"kind": {"const": "mail"}, "address": {"type": "string", "format": "email"}},
        },
        "Desk": {
            "type": "object",
            "required": ["kind", "number"],
            "properties": {"kind": {"const": "desk"}, "number": {"type": "integer"}},
        },
        "Tree": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
        },
    },
}

HOSTILE = {
    "three quotes": '"""',
    "three apostrophes": "'''",
    "quotes and code": '"""\nimport os\nos.abort()\n"""',
    "a backslash": "\\",
    "a backslash at the end": "a\\",
    "a backslash and quotes": '\\"""',
    "quotes around a backslash": '"\\"',
    "quotes at both ends": '"quoted"',
    "both quotes": 'it\'s "so"',
    "escapes": r"\x41 \N{DASH} \u202e",
    "new lines": "a\nb\r\nc\rd",
    "an indented list": "All of:\n\n  - one\n    - two\nand more",
    "unicode line separators": "a\u2028b\u2029c\x85d",
    "bidi controls": "\u202eevil\u2066\u2069",
    "zero width": "a\u200b\u200d\ufeffb\u00adc",
    "controls": "tab\there \x1b[31m\x7f\x01",
    "other scripts": "é 漢字 😀 👩\u200d💻",
    "braces and percents": "{x} {{y}} %s #",
    "blanks": "   ",
    "blanks around": " a ",
    "long": "word " * 60,
    "long without blanks": "x" * 150,
    "sentences": "First sentence here. Then a second one that is rather long, so that the whole does not fit.",
}


def contract(document: dict[str, Any], name: str = "everything.json") -> str:
    model = load_text(json.dumps(document), name)
    return emit(model, {model.module: model})


def hostile(text: str) -> dict[str, Any]:
    """A contract with the text wherever one may stand."""
    field = {"type": "string", "description": text, "default": text, "examples": [text]}
    worker = f"app.Hostile{list(HOSTILE.values()).index(text)}"
    return {
        "title": text,
        "description": text,
        "x-job": {
            "worker": worker,
            "serves": "python",
            "errors": {"oops": {"description": text}},
            "events": {"step": {"const": text}},
        },
        "x-note": text,
        "type": "object",
        "required": ["fixed"],
        "properties": {
            "plain": field,
            "choice": {"enum": [text, "other"], "description": text, "default": text},
            "fixed": {"const": text},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}, "default": {text: 1}},
            "list": {"type": "array", "items": {"type": "string"}, "default": [text, text]},
            "free": {"default": {"key": [text, 1.5, 1e22, None, True]}},
            re.sub(r'[\x00-\x1f"\\]', "", text): {"type": "integer", "description": text},
        },
    }


def reformatted(source: str, *options: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", *options, "--stdin-filename", "x.py", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def imported(folder: Path, documents: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the package that a folder of contracts becomes; each test's has a name of its own."""
    name = f"generated_{folder.name.replace('-', '_')}"
    (folder / "contracts").mkdir()
    (folder / name).mkdir()
    for file, document in documents.items():
        (folder / "contracts" / file).write_text(json.dumps(document))
    models = {model.module: model for model in load(folder / "contracts")}
    for module, model in models.items():
        (folder / name / f"{module}.py").write_text(emit(model, models))
    (folder / name / "__init__.py").write_text(emit_package(models))
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module(name)


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


# Hostile text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_text_of_a_contract_never_becomes_code(text: str) -> None:
    tree = ast.parse(contract(hostile(text)))
    allowed = (ast.Expr, ast.ImportFrom, ast.ClassDef)
    assert all(isinstance(statement, allowed) for statement in tree.body)
    calls = [statement for statement in tree.body if isinstance(getattr(statement, "value", None), ast.Call)]
    assert len(calls) == 1
    assert {word.module for word in tree.body if isinstance(word, ast.ImportFrom)} <= {
        *("__future__", "builtins", "enum", "typing", "bridge.contracts.runtime"),
    }
    for statement in (part for part in tree.body if isinstance(part, ast.ClassDef)):
        assert all(isinstance(part, ast.Expr | ast.Assign | ast.AnnAssign) for part in statement.body)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_text_of_a_contract_keeps_its_value(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = imported(tmp_path, {"hostile.json": {**hostile(text), "title": "Hostile"}}, monkeypatch)
    module = importlib.import_module(f"{package.__name__}.hostile")
    assert text in list(module.HostileChoice)
    found = package.Hostile()
    assert (found.plain, found.choice, found.fixed) == (text, text, text)
    assert (found.map, found.list, found.free["key"][0]) == ({text: 1}, [text, text], text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_in_the_source_is_hidden_or_turns_a_line_around(text: str) -> None:
    source = contract(hostile(text))
    assert {char for char in source if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Cs"}} == {"\n"}


@pytest.mark.parametrize("width", [88, 120])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_formatter_leaves_hostile_text_alone(text: str, width: int) -> None:
    source = contract(hostile(text))
    assert reformatted(source, "--isolated", "--line-length", str(width)) == source


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x1f"])
def test_a_field_that_msgspec_can_not_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidContract, match="a property without quotes, backslashes and control characters"):
        contract({"x-job": JOB, "type": "object", "properties": {name: {"type": "integer"}}})


def test_half_a_surrogate_pair_is_refused() -> None:
    for write in (literals.text, literals.comment, literals.docstring, literals.compact):
        with pytest.raises(InvalidContract, match="surrogates"):
            write("a\ud800")


# Names


def test_names_that_python_can_have_stay() -> None:
    wires = ["id", "badgeId", "größe", "x2"]
    assert field_names(wires) == {wire: wire for wire in wires}


def test_other_names_are_spelt_with_underscores() -> None:
    wires = ["first-name", "class", "2nd", "a.b c", "", "__init__", "new"]
    assert field_names(wires, {"new"}) == {
        "first-name": "first_name",
        "class": "class_",
        "2nd": "field_2nd",
        "a.b c": "a_b_c",
        "": "field",
        "__init__": "init",
        "new": "new_",
    }


def test_an_underscore_goes_to_the_field_that_needs_one() -> None:
    assert field_names(["class", "class_"]) == {"class": "class__", "class_": "class_"}
    assert field_names(["class_", "class"]) == {"class": "class__", "class_": "class_"}


@pytest.mark.parametrize("wire", ["\ufb01", "²", "-2", "\u0f33", "½", "", "_", "a\u0301"])
def test_names_are_always_identifiers_as_python_reads_them(wire: str) -> None:
    for name in (field_names([wire])[wire], member_names([wire])[wire]):
        assert name.isidentifier()
        assert unicodedata.normalize("NFKC", name) == name


def test_members_are_in_capitals() -> None:
    assert member_names(["in progress", "camelCase", "2x", "", "+", "<=", "None"]) == {
        "in progress": "IN_PROGRESS",
        "camelCase": "CAMEL_CASE",
        "2x": "VALUE_2X",
        "": "EMPTY",
        "+": "PLUS_SIGN",
        "<=": "LESS_THAN_SIGN_EQUALS_SIGN",
        "None": "NONE",
    }


def test_a_file_that_no_module_can_be_called_is_refused() -> None:
    model = load_text(json.dumps({"type": "object", "properties": {"a": {}}}), "fine.json")
    object.__setattr__(model, "module", "import")
    with pytest.raises(InvalidContract, match="a file's name that Python can have"):
        emit(model, {"import": model})


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
