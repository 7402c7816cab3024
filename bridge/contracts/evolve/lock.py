"""`contracts.lock`: every released version of every contract, so that a release can't change and rows keep a reader.

The lock holds whole contracts in their normalised form, so that a check needs neither git nor the old files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import fields as fields_of_class
from pathlib import Path
from typing import Any, Final

from bridge.contracts.evolve.side import bare, canonical
from bridge.contracts.model import ErrorCode, JobOptions, Model, Schema
from bridge.errors import InvalidContract

FILE_NAME: Final = "contracts.lock"
FORMAT: Final = 1

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MEND: Final = "put the file back from version control; only `bridge contracts release` writes it"

#: Options of a job that decide about no row that is there already.
_FREE: Final = frozenset({"max_attempts", "priority", "tags", "timeout", "aliases", "version"})


@dataclass(frozen=True)
class Lock:
    """Released contracts by name and version."""

    contracts: Mapping[str, Mapping[int, Model]] = field(default_factory=dict)

    def released(self, name: str) -> Mapping[int, Model]:
        """Return the released versions of a contract, the oldest first."""
        return dict(sorted(self.contracts.get(name, {}).items()))

    def with_model(self, model: Model) -> Lock:
        """Return the lock with one more version."""
        versions = {**self.contracts.get(model.name, {}), _version(model): model}
        return Lock({**self.contracts, model.name: versions})

    def without(self, name: str, version: int) -> Lock:
        """Return the lock without a version."""
        kept = {
            key: {number: model for number, model in versions.items() if (key, number) != (name, version)}
            for key, versions in self.contracts.items()
        }
        return Lock({key: versions for key, versions in kept.items() if versions})

    def __iter__(self) -> Iterator[Model]:
        return (model for name in sorted(self.contracts) for model in self.released(name).values())


def same_content(old: Model, new: Model) -> bool:
    """Tell whether two contracts mean the same to every row: texts, examples and free options aside."""
    return canonical(_content(old)) == canonical(_content(new))


def dump_lock(lock: Lock) -> str:
    """Return the lock's text: sorted, so that merges of version control are small."""
    contracts = {
        name: {str(version): _entry(model) for version, model in lock.released(name).items()}
        for name in sorted(lock.contracts)
    }
    return json.dumps({"format": FORMAT, "contracts": contracts}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def load_lock(path: Path) -> Lock:
    """Return the lock of a file, or of the folder that holds it.

    Raises:
        InvalidContract: There is no such file, it is damaged, or a newer Bridge wrote it.
    """
    path = path / FILE_NAME if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidContract(str(path), "no file", "a lock", "`bridge contracts release` writes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidContract(str(path), str(error), "a lock that can be read", _MEND) from None
    return parse_lock(text, path.name)


def parse_lock(text: str, name: str = FILE_NAME) -> Lock:
    """Return the lock of some text.

    Raises:
        InvalidContract: The text is damaged, or a newer Bridge wrote it.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidContract(name, str(error), "JSON", _MEND) from None
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise InvalidContract(name, document, "an object with the format of the lock", _MEND)
    if document["format"] > FORMAT:
        raise InvalidContract(name, document["format"], f"format {FORMAT} or older", "upgrade Bridge")
    found: dict[str, dict[int, Model]] = {}
    for contract, versions in _mapping(document.get("contracts"), f"{name}#/contracts").items():
        for version, entry in _mapping(versions, f"{name}#/contracts/{contract}").items():
            model = _model(entry, f"{name}#/contracts/{contract}/{version}")
            if (model.name, str(_version(model))) != (contract, version):
                raise InvalidContract(f"{name}#/contracts/{contract}/{version}", model.tag, "the same name and version")
            found.setdefault(contract, {})[_version(model)] = model
    return Lock(found)


def _version(model: Model) -> int:
    return model.job.version if model.job else 1


def _entry(model: Model) -> dict[str, Any]:
    document = _document(model)
    return {"hash": _hash(document), "contract": document}


def _hash(document: Any) -> str:
    return "sha256:" + hashlib.sha256(canonical(document).encode()).hexdigest()


def _document(model: Model) -> dict[str, Any]:
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


def _job(job: JobOptions | None) -> dict[str, Any]:
    if job is None:
        return {}
    found = {each.name: getattr(job, each.name) for each in fields_of_class(job)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _content(model: Model) -> dict[str, Any]:
    """Return what matters of a contract."""
    document = _document(model)
    schemas: dict[str, Schema | None] = {"schema": model.schema, "result": model.result, **model.events}
    schemas |= {f"error {code}": error.data for code, error in model.errors.items()}
    return {
        "job": {name: value for name, value in document["job"].items() if name not in _FREE},
        "errors": {code: error.retry for code, error in model.errors.items()},
        "schemas": {name: _with_defs(schema) for name, schema in schemas.items()},
    }


def _with_defs(schema: Schema | None) -> Any:
    defs = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    return [bare(schema, keep=("default",)), {name: bare(node, keep=("default",)) for name, node in defs.items()}]


def _model(entry: Any, field: str) -> Model:
    document = _mapping(_mapping(entry, field).get("contract"), f"{field}/contract")
    expected = entry.get("hash")
    if not isinstance(expected, str) or not _HASH.fullmatch(expected):
        raise InvalidContract(f"{field}/hash", expected, "sha256: and 64 digits", _MEND)
    if _hash(document) != expected:
        raise InvalidContract(field, _hash(document), f"content of {expected}", f"the lock was edited; {_MEND}")
    try:
        return _rebuilt(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidContract(
            f"{field}/contract", error, "a contract as `bridge contracts release` writes it"
        ) from None


def _rebuilt(document: Mapping[str, Any]) -> Model:
    options = dict(document["job"])
    for name in ("tags", "aliases"):
        options[name] = tuple(options[name])
    return Model(
        document["name"],
        document["module"],
        Path(document["file"]),
        document["schema"],
        JobOptions(**options),
        document.get("result"),
        {code: ErrorCode(code, **error) for code, error in document["errors"].items()},
        document["events"],
    )


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidContract(field, value, "an object", _MEND)
    return value


def contracts_of(models: Iterable[Model]) -> list[Model]:
    """Return the contracts among the files of a folder; shared schemas are part of those that refer to them."""
    return [model for model in models if model.job is not None]
