"""Elixir reads and writes a contract's errors and events as Python does."""

from typing import Any

import pytest

from contracts.elixir.beam import NAMESPACE, Elixir
from contracts.test_parts import CASES, model


@pytest.fixture(scope="module")
def loaded(running: Elixir) -> Elixir:
    running.load([model()])
    return running


@pytest.mark.parametrize(("kind", "name", "value", "expected"), CASES)
def test_values_are_checked_as_they_are_read(loaded: Elixir, kind: str, name: str, value: Any, expected: Any) -> None:
    term = "%{" + ", ".join(f'"{key}" => {literal(item)}' for key, item in value.items()) + "}"
    module = f"{NAMESPACE}.Render"
    again = (
        f'{{:ok, v}} -> {{:ok, {module}.dump_{kind}("{name}", v)}}' if isinstance(expected, dict) else "{:ok, _} -> :ok"
    )
    found = loaded.evaluate(
        f'case {module}.cast_{kind}("{name}", {term}) do {again}; '
        "{:error, found} -> Enum.sort(Enum.map(found, &{&1.path, &1.rule})) end"
    )

    assert found == told(expected)


def literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def told(expected: Any) -> str:
    if isinstance(expected, set):
        return "[" + ", ".join(f'{{"{path}", "{rule}"}}' for path, rule in sorted(expected)) + "]"
    if expected is None:
        return ":ok"
    return "{:ok, %{" + ", ".join(f'"{key}" => {literal(item)}' for key, item in sorted(expected.items())) + "}}"


def test_structs_are_written(loaded: Elixir) -> None:
    written = f'{NAMESPACE}.Render.dump_event("progress", %{NAMESPACE}.Render.RenderProgress{{percent: 5}})'

    assert loaded.evaluate(written) == '%{"percent" => 5}'


def test_what_the_contract_does_not_describe_is_refused(loaded: Elixir) -> None:
    with pytest.raises(RuntimeError, match='expected progress, got "other"'):
        loaded.evaluate(f'{NAMESPACE}.Render.cast_event("other", %{{}})')
