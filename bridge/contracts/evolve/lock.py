"""`contracts.lock`: every released version of every contract, so that a release can't change and rows keep a reader.

The lock holds whole contracts in their normalised form, so that a check needs neither git nor the old files. It
verifies itself: each version has the hash of its content, and `digest` is that of all hashes and of what was retired,
so that a version which is changed, added or taken out by hand is noticed. Who recomputes them all is noticed by
`bridge contracts check --against` a git revision, which compares the locks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bridge.contracts.evolve.record import digest, document_of, model_of, version_of
from bridge.contracts.json_file import read
from bridge.contracts.model import Model
from bridge.errors import InvalidContract

FILE_NAME: Final = "contracts.lock"
FORMAT: Final = 1

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
_MEND: Final = "put the file back from version control; only `bridge contracts release` writes it"
_MERGE: Final = (
    "the lock was edited: put it back from version control; after a merge take either side's, and run "
    "`bridge contracts release`"
)


@dataclass(frozen=True)
class Lock:
    """Released contracts by name and version.

    Attributes:
        contracts: The versions that rows may have.
        retired: Versions that were released once and that no row has any more; their numbers are not used again.
    """

    contracts: Mapping[str, Mapping[int, Model]] = field(default_factory=dict)
    retired: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def released(self, name: str) -> Mapping[int, Model]:
        """Return the released versions of a contract, the oldest first."""
        return dict(sorted(self.contracts.get(name, {}).items()))

    def is_retired(self, name: str, version: int) -> bool:
        """Tell whether a version was taken out as no row had it."""
        return version in self.retired.get(name, ())

    def with_model(self, model: Model) -> Lock:
        """Return the lock with one more version."""
        versions = {**self.contracts.get(model.name, {}), version_of(model): model}
        return replace(self, contracts={**self.contracts, model.name: versions})

    def without(self, name: str, version: int) -> Lock:
        """Return the lock with a version retired."""
        kept = {
            key: {number: model for number, model in versions.items() if (key, number) != (name, version)}
            for key, versions in self.contracts.items()
        }
        retired = {**self.retired, name: self.retired.get(name, frozenset()) | {version}}
        return Lock({key: versions for key, versions in kept.items() if versions}, retired)

    def __iter__(self) -> Iterator[Model]:
        return (model for name in sorted(self.contracts) for model in self.released(name).values())


def dump_lock(lock: Lock) -> str:
    """Return the lock's text: sorted, so that merges of version control are small."""
    contracts = {
        name: {str(version): _entry(model) for version, model in lock.released(name).items()}
        for name in sorted(lock.contracts)
    }
    retired = {name: sorted(versions) for name, versions in lock.retired.items() if versions}
    document = {"format": FORMAT, "contracts": contracts, "retired": retired, "digest": _sealed(contracts, retired)}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def load_lock(path: Path) -> Lock:
    """Return the lock of a file, or of the folder that holds it.

    Raises:
        InvalidContract: There is no such file, it is damaged, or a newer Bridge wrote it.
    """
    path = path / FILE_NAME if path.is_dir() else path
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InvalidContract(str(path), "no file", "a lock", "`bridge contracts release` writes it") from None
    except OSError as error:
        raise InvalidContract(str(path), str(error), "a lock that can be read", _MEND) from None
    return parse_lock(text, path.name)


def parse_lock(text: str | bytes, name: str = FILE_NAME) -> Lock:
    """Return the lock of some text.

    Raises:
        InvalidContract: The text is damaged or was edited, or a newer Bridge wrote it.
    """
    document = read(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, name)
    if not isinstance(document, dict) or not _is_number(document.get("format")):
        raise InvalidContract(name, document, "an object with the format of the lock", _MEND)
    if document["format"] > FORMAT:
        raise InvalidContract(name, document["format"], f"format {FORMAT} or older", "upgrade Bridge")
    contracts = _mapping(document.get("contracts"), f"{name}#/contracts")
    found = Lock(
        {key: _versions(versions, key, f"{name}#/contracts/{key}") for key, versions in contracts.items()},
        _retired(document.get("retired", {}), f"{name}#/retired"),
    )
    sealed = _sealed(contracts, {key: sorted(versions) for key, versions in found.retired.items()})
    if document.get("digest") != sealed:
        raise InvalidContract(
            f"{name}#/digest", document.get("digest"), f"the digest of all versions, {sealed}", _MERGE
        )
    return found


def _sealed(contracts: Mapping[str, Any], retired: Mapping[str, Any]) -> str:
    """Return the digest of which versions there are and were."""
    hashes = {name: {key: entry["hash"] for key, entry in versions.items()} for name, versions in contracts.items()}
    return digest({"contracts": hashes, "retired": retired})


def _entry(model: Model) -> dict[str, Any]:
    document = document_of(model)
    return {"hash": digest(document), "contract": document}


def _versions(value: Any, contract: str, field: str) -> dict[int, Model]:
    found: dict[int, Model] = {}
    for version, entry in _mapping(value, field).items():
        if not _VERSION.fullmatch(version):
            raise InvalidContract(f"{field}/{version}", version, "a version: a number from 1 on", _MEND)
        model = _model(entry, f"{field}/{version}")
        if (model.name, version_of(model)) != (contract, int(version)):
            raise InvalidContract(f"{field}/{version}", model.tag, "the same name and version", _MEND)
        found[int(version)] = model
    if not found:
        raise InvalidContract(field, value, "at least one version", _MEND)
    return found


def _model(entry: Any, field: str) -> Model:
    document = _mapping(_mapping(entry, field).get("contract"), f"{field}/contract")
    expected = entry.get("hash")
    if not isinstance(expected, str) or not _HASH.fullmatch(expected):
        raise InvalidContract(f"{field}/hash", expected, "sha256: and 64 digits", _MEND)
    if digest(document) != expected:
        raise InvalidContract(field, digest(document), f"content of {expected}", f"the lock was edited; {_MEND}")
    return model_of(document, f"{field}/contract")


def _retired(value: Any, field: str) -> dict[str, frozenset[int]]:
    found = {}
    for name, versions in _mapping(value, field).items():
        if not isinstance(versions, list) or not all(_is_number(version) for version in versions):
            raise InvalidContract(f"{field}/{name}", versions, "a list of versions", _MEND)
        found[name] = frozenset(versions)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidContract(field, value, "an object", _MEND)
    return value


def contracts_of(models: Iterable[Model]) -> list[Model]:
    """Return the contracts among the files of a folder; shared schemas are part of those that refer to them."""
    return [model for model in models if model.job is not None]
