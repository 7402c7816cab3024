import json
from random import Random

import pytest

from bridge.contracts.data.infer import Observed, infer, module_of
from bridge.contracts.data.sample import sampler
from bridge.contracts.source import load, load_text

from .forms import ORDER


def draft_of(args, worker="Shop.SyncOrder", **options):
    rows = [
        Observed(at, "orders", 20, value if isinstance(value, str | None) else json.dumps(value))
        for at, value in enumerate(args)
    ]
    return infer(worker, rows, **options)


def fields_of(args, **options):
    return draft_of(args, **options).document["properties"]


def bare(schema):
    return {key: value for key, value in schema.items() if key != "$comment"}


def field_of(values):
    """The schema that is drafted for a field with these values."""
    return bare(fields_of([{"x": value} for value in values])["x"])


def test_a_draft_is_a_contract_file_with_the_jobs_options():
    draft = draft_of([{"id": 1}, {"id": 2, "note": None}])
    model = load_text(draft.text, draft.name)

    assert (model.name, model.module, model.job.worker, model.job.queue) == (
        "SyncOrder", "sync_order", "Shop.SyncOrder", "orders",
    )  # fmt: skip
    assert (model.job.serves, model.job.max_attempts, model.job.version) == ("elixir", 20, 1)
    assert draft.document["required"] == ["id"]
    assert "draft from 2 rows" in draft.document["$comment"]


@pytest.mark.parametrize(
    ("worker", "serves", "module"),
    [
        ("MyApp.Workers.SendMail", "elixir", "send_mail"),
        ("my_app.workers.SendMail", "python", "send_mail"),
        ("HTTPCall", "elixir", "httpcall"),
        ("jobs.send-mail/2", "python", "send_mail_2"),
        ("jobs.über", "python", "ber"),
        ("jobs.2nd", "python", "job_2nd"),
        ("jobs.🎈", "python", "job"),
    ],
)
def test_the_file_and_the_language_follow_the_workers_name(worker, serves, module):
    draft = draft_of([{"id": 1}], worker)

    assert module_of(worker) == module
    assert draft.document["x-job"]["serves"] == serves
    assert load_text(draft.text, draft.name).module == module


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2, 2**70], {"type": "integer"}),
        ([1, 2.5], {"type": "number"}),
        ([1, 2, 3.0], {"type": "integer"}),  # as JSON Schema has it
        ([1.0, 2.0, 3], {"type": "number"}),
        ([True, False], {"type": "boolean"}),
        ([None, "a"], {"type": ["string", "null"]}),
        ([None, None], {}),
        ([1, "a"], {"type": ["integer", "string"]}),
        ([[], []], {"type": "array"}),
        ([[1], [2.5, None]], {"type": "array", "items": {"type": ["number", "null"]}}),
    ],
)
def test_types_are_what_all_values_are(values, schema):
    assert field_of(values) == schema


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([f"2026-01-0{day}T12:00:00Z" for day in range(1, 8)], "date-time"),
        ([f"2026-01-0{day}" for day in range(1, 8)], "date"),
        ([f"00000000-0000-0000-0000-00000000000{n}" for n in range(7)], "uuid"),
        ([f"user{n}@example.org" for n in range(7)], "email"),
        ([f"https://example.org/{n}" for n in range(7)], "uri"),
        ([f"{n}.50" for n in range(7)] + ["1", "-2"], "decimal"),
    ],
)
def test_a_format_that_all_of_many_texts_have_is_a_guess(values, name):
    assert field_of(values) == {"type": "string", "format": name}
    assert field_of([*values, "other"]) == {"type": "string"}
    assert field_of(values[:3]) == {"type": "string"}
    assert "guess" in fields_of([{"x": value} for value in values])["x"]["$comment"]


def test_digits_alone_may_be_a_code_and_are_text():
    assert field_of([f"0{n}" for n in range(30)]) == {"type": "string"}
    assert field_of([f"{n}" for n in range(30)]) == {"type": "string"}


def test_few_texts_in_many_rows_are_an_enum():
    assert field_of(["new", "old"] * 50) == {"type": "string", "enum": ["new", "old"]}
    assert field_of(["new", "old", None] * 50) == {"anyOf": [
        {"$comment": "guess: only these 2 texts in 100 values", "type": "string", "enum": ["new", "old"]},
        {"type": "null"},
    ]}  # fmt: skip


def test_texts_that_few_rows_repeat_stay_out_of_the_draft():
    for values in (["new", "old"] * 3, ["new"] * 100 + ["Ada Lovelace"], [f"t{n}" for n in range(20)] * 50):
        assert field_of(values) == {"type": "string"}


def test_no_text_of_the_rows_gets_into_a_draft_without_values():
    kinds = [{"kind": "mail", "to": "x"}, {"kind": "hook", "url": "x"}] * 50
    draft = draft_of([{"state": "paid", "target": kind} for kind in kinds], values=False)

    assert not {"paid", "mail", "hook"} & set(draft.text.split('"'))
    assert draft.share == 1


def test_objects_that_a_text_tells_apart_are_a_union():
    kinds = [{"via": "mail", "to": "x", "n": 1}, {"via": "hook", "url": "x"}, {"via": "hook", "url": "x", "n": 2}]
    schema = field_of(kinds * 40)

    assert [branch["properties"]["via"] for branch in schema["oneOf"]] == [{"const": "hook"}, {"const": "mail"}]
    assert [branch["required"] for branch in schema["oneOf"]] == [["via", "url"], ["via", "to", "n"]]


def test_a_text_that_does_not_decide_about_fields_is_an_enum():
    schema = field_of([{"via": "mail", "to": "x"}, {"via": "hook", "to": "x"}] * 50)

    assert "oneOf" not in schema
    assert schema["properties"]["via"]["enum"] == ["hook", "mail"]


def test_many_keys_in_few_objects_each_are_a_map():
    schema = field_of([{f"key{n}": n, f"key{n + 1}": n} for n in range(60)])

    assert schema == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_many_fields_that_all_objects_have_are_a_class():
    schema = field_of([{f"f{n}": n for n in range(40)}] * 50)

    assert len(schema["required"]) == 40


def test_args_with_endless_keys_keep_the_fields_that_recur():
    draft = draft_of([{"id": n, f"key{n}": 1} for n in range(500)])

    assert list(draft.document["properties"]) == ["id"]
    assert draft.share == 1


def test_one_odd_row_in_a_thousand_does_not_widen_the_draft():
    draft = draft_of(
        [{"id": n, "at": f"2026-01-01T00:00:{n % 60:02}Z"} for n in range(2_000)] + ['{"id": "x"}', "null"]
    )

    assert bare(draft.document["properties"]["id"]) == {"type": "integer"}
    assert draft.document["properties"]["at"]["format"] == "date-time"
    assert draft.document["required"] == ["id", "at"]
    assert (draft.accepted, draft.rows) == (2_000, 2_002)
    assert draft.share >= 0.999
    assert draft.outliers == [(2_000, "/at", "required"), (2_001, "", "type")]
    assert list(draft.lines()) == [
        "accepts 2,000 of 2,002 rows read, 99.90 %",
        "  refuses job 2000: /at breaks required",
        "  refuses job 2001: (root) breaks type",
    ]


def test_more_odd_rows_than_one_in_a_thousand_are_taken_in():
    draft = draft_of([{"id": 1}] * 900 + [{"id": "x"}] * 100)

    assert bare(draft.document["properties"]["id"]) == {"type": ["integer", "string"]}
    assert draft.share == 1


@pytest.mark.parametrize("args", [None, "null", "[1]", "{", '"x"'])
def test_args_that_no_contract_can_accept_are_told(args):
    draft = draft_of([{"id": 1}, args])

    assert (draft.accepted, draft.rows) == (1, 2)


@pytest.mark.parametrize(
    "value", [{}, {"": 1}, {"a b": {"é": 1}}, {"class": 1, "self": {"def": []}}, {"a": {"a": {"a": 1}}}]
)
def test_odd_objects_have_a_draft_too(value, tmp_path):
    draft = draft_of([value] * 3)
    (tmp_path / draft.name).write_text(draft.text, encoding="utf-8")

    assert load(tmp_path)[0].job
    assert draft.share == 1


def test_places_whose_classes_would_have_one_name_get_titles():
    draft = draft_of([{"a_b": {"c": {"x": 1}}, "a": {"b_c": {"y": 1}, "b": {"c": {"z": 1}}}}] * 3)

    assert draft.share == 1
    assert '"title": "Part' in draft.text


def test_deep_nesting_ends_in_a_type():
    value = json.loads('{"a": ' * 60 + "1" + "}" * 60)

    assert draft_of([value] * 3).share == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_draft_accepts_the_rows_of_any_writer(seed):
    random, make = Random(seed), sampler(ORDER, "read")
    draft = draft_of([make.valid(random) for _ in range(300)])

    assert draft.share == 1
    assert load_text(draft.text, draft.name)
    assert set(ORDER["required"]) <= set(draft.document["required"])
