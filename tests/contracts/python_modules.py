"""What tests of generated Python share: contracts that use everything, and calls that write and import them."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.emit.python import emit, emit_package
from bridge.contracts.source import load, load_text

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
