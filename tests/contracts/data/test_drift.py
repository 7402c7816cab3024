import json
from pathlib import Path

import pytest

from bridge.contracts.data.drift import Breach, Drift
from bridge.contracts.source import load_text

MODEL = load_text(Path(__file__).with_name("order.json").read_text(encoding="utf-8"), "sync_order.json")
PLAIN = {"id": 1, "target": {"via": "mail"}}
WORKER = "Shop.SyncOrder"


def drift_of(*values, worker=WORKER, contract="SyncOrder@2"):
    """What rows with these args say; a text is taken as it is, and ids count down as in a scan."""
    found = Drift([MODEL])
    for at, value in enumerate(values):
        args = value if isinstance(value, str | None) else json.dumps(value)
        found.observe(100 - at, worker, contract, args)
    return found


def report_of(*values):
    [report] = drift_of(*values).reports()
    return report


def test_rows_that_keep_the_contract_are_valid():
    report = report_of(PLAIN, {**PLAIN, "state": "paid"})

    assert (report.rows, report.valid, report.invalid, report.breaches) == (2, 2, 0, [])


def test_readers_let_pass_what_writers_may_not_send():
    report = report_of({**PLAIN, "state": "new", "further": 1})

    assert report.valid == 1
    assert report.unknown_fields == {"/further": 1}


def test_violations_are_counted_by_place_and_rule_with_the_newest_job():
    report = report_of(PLAIN, {"id": 0, "target": {"via": "mail"}}, {"id": -1, "target": {"via": "mail"}}, {"id": 1})

    assert report.breaches == [Breach("/id", "minimum", 2, 99), Breach("/target", "required", 1, 97)]
    assert (report.rows, report.valid) == (4, 1)


def test_a_row_counts_once_for_a_place_however_many_items_are_wrong():
    report = report_of({**PLAIN, "items": [{"sku": 1}, {"sku": 2}, {"sku": "a", "parts": [{"sku": None}]}]})

    assert report.breaches == [Breach("/items/*/sku", "type", 1, 100)]


def test_keys_of_maps_are_data_and_are_not_shown():
    report = report_of({**PLAIN, "labels": {"ada@example.org": {"text": 1, "further": 2}}})

    assert [breach.place for breach in report.breaches] == ["/labels/*/text"]
    assert report.unknown_fields == {"/labels/*/further": 1}


def test_the_items_of_a_tuple_have_a_place_each():
    report = report_of({**PLAIN, "pair": [1, {"text": "a", "further": 1}]}, {**PLAIN, "pair": ["x", {"text": 1}]})

    assert report.unknown_fields == {"/pair/1/further": 1}
    assert {breach.place for breach in report.breaches} == {"/pair/0", "/pair/1/text"}


def test_odd_names_of_fields_are_escaped_as_in_pointers():
    assert report_of({**PLAIN, "a/b~c": 1}).unknown_fields == {"/a~1b~0c": 1}


@pytest.mark.parametrize("args", [None, "null", "[1]", '"text"', "12", "true"])
def test_args_that_are_no_object_break_the_root(args):
    [breach] = report_of(args).breaches

    assert (breach.place, breach.rule) == ("", "type")


@pytest.mark.parametrize(
    "args", ["[" * 100_000 + "]" * 100_000, '{"id": 1e-999999}', "{", '{"id": ' + "9" * 5_000 + "}"]
)
def test_args_that_hardly_anything_can_read_stop_nothing(args):
    report = report_of(args, {**PLAIN, "target": {"via": "mail"}})

    assert (report.rows, report.valid) == (2, 1)


def test_values_nested_beyond_the_stack_in_a_recursive_field_stop_nothing():
    item = '{"sku": "a", "parts": [' * 20_000 + "]}" * 20_000

    assert report_of('{"id": 1, "target": {"via": "mail"}, "items": [' + item + "]}", PLAIN).rows == 2


def test_what_is_never_used_is_told():
    report = report_of({**PLAIN, "items": [{"sku": "a", "parts": [{"sku": "b", "count": 1}]}], "state": "open"})

    assert "/items/*/parts" not in report.unused_fields
    assert "/items/*/count" not in report.unused_fields  # every level of a recursive class is one place
    assert {"/email", "/note", "/labels", "/labels/*/colour", "/target/to", "/target/url"} <= set(report.unused_fields)
    assert report.unseen_values == {"/state": ["paid", "sent"], "/grade": ["a", "b"]}
    assert report.unseen_branches == {"/target": ["hook"]}


def test_null_uses_a_field_and_an_invalid_row_counts_as_use():
    assert "/note" not in report_of({**PLAIN, "note": None}).unused_fields
    assert "/email" not in report_of({**PLAIN, "id": "x", "email": "a@b.c"}).unused_fields


def test_each_version_and_worker_name_has_a_report():
    found = drift_of(PLAIN)
    found.observe(1, WORKER, None, json.dumps(PLAIN))
    found.observe(2, "Shop.OldSync", "SyncOrder@1", json.dumps({"id": 1}))

    assert [(report.worker, report.contract, report.model, report.valid) for report in found.reports()] == [
        ("Shop.OldSync", "SyncOrder@1", "SyncOrder@2", 0),
        (WORKER, None, "SyncOrder@2", 1),
        (WORKER, "SyncOrder@2", "SyncOrder@2", 1),
    ]


def test_workers_without_a_contract_are_counted():
    found = drift_of(PLAIN, PLAIN, worker="Other")

    assert found.reports() == []
    assert dict(found.uncontracted) == {"Other": 2}
    assert list(found.lines()) == ["workers without a contract", "  Other  2 rows"]


def test_no_value_is_shown_anywhere():
    values = [
        {**PLAIN, "email": "ada@", "secret": "hunter2", "grade": "ungraded", "note": 77_777},
        {**PLAIN, "labels": {"key-of-a-map": "colourful"}, "target": {"via": "pigeon"}},
    ]
    found = drift_of(*values)
    shown = "\n".join(found.lines()) + json.dumps(found.as_json())

    for text in ("ada@", "hunter2", "ungraded", "77777", "key-of-a-map", "colourful", "pigeon", "s3cret"):
        assert text not in shown


def test_the_share_is_never_rounded_up_to_all():
    [_, line, *_] = drift_of({"id": 1}, *[PLAIN] * 19_999).lines()

    assert line == "  20,000 rows, 99.99 % valid"


def test_the_text_names_places_rules_counts_and_jobs():
    assert list(drift_of({**PLAIN, "id": 0, "x": 1}, contract=None).lines())[:6] == [
        "Shop.SyncOrder, written without a contract, read as SyncOrder@2",
        "  1 row, 0.00 % valid",
        "  violations",
        "    /id  minimum  1 row, such as job 100",
        "  fields that the contract doesn't know",
        "    /x  1 row",
    ]
