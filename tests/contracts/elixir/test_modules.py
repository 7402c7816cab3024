"""Generated modules on a real Elixir: cast, dump, defaults, names, and no way out of a literal."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.contracts.emit import elixir
from bridge.errors import InvalidContract
from contracts.elixir import samples
from contracts.elixir.beam import NAMESPACE, Elixir
from contracts.elixir.models import model_of

pytestmark = pytest.mark.timeout(600)  # compilers and hundreds of examples, on machines of any speed

MODELS = {model.module: model for model in samples.models()}
EVERY = f"{NAMESPACE}.EveryShape"
PLACES = ("must", "must_null", "may", "may_null")


@pytest.fixture(scope="module")
def loaded(running: Elixir) -> Elixir:
    running.load(MODELS.values(), MODELS)
    return running


def least() -> dict[str, Any]:
    """The required fields of EveryShape."""
    found = {f"{name}_must": values[0][0] for name, values in samples.VALUES.items()}
    return {**found, **{f"{name}_must_null": None for name in samples.VALUES}}


def test_every_shape_is_cast_to_its_type_and_dumped_back(loaded: Elixir) -> None:
    cases = [
        (f"{name}_{place}", value, inspected)
        for name, values in samples.VALUES.items()
        for place in PLACES
        for value, inspected in values
    ]
    [answers] = loaded.cast([("EveryShape", [{**least(), field: value} for field, value, _ in cases])])
    for (field, value, inspected), answer in zip(cases, answers, strict=True):
        assert answer[0] == "ok", (field, value, answer)
        assert f"{field}: {inspected}".replace("%", "") in strip_modules(answer[1]), field
        assert answer[2] == {**least(), field: value}


def strip_modules(inspected: str) -> str:
    return inspected.replace(f"{EVERY}.", "").replace("%", "")


def test_absent_null_and_value_are_three_states(loaded: Elixir) -> None:
    fields = [f"{name}_{place}" for name in samples.VALUES for place in PLACES]
    without = [{key: value for key, value in least().items() if key != field} for field in fields]
    nulls = [{**least(), field: None} for field in fields]
    [absent, null] = loaded.cast([("EveryShape", without), ("EveryShape", nulls)])
    for field, found in zip(fields, absent, strict=True):
        if "_must" in field:
            assert found == ("error", {(f"/{field}", "required")})
        else:
            unset = field.endswith("_null") or field in ("any_may", "null_may")
            assert f"{field}: {':unset' if unset else 'nil'}" in found[1]
            assert found[2] == least()
    for field, found in zip(fields, null, strict=True):
        if field.endswith("_null") or field.split("_")[0] in ("any", "null"):
            assert found[2] == {**least(), field: None}, field
        else:
            assert {path for path, _ in found[1]} == {f"/{field}"}


def test_defaults_are_filled_in_and_written(loaded: Elixir) -> None:
    [[(_, inspected, dumped)]] = loaded.cast([("Defaults", [{}])])
    assert inspected.startswith(
        f'%{NAMESPACE}.Defaults{{nothing: nil, text: "a \\"quoted\\" \\#{{1}} line\\n", flag: false, count: 1234567, '
        'ratio: 1.0e-7, kind: :"a-b", at: ~U[2019-12-31 23:00:00.500000Z], day: ~D[2020-01-01], '
        f'big: 123456789012345678901, data: <<255>>, tags: ["x", "y"], inner: %{NAMESPACE}.Defaults.'
    )
    assert dumped == {
        "text": 'a "quoted" #{1} line\n', "flag": False, "count": 1234567, "ratio": 1e-7, "nothing": None,
        "kind": "a-b",
        "at": "2019-12-31T23:00:00.500000Z", "day": "2020-01-01", "big": "123456789012345678901", "data": "/w==",
        "tags": ["x", "y"], "inner": {"a": 3}, "whole": 2,
    }  # fmt: skip
    # The struct holds them from the start, but for those that are no literals.
    assert "flag: false, count: 1234567" in loaded.evaluate(f"%{NAMESPACE}.Defaults{{}}")
    assert "data: :unset" in loaded.evaluate(f"%{NAMESPACE}.Defaults{{}}")


def test_names_of_the_wire_become_atoms_by_rule(loaded: Elixir) -> None:
    row = {"userName": "u", "end": "e", "first-name": "f", "2x": "x", "größe": "g", "nil": "n", "__struct__": "s"}
    [[(_, inspected, dumped)]] = loaded.cast([("OddNames", [row])])
    for text in (
        'user_name: "u"',
        'end: "e"',
        'first_name: "f"',
        '"2x": "x"',
        'größe: "g"',
        'nil_: "n"',
        '__struct___: "s"',
    ):
        assert text in inspected
    assert dumped == row


def test_maps_are_dumped_by_text_keys_and_by_atoms(loaded: Elixir) -> None:
    module = f"{NAMESPACE}.OddNames"
    for expression in (
        '%{"userName" => "u", "end" => "e"}',
        '%{user_name: "u", end: :e}',
        '%{userName: "u", end: "e"}',
    ):
        assert loaded.evaluate(f"{module}.dump({expression})") == '%{"end" => "e", "userName" => "u"}'


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ('%{user_name: "u"}', "/end: expected this field"),
        ('%{user_name: 1, end: "e"}', "/userName: expected text, got 1"),
        ('%{user_name: nil, end: "e"}', "/userName: expected text, got null"),
        ('%{user_name: {1}, end: "e"}', "/userName: expected a value that JSON has"),
        ('%{user_name: "u", end: "e", zzz: 1}', "/zzz: expected no such field"),
        ("5", "(root): expected an object, got 5"),
    ],
)
def test_dump_refuses_what_breaks_the_contract(loaded: Elixir, expression: str, told: str) -> None:
    with pytest.raises(RuntimeError) as error:
        loaded.evaluate(f"{NAMESPACE}.OddNames.dump({expression})")
    assert told in str(error.value)


def test_any_value_is_dumped_as_an_encoder_of_json_would(loaded: Elixir) -> None:
    value = "%{a: [:b, ~U[2020-01-01 00:00:00Z], ~D[2020-01-01], nil, true, %{1.5 => 2}]}"
    with pytest.raises(RuntimeError, match="text keys"):
        loaded.evaluate(f"Sample.Contracts.Runtime.dump({value}, true, :any)")
    found = loaded.evaluate(f"Sample.Contracts.Runtime.dump({value.replace('%{1.5 => 2}', '1')}, true, :any)")
    assert found == '%{"a" => ["b", "2020-01-01T00:00:00Z", "2020-01-01", nil, true, 1]}'


def test_datetimes_are_written_in_utc_and_read_in_any_case(loaded: Elixir) -> None:
    texts = [
        "2020-01-01t00:30:00+01:00",
        "2020-01-01T00:00:00-00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999z",
    ]
    [answers] = loaded.cast([("EveryShape", [{**least(), "datetime_may": text} for text in texts])])
    assert [answer[2]["datetime_may"] for answer in answers] == [
        "2019-12-31T23:30:00Z", "2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    ]  # fmt: skip


def test_integral_floats_become_integers_and_uuids_lower_case(loaded: Elixir) -> None:
    row = {**least(), "integer_may": 3.0, "uuid_may": samples.UUID.upper()}
    [[(_, inspected, dumped)]] = loaded.cast([("EveryShape", [row])])
    assert "integer_may: 3," in inspected
    assert dumped["uuid_may"] == samples.UUID


def test_new_members_of_open_enums_stay_text_and_are_not_written(loaded: Elixir) -> None:
    [[(verdict, inspected, dumped)]] = loaded.cast([("EveryShape", [{**least(), "enum_may": "a newer one"}])])
    assert verdict == "ok"
    assert 'enum_may: "a newer one"' in inspected
    assert dumped == "refused"


def test_unknown_fields_are_let_pass_on_reading(loaded: Elixir) -> None:
    [[lenient], [closed]] = loaded.cast(
        [("Defaults", [{"zzz": 1}]), ("OddNames", [{"userName": "u", "end": "e", "zzz": 1}])]
    )
    assert lenient[0] == "ok"
    assert closed == ("error", {("/zzz", "additionalProperties")})


def test_enums_may_be_called_as_module_attributes_are(running: Elixir) -> None:
    names = ("Type", "Spec", "Doc", "Behavior", "Behaviour", "Schema", "Result", "Fields", "Job", "Impl", "Vsn")
    enums = {name: {"title": name, "enum": [f"{name}_one", "two"]} for name in names}
    model = model_of({"type": "object", "properties": enums}, "enums_of_odd_names")
    running.load([model])
    value = {name: f"{name}_one" for name in names}
    [[answer]] = running.cast([("EnumsOfOddNames", [value])])
    assert answer[0] == "ok"
    assert answer[2] == value
    assert f":{names[0]}_one" in answer[1]


def test_sensitive_fields_are_not_inspected(running: Elixir) -> None:
    schema = {
        "type": "object",
        "properties": {"pin": {"type": "string", "x-sensitive": True}, "a": {"type": "integer"}},
    }
    running.load([model_of(schema, "with_secret")])
    [[(_, inspected, _)]] = running.cast([("WithSecret", [{"pin": "geheim", "a": 1}])])
    assert "a: 1" in inspected
    assert "geheim" not in inspected


def test_no_text_of_a_contract_gets_out_of_its_literal(running: Elixir) -> None:
    hostile = []
    for number, text in enumerate(samples.HOSTILE):
        try:
            hostile.append((text, samples.hostile_model(f"hostile_{number}", text)))
        except InvalidContract:
            continue  # two fields of one name, or a name that no column holds
    assert len(hostile) > len(samples.HOSTILE) - 8
    running.load([model for _, model in hostile])
    rows = [(model.name, [{text: text, "kind": text, "const": text}]) for text, model in hostile]
    for (text, model), [answer] in zip(hostile, running.cast(rows), strict=True):
        assert answer[0] == "ok", (text, answer)
        assert answer[2] == {text: text, "kind": text, "const": text, "map": {text: 1}, "any": {text: [text]}}, (
            model.name
        )


def test_docs_and_options_hold_the_contracts_text(running: Elixir) -> None:
    text = 'It\'s "quoted" #{1 + 1} \\ """ \u202e.'
    model = model_of({"description": text, "type": "object", "properties": {"a": {"type": "integer"}}}, "told")
    source = elixir.emit(model, {}, NAMESPACE)
    assert "\u202e" not in source
    expression = f'{{:docs_v1, _, _, _, %{{"en" => doc}}, _, _}} = {docs_of(source)}; doc'
    assert running.evaluate(expression) == running.evaluate(literal(text + "\n"))


def docs_of(source: str) -> str:
    compiled = f"Code.compile_string({literal(source)})"
    chunk = "{:ok, {_, [{'Docs', docs}]}} = :beam_lib.chunks(beam, ['Docs'])"
    return f"(Code.put_compiler_option(:docs, true); [{{_, beam}}] = {compiled}; {chunk}; :erlang.binary_to_term(docs))"


def literal(text: str) -> str:
    return "<<" + ", ".join(map(str, text.encode())) + ">>"


_texts = st.sampled_from(samples.HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12
)
_stems = (f"random_{number}" for number in itertools.count())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_texts, min_size=8, max_size=8))
def test_random_texts_come_back_as_they_were(running: Elixir, texts: list[str]) -> None:
    models = []
    for text in texts:
        try:
            models.append((text, samples.hostile_model(next(_stems), text)))
        except InvalidContract:
            continue
    running.load([model for _, model in models])
    rows = [(model.name, [{text: text, "kind": text, "const": text}]) for text, model in models]
    for (text, _), [answer] in zip(models, running.cast(rows), strict=True):
        assert answer[0] == "ok", (text, answer)
        assert answer[2][text] == answer[2]["kind"] == answer[2]["const"] == text
