"""One released contract as the lock holds it: JSON of a contract in its normalised form, and the contract back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of_class
from pathlib import Path
from typing import Any, Final, get_args

import jsonschema
from jsonschema.exceptions import SchemaError

from bridge.contracts.evolve.side import bare, canonical
from bridge.contracts.model import ErrorCode, JobOptions, Language, Model, Retry, Schema
from bridge.contracts.objects import children
from bridge.errors import InvalidContract

#: Options of a job that decide about no row that is there already.
_FREE: Final = frozenset({"max_attempts", "priority", "tags", "timeout", "aliases", "version"})

_EXPECTED: Final = "a contract as `bridge contracts release` writes it"
_OPTIONS: Final = tuple(each.name for each in fields_of_class(JobOptions))


def version_of(model: Model) -> int:
    """Return a contract's version."""
    return model.job.version if model.job else 1


def digest(document: Any) -> str:
    """Return the hash of a JSON value, whatever the order of its keys."""
    return "sha256:" + hashlib.sha256(canonical(document).encode()).hexdigest()


def same_content(old: Model, new: Model) -> bool:
    """Tell whether two contracts mean the same to every row: texts, examples and free options aside."""
    return canonical(_content(old)) == canonical(_content(new))


def document_of(model: Model) -> dict[str, Any]:
    """Return a contract as JSON."""
    errors = {
        code: {"retry": error.retry, "description": error.description}
        | ({} if error.data is None else {"data": error.data})
        for code, error in model.errors.items()
    }
    optional = {"result": model.result} if model.result is not None else {}
    return {
        "name": model.name,
        "module": model.module,
        "file": model.path.name,
        "job": _job(model.job),
        "schema": model.schema,
        "errors": errors,
        "events": dict(model.events),
        **optional,
    }


def model_of(document: Mapping[str, Any], field: str) -> Model:
    """Return the contract of a document.

    Raises:
        InvalidContract: It is none; `field` and the place in it are named.
    """
    _check(document, field, _DOCUMENT, {"result"})
    _check(document["job"], f"{field}/job", _JOB)
    for code, error in document["errors"].items():
        _check(error, f"{field}/errors/{code}", _ERROR, {"data"})
    options = dict(document["job"])
    for name in ("tags", "aliases"):
        options[name] = tuple(options[name])
    model = Model(
        document["name"],
        document["module"],
        Path(document["file"]),
        document["schema"],
        JobOptions(**options),
        document.get("result"),
        {code: ErrorCode(code, **error) for code, error in document["errors"].items()},
        document["events"],
    )
    for place, schema in _schemas(model).items():
        _check_schema(schema, f"{field}{place}")
    return model


def _job(job: JobOptions | None) -> dict[str, Any]:
    if job is None:
        return {}
    found = {name: getattr(job, name) for name in _OPTIONS}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _schemas(model: Model) -> dict[str, Schema]:
    found: dict[str, Schema] = {"/schema": model.schema}
    if model.result is not None:
        found["/result"] = model.result
    found |= {f"/errors/{code}/data": error.data for code, error in model.errors.items() if error.data is not None}
    return found | {f"/events/{name}": schema for name, schema in model.events.items()}


def _content(model: Model) -> dict[str, Any]:
    """Return what matters of a contract."""
    return {
        "job": {name: value for name, value in _job(model.job).items() if name not in _FREE},
        "errors": {code: error.retry for code, error in model.errors.items()},
        "schemas": {place: _with_defs(schema) for place, schema in _schemas(model).items()},
    }


def _with_defs(schema: Schema) -> Any:
    defs = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    kept = ("default", "x-was")
    return [bare(schema, keep=kept), {name: bare(node, keep=kept) for name, node in defs.items()}]


# What a document may hold: each key and a test of its value.


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_seconds(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


Test = Callable[[Any], bool]

_DOCUMENT: Final[dict[str, Test]] = {
    "name": _is_name, "module": _is_name, "file": _is_name, "job": _is_object, "schema": _is_schema,
    "errors": _is_object, "events": _is_object, "result": _is_schema,
}  # fmt: skip
_JOB: Final[dict[str, Test]] = {
    "worker": _is_name, "serves": lambda value: value in get_args(Language), "queue": _is_name,
    "max_attempts": _is_count, "priority": _is_count, "tags": _is_texts,
    "unique": lambda value: value is None or isinstance(value, dict), "timeout": _is_seconds, "aliases": _is_texts,
    "version": lambda value: _is_count(value) and value > 0,
}  # fmt: skip
_ERROR: Final[dict[str, Test]] = {
    "retry": lambda value: value in get_args(Retry), "description": _is_text, "data": _is_schema,
}  # fmt: skip


def _check(
    value: Any, field: str, tests: Mapping[str, Test], optional: frozenset[str] | set[str] = frozenset()
) -> None:
    """Refuse an object whose keys or values are not those of a released contract."""
    if not isinstance(value, dict):
        raise InvalidContract(field, value, "an object")
    if missing := sorted(tests.keys() - value.keys() - optional):
        raise InvalidContract(field, value, f"{_EXPECTED}, with {missing[0]!r}")
    for key, item in value.items():
        if key not in tests:
            raise InvalidContract(f"{field}/{key}", item, f"{_EXPECTED}, without this key")
        if not _holds(tests[key], item):
            raise InvalidContract(f"{field}/{key}", item, _EXPECTED)


def _holds(test: Test, value: Any) -> bool:
    try:
        return test(value)
    except TypeError:  # an unhashable value, asked for in a set of texts
        return False


def _check_schema(schema: Schema, field: str) -> None:
    """Refuse what is no schema, or refers to what isn't there."""
    if not _is_schema(schema):
        raise InvalidContract(field, schema, "a schema: an object or a boolean")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f"/{token}" for token in error.absolute_path)
        raise InvalidContract(f"{field}{place}", error.instance, "a schema of JSON Schema 2020-12") from None
    except RecursionError:
        raise InvalidContract(field, "…", "a schema that is nested less deep") from None
    defs = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    todo: list[Schema] = [schema]
    while todo:
        node = todo.pop()
        name = node.get("$ref") if isinstance(node, dict) else None
        if name is not None and name.removeprefix("#/$defs/") not in defs:
            raise InvalidContract(field, name, "a reference to a key of $defs")
        todo += [inner for _, inner in children(node)]
