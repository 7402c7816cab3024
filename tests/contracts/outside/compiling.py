"""Whether the code of a whole catalog compiles, in Python and in Elixir."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bridge.contracts.emit import python
from bridge.contracts.model import Model
from contracts.elixir.beam import Elixir
from contracts.outside.catalog import Catalog

_BATCH = 200_000
"""How many characters of schemas are compiled in one go."""


def compile_python(catalog: Catalog) -> Iterator[str]:
    """Write and compile every model's module, and yield what went wrong."""
    models = catalog.models(formats=False)
    for module, model in models.items():
        try:
            compile(python.emit(model, models), f"{module}.py", "exec")
            catalog.compiled["python"] += 1
        except Exception as error:
            yield f"{module}: Python: {error!r}"


def compile_elixir(catalog: Catalog) -> Iterator[str]:
    """Write and compile every model's modules in one Elixir, and yield what went wrong."""
    models = catalog.models(formats=False)
    with Elixir() as running:
        for batch in _batches(models):
            found = _errors(running, batch, models)
            if found and len(batch) > 1:
                found = [line for model in batch for line in _errors(running, [model], models)]
            catalog.compiled["elixir"] += len(batch) - len(found)
            yield from found


def _errors(running: Elixir, batch: list[Model], models: dict[str, Model]) -> list[str]:
    try:
        running.load(batch, models)
    except Exception as error:
        return [f"{', '.join(model.module for model in batch)}: Elixir: {error!r}"]
    return []


def _batches(models: dict[str, Model]) -> Iterator[list[Model]]:
    batch: list[Model] = []
    size = 0
    for model in models.values():
        length = len(json.dumps(model.schema))
        if batch and size + length > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(model)
        size += length
    if batch:
        yield batch
