"""Contracts that are known by their files alone, where no generated module was imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.codecs import json
from bridge.contracts.model import JobOptions, Model
from bridge.contracts.runtime.terms import Terms
from bridge.contracts.source import load
from bridge.jobs import contracts


def know(folder: Path) -> None:
    """Make the contracts of a folder known that this process doesn't know by their generated classes.

    Jobs for their workers are checked then, and have their options; args stay dicts.

    Raises:
        InvalidContract: As `bridge.contracts.source.load` does.
    """
    for model in load(folder):
        if model.job is not None:
            names = (model.job.worker, *model.job.aliases)
            contracts.register(_Unbuilt(model, model.job), [name for name in names if contracts.find(name) is None])


class _Unbuilt(Terms):
    """A contract without classes: what keeps it stays as JSON has it."""

    def __init__(self, model: Model, options: JobOptions) -> None:
        cls = type(model.name, (), {"__module__": model.path.name})
        texts = {"schema": model.schema, "result": model.result, "events": dict(model.events)}
        errors = {code: {"data": error.data} for code, error in model.errors.items() if error.data is not None}
        written = {name: None if value is None else _written(value) for name, value in texts.items()}
        super().__init__(cls, options, {**written, "errors": _written(errors)})

    def cast(self, args: Any) -> Any:
        self.check_row(args)
        return args

    def _is_new(self, _args: Any) -> bool:
        return False  # what is faster needs the classes


def _written(value: Any) -> str:
    return json.encode(value, "contract")
