from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.evolve.lock import Lock, dump_lock, load_lock, parse_lock
from bridge.contracts.evolve.record import digest
from bridge.contracts.evolve.release import check_lock, release
from bridge.contracts.model import Model
from bridge.contracts.source import load_text
from bridge.errors import InvalidContract


def contract(version: int = 1, name: str = "print_badge", worker: str = "Demo.Print", **fields: Any) -> Model:
    document = {
        "type": "object",
        "x-job": {"worker": worker, "serves": "elixir", "version": version},
        "properties": {"id": {"type": "integer"}, **fields},
        "required": ["id"],
    }
    return load_text(json.dumps(document), f"{name}.json")


def locked(*models: Model) -> Lock:
    found = Lock()
    for model in models:
        found = found.with_model(model)
    return found


def test_a_lock_gives_back_what_was_released() -> None:
    lock = locked(contract(1), contract(2, note={"type": "string"}), contract(1, "mail_badge", "Demo.Mail"))

    again = parse_lock(dump_lock(lock))

    assert dump_lock(again) == dump_lock(lock)
    assert [model.tag for model in again] == ["MailBadge@1", "PrintBadge@1", "PrintBadge@2"]
    assert again.released("PrintBadge")[2].schema == contract(2, note={"type": "string"}).schema


def test_the_text_of_a_lock_does_not_depend_on_the_order_of_releases() -> None:
    one, two = contract(1), contract(1, "mail_badge", "Demo.Mail")

    assert dump_lock(locked(one, two)) == dump_lock(locked(two, one))


def test_new_versions_alone_are_released() -> None:
    first = release([contract(1)], Lock())
    again = release([contract(1)], first.lock)
    second = release([contract(2, note={"type": "string"})], again.lock)

    assert (first.added, again.added, second.added) == (["PrintBadge@1"], [], ["PrintBadge@2"])
    assert [model.tag for model in second.lock] == ["PrintBadge@1", "PrintBadge@2"]


def test_a_released_version_can_not_be_edited() -> None:
    changes = check_lock([contract(1, note={"type": "string"})], locked(contract(1)))

    assert {change.rule for change in changes} == {"RELEASED_EDITED", "FIELD_ADDED"}


def test_texts_and_free_options_of_a_released_version_may_change() -> None:
    plain, told = contract(1), contract(1, id={"type": "integer", "description": "of the attendee", "examples": [7]})
    assert told.job is not None
    told = replace(told, job=replace(told.job, max_attempts=3, aliases=("Demo.Old",)))

    assert "RELEASED_EDITED" not in {change.rule for change in check_lock([told], locked(plain))}


def test_a_default_of_a_released_version_may_not_change() -> None:
    before = contract(1, copies={"type": "integer", "default": 1})
    after = contract(1, copies={"type": "integer", "default": 2})

    assert "RELEASED_EDITED" in {change.rule for change in check_lock([after], locked(before))}


def test_a_version_must_keep_to_all_that_were_released() -> None:
    """The second version made the note required and the third keeps that, which rows of the first lack."""
    note = {"type": "string"}
    first, second = contract(1, size=note), contract(2, size=note, note=note)
    third = contract(3, size={"type": "integer"}, note=note)

    (change,) = [change for change in check_lock([third], locked(first, second)) if change.rule == "TYPE_CHANGED"]

    assert change.against == "PrintBadge@1, PrintBadge@2"


def test_versions_without_rows_are_left_out() -> None:
    first, second = contract(1, size={"type": "string"}), contract(2, size={"type": "integer"})
    lock = locked(first, second)

    assert check_lock([second], lock, {"PrintBadge": {2}}) == []
    assert check_lock([second], lock, {"PrintBadge": {1, 2}}) != []
    assert check_lock([], lock, {}) == []


def test_a_released_contract_that_is_gone_is_told() -> None:
    assert [change.rule for change in check_lock([], locked(contract(1)))] == ["CONTRACT_REMOVED_LIVE"]


def test_a_released_contract_goes_on_under_another_name_by_its_worker() -> None:
    rules = {change.rule for change in check_lock([contract(1, "make_badge")], locked(contract(1)))}

    assert rules == {"CONTRACT_RENAMED"}


def test_a_contract_that_goes_on_under_another_name_may_be_released() -> None:
    after = release([contract(1, "make_badge")], locked(contract(1))).lock

    assert {change.rule for change in check_lock([contract(1, "make_badge")], after)} == {"CONTRACT_RENAMED"}


def test_a_version_may_be_taken_out() -> None:
    lock = locked(contract(1), contract(2, note={"type": "string"})).without("PrintBadge", 1)

    assert [model.tag for model in lock] == ["PrintBadge@2"]


def test_a_version_that_was_retired_is_not_released_again() -> None:
    lock = locked(contract(1)).without("PrintBadge", 1)

    (change,) = check_lock([contract(1)], parse_lock(dump_lock(lock)))

    assert change.rule == "RELEASED_EDITED"
    assert "was retired" in change.message


def edit(lock: Lock, **changes: Any) -> str:
    return json.dumps({**json.loads(dump_lock(lock)), **changes})


def without_a_version() -> str:
    document = json.loads(dump_lock(locked(contract(1), contract(2, note={"type": "string"}))))
    del document["contracts"]["PrintBadge"]["1"]
    return json.dumps(document)


def resealed(place: str, value: Any) -> str:
    """A lock with something odd in its contract, and all digests recomputed, as by a hand that knows how."""
    document = json.loads(dump_lock(locked(contract(1))))
    entry = document["contracts"]["PrintBadge"]["1"]
    *way, last = place.split("/")
    target = entry["contract"]
    for token in way:
        target = target[token]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    entry["hash"] = digest(entry["contract"])
    document["digest"] = digest({"contracts": {"PrintBadge": {"1": entry["hash"]}}, "retired": {}})
    return json.dumps(document)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("job", 5), ("job", ...), ("job/worker", 5), ("job/serves", ["python"]), ("job/tags", "abc"),
        ("job/tags", [1]), ("job/version", "1"), ("job/version", 0), ("job/version", True), ("job/unique", []),
        ("job/timeout", "1"), ("job/extra", 1), ("name", 5), ("schema", 5), ("schema", {"type": "objekt"}),
        ("schema", {"$ref": "#/$defs/Gone"}), ("schema", {"properties": []}), ("errors", []), ("errors", {"a": 1}),
        ("errors", {"a": {"retry": "never", "description": ""}}), ("errors", {"a": {"description": ""}}),
        ("events", 1), ("events", {"a": 1}), ("result", []), ("file", None), ("more", 1),
    ],
)  # fmt: skip
def test_odd_content_is_told_by_its_place(place: str, value: Any) -> None:
    with pytest.raises(InvalidContract, match=f"PrintBadge/1/contract.*{place.split('/', maxsplit=1)[0]}"):
        parse_lock(resealed(place, value))


def test_a_lock_is_read_as_strictly_as_contracts_are() -> None:
    text = dump_lock(locked(contract(1)))
    twice = text.replace('"format": 1', '"format": 1, "format": 1')

    with pytest.raises(InvalidContract, match="each key once"):
        parse_lock(twice)
    with pytest.raises(InvalidContract, match="UTF-8"):
        parse_lock(b"\xff" + text.encode())


def damaged_schema() -> str:
    document = json.loads(dump_lock(locked(contract(1))))
    document["contracts"]["PrintBadge"]["1"]["contract"]["schema"]["required"] = []
    return json.dumps(document)


def moved() -> str:
    document = json.loads(dump_lock(locked(contract(1))))
    document["contracts"]["PrintBadge"]["7"] = document["contracts"]["PrintBadge"].pop("1")
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected JSON"),
        ('{"format": 1, "contracts": {', "expected JSON"),
        ("[]", "format of the lock"),
        ('{"contracts": {}}', "format of the lock"),
        ('{"format": 1}', "#/contracts: expected an object"),
        ('{"format": 1, "contracts": {"A": {"1": {}}}}', "A/1/contract: expected an object"),
        ('{"format": 1, "contracts": {"A": {"1": {"contract": {}, "hash": 1}}}}', "sha256"),
        (edit(Lock(), format=2), "upgrade Bridge"),
        (damaged_schema(), "the lock was edited"),
        (moved(), "the same name and version"),
        (without_a_version(), "digest of all versions"),
        (edit(locked(contract(1)), contracts={}), "digest of all versions"),
        (edit(Lock(), digest=None), "digest of all versions"),
        (edit(Lock(), format=True), "format of the lock"),
        (edit(Lock(), contracts={"A": {"01": {}}}), "a number from 1 on"),
        (edit(Lock(), contracts={"A": {}}), "at least one version"),
        (edit(Lock(), retired=[]), "expected an object"),
        (edit(Lock(), retired={"A": 1}), "a list of versions"),
        (edit(Lock(), retired={"A": [1]}), "digest of all versions"),
    ],
)
def test_a_damaged_lock_says_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(InvalidContract, match=told):
        parse_lock(text)


def test_a_lock_that_is_not_there_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidContract, match="bridge contracts release"):
        load_lock(tmp_path)
