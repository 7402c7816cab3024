"""Text of a contract in generated Python: it never becomes code, and names are what Python can have."""

import ast
import importlib
import json
import unicodedata
from pathlib import Path

import pytest

from bridge.contracts.emit.python import emit, literals
from bridge.contracts.emit.python.names import field_names, member_names
from bridge.contracts.source import load_text
from bridge.errors import InvalidContract
from contracts.python_modules import HOSTILE, JOB, contract, hostile, imported, reformatted

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
