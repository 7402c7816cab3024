"""Values as writers of before sent them: some fields and members by their former names, `x-was`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from bridge.contracts import shapes
from bridge.contracts.model import Schema

Age = Callable[[Any, Random], Any]


def compile_ages(root: Schema) -> Age | None:
    """Return what puts former names into a copy of a valid value, some at random; None where there are none."""
    structs = shapes.structs(root)
    fields = any(field.was for struct in structs.values() for field in struct.fields)
    if not fields and not any(enum.was for enum in shapes.enums(root).values()):
        return None
    shape = shapes.shape_of(root, root)
    return lambda value, random: _aged(shape, value, random, structs)


def _aged(  # noqa: PLR0911 - a case a shape
    shape: shapes.Shape, value: Any, random: Random, structs: dict[tuple[str, str], shapes.StructOf]
) -> Any:
    match shape:
        case shapes.EnumOf(was=was):
            return _picked([value, *(old for old, now in was if now == value)], random)
        case shapes.ListOf(item=item) if isinstance(value, list):
            return [_aged(item, part, random, structs) for part in value]
        case shapes.TupleOf(items=items) if isinstance(value, list):
            return [_aged(item, part, random, structs) for item, part in zip(items, value, strict=False)]
        case shapes.MapOf(value=item) if isinstance(value, dict):
            return {key: _aged(item, part, random, structs) for key, part in value.items()}
        case shapes.Nullable(shape=inner):
            return _aged(inner, value, random, structs)
        case shapes.Union(tag=tag, branches=branches) if isinstance(value, dict):
            branch = dict(branches).get(str(value.get(tag)))
            return value if branch is None else _aged(branch, value, random, structs)
        case shapes.StructRef(name=name, module=module) if isinstance(value, dict):
            fields = {field.name: field for field in structs[module, name].fields}
            aged = {
                key: _aged(fields[key].shape, part, random, structs) if key in fields else part
                for key, part in value.items()
            }
            names = {
                key: [key, *(old for old in fields[key].was if old not in value)] for key in value if key in fields
            }
            return {_picked(names.get(key, [key]), random): part for key, part in aged.items()}
    return value


def _picked(options: list[Any], random: Random) -> Any:
    return options[0] if len(options) == 1 else random.choice(options)
