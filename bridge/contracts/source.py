"""Reads contract files: strict JSON, checked against `contract.schema.json`, normalised."""

from __future__ import annotations

import difflib
import json
import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

import jsonschema
from jsonschema.exceptions import ValidationError as Invalid
from jsonschema.exceptions import best_match
from referencing import Registry

from bridge.contracts.documents import DIALECT, class_name
from bridge.contracts.json_file import escape, read
from bridge.contracts.model import ErrorCode, JobOptions, Model, Schema
from bridge.contracts.normalise import normalise
from bridge.contracts.objects import children, declared_elsewhere, fields_of
from bridge.errors import InvalidContract

META_SCHEMA: Final = Path(__file__).with_name("contract.schema.json")
"""The schema of contract files, for editors and for `$schema`."""

T = TypeVar("T")

_BASE: Final = "file:///contracts/"
_FILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.json\Z")


def load(folder: Path) -> list[Model]:
    """Return every contract and shared schema file of a folder, by module.

    Each `*.json` is one, but for a copy of `contract.schema.json`; folders inside are left alone.

    Raises:
        InvalidContract: What is wrong with the first file that is none; `.field` names the file and the place in it,
            and `.others` has the same of the others.
    """
    if not folder.is_dir():
        raise InvalidContract("contracts", str(folder), "a folder with contract files", "create it, or pass its path")
    paths = [path for path in sorted(folder.glob("*.json")) if path.name != META_SCHEMA.name]
    if not paths:
        raise InvalidContract(
            "contracts", str(folder), "at least one contract file", "add one, such as print_badge.json"
        )
    faults: dict[Path, InvalidContract] = {}
    documents = _each(paths, lambda path: read(_content(path), path.name), faults)
    registry = _registry({path.name: document for path, document in documents.items()})
    models = list(_each(documents, lambda path: _model(documents[path], path, registry), faults).values())
    if faults:
        raise _together([faults[path] for path in sorted(faults)], {path.name for path in faults})
    if clashes := [*_same_names(models), *_same_workers(models)]:
        raise _together(clashes, set())
    return sorted(models, key=lambda model: model.module)


def _each(paths: Iterable[Path], make: Callable[[Path], T], faults: dict[Path, InvalidContract]) -> dict[Path, T]:
    """Return what is made of each file, and put what is wrong with the others into `faults`."""
    found: dict[Path, T] = {}
    for path in paths:
        try:
            found[path] = make(path)
        except InvalidContract as error:
            faults[path] = error
    return found


def _together(errors: Sequence[InvalidContract], broken: set[str]) -> InvalidContract:
    """Return one error that tells of all, each once; a file that only refers to a broken one is not told of."""
    own = [error for error in errors if not _is_borrowed(error, broken)] or errors
    first, *others = {str(error): error for error in own}.values()
    first.others = tuple(others)
    return first


def _is_borrowed(error: InvalidContract, broken: set[str]) -> bool:
    """Tell whether a reference is refused because the file that it leads to could not be read."""
    is_reference = error.field.endswith("/$ref") and isinstance(error.value, str)
    return is_reference and error.value.partition("#")[0].rpartition("/")[2] in broken


def _content(path: Path) -> bytes:
    """Return a file's bytes; what is no file, such as a pipe, would be waited for without end."""
    try:
        if not path.is_file():
            raise InvalidContract(path.name, "a folder, pipe or device", "a file", "move it away, or rename it")
        return path.read_bytes()
    except OSError as error:
        raise InvalidContract(path.name, error.strerror, "a file that can be read") from None


def load_text(
    text: str | bytes, name: str = "contract.json", *, others: Mapping[str, str | bytes] | None = None
) -> Model:
    """Return one contract from its text.

    Args:
        text: JSON text.
        name: The file name, which gives the module and, without a title, the class.
        others: The text of the files that references lead to, by file name.

    Raises:
        InvalidContract: It is none.
    """
    texts = {**(others or {}), name: text}
    documents = {key: read(part.encode() if isinstance(part, str) else part, key) for key, part in texts.items()}
    return _model(documents[name], Path(name), _registry(documents))


def _registry(documents: Mapping[str, Any]) -> Registry[Any]:
    resources = [(_BASE + name, DIALECT.create_resource(document)) for name, document in documents.items()]
    return Registry[Any]().with_resources(resources).crawl()


def _model(document: Any, path: Path, registry: Registry[Any]) -> Model:
    if not _FILE_NAME.match(path.name) or keyword.iskeyword(path.stem):
        raise InvalidContract(path.name, path.name, "a file name in snake_case, such as print_badge.json", "rename it")
    if not isinstance(document, dict):
        raise InvalidContract(path.name, document, "a JSON object")
    name = class_name(document, path.stem)
    part = partial(normalise, document, registry=registry, base_uri=_BASE + path.name, module=path.stem, name=name)
    model = Model(name, path.stem, path, part(all_defs=True))
    _check_document(document, path.name, part)
    if "x-job" not in document:
        return model
    _check_worker(document["x-job"], f"{path.name}#/x-job/worker")
    _check_args(model.schema, path.name)
    model = _with_job(model, document["x-job"], part)
    _check_unique(model, path.name)
    _check_classes(model, path.name)
    return model


def _with_job(model: Model, job: Mapping[str, Any], part: Callable[..., Schema]) -> Model:
    return replace(
        model,
        job=_options(job),
        result=part(pointer="/x-job/result") if "result" in job else None,
        errors={code: _error(code, error, part) for code, error in job.get("errors", {}).items()},
        events={name: part(pointer=f"/x-job/events/{name}") for name in job.get("events", {})},
    )


def _error(code: str, error: Mapping[str, Any], part: Callable[..., Schema]) -> ErrorCode:
    data = part(pointer=f"/x-job/errors/{code}/data") if "data" in error else None
    return ErrorCode(code, error.get("retry", "retry"), error.get("description", ""), data)


def _options(job: Mapping[str, Any]) -> JobOptions:
    options = {key: job[key] for key in JobOptions.__dataclass_fields__ if key in job}
    for key in ("tags", "aliases"):
        options[key] = tuple(options.get(key, ()))
    if "unique" in options:
        options["unique"] = _unique(options["unique"])
    return JobOptions(**options)


def _unique(unique: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the option with `suspended` among states that have all others of jobs that wait or run.

    Oban 2.21 brought that state, and since then warns of a list of all that wait or run but those.
    """
    states = unique.get("states")
    if states is None or not set(states) >= _LIVE or "suspended" in states:
        return unique
    return {**unique, "states": ["suspended", *states]}


_LIVE: Final = frozenset({"available", "scheduled", "executing", "retryable"})


def _check_document(document: Any, name: str, part: Callable[..., Schema]) -> None:
    error = best_match(_validator().iter_errors(document))
    if error is not None:
        for place in _schemas_of(document.get("x-job")):
            part(pointer=place)  # where the mistake is in a schema, this tells it better
        pointer = "".join(f"/{escape(str(token))}" for token in error.absolute_path)
        raise _explained(error, f"{name}#{pointer}")


def _schemas_of(job: Any) -> Iterator[str]:
    """Yield the place of every schema in an `x-job` that may be malformed."""
    found = _mapping(job)
    errors, events = (_mapping(found.get(key)) for key in ("errors", "events"))
    yield from ["/x-job/result"] if "result" in found else []
    for code, error in errors.items():
        if isinstance(error, dict) and "data" in error:
            yield f"/x-job/errors/{escape(code)}/data"
    yield from (f"/x-job/events/{escape(event)}" for event in events)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(META_SCHEMA.read_text()))


def _explained(error: Invalid, field: str) -> InvalidContract:
    limit: Any = error.validator_value
    value: Any = error.instance
    rule, schema = str(error.validator), error.schema
    if rule == "additionalProperties" and isinstance(schema, dict):
        known = list(schema["properties"])
        extra = next(key for key in value if key not in known)
        close = difflib.get_close_matches(extra, known, n=1)
        mend = f"did you mean {close[0]!r}?" if close else "remove it"
        return InvalidContract(f"{field}/{escape(extra)}", extra, f"one of {', '.join(known)}", mend)
    if rule == "required" and isinstance(limit, list):
        missing = next(key for key in limit if key not in value)
        return InvalidContract(field, value, f"an object with {missing!r}", "add it")
    mend = str(schema.get("description", "") if isinstance(schema, dict) else "").rstrip(".")
    if rule == "enum" and (close := difflib.get_close_matches(str(value), map(str, limit), n=1)):
        mend = f"did you mean {close[0]!r}?"
    return InvalidContract(field, value, _EXPECTED.get(rule, "what its description says").format(_choice(limit)), mend)


def _choice(limit: Any) -> str:
    """Return a list of allowed values in words."""
    *others, last = map(str, limit) if isinstance(limit, list) else [str(limit)]
    return f"{', '.join(others)} or {last}" if others else last


_EXPECTED: Final = {
    "enum": "{}", "const": "just {}", "type": "a value of type {}", "minLength": "a length of at least {}",
    "maxLength": "a length of at most {}", "minimum": "at least {}", "maximum": "at most {}",
    "exclusiveMinimum": "more than {}", "minItems": "a list of at least {}", "pattern": "text like {}",
    "uniqueItems": "entries that are all different",
}  # fmt: skip


def _check_worker(job: Mapping[str, Any], field: str) -> None:
    """Refuse a name that the serving language can't find a worker by."""
    worker = job["worker"]
    if job["serves"] == "python" and re.search(r"\s", worker):
        expected = "a name without white space"
        raise InvalidContract(field, worker, expected, "write it as the worker's `name`, such as my_app.PrintBadge")
    bare = worker.removeprefix("Elixir.")
    if job["serves"] == "elixir" and not (bare == worker and _ELIXIR_MODULE.match(worker)):
        is_module = _ELIXIR_MODULE.match(bare)
        mend = f"write {bare}: rows hold it without `Elixir.`" if is_module else "write it as in `defmodule`"
        raise InvalidContract(field, worker, "an Elixir module, such as MyApp.PrintBadge", mend)


_ELIXIR_MODULE: Final = re.compile(r"[A-Z][A-Za-z0-9_]*(\.[A-Z][A-Za-z0-9_]*)*\Z")


def _check_args(schema: Schema, name: str) -> None:
    """Refuse args that are no class with fields."""
    if isinstance(schema, dict) and "x-name" in schema:
        return
    hidden = declared_elsewhere(schema, schema) - set(fields_of(schema, schema))
    mend = (
        f"declare {min(hidden)!r} in properties, not in a branch alone"
        if hidden
        else "put the fields in `properties`, {} for none, and a map with any keys into a field of its own"
    )
    raise InvalidContract(f"{name}#", "…", "args with declared fields", mend)


def _check_unique(model: Model, name: str) -> None:
    unique = (model.job.unique if model.job else None) or {}
    if "meta" in unique.get("fields", ()):
        return
    fields = fields_of(model.schema, model.schema)
    for at, key in enumerate(unique.get("keys", ())):
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            mend = f"did you mean {close[0]!r}?" if close else f"the fields are {', '.join(fields)}"
            raise InvalidContract(f"{name}#/x-job/unique/keys/{at}", key, "a field of args", mend)


def _check_classes(model: Model, name: str) -> None:
    """Refuse two classes of one name among args, result, errors and events, which share a module."""
    others = {f"/x-job/errors/{code}/data": error.data for code, error in model.errors.items()}
    others |= {f"/x-job/events/{key}": schema for key, schema in model.events.items()}
    roots = {"": model.schema, "/x-job/result": model.result, **others}
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for pointer, root in roots.items():
        for schema in _named(root) if root is not None else ():
            bare = {key: value for key, value in schema.items() if key != "$defs"}
            key = (schema["x-module"], schema["x-name"].casefold())
            place, other = found.setdefault(key, (pointer, bare))
            if other != bare:
                mend = "give one of them a `title` that is an identifier"
                raise InvalidContract(
                    f"{name}#{pointer}", schema["x-name"], f"a class name that {name}#{place} doesn't use", mend
                )


def _named(root: Schema) -> Iterator[dict[str, Any]]:
    todo = [root]
    while todo:
        schema = todo.pop()
        if isinstance(schema, dict):
            if "x-name" in schema:
                yield schema
            todo += [part for _, part in children(schema)]


def _same_names(models: list[Model]) -> Iterator[InvalidContract]:
    found: dict[str, Model] = {}
    for model in models:
        other = found.setdefault(model.name.casefold(), model)  # Elixir's modules are files; on some systems no case
        if other is not model:
            expected = f"a class name that {other.path.name} doesn't have, in any case"
            yield InvalidContract(model.path.name, model.name, expected, "give it another title or file name")


def _same_workers(models: list[Model]) -> Iterator[InvalidContract]:
    """Yield the second of two contracts for one worker: nobody could tell by which one a row is to be read."""
    found: dict[str, Model] = {}
    for model in models:
        names = {"worker": model.job.worker} if model.job else {}
        names |= {f"aliases/{at}": name for at, name in enumerate(model.job.aliases if model.job else ())}
        for key, name in names.items():
            other = found.setdefault(name, model)
            if other is not model:
                expected = f"a worker that {other.path.name} doesn't have"
                mend = "one worker has one contract; give this one a worker of its own"
                yield InvalidContract(f"{model.path.name}#/x-job/{key}", name, expected, mend)
