"""The validators of others that generated code is held against: jsonschema, in Python, and jsonschema-rs, in Rust."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

import jsonschema
import jsonschema_rs
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012, UnknownDialect

Judge = Callable[[Any], bool]

_DRAFTS: Final[dict[str, tuple[Any, Any, Any]]] = {
    "draft-04": (DRAFT4, jsonschema.Draft4Validator, jsonschema_rs.Draft4Validator),
    "draft-06": (DRAFT6, jsonschema.Draft6Validator, jsonschema_rs.Draft6Validator),
    "draft-07": (DRAFT7, jsonschema.Draft7Validator, jsonschema_rs.Draft7Validator),
    "2019-09": (DRAFT201909, jsonschema.Draft201909Validator, jsonschema_rs.Draft201909Validator),
    "2020-12": (DRAFT202012, jsonschema.Draft202012Validator, jsonschema_rs.Draft202012Validator),
}


class Witnesses:
    """Both validators with the documents that schemas may refer to; nothing is fetched."""

    names: Final = ("jsonschema", "jsonschema-rs")

    def __init__(self, documents: Mapping[str, Any], draft: str = "2020-12") -> None:
        """Take documents by their addresses; those without `$schema` are of the given draft."""
        default = _DRAFTS[draft][0]
        self._registry: Registry[Any] = Registry().with_resources(
            (uri, _resource(document, default)) for uri, document in documents.items()
        )
        self._documents = documents

    def of(self, name: str, schema: Any, *, formats: bool, draft: str = "2020-12") -> Judge:
        """Return one witness's verdicts by a schema."""
        _, python, rust = _DRAFTS[draft]
        if name == "jsonschema":
            checker = python.FORMAT_CHECKER if formats else None
            judge: Judge = python(schema, registry=self._registry, format_checker=checker).is_valid
        else:
            registry = jsonschema_rs.Registry(list(self._documents.items())) if self._documents else None
            judge = rust(schema, registry=registry, validate_formats=formats).is_valid
        return judge


def versions(names: Iterable[str] = Witnesses.names) -> str:
    """Return the witnesses' names and versions, for people."""
    return " and ".join(f"{name} {version(name)}" for name in names)


def _resource(document: Any, default: Any) -> Resource[Any]:
    try:
        return Resource.from_contents(document, default_specification=default)
    except UnknownDialect:
        found: Resource[Any] = default.create_resource(document)
        return found
