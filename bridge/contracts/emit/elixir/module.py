"""Writes a contract as a module of Elixir: a struct with its types, read and written strictly, and its job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

from bridge.contracts import objects
from bridge.contracts.emit.elixir import names as elixir_names
from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.job import (
    function_lines,
    job_lines,
    lent_result,
    new_lines,
    parts_lines,
    parts_of_model,
    result_lines,
    schema_lines,
    worker_lines,
)
from bridge.contracts.emit.elixir.layout import annotation
from bridge.contracts.emit.elixir.structs import doc_lines, entries_of, enum_lines, struct_lines
from bridge.contracts.emit.elixir.types import Module, parts_of
from bridge.contracts.emit.header import HEADER
from bridge.contracts.model import JobOptions, Model
from bridge.contracts.shapes import EnumOf, Shape, StructOf, StructRef, shape_of, structs
from bridge.errors import InvalidContract

_TEMPLATE: Final = "Bridge.Contracts.Runtime"
_NAMESPACE: Final = re.compile(r"[A-Z][A-Za-z0-9_]*(?:\.[A-Z][A-Za-z0-9_]*)*\Z")


def emit(model: Model, models: Mapping[str, Model], namespace: str) -> str:
    """Return a contract's file: the module of its root, and those of the objects inside.

    The text is formatted as `mix format` leaves it, and the same for the same contract.

    Args:
        model: The contract, or a file of shared schemas.
        models: Every model of the folder, by module.
        namespace: The module that all are below, such as `MyApp.Contracts`; `runtime` writes what they share.

    Raises:
        InvalidContract: The namespace is no module's name, or two classes would be one module.
    """
    return _File(model, {found.module: found.name for found in models.values()}, _checked(namespace)).text()


def runtime(namespace: str) -> str:
    """Return the file of the support module, which the others of a namespace call; it needs nothing but Elixir.

    Raises:
        InvalidContract: As in `emit`.
    """
    source = resources.files("bridge.contracts.emit.elixir").joinpath("runtime.ex").read_text("utf-8")
    header = elixir_text.comment(f"{HEADER}Bridge's support module for Elixir. Change nothing here.")
    return f"{header}\n{source.replace(_TEMPLATE, f'{_checked(namespace)}.Runtime')}"


class _File:
    """The modules of one file, as they are put together."""

    def __init__(self, model: Model, roots: Mapping[str, str], namespace: str) -> None:
        self._model = model
        self._namespace = namespace
        self._roots = {**roots, model.module: model.name}
        self._closed: dict[tuple[str, str], bool] = {}
        self._structs = self._own_structs()
        self._shape = shape_of(model.schema, model.schema)
        self._root = f"{namespace}.{elixir_names.root_module(model.name)}"

    def text(self) -> str:
        """Return the file."""
        key = (self._model.module, self._model.name)
        modules = {self._root: self._root_module(self._structs.pop(key, None))}
        for (module, name), struct in self._structs.items():
            full = self._module("").full_name(StructRef(name, module))
            if full in modules:
                raise InvalidContract(self._model.path.name, full, "a module for one class", "rename one of the two")
            modules[full] = self._nested_module(full, struct)
        header = elixir_text.comment(f"{HEADER}{self._model.path.name}. Change that file instead.")
        return header + "".join(f"\n{text}" for text in modules.values())

    def _own_structs(self) -> dict[tuple[str, str], StructOf]:
        found: dict[tuple[str, str], StructOf] = {}
        others = [schema for schemas in parts_of_model(self._model).values() for schema in schemas.values()]
        for root in (self._model.schema, self._model.result, *others):
            if not isinstance(root, dict):
                continue
            for key, struct in structs(root).items():
                if key[0] == self._model.module and key not in found:
                    found[key] = struct
                    parts = objects.parts_of(struct.schema, root)
                    self._closed[key] = not any("additionalProperties" in part for part in parts)
        return found

    def _root_module(self, struct: StructOf | None) -> str:
        model, job = self._model, self._model.job
        module = self._module(self._root, *self._shapes_of(struct), self._shape, runtime=True)
        described = model.schema.get("deprecated", False) if isinstance(model.schema, dict) else False
        lines = [
            *doc_lines(
                model.description, entries_of(struct) if struct else [], deprecated=described, more=_job_text(job)
            ),
            *_alias_lines(module),
            *schema_lines("@schema", model.schema),
        ]
        if job is not None:
            lines += job_lines(model, job)
        if model.result is not None and lent_result(model, self._roots) is None:
            lines += schema_lines("@result", model.result)
        lines += [*(self._struct_lines(struct, module) if struct else _type_lines(self._shape, module)), ""]
        lines += function_lines(self._shape, module)
        if job is not None:
            lines += new_lines()
        if model.result is not None:
            lines += result_lines(model, model.result, module)
        lines += parts_lines(model, module)
        if job is not None and job.serves == "elixir":
            lines += worker_lines(job)
        return _defmodule(self._root, lines)

    def _nested_module(self, full: str, struct: StructOf) -> str:
        module = self._module(full, *self._shapes_of(struct), runtime=False)
        docs = doc_lines(struct.description, entries_of(struct), deprecated=struct.deprecated)
        return _defmodule(full, [*docs, *_alias_lines(module), *self._struct_lines(struct, module)])

    def _struct_lines(self, struct: StructOf, module: Module) -> list[str]:
        return struct_lines(struct, module, closed=self._closed[struct.module, struct.name])

    def _shapes_of(self, struct: StructOf | None) -> list[Shape]:
        return [field.shape for field in struct.fields] if struct else []

    def _module(self, full: str, *shapes: Shape, runtime: bool = False) -> Module:
        bare = Module(full, self._namespace, self._roots)
        found = [part for shape in (*shapes, *self._results(runtime)) for part in parts_of(shape)]
        used = {bare.full_name(part): None for part in found if isinstance(part, StructRef)}
        if runtime:
            used[f"{self._namespace}.Runtime"] = None
        return Module(full, self._namespace, self._roots, tuple(used))

    def _results(self, runtime: bool) -> list[Shape]:
        parts = [schema for schemas in parts_of_model(self._model).values() for schema in schemas.values()]
        found = [schema for schema in (self._model.result, *parts) if schema is not None]
        return [shape_of(schema, schema) for schema in found] if runtime else []


def _type_lines(shape: Shape, module: Module) -> list[str]:
    """Return the types of a root that is no struct."""
    lines: list[str] = []
    for enum in {part.name: part for part in parts_of(shape) if isinstance(part, EnumOf)}.values():
        lines += [*enum_lines(enum), ""]
    return [*lines, annotation("@type t ::", module.type_of(shape))]


def _job_text(job: JobOptions | None) -> str:
    if job is None:
        return ""
    return f"A job of `{job.worker}`, which {job.serves.capitalize()} serves, in the queue `{job.queue}`."


def _alias_lines(module: Module) -> list[str]:
    names = module.aliases()
    return [*(f"  alias {name}" for name in names), ""] if names else []


def _defmodule(name: str, lines: list[str]) -> str:
    return "\n".join([f"defmodule {name} do", *lines, "end", ""])


def _checked(namespace: str) -> str:
    if not _NAMESPACE.match(namespace):
        raise InvalidContract("elixir_module", namespace, "the name of a module, such as MyApp.Contracts")
    return namespace
