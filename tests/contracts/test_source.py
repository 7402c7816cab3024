"""Contract files: strict JSON, the contract schema, the options of a job."""

import json
import os

import pytest

from bridge.contracts import source
from bridge.contracts.model import ErrorCode, JobOptions
from bridge.errors import InvalidContract

ARGS = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
JOB = {"worker": "BadgeForge.PrintCenter", "serves": "elixir"}


def contract(job: dict = {}, **args) -> str:  # noqa: B006 - it is not changed
    return json.dumps({**ARGS, **args, "x-job": {**JOB, **job}})


def refusal_of(text: str | bytes, **options) -> InvalidContract:
    with pytest.raises(InvalidContract) as refusal:
        source.load_text(text, "print_badge.json", **options)
    return refusal.value


def test_a_folder_gives_its_contracts_by_module(tmp_path):
    (tmp_path / "print_badge.json").write_text(contract({"result": {"$ref": "badge_file.json"}}))
    (tmp_path / "badge_file.json").write_text('{"type": "object", "properties": {"path": {"type": "string"}}}')
    (tmp_path / "contract.schema.json").write_text(source.META_SCHEMA.read_text())
    (tmp_path / "samples").mkdir()
    badge_file, print_badge = source.load(tmp_path)
    assert (badge_file.name, badge_file.module, badge_file.job) == ("BadgeFile", "badge_file", None)
    assert (print_badge.name, print_badge.path, print_badge.tag) == (
        "PrintBadge",
        tmp_path / "print_badge.json",
        "PrintBadge@1",
    )
    assert print_badge.result["$ref"] == "#/$defs/BadgeFile"
    assert print_badge.result["$defs"]["BadgeFile"]["x-module"] == "badge_file"


def test_what_x_job_leaves_out_has_oban_s_defaults():
    assert source.load_text(contract()).job == JobOptions(worker="BadgeForge.PrintCenter", serves="elixir")
    job = JobOptions("BadgeForge.PrintCenter", "elixir")
    assert (job.queue, job.max_attempts, job.priority, job.tags, job.unique, job.timeout) == (
        "default",
        20,
        0,
        (),
        None,
        None,
    )


def test_every_option_of_x_job_is_read():
    data = {"type": "object", "properties": {"font": {"type": "string"}}}
    unique = {
        "period": "infinity",
        "fields": ["args"],
        "keys": ["id"],
        "states": ["available"],
        "timestamp": "scheduled_at",
    }
    model = source.load_text(
        contract({
            "queue": "printing", "max_attempts": 3, "priority": 2, "tags": ["pdf"], "unique": unique, "timeout": 1.5,
            "aliases": ["Old.Name"], "version": 4, "result": {"type": "string"},
            "errors": {"no_font": {"description": "No such font", "retry": "cancel", "data": data}, "busy": {}},
            "events": {"progress": {"type": "object", "properties": {"pages": {"type": "integer"}}}},
        }),
        "print_badge.json",
    )  # fmt: skip
    assert model.job == JobOptions(
        "BadgeForge.PrintCenter", "elixir", "printing", 3, 2, ("pdf",), unique, 1.5, ("Old.Name",), 4
    )
    assert model.tag == "PrintBadge@4"
    assert model.result == {"type": "string"}
    assert model.errors["busy"] == ErrorCode("busy")
    assert model.errors["no_font"].retry == "cancel"
    assert model.errors["no_font"].data["x-name"] == "PrintBadgeNoFontError"
    assert model.events["progress"]["x-name"] == "PrintBadgeProgress"


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        (b"\xef\xbb\xbf{}", "print_badge.json", "byte order mark"),
        (b'{"title": "\xff"}', "print_badge.json", "UTF-8, at byte 11"),
        ('{"type":\n  objekt}', "print_badge.json", "line 2, column 3"),
        ('{"type": "object",}', "print_badge.json", "line 1"),
        ("", "print_badge.json", "got 'the end'"),
        (
            '{"properties": {"a": {"type": "string", "type": "null"}}}',
            "print_badge.json#/properties/a",
            "each key once",
        ),
        ('{"default": [NaN]}', "print_badge.json#/default/0", "got 'NaN'"),
        ('{"default": -Infinity}', "print_badge.json#/default", "a number that JSON"),
        ('{"maximum": 1e400}', "print_badge.json#/maximum", "a number that JSON"),
        ('{"a/b": {"c~d": "\\u0000"}}', "print_badge.json#/a~1b/c~0d", "NUL"),
        ('{"const": "\\ud800"}', "print_badge.json#/const", "surrogate"),
        ("[" * 100_000, "print_badge.json", "less deep"),
        ('{"const": ' + "9" * 5000 + "}", "print_badge.json", "4,300 digits"),
        ("[]", "print_badge.json", "a JSON object"),
        ('{"propertys": {}}', "print_badge.json#/propertys", "did you mean 'properties'?"),
        ('{"x-was": 5}', "print_badge.json#/x-was", "a former name"),
    ],
)
def test_a_file_that_is_no_contract_is_refused_with_its_place(text, field, told):
    refusal = refusal_of(text)
    assert refusal.field == field
    assert told in str(refusal)


@pytest.mark.parametrize(
    ("job", "field", "told"),
    [
        ({"wroker": "x"}, "/x-job/wroker", "did you mean 'worker'?"),
        ({"serves": "ruby"}, "/x-job/serves", "python"),
        ({"worker": ""}, "/x-job/worker", "length of at least 1"),
        ({"worker": "W" * 128}, "/x-job/worker", "length of at most 127"),
        ({"queue": "q" * 128}, "/x-job/queue", "length of at most 127"),
        ({"priority": 10}, "/x-job/priority", "at most 9"),
        ({"max_attempts": 0}, "/x-job/max_attempts", "at least 1"),
        ({"timeout": 0}, "/x-job/timeout", "more than 0"),
        ({"version": "1"}, "/x-job/version", "type integer"),
        ({"unique": {"period": "forever"}}, "/x-job/unique/period", "infinity"),
        ({"unique": {"keys": ["ids"]}}, "/x-job/unique/keys/0", "did you mean 'id'?"),
        ({"unique": {"states": ["done"]}}, "/x-job/unique/states/0", "available"),
        ({"errors": {"NoFont": {}}}, "/x-job/errors", "NoFont"),
        ({"errors": {"no_font": {"retry": "never"}}}, "/x-job/errors/no_font/retry", "snooze"),
        ({"result": {"minimum": 3, "maximum": 2}}, "/x-job/result/minimum", "less than maximum"),
    ],
)
def test_a_wrong_option_is_refused_with_its_place(job, field, told):
    refusal = refusal_of(contract(job))
    assert refusal.field == f"print_badge.json#{field}"
    assert told in str(refusal)


def test_worker_and_serves_are_needed():
    for key in JOB:
        job = {name: value for name, value in JOB.items() if name != key}
        assert f"an object with {key!r}" in str(refusal_of(json.dumps({**ARGS, "x-job": job})))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"type": ["object", "null"]}, "just object"),
        ({"properties": None}, "an object"),
        ({"patternProperties": {"^x-": True}}, "a field of its own"),
        ({"additionalProperties": {"type": "string"}}, "a field of its own"),
        ({"anyOf": [{"properties": {"b": True, "a": True}}]}, "declare 'a' in properties"),
        ({"properties": {}}, "fields that the object declares"),
    ],
)
def test_args_that_are_no_class_with_fields_are_refused(args, told):
    assert told in str(refusal_of(contract(**args)))


def test_args_without_properties_are_refused_and_empty_ones_are_not():
    assert "{} for none" in str(refusal_of(json.dumps({"type": "object", "x-job": JOB})))
    assert source.load_text(json.dumps({"type": "object", "properties": {}, "x-job": JOB})).name == "Contract"


def test_args_that_take_all_their_fields_from_elsewhere_are_a_class_of_their_own():
    text = json.dumps({"type": "object", "allOf": [{"$ref": "base.json"}], "x-job": JOB})
    assert source.load_text(text, others={"base.json": json.dumps(ARGS)}).schema["x-name"] == "Contract"


def test_two_classes_of_one_name_in_a_contract_are_refused():
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    refusal = refusal_of(contract({"result": inner}, required=[], properties={"result": {**inner, "title": "x y"}}))
    assert refusal.field == "print_badge.json#/x-job/result"
    assert "PrintBadgeResult" in str(refusal)


@pytest.mark.parametrize("name", ["PrintBadge.json", "print-badge.json", "2x.json", "class.json", "a.b.json"])
def test_a_file_name_that_is_no_module_is_refused(name):
    with pytest.raises(InvalidContract, match="snake_case"):
        source.load_text(contract(), name)


def test_two_files_of_one_class_are_refused(tmp_path):
    (tmp_path / "a.json").write_text(contract(title="Badge"))
    (tmp_path / "b.json").write_text(contract(title="Badge"))
    with pytest.raises(InvalidContract, match=r"b\.json: expected a class name that a\.json doesn't have"):
        source.load(tmp_path)


def test_a_missing_and_an_empty_folder_are_told(tmp_path):
    with pytest.raises(InvalidContract, match="a folder with contract files"):
        source.load(tmp_path / "nowhere")
    with pytest.raises(InvalidContract, match="at least one contract file"):
        source.load(tmp_path)


@pytest.mark.parametrize(
    "reference", ["../badge_file.json", "badge_file.json#/$defs/nothing", "nowhere.json", "https://a.example/b.json"]
)
def test_a_reference_out_of_the_folder_or_to_nothing_is_refused(reference):
    refusal = refusal_of(contract({"result": {"$ref": reference}}), others={"badge_file.json": "{}"})
    assert refusal.field == "print_badge.json#/x-job/result/$ref"
    assert "a file of this folder" in refusal.mend


@pytest.mark.parametrize(
    "dialect", ["https://json-schema.org/draft/2020-12/schema", "urn:bridge:contract:1", "./contract.schema.json"]
)
def test_the_dialect_may_be_named_or_left_out(dialect):
    text = json.dumps({"$schema": dialect, **json.loads(contract())})
    assert source.load_text(text) == source.load_text(contract())


def test_another_dialect_is_refused():
    assert "2020-12" in str(refusal_of('{"$schema": "http://json-schema.org/draft-07/schema#"}'))


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ({"serves": "elixir", "worker": "my.worker"}, "as in `defmodule`"),
        ({"serves": "elixir", "worker": "Elixir.My.Worker"}, "write My.Worker: rows hold it without"),
        ({"serves": "python", "worker": "my app.Print"}, "without white space"),
    ],
)
def test_a_worker_that_its_language_can_not_name_is_refused(job, told):
    refusal = refusal_of(contract(job))
    assert refusal.field == "print_badge.json#/x-job/worker"
    assert told in str(refusal)


@pytest.mark.parametrize("worker", ["app.workers.Print", "MyApp.Print", "__main__.PyW"])
def test_python_may_call_its_workers_by_dotted_names_of_both_languages(worker):
    assert source.load_text(contract({"serves": "python", "worker": worker})).job.worker == worker


@pytest.mark.parametrize("job", [{}, {"worker": "Other", "aliases": ["Old", JOB["worker"]]}])
def test_two_contracts_of_one_worker_are_refused(tmp_path, job):
    (tmp_path / "a.json").write_text(contract())
    (tmp_path / "b.json").write_text(contract(job))
    with pytest.raises(InvalidContract, match=r"b\.json#/x-job/.*a worker that a\.json doesn't have"):
        source.load(tmp_path)


@pytest.mark.parametrize(
    "job",
    [
        {"result": {"type": "strin"}},
        {"events": {"progress": {"type": "strin"}}},
        {"errors": {"no_font": {"data": {"type": "strin"}}}},
    ],
)
def test_a_mistake_in_another_schema_than_args_is_told_as_well_as_one_there(job):
    refusal = refusal_of(contract(job))
    assert refusal.field.startswith("print_badge.json#/x-job/")
    assert refusal.field.endswith("/type")
    assert "integer, number, string, array, object, got 'strin'; did you mean 'string'?" in str(refusal)


def test_a_choice_is_told_in_words():
    assert "expected python or elixir, got 'ruby'" in str(refusal_of(contract({"serves": "ruby"})))
    assert str(refusal_of(contract({"serves": "pyton"}))).endswith("did you mean 'python'?")


def test_x_ignore_is_described_and_stands_at_the_root_alone():
    assert source.load_text(contract(**{"x-ignore": [{"rule": "TYPE_CHANGED", "reason": "why"}]})).job
    assert "'reason'" in str(refusal_of(contract(**{"x-ignore": [{"rule": "TYPE_CHANGED"}]})))
    assert "at the root" in str(refusal_of(contract(properties={"id": {"x-ignore": []}})))


SMALL = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, kind):
    place = tmp_path / "odd.json"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "gone")
    (tmp_path / "good.json").write_text(json.dumps(SMALL))

    with pytest.raises(InvalidContract, match=r"odd\.json: expected a file"):
        source.load(tmp_path)


def test_every_file_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps({"type": "objekt"}))
    (tmp_path / "c.json").write_text(json.dumps({"type": "object", "properties": {"x": {"$ref": "a.json"}}}))
    (tmp_path / "good.json").write_text(json.dumps(SMALL))

    with pytest.raises(InvalidContract) as caught:
        source.load(tmp_path)
    assert [error.field for error in (caught.value, *caught.value.others)] == ["a.json", "b.json#/type"]
    assert str(caught.value).count("\n") == 1


def test_every_name_that_two_files_have_is_told_at_once(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"title": "Same", **SMALL}))

    with pytest.raises(InvalidContract) as caught:
        source.load(tmp_path)
    assert [error.field for error in (caught.value, *caught.value.others)] == ["b.json", "c.json"]


def test_classes_that_differ_in_case_alone_are_refused(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"title": "PdfFile", **SMALL}))
    (tmp_path / "b.json").write_text(json.dumps({"title": "PDFFile", **SMALL}))
    inner = {"type": "object", "properties": {"x": {"title": "PdfFile", **SMALL}, "y": {"title": "PDFFile", **SMALL}}}

    with pytest.raises(InvalidContract, match="in any case"):
        source.load(tmp_path)
    with pytest.raises(InvalidContract, match="in any case"):
        source.load_text(json.dumps(inner), "inner.json")


def test_states_of_unique_jobs_that_wait_or_run_are_with_those_that_oban_added_later():
    def states(*names):
        job = {"worker": "A", "serves": "elixir", "unique": {"states": list(names)}}
        return source.load_text(json.dumps({**SMALL, "x-job": job}), "a.json").job.unique["states"]

    assert states("available", "scheduled", "executing", "retryable", "completed")[0] == "suspended"
    assert states("available", "scheduled") == ["available", "scheduled"]
