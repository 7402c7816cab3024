"""Which files of a folder need which: their classes live in modules that import each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.contracts.model import Model, Schema
from bridge.contracts.shapes import (
    EnumOf,
    ListOf,
    MapOf,
    Nullable,
    Shape,
    StructOf,
    StructRef,
    TupleOf,
    Union,
    shape_of,
    structs,
)


def roots(model: Model) -> list[Schema]:
    """Return all schemas of a file: of its args, its result, its events and its errors' data."""
    errors = [error.data for error in model.errors.values()]
    return [schema for schema in (model.schema, model.result, *model.events.values(), *errors) if schema is not None]


def known_structs(model: Model) -> dict[tuple[str, str], StructOf]:
    """Return every struct in a file's schemas, by module and name; those of other files too."""
    return {key: struct for root in roots(model) for key, struct in structs(root).items()}


def modules_of(shape: Shape) -> Iterator[str]:
    """Yield the modules of the classes in a shape."""
    match shape:
        case EnumOf() | StructRef():
            yield shape.module
        case Nullable(inner) | ListOf(inner) | MapOf(inner):
            yield from modules_of(inner)
        case TupleOf(items):
            for item in items:
                yield from modules_of(item)
        case Union(_, branches):
            for _, branch in branches:
                yield branch.module


def circular(model: Model, models: Mapping[str, Model]) -> set[str]:
    """Return the modules that a model's module imports and that need it, too, perhaps by way of others."""
    return {module for module in _needs(model) if model.module in _reachable(module, models)}


def _reachable(module: str, models: Mapping[str, Model]) -> set[str]:
    found: set[str] = set()
    todo = [module]
    while todo:
        needed = _needs(models[todo.pop()]) - found
        found |= needed
        todo.extend(needed)
    return found


def _needs(model: Model) -> set[str]:
    own = [struct for (module, _), struct in known_structs(model).items() if module == model.module]
    found = {module for struct in own for field in struct.fields for module in modules_of(field.shape)}
    if model.result is not None:
        found |= set(modules_of(shape_of(model.result, model.result)))
    return found - {model.module}
