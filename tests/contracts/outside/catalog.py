"""SchemaStore's schemas as a folder of contracts would hold them, normalised or refused."""

from __future__ import annotations

import keyword
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

from referencing import Registry

from bridge.contracts import names
from bridge.contracts.documents import DIALECT
from bridge.contracts.model import JobOptions, Model, Schema
from bridge.contracts.normalise import normalise
from bridge.contracts.shapes import structs
from bridge.errors import InvalidContract
from contracts.outside.drops import Comparison
from contracts.outside.older_drafts import Draft, Translation
from contracts.outside.store import Instance, Store

BASE: Final = "https://json.schemastore.org/"
_HOSTS: Final = ("json.schemastore.org", "www.schemastore.org", "schemastore.org")
_BAD_SAMPLE: Final = "a value that keeps its own schema"


@dataclass
class Entry:
    """One schema.

    Attributes:
        stem: Its file's.
        original: As it was published.
        module: Its name as a file of contracts.
        draft: What it was written in.
        document: The same in draft 2020-12.
        notes: What the new spelling cost.
        cites: The files that it refers to, by the address that it uses.
        instances: What should be valid or not by it.
        schemas: The normalised schema, with formats asserted and without.
        errors: Why it was refused, likewise.
        samples: How many defaults and examples were left out.
        keywords: How many keywords were compared.
        faults: What should not be.
    """

    stem: str
    original: Any
    module: str
    draft: Draft = "2020-12"
    document: Any = None
    notes: Counter[str] = field(default_factory=Counter)
    cites: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    schemas: dict[bool, Schema] = field(default_factory=dict)
    errors: dict[bool, InvalidContract] = field(default_factory=dict)
    samples: int = 0
    keywords: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        """Its address beside the others."""
        return f"{BASE}{self.module}.json"


class Catalog:
    """All schemas of a store, by stem."""

    def __init__(self, store: Store, only: str = "") -> None:
        """Spell every schema in draft 2020-12; `normalise` does the rest, for those with `only` in their name."""
        self.entries = {stem: Entry(stem, document, _module(stem)) for stem, document in store.schemas.items()}
        self.compiled = {"python": 0, "elixir": 0}
        self._by_module = {entry.module: entry for entry in self.entries.values()}
        self._by_uri = _addresses(self.entries)
        for stem, instance in store.instances():
            if stem in self.entries:
                self.entries[stem].instances.append(instance)
        for entry in self.entries.values():
            translation = Translation(entry.original, self._citing(entry))
            entry.draft, entry.document, entry.notes = translation.draft, translation.schema, translation.notes
        self._all = dict(self.entries)
        self.entries = {stem: entry for stem, entry in self.entries.items() if only in stem}

    def normalise(self) -> None:
        """Normalise every schema, without formats and with them, and look for lost keywords."""
        for formats in (False, True):
            for entry in self.entries.values():
                try:
                    self._normalise(entry, formats)
                except Exception as error:  # whatever is raised is a fault, and the others are of interest too
                    entry.faults.append(f"crash of the normaliser: {error!r}")

    def models(self, formats: bool) -> dict[str, Model]:
        """Return the accepted schemas as models by module, without those that need a refused file's classes."""
        accepted = {entry.module: entry for entry in self.entries.values() if formats in entry.schemas}
        models = {module: _model(entry, entry.schemas[formats]) for module, entry in accepted.items()}
        while lacking := [module for module, model in models.items() if not _owners(model.schema) <= {*models}]:
            for module in lacking:
                del models[module]
        return models

    def cited(self, entry: Entry) -> dict[str, Any]:
        """Return the documents that an entry refers to, and those that they refer to, as published, by address."""
        return {uri: self._all[stem].original for uri, stem in self._cites(entry).items()}

    def _normalise(self, entry: Entry, formats: bool) -> None:
        """Normalise an entry; defaults and examples that break their schema are left out, one after the other."""
        while True:
            registry = self._registry(entry)
            try:
                schema = normalise(
                    entry.document, registry=registry, base_uri=entry.uri, module=entry.module,
                    formats_assert=formats, all_defs=True,
                )  # fmt: skip
            except InvalidContract as error:
                if error.expected != _BAD_SAMPLE or not self._leave_out(error.field):
                    entry.errors[formats] = error
                    return
                continue
            entry.schemas[formats] = schema
            found = Comparison(entry.document, schema, registry, entry.uri, formats=formats)
            entry.faults += [f"lost: {place}" for place in found.lost]
            entry.keywords = found.count
            return

    def _leave_out(self, place: str) -> bool:
        file, _, pointer = place.partition("#")
        entry = self._by_module[file.removesuffix(".json")]
        *tokens, last = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        part = entry.document
        for token in tokens:
            part = part[int(token)] if isinstance(part, list) else part[token]
        del part[int(last) if isinstance(part, list) else last]
        entry.samples += 1
        return True

    def _registry(self, entry: Entry) -> Registry[Any]:
        found = {self._all[stem].uri: self._all[stem].document for stem in self._cites(entry).values()}
        return Registry().with_resources(
            (uri, DIALECT.create_resource(document)) for uri, document in found.items() if uri != entry.uri
        )

    def _cites(self, entry: Entry) -> dict[str, str]:
        found: dict[str, str] = {}
        todo = [entry]
        while todo:
            new = {uri: stem for uri, stem in todo.pop().cites.items() if uri not in found}
            found |= new
            todo += [self._all[stem] for stem in new.values()]
        return found

    def _citing(self, entry: Entry) -> Callable[[str], str]:
        base = next((value for key in ("$id", "id") if isinstance(value := _get(entry.original, key), str)), BASE)

        def rename(uri: str) -> str:
            address = urljoin(base if "//" in base else BASE, uri)
            stem = self._by_uri.get(address)
            if stem is None:
                return uri
            entry.cites[uri] = entry.cites[address] = stem
            return self.entries[stem].uri

        return rename


def _get(document: Any, key: str) -> Any:
    return document.get(key) if isinstance(document, dict) else None


def _module(stem: str) -> str:
    name = re.sub(r"\W", "_", stem.lower())
    return f"{name}_" if keyword.iskeyword(name) else f"schema_{name}" if name[0].isdigit() else name


def _addresses(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return where each schema may be referred to: at the store, or under an `$id` that no other has."""
    ids = defaultdict(list)
    for stem, entry in entries.items():
        for key in ("$id", "id"):
            if isinstance(value := _get(entry.original, key), str):
                ids[value.rstrip("#")].append(stem)
    found = {uri: stems[0] for uri, stems in ids.items() if len(stems) == 1}
    for stem in entries:
        for host in _HOSTS:
            for scheme in ("http", "https"):
                found[f"{scheme}://{host}/{stem}"] = found[f"{scheme}://{host}/{stem}.json"] = stem
    return found


def _model(entry: Entry, schema: Schema) -> Model:
    title = _get(schema, "title")
    name = names.pascal(title if names.is_identifier(title) else entry.module)
    job = JobOptions(f"Store.{name}", "python") if (entry.module, name) in structs(schema) else None
    return Model(name, entry.module, Path(f"{entry.module}.json"), schema, job)


def _owners(schema: Any) -> set[str]:
    """Return the files that own the classes of a normalised schema."""
    found: set[str] = set()
    todo = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            if isinstance(part.get("x-module"), str):
                found.add(part["x-module"])
            todo.extend(part.values())
        elif isinstance(part, list):
            todo.extend(part)
    return found
