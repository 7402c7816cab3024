"""Contracts for tests: classes as the emitter writes them, made from a normalised schema without writing files."""

import itertools
import json
import keyword
import sys
import types
from enum import StrEnum

import msgspec
from msgspec import UNSET

from bridge.contracts import shapes
from bridge.contracts.runtime import Contract, ContractStruct, OpenEnum, define
from bridge.contracts.runtime.classes import Classes

_numbers = itertools.count()


def named(name, schema):
    """A schema with the class name that the normaliser would give it."""
    return {**schema, "x-name": name, "x-module": "m"}


def obj(name, properties, required=(), **keywords):
    """The schema of a struct."""
    return named(name, {"type": "object", "required": list(required), "properties": properties, **keywords})


def enum(name, *values, **keywords):
    return named(name, {"type": "string", "enum": list(values), **keywords})


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def make_module(*roots, base=Contract):
    """A module with the classes of these schemas; the first root's is made from `base`."""
    module = types.ModuleType(f"contracts_{next(_numbers)}.m")
    sys.modules[module.__name__] = module
    first = True
    for root in roots:
        for found in shapes.enums(root).values():
            kind = StrEnum if found.closed else OpenEnum
            setattr(module, found.name, kind(found.name, {value.upper(): value for value in found.values}))
        for found in shapes.structs(root).values():
            if not hasattr(module, found.name):
                setattr(module, found.name, make_class(found, module.__name__, base if first else ContractStruct))
            first = False
    return module


def make_class(struct, module, base):
    fields = []
    rename = {}
    for nth, field in enumerate(struct.fields):
        name = field.name if is_name(field.name, base) else f"field_{nth}"
        rename[name] = field.name
        fields.append((name, object, *default_of(field)))
    return msgspec.defstruct(
        struct.name, fields, bases=(base,), module=module, rename=rename, frozen=True, kw_only=True
    )


def default_of(field):
    if isinstance(field.shape, shapes.Constant) and field.required:
        return (field.shape.value,)
    if field.default is not shapes.NO_DEFAULT:
        value = field.default
        return (msgspec.field(default_factory=lambda: json.loads(json.dumps(value))),)
    return () if field.required else (UNSET,)


def make_contract(schema, *, result=None, **options):
    """A contract's class, as `define` leaves it; its module is in `__module__`."""
    module = make_module(schema, *([] if result is None else [result]))
    [name] = [next(iter(shapes.structs(schema).values())).name]
    cls = getattr(module, name)
    texts = {"schema": json.dumps(schema), "result": None if result is None else json.dumps(result)}
    define(cls, **{"worker": module.__name__, "serves": "python", **texts, **options})
    return cls


def classes_of(cls):
    return Classes(cls.__module__)


def module_of(cls):
    return sys.modules[cls.__module__]


def is_name(name, base):
    return name.isidentifier() and not keyword.iskeyword(name) and not hasattr(base, name)
