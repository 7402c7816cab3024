"""Generated files as Elixir's own tools see them: formatted, and compiled without a word."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bridge.contracts.emit import elixir
from bridge.contracts.model import Model
from bridge.contracts.source import load
from bridge.errors import InvalidContract
from contracts.elixir import samples
from contracts.elixir.beam import ENVIRONMENT, NAMESPACE, compile_files
from contracts.elixir.models import model_of
from contracts.elixir.random_schemas import documents

pytestmark = pytest.mark.timeout(600)  # compilers and hundreds of examples, on machines of any speed

LONG = f"{NAMESPACE}.A{'Very' * 5}LongNamespace"
DEMO = Path(__file__).parents[3] / "contracts"


def hostile_models() -> list[Model]:
    found = []
    for number, text in enumerate(samples.HOSTILE):
        try:
            found.append(samples.hostile_model(f"hostile_{number}", text))
        except InvalidContract:
            continue  # two fields of one name, or a name that no column holds
    return found


def files_of(models: list[Model], namespace: str) -> dict[str, str]:
    known = {model.module: model for model in models}
    files = {f"{model.module}.ex": elixir.emit(model, known, namespace) for model in models}
    return {"runtime.ex": elixir.runtime(namespace), **files}


def assert_formatted(files: dict[str, str], folder: Path) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    (folder / ".formatter.exs").write_text('[inputs: ["*.ex"]]')
    command = ["mix", "format", "--check-formatted", "--dot-formatter", ".formatter.exs"]
    done = subprocess.run(command, check=False, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("namespace", [NAMESPACE, LONG, "A"])
def test_files_are_formatted_and_compile_without_a_warning_and_without_oban(tmp_path: Path, namespace: str) -> None:
    files = files_of([*samples.models(), *hostile_models(), *load(DEMO)], namespace)
    assert_formatted(files, tmp_path)
    assert compile_files(files, tmp_path) == ""


_words = st.sampled_from(samples.HOSTILE) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30
)
_numbers = itertools.count()


def _described(document: Any, name: str, words: str) -> Any:
    fields = {
        name: {"description": words, "anyOf": [document, {"type": "null"}], "title": "Some" + "Long" * (len(name) % 9)},
        "inner": {"type": "object", "required": ["m"], "properties": {"m": document, f"long_{name}" * 3: document}},
        "list": {"type": "array", "items": {"enum": [name, words, f"{name} {words}"]}},
        "tuple": {"type": "array", "prefixItems": [document, {"type": "integer"}], "items": False, "minItems": 2},
        "constant": {"const": {name: [words, 1_000_000, -12345.678e20, 1e-9]}},
    }
    return {"description": words, "type": "object", "properties": fields}


# To shrink would format and compile for minutes: the message names the file.
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(st.lists(st.tuples(documents(), _words, _words), min_size=25, max_size=25))
def test_random_contracts_are_formatted_and_compile_without_a_warning(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[Any, str, str]]
) -> None:
    models = []
    for document, name, words in parts:
        try:
            models.append(model_of(_described(document, name, words), f"random_{next(_numbers)}", job=samples.JOB))
        except InvalidContract:
            continue
    folder = tmp_path_factory.mktemp("random")
    files = files_of(models, NAMESPACE)
    assert_formatted(files, folder)
    assert compile_files(files, folder) == ""
