"""`x-was`: what readers of both languages make of rows with former names, and where it may not stand."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.contracts.build import plan
from bridge.contracts.data.drift import Drift
from bridge.contracts.data.sample import sampler
from bridge.contracts.model import Model
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.source import load_text
from bridge.errors import ContractError, InvalidContract
from bridge.jobs import contracts as known

DOCUMENT: dict[str, Any] = {
    "title": "Order",
    "x-job": {
        "worker": "app.Order",
        "serves": "python",
        "result": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": {"type": "string", "x-was": "file"}},
        },
    },
    "type": "object",
    "required": ["badge_id", "kind"],
    "properties": {
        "badge_id": {"type": "integer", "x-was": "id"},
        "note": {"type": ["string", "null"], "x-was": ["remark", "comment"]},
        "kind": {"enum": ["guest", "crew"], "x-closed": True, "x-was": {"visitor": "guest"}},
        "code": {"type": "string", "x-sensitive": True, "x-was": "pin"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "by_room": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Line"}},
        "pair": {
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [{"type": "integer"}, {"$ref": "#/$defs/Line"}],
        },
        "to": {"oneOf": [{"$ref": "#/$defs/Mail"}, {"$ref": "#/$defs/Desk"}]},
    },
    "$defs": {
        "Line": {
            "type": "object",
            "required": ["count"],
            "properties": {
                "count": {"type": "integer", "minimum": 1, "x-was": "amount"},
                "next": {"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]},
            },
            "additionalProperties": False,
        },
        "Mail": {
            "type": "object",
            "required": ["by", "address"],
            "properties": {"by": {"const": "mail"}, "address": {"type": "string", "x-was": "street"}},
        },
        "Desk": {
            "type": "object",
            "required": ["by", "number"],
            "properties": {"by": {"const": "desk"}, "number": {"type": "integer"}},
        },
    },
}  # fmt: skip

LEAST = {"badge_id": 1, "kind": "crew"}

#: Args with former names, and what they are once read and written again.
READ: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"id": 1, "kind": "crew"}, LEAST),
    ({"id": 1, "kind": "visitor"}, {"badge_id": 1, "kind": "guest"}),
    ({**LEAST, "remark": "a"}, {**LEAST, "note": "a"}),
    ({**LEAST, "remark": None}, {**LEAST, "note": None}),
    ({**LEAST, "comment": "old", "remark": "newer"}, {**LEAST, "note": "newer"}),
    ({**LEAST, "id": 7, "remark": "old", "note": "new"}, {**LEAST, "note": "new"}),
    ({**LEAST, "pin": "1234"}, {**LEAST, "code": "1234"}),
    (
        {**LEAST, "lines": [{"amount": 1, "next": {"amount": 2, "next": None}}, {"count": 3}]},
        {**LEAST, "lines": [{"count": 1, "next": {"count": 2, "next": None}}, {"count": 3}]},
    ),
    ({**LEAST, "by_room": {"a": {"amount": 1}}}, {**LEAST, "by_room": {"a": {"count": 1}}}),
    ({**LEAST, "pair": [0, {"amount": 1}]}, {**LEAST, "pair": [0, {"count": 1}]}),
    ({**LEAST, "to": {"by": "mail", "street": "x"}}, {**LEAST, "to": {"by": "mail", "address": "x"}}),
]

#: Args that former names don't save, with what is told of them.
REFUSED: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({"id": "1", "kind": "crew"}, {("/badge_id", "type")}),
    ({"ids": 1, "kind": "crew"}, {("/badge_id", "required")}),
    ({**LEAST, "lines": [{"amount": 0}]}, {("/lines/0/count", "minimum")}),
    ({**LEAST, "lines": [{"amount": 1, "count": 1}]}, {("/lines/0/amount", "additionalProperties")}),
    ({**LEAST, "kind": "Visitor"}, {("/kind", "enum")}),
    ({**LEAST, "to": {"by": "fax", "street": "x"}}, {("/to", "oneOf")}),
]


def model() -> Model:
    return load_text(json.dumps(DOCUMENT), "order.json")


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The generated class."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "order.json").write_text(json.dumps(DOCUMENT))
    plan(tmp_path / "contracts", python_folder=tmp_path / "with_former_names").apply()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(known, "_known", {})
    return importlib.import_module("with_former_names").Order


@pytest.mark.parametrize(("args", "now"), READ)
def test_python_takes_a_field_by_its_former_name(order: Any, args: dict[str, Any], now: dict[str, Any]) -> None:
    before = json.dumps(args)

    assert order.cast(args).dump() == now
    assert order.cast(before).dump() == now
    assert json.dumps(args) == before


@pytest.mark.parametrize(("args", "violations"), REFUSED)
def test_python_checks_what_it_takes(order: Any, args: dict[str, Any], violations: set[tuple[str, str]]) -> None:
    with pytest.raises(ContractError) as caught:
        order.cast(args)
    assert {(found.path, found.rule) for found in caught.value.violations} == violations


def test_python_writes_no_former_name(order: Any) -> None:
    with pytest.raises(ContractError, match="/id"):
        order.__contract__.check_new({**LEAST, "id": 1})


def test_a_result_is_read_by_its_former_names(order: Any) -> None:
    assert order.__contract__.load_result({"file": "a.pdf"}).path == "a.pdf"


def test_a_sensitive_field_is_hidden_by_its_former_name_too(order: Any) -> None:
    assert order.__contract__.redact({"pin": "1234", "code": "5"}) == {"pin": "<sensitive>", "code": "<sensitive>"}


def test_readers_samples_have_former_names_and_writers_have_none() -> None:
    read, write = sampler(model().schema, "read"), sampler(model().schema, "write")
    found = [read.valid(Random(seed)) for seed in range(60)]
    names = {name for value in found for name in value}

    assert {"id", "badge_id", "remark", "comment", "pin"} <= names
    assert {"visitor", "guest"} <= {value["kind"] for value in found}
    assert "id" not in {name for seed in range(60) for name in write.valid(Random(seed))}


def test_near_misses_of_readers_break_one_rule_with_former_names() -> None:
    check = compile_checks(model().schema, mode="read")
    made = sampler(model().schema, "read").near_misses(Random(1))

    for value, broken in (next(made) for _ in range(200)):
        assert {(found.path, found.rule) for found in check(value)} == {broken}


def test_drift_tells_former_names_from_unknown_fields() -> None:
    drift = Drift([model()])
    drift.observe(1, "app.Order", None, json.dumps({"id": 1, "kind": "visitor", "other": 1}))
    drift.observe(2, "app.Order", None, json.dumps({**LEAST, "lines": [{"amount": 1}]}))

    (report,) = drift.reports()

    assert report.valid == 2
    assert report.former_names == {"/id": 1, "/kind": 1, "/lines/*/amount": 1}
    assert report.unknown_fields == {"/other": 1}
    assert "former names that rows still have" in "\n".join(drift.lines())


def field(**schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string", **schema}}}


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (field(**{"x-was": 5}), "a former name, a list of them"),
        (field(**{"x-was": []}), "a former name, a list of them"),
        (field(**{"x-was": ["x", ""]}), "a former name, a list of them"),
        (field(**{"x-was": ["x", "x"]}), "all different"),
        (field(**{"x-was": "a"}), "a name that no field of the object has"),
        ({"type": "object", "properties": {"a": {"x-was": "c"}, "b": {"x-was": "c"}}}, "was not called before"),
        ({**field(), "x-was": "c"}, "a field's former name on that field"),
        ({"type": "object", "properties": {"a": {"not": {"x-was": "c"}}}}, "on that field"),
        (
            {"type": "object", "properties": {"m": {"type": "object", "additionalProperties": {**TEXT, "x-was": "c"}}}},
            "on that field",
        ),
        (field(**{"x-was": {"x": "y"}}), "the former texts of an enum's members on that enum"),
        (field(enum=["x"], **{"x-was": {"z": "y"}}), "a member of the enum"),
        (field(enum=["x", "z"], **{"x-was": {"z": "x"}}), "has no more"),
        (field(enum=["x"], **{"x-was": {"z": 1}}), "expected text"),
        (
            {
                "type": "object",
                "properties": {
                    "u": {
                        "oneOf": [
                            {"title": name, "type": "object", "required": ["k"],
                             "properties": {"k": {"const": name, "x-was": "t"}}}
                            for name in ("One", "Two")
                        ]
                    }
                },
            },
            "no other name for a union's tag",
        ),
    ],
)  # fmt: skip
def test_what_readers_could_not_keep_to_is_refused(schema: Any, told: str) -> None:
    with pytest.raises(InvalidContract, match="x-was.*" + told):
        load_text(json.dumps(schema), "refused.json")
