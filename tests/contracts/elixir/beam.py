"""An Elixir that runs generated modules and the support module, compiled once and driven over a pipe."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from bridge.codecs import etf
from bridge.contracts.emit import elixir
from bridge.contracts.emit.elixir.layout import flat
from bridge.contracts.emit.elixir.schema import lowered
from bridge.contracts.emit.elixir.types import Module
from bridge.contracts.model import Model, Schema
from bridge.contracts.shapes import shape_of

MISSING = "needs Elixir: no `elixir` and `elixirc` on the PATH (Debian: apt-get install elixir)"
NAMESPACE = "Sample.Contracts"
ROOMY = etf.Limits(size=2**31, inflated=2**31, elements=2**31)

Pairs = frozenset[tuple[str, str]]

_length = struct.Struct(">I")
# Without a locale of UTF-8 the BEAM reads files' names, and Elixir its sources, as Latin-1.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8"}


def is_missing() -> bool:
    return shutil.which("elixir") is None or shutil.which("elixirc") is None


def compile_files(files: Mapping[str, str], folder: Path) -> str:
    """Compile files with warnings as errors, and return what the compiler said."""
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    command = ["elixirc", "--warnings-as-errors", "-o", str(folder), *(str(folder / name) for name in files)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Elixir:
    """A running `Judge`; a context manager."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        judge = Path(__file__).with_name("judge.ex").read_text("utf-8")
        compile_files({"runtime.ex": elixir.runtime(NAMESPACE), "judge.ex": judge}, Path(self._folder.name))
        self._process = subprocess.Popen(
            ["elixir", "--erl", "-noinput", "-pa", self._folder.name, "-e", "Judge.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._folder.cleanup()

    def ask(self, command: str, argument: Any = None) -> Any:
        request = etf.encode((etf.Atom(command), argument), "native")
        self._process.stdin.write(_length.pack(len(request)) + request)
        self._process.stdin.flush()
        (size,) = _length.unpack(self._process.stdout.read(4))
        verdict, answer = etf.decode(self._process.stdout.read(size), limits=ROOMY)
        if verdict == "raised":
            raise RuntimeError(answer)
        return answer

    def evaluate(self, expression: str) -> str:
        """Return the value of an expression of Elixir, inspected."""
        return str(self.ask("evaluate", expression))

    def verdicts(self, groups: Iterable[tuple[Schema, Sequence[Any]]], mode: str = "strict") -> list[list[Pairs]]:
        """Return the violations of each schema's values as the support module finds them, by path and rule.

        The schemas are normalised ones. Fields that writers refuse are those of structs: `load` the schema's model
        first, and use `verdicts_of`, for the mode `write`.
        """
        asked = [(lowered(schema), ":any", list(values)) for schema, values in groups]
        return [[_pairs(found) for found in group] for group in self.ask("check", (etf.Atom(mode), asked))]

    def load(self, models: Iterable[Model], models_by_name: Mapping[str, Model] | None = None) -> list[str]:
        """Compile the modules of models, and return the modules' names."""
        models = list(models)
        known = models_by_name or {model.module: model for model in models}
        source = "\n".join(elixir.emit(model, known, NAMESPACE) for model in models)
        return list(self.ask("compile", source))

    def verdicts_of(self, groups: Iterable[tuple[Model, Sequence[Any]]], mode: str) -> list[list[Pairs]]:
        """Return what `verdicts` does, for models that are loaded: structs and their fields are known."""
        asked = []
        for model, values in groups:
            module = Module("", NAMESPACE, {model.module: model.name})
            shape = flat(module.term_of(shape_of(model.schema, model.schema))).replace("@", ":")
            asked.append((lowered(model.schema), shape, list(values)))
        return [[_pairs(found) for found in group] for group in self.ask("check", (etf.Atom(mode), asked))]

    def cast(self, groups: Iterable[tuple[str, Sequence[Any]]]) -> list[list[tuple[Any, ...]]]:
        """Return for each module's values `("ok", inspected, dumped)`, or `("error", violations)`."""
        found = self.ask("cast", [(f"{NAMESPACE}.{module}", list(values)) for module, values in groups])
        return [[_casted(answer) for answer in answers] for answers in found]


def _casted(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    return ("error", _pairs(answer[1])) if answer[0] == "error" else ("ok", *answer[1:])


def _pairs(found: Iterable[tuple[str, str]]) -> Pairs:
    return frozenset((path, rule) for path, rule in found)
