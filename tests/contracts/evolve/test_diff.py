# ruff: noqa: E501 - a line of the tables is a case
"""The table of rules, each with the categories that it breaks and a row that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.evolve.change import Change
from bridge.contracts.evolve.diff import compare, compare_all, compare_schemas
from bridge.contracts.evolve.rules import RULES, rule_of
from bridge.contracts.model import ErrorCode, JobOptions, Model, Schema
from bridge.contracts.normalise import normalise
from bridge.contracts.runtime.check import compile_checks

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NUMBER = {"type": "number"}


def struct(fields: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(required), **more}


def tree(value: Any) -> dict[str, Any]:
    node = struct({"value": value, "kids": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}, "value")
    return struct({"root": {"$ref": "#/$defs/Node"}}, **{"$defs": {"Node": node}})


def branch(kind: str, **fields: Any) -> dict[str, Any]:
    return struct({"kind": {"const": kind}, **fields}, "kind", *fields, title=kind.title())


def either(*branches: Any) -> dict[str, Any]:
    return struct({"to": {"oneOf": list(branches)}})


def enum(*values: str, **more: Any) -> dict[str, Any]:
    return struct({"a": {"type": "string", "enum": list(values), **more}})


CASES: list[tuple[str, Any, Any, dict[str, str]]] = [
    ("optional field added", struct({"a": TEXT}), struct({"a": TEXT, "b": WHOLE}), {}),
    ("required field added", struct({}), struct({"b": WHOLE}, "b"), {"FIELD_REQUIRED_ADDED": "ROWS"}),
    ("required added in a map's struct", struct({"m": {"type": "object", "additionalProperties": struct({"x": TEXT})}}),
     struct({"m": {"type": "object", "additionalProperties": struct({"x": TEXT}, "x")}}), {"FIELD_NOW_REQUIRED": "ROWS"}),
    ("optional removed, reserved", struct({"a": TEXT, "b": TEXT}), struct({"a": TEXT}, **{"x-reserved": ["b"]}), {}),
    ("optional removed", struct({"a": TEXT, "b": TEXT}), struct({"a": TEXT}), {"FIELD_REMOVED_UNRESERVED": "ROWS"}),
    ("reserved name again", struct({"a": TEXT}, **{"x-reserved": ["b"]}), struct({"a": TEXT, "b": TEXT}),
     {"RESERVED_NAME_REUSED": "ROWS ROLLING"}),
    ("required removed", struct({"a": TEXT, "b": TEXT}, "b"), struct({"a": TEXT}), {"FIELD_REQUIRED_REMOVED": "ROLLING"}),
    ("optional to required", struct({"a": TEXT}), struct({"a": TEXT}, "a"), {"FIELD_NOW_REQUIRED": "ROWS"}),
    ("required to optional", struct({"a": TEXT}, "a"), struct({"a": TEXT}), {"FIELD_NOW_OPTIONAL": "ROLLING"}),
    ("null added", struct({"a": TEXT}), struct({"a": {"type": ["string", "null"]}}), {"NULL_ADDED": "ROLLING"}),
    ("null removed by anyOf", struct({"a": {"anyOf": [TEXT, {"type": "null"}]}}), struct({"a": TEXT}), {"NULL_REMOVED": "ROWS"}),
    ("null written otherwise", struct({"a": {"anyOf": [TEXT, {"type": "null"}]}}), struct({"a": {"type": ["string", "null"]}}), {}),
    ("type", struct({"a": TEXT}), struct({"a": WHOLE}), {"TYPE_CHANGED": "ROWS ROLLING"}),
    ("integer to number", struct({"a": WHOLE}), struct({"a": NUMBER}), {"TYPE_WIDENED": "ROLLING"}),
    ("number to integer", struct({"a": NUMBER}), struct({"a": WHOLE}), {"TYPE_NARROWED": "ROWS"}),
    ("maxLength down", struct({"a": {**TEXT, "maxLength": 9}}), struct({"a": {**TEXT, "maxLength": 4}}), {"CONSTRAINT_TIGHTENED": "ROWS"}),
    ("maximum up", struct({"a": {**WHOLE, "maximum": 9}}), struct({"a": {**WHOLE, "maximum": 12}}), {"CONSTRAINT_LOOSENED": "ROLLING"}),
    ("the same bound in other words", struct({"a": {**WHOLE, "minimum": 1}}), struct({"a": {**WHOLE, "exclusiveMinimum": 0}}), {}),
    ("pattern", struct({"a": {**TEXT, "pattern": "^a"}}), struct({"a": {**TEXT, "pattern": "^b"}}),
     {"CONSTRAINT_TIGHTENED": "ROWS", "CONSTRAINT_LOOSENED": "ROLLING"}),
    ("multipleOf", struct({"a": {**WHOLE, "multipleOf": 4}}), struct({"a": {**WHOLE, "multipleOf": 2}}), {"CONSTRAINT_LOOSENED": "ROLLING"}),
    ("maxItems", struct({"a": {"type": "array", "items": TEXT}}), struct({"a": {"type": "array", "items": TEXT, "maxItems": 2}}),
     {"CONSTRAINT_TIGHTENED": "ROWS"}),
    ("uniqueItems", struct({"a": {"type": "array", "items": TEXT}}), struct({"a": {"type": "array", "items": TEXT, "uniqueItems": True}}),
     {"CONSTRAINT_TIGHTENED": "ROWS"}),
    ("format", struct({"a": {**TEXT, "format": "date"}}), struct({"a": {**TEXT, "format": "uuid"}}), {"FORMAT_CHANGED": "ROWS ROLLING"}),
    ("format added", struct({"a": TEXT}), struct({"a": {**TEXT, "format": "date"}}), {"FORMAT_CHANGED": "ROWS"}),
    ("encoding added", struct({"a": TEXT}), struct({"a": {**TEXT, "contentEncoding": "base64"}}), {"FORMAT_CHANGED": "ROWS ROLLING"}),
    ("open enum value added", enum("x"), enum("x", "y"), {}),
    ("closed enum value added", enum("x", **{"x-closed": True}), enum("x", "y", **{"x-closed": True}), {"ENUM_VALUE_ADDED_CLOSED": "ROLLING"}),
    ("open enum value removed", enum("x", "y"), enum("x"), {}),
    ("closed enum value removed", enum("x", "y", **{"x-closed": True}), enum("x", **{"x-closed": True}), {"ENUM_VALUE_REMOVED": "ROWS"}),
    ("enum closed", enum("x"), enum("x", **{"x-closed": True}), {"ENUM_CLOSED": "ROWS ROLLING"}),
    ("enum opened", enum("x", **{"x-closed": True}), enum("x"), {}),
    ("const", struct({"a": {"const": 1}}), struct({"a": {"const": 2}}), {"CONST_CHANGED": "ROWS ROLLING"}),
    ("const written with a point", struct({"a": {"const": 1}}), struct({"a": {"const": 1.0}}), {}),
    ("branch added", either(branch("mail", at=TEXT), branch("disk", path=TEXT)),
     either(branch("mail", at=TEXT), branch("disk", path=TEXT), branch("fax", number=TEXT)), {"UNION_BRANCH_ADDED": "ROLLING"}),
    ("branch removed", either(branch("mail", at=TEXT), branch("disk", path=TEXT), branch("fax", number=TEXT)),
     either(branch("mail", at=TEXT), branch("disk", path=TEXT)), {"UNION_BRANCH_REMOVED": "ROWS"}),
    ("tag renamed", either(branch("mail", at=TEXT), branch("disk", path=TEXT)), either(branch("mail", at=TEXT), branch("disc", path=TEXT)),
     {"UNION_BRANCH_REMOVED": "ROWS", "UNION_BRANCH_ADDED": "ROLLING"}),
    ("field of a branch", either(branch("mail", at=TEXT), branch("disk", path=TEXT)), either(branch("mail", at=WHOLE), branch("disk", path=TEXT)),
     {"TYPE_CHANGED": "ROWS ROLLING"}),
    ("branches in another order", either(branch("mail", at=TEXT), branch("disk", path=TEXT)),
     either(branch("disk", path=TEXT), branch("mail", at=TEXT)), {}),
    ("default", struct({"a": {**WHOLE, "default": 1}}), struct({"a": {**WHOLE, "default": 2}}), {}),
    ("object closed", struct({"a": TEXT}), struct({"a": TEXT}, additionalProperties=False), {"READER_CLOSED": "ROWS"}),
    ("object opened", struct({"a": TEXT}, additionalProperties=False), struct({"a": TEXT}), {}),
    ("field added to a closed object", struct({"a": TEXT}, additionalProperties=False), struct({"a": TEXT, "b": TEXT}, additionalProperties=False),
     {"FIELD_ADDED_CLOSED": "ROLLING"}),
    ("field removed from a closed object", struct({"a": TEXT, "b": TEXT}, additionalProperties=False),
     struct({"a": TEXT}, additionalProperties=False, **{"x-reserved": ["b"]}), {"FIELD_REMOVED_CLOSED": "ROWS"}),
    ("required field renamed", struct({"a": TEXT}, "a"), struct({"b": {**TEXT, "x-was": "a"}}, "b"), {"FIELD_RENAMED": "ROLLING"}),
    ("required field renamed in a closed object", struct({"a": TEXT}, "a", additionalProperties=False),
     struct({"b": {**TEXT, "x-was": "a"}}, "b", additionalProperties=False), {"FIELD_RENAMED": "ROLLING", "FIELD_ADDED_CLOSED": "ROLLING"}),
    ("renamed in a list of a shared object", struct({"l": {"type": "array", "items": {"$ref": "#/$defs/A"}}}, **{"$defs": {"A": struct({"x": TEXT}, "x")}}),
     struct({"l": {"type": "array", "items": {"$ref": "#/$defs/A"}}}, **{"$defs": {"A": struct({"y": {**TEXT, "x-was": ["w", "x"]}}, "y")}}),
     {"FIELD_RENAMED": "ROLLING"}),
    ("renamed, and of another type", struct({"a": TEXT}, "a"), struct({"b": {**WHOLE, "x-was": "a"}}, "b"),
     {"FIELD_RENAMED": "ROLLING", "TYPE_CHANGED": "ROWS"}),
    ("renamed, and required now", struct({"a": TEXT}), struct({"b": {**TEXT, "x-was": "a"}}, "b"),
     {"FIELD_RENAMED": "ROLLING", "FIELD_NOW_REQUIRED": "ROWS"}),
    ("former name no longer read", struct({"b": {**TEXT, "x-was": "a"}}), struct({"b": TEXT}), {"FIELD_NAME_DROPPED": "ROWS"}),
    ("closed enum value renamed", enum("x", "y", **{"x-closed": True}), enum("x", "z", **{"x-closed": True, "x-was": {"y": "z"}}),
     {"ENUM_VALUE_ADDED_CLOSED": "ROLLING"}),
    ("open enum value renamed", enum("x", "y"), enum("x", "z", **{"x-was": {"y": "z"}}), {}),
    ("optional field renamed", struct({"a": TEXT}), struct({"b": {**TEXT, "x-was": "a"}}), {"FIELD_RENAMED": "ROLLING"}),
    ("through a reference", struct({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": struct({"x": TEXT})}}),
     struct({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": struct({"x": TEXT}, "x")}}), {"FIELD_NOW_REQUIRED": "ROWS"}),
    ("reference put in its place", struct({"a": {"$ref": "#/$defs/A"}}, **{"$defs": {"A": struct({"x": TEXT})}}),
     struct({"a": struct({"x": TEXT})}), {}),
    ("allOf put together", struct({"a": TEXT}, allOf=[struct({"b": WHOLE}, "b")]), struct({"a": TEXT, "b": WHOLE}, "b"), {}),
    ("recursion", tree(WHOLE), tree(TEXT), {"TYPE_CHANGED": "ROWS ROLLING"}),
    ("recursion, the same", tree(WHOLE), tree({**WHOLE, "description": "counts"}), {}),
    ("tuple", struct({"a": {"type": "array", "prefixItems": [TEXT, WHOLE], "minItems": 2, "maxItems": 2}}),
     struct({"a": {"type": "array", "prefixItems": [TEXT, TEXT], "minItems": 2, "maxItems": 2}}), {"TYPE_CHANGED": "ROWS ROLLING"}),
    ("texts", struct({"a": TEXT}), struct({"a": {**TEXT, "description": "words", "examples": ["x"]}}), {}),
    ("not, a row shows it", struct({"a": {**TEXT, "not": {"const": "x"}}}), struct({"a": {**TEXT, "not": {"const": "y"}}}),
     {"SCHEMA_CHANGED": "ROWS ROLLING"}),
    ("limit that no float holds", struct({"a": {**WHOLE, "maximum": 10**400}}), struct({"a": {**WHOLE, "maximum": 10**400 - 1}}),
     {"CONSTRAINT_TIGHTENED": "ROWS"}),
    ("member of another type gone from a list", struct({"a": {"enum": ["x", 1]}}), struct({"a": {"enum": ["x"]}}), {"TYPE_NARROWED": "ROWS"}),
    ("fewer items may match", struct({"a": {"type": "array", "contains": {"const": 1}, "maxContains": 3}}),
     struct({"a": {"type": "array", "contains": {"const": 1}, "maxContains": 2}}), {"SCHEMA_CHANGED": "ROWS"}),
    ("condition that other values meet", struct({"a": WHOLE, "b": WHOLE}, **{"if": struct({"a": {"const": 1}}, "a"), "then": {"required": ["b"]}}),
     struct({"a": WHOLE, "b": WHOLE}, **{"if": struct({"a": {"const": 2}}, "a"), "then": {"required": ["b"]}}), {"SCHEMA_CHANGED": "ROWS ROLLING"}),
    ("dependentRequired", struct({"a": TEXT, "b": TEXT}), struct({"a": TEXT, "b": TEXT}, dependentRequired={"a": ["b"]}),
     {"CONSTRAINT_TIGHTENED": "ROWS"}),
    ("undeclared fields refused beside a nullable reference",
     struct({"a": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}}, **{"$defs": {"A": struct({"x": TEXT})}}),
     struct({"a": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}], "additionalProperties": False}}, **{"$defs": {"A": struct({"x": TEXT})}}),
     {"FIELD_REMOVED_CLOSED": "ROWS", "READER_CLOSED": "ROWS"}),
    ("enum in a union without a tag, which is closed", struct({"a": {"oneOf": [{"enum": ["x", "y"]}, WHOLE]}}),
     struct({"a": {"oneOf": [{"enum": ["x"]}, WHOLE]}}), {"ENUM_VALUE_REMOVED": "ROWS"}),
    ("enum in anyOf, which is open", struct({"a": {"anyOf": [{"enum": ["x", "y"]}, WHOLE]}}), struct({"a": {"anyOf": [{"enum": ["x"]}, WHOLE]}}), {}),
    ("field declared that writers may have sent as anything", struct({"a": TEXT}, additionalProperties=True),
     struct({"a": TEXT, "b": WHOLE}, additionalProperties=True), {"TYPE_NARROWED": "ROWS"}),
    ("map with patterns", struct({"m": {"type": "object", "patternProperties": {"^x": TEXT}, "additionalProperties": WHOLE}}),
     struct({"m": {"type": "object", "patternProperties": {"^y": TEXT}, "additionalProperties": WHOLE}}), {"TYPE_CHANGED": "ROWS ROLLING"}),
    ("pattern of a map", struct({"m": {"type": "object", "patternProperties": {"^x": TEXT}, "additionalProperties": False}}),
     struct({"m": {"type": "object", "patternProperties": {"^x": {"type": ["string", "null"]}}, "additionalProperties": False}}), {"NULL_ADDED": "ROLLING"}),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_change_breaks_whom_the_table_says(old: Any, new: Any, expected: dict[str, str]) -> None:
    before, after = normalise(old, module="job"), normalise(new, module="job")

    changes = compare_schemas(before, after)

    found: dict[str, set[str]] = {}
    for change in changes:
        broken = {key for key, verdict in change.verdicts.items() if verdict == "fail" and key in ("ROWS", "ROLLING")}
        if broken:
            found.setdefault(change.rule, set()).update(broken)
    assert found == {rule: set(categories.split()) for rule, categories in expected.items()}
    _assert_shown(changes, before, after)


def _assert_shown(changes: list[Change], old: Schema, new: Schema) -> None:
    """Every row is judged again, by checkers of our own making."""
    for change in changes:
        for example in change.counterexamples:
            writer, reader = (old, new) if example.category == "ROWS" else (new, old)
            assert compile_checks(writer, mode="write")(example.row) == []
            assert compile_checks(reader, mode="read")(example.row) != []


POLICY = {
    "FIELD_REMOVED_UNRESERVED",
    "RESERVED_NAME_REUSED",
    "ENUM_CLOSED",
    "READER_CLOSED",
    "FIELD_RENAMED",
    "FIELD_NAME_DROPPED",
    "FORMAT_CHANGED",
}


@pytest.mark.parametrize(("old", "new"), [case[1:3] for case in CASES], ids=[case[0] for case in CASES])
def test_a_refusal_about_content_has_a_row_that_shows_it(old: Any, new: Any) -> None:
    for change in compare_schemas(normalise(old, module="job"), normalise(new, module="job")):
        for category in ("ROWS", "ROLLING"):
            if change.verdicts.get(category) == "fail" and change.rule not in POLICY:
                assert change.evidence(category) == "proven"


def test_a_member_that_leaves_an_open_enum_is_told_to_those_who_write_it() -> None:
    (change,) = compare_schemas(normalise(enum("x", "y"), module="job"), normalise(enum("x"), module="job"))

    assert (change.rule, dict(change.verdicts)) == ("ENUM_VALUE_REMOVED", {"SOURCE": "fail"})
    assert "gone: y" in change.message


def test_a_row_that_breaks_other_rules_too_tells_its_own_first() -> None:
    old = struct({"id": WHOLE, "text": {**TEXT, "maxLength": 50}}, "id")
    new = struct({"image": WHOLE, "text": {**TEXT, "maxLength": 20}}, "image")

    changes = {
        change.rule: change for change in compare_schemas(normalise(old, module="job"), normalise(new, module="job"))
    }

    (shown,) = changes["CONSTRAINT_TIGHTENED"].counterexamples
    assert [found.path for found in shown.violations] == ["/text", "/image"]


def test_rows_are_as_small_as_they_can_be() -> None:
    old = struct({"a": TEXT, "b": WHOLE, "list": {"type": "array", "items": struct({"x": TEXT, "y": TEXT})}}, "b")
    new = struct(
        {"a": TEXT, "b": WHOLE, "list": {"type": "array", "items": struct({"x": {**TEXT, "maxLength": 2}, "y": TEXT})}},
        "b",
    )

    (change,) = compare_schemas(normalise(old, module="job"), normalise(new, module="job"))

    assert [example.row for example in change.counterexamples] == [{"b": 0, "list": [{"x": "aaa"}]}]


def test_what_no_rule_compares_is_told_as_unproven() -> None:
    """Every text of at most one letter is at most one letter, but patterns are not compared by meaning."""
    old = struct({"a": {"anyOf": [{**TEXT, "pattern": "^a?$"}, {**TEXT, "pattern": "^b?$"}]}})
    new = struct({"a": {"anyOf": [{**TEXT, "pattern": "^[ab]?$"}, {**TEXT, "pattern": "^c?$"}]}})

    changes = compare_schemas(normalise(old, module="job"), normalise(new, module="job"))

    assert {(change.rule, change.verdicts["ROWS"]) for change in changes if "ROWS" in change.verdicts} == {
        ("SCHEMA_CHANGED", "unproven")
    }
    assert all(change.evidence("ROWS") == "could not be proven" for change in changes if "ROWS" in change.verdicts)


def model(
    name: str = "PrintBadge",
    schema: Any = None,
    *,
    result: Any = None,
    errors: Any = None,
    events: Any = None,
    **options: Any,
) -> Model:
    job = JobOptions(**{"worker": "Demo.Print", "serves": "elixir", **options})
    found = {key: normalise(value, module="job") for key, value in (events or {}).items()}
    args = normalise(schema or struct({"id": WHOLE}, "id"), module="job")
    outcome = None if result is None else normalise(result, module="job")
    return Model(name, "job", Path("job.json"), args, job, outcome, errors or {}, found)


JOBS: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ("worker", {}, {"worker": "Demo.Other"}, {"WORKER_RENAMED": "ROWS ROLLING SOURCE IDENTITY"}),
    ("worker with alias", {}, {"worker": "Demo.Other", "aliases": ("Demo.Print",)}, {"WORKER_ALIASED": "NOTE"}),
    ("alias removed", {"aliases": ("Old",)}, {}, {"ALIAS_REMOVED": "ROWS IDENTITY"}),
    ("queue", {}, {"queue": "other"}, {"OWNER_CHANGED": "ROLLING IDENTITY"}),
    ("language", {}, {"serves": "python"}, {"OWNER_CHANGED": "ROLLING IDENTITY"}),
    ("unique", {"unique": {"period": 60, "keys": ["id"]}}, {"unique": {"period": 90, "keys": ["id"]}}, {"UNIQUE_CHANGED": "ROLLING IDENTITY"}),
    ("unique in another order", {"unique": {"states": ["available", "executing"]}}, {"unique": {"states": ["executing", "available"]}}, {}),
    ("options", {}, {"max_attempts": 3, "tags": ("a",)}, {"OPTIONS_CHANGED": "NOTE"}),
    ("version lowered", {"version": 2}, {"version": 1}, {"VERSION_LOWERED": "IDENTITY"}),
    ("result gone", {"result": struct({"x": TEXT})}, {}, {"RESULT_REMOVED": "ROLLING SOURCE"}),
    ("field of the result gone", {"result": struct({"x": TEXT}, "x")}, {"result": struct({})}, {"RESULT_FIELD_REQUIRED_REMOVED": "ROLLING SOURCE"}),
    ("error gone", {"errors": {"empty": ErrorCode("empty")}}, {}, {"ERROR_CODE_REMOVED": "ROLLING SOURCE"}),
    ("error answered otherwise", {"errors": {"e": ErrorCode("e")}}, {"errors": {"e": ErrorCode("e", "cancel")}}, {"ERROR_CHANGED": "NOTE"}),
    ("data of an error", {"errors": {"e": ErrorCode("e", data=struct({"x": TEXT}))}}, {"errors": {"e": ErrorCode("e", data=struct({"x": WHOLE}))}},
     {"ERROR_TYPE_CHANGED": "ROWS ROLLING SOURCE"}),
    ("event gone", {"events": {"progress": struct({"x": TEXT})}}, {}, {"EVENT_REMOVED": "ROLLING SOURCE"}),
    ("event tightened", {"events": {"progress": struct({"x": TEXT})}}, {"events": {"progress": struct({"x": TEXT}, "x")}},
     {"EVENT_FIELD_NOW_REQUIRED": "ROLLING SOURCE"}),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), [case[1:] for case in JOBS], ids=[case[0] for case in JOBS])
def test_a_change_of_the_job_breaks_whom_the_table_says(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, str]
) -> None:
    changes = compare(model(**old), model(**new))

    assert {change.rule: set(change.verdicts) for change in changes} == {
        rule: set(names.split()) for rule, names in expected.items()
    }


def test_a_contract_that_is_gone_breaks_rows_and_a_new_one_nothing() -> None:
    old, new = model("PrintBadge"), model("MailBadge", worker="Demo.Mail")

    changes = compare_all([old], [new])

    assert [(change.rule, change.contract) for change in changes] == [
        ("CONTRACT_REMOVED_LIVE", "PrintBadge"),
        ("CONTRACT_ADDED", "MailBadge"),
    ]


def test_a_contract_of_another_name_with_the_same_worker_is_the_same_contract() -> None:
    changes = compare_all([model("PrintBadge")], [model("MakeBadge", struct({"id": TEXT}, "id"))])

    assert [change.rule for change in changes] == ["TYPE_CHANGED", "CONTRACT_RENAMED"]


def test_equal_contracts_have_no_changes() -> None:
    contract = model(schema=tree(WHOLE), result=struct({"x": TEXT}), errors={"e": ErrorCode("e")})

    assert compare(contract, contract) == []


def test_every_rule_that_can_break_says_how_to_mend_it() -> None:
    breaking = [rule for rule in RULES.values() if rule.breaks - {"NOTE", "SOURCE"} or not rule.breaks]

    assert [rule.name for rule in breaking if not rule.mend] == []


def test_rules_of_results_have_a_prefix_and_rules_of_jobs_have_none() -> None:
    assert rule_of("RESULT_TYPE_CHANGED") is RULES["TYPE_CHANGED"]
    with pytest.raises(KeyError):
        rule_of("RESULT_WORKER_RENAMED")
