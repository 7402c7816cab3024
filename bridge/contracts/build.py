"""From a folder of contracts to folders of code: what is to be written, removed or refused, and doing it."""

from __future__ import annotations

import difflib
import keyword
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bridge.contracts.emit import elixir, python
from bridge.contracts.emit.header import HEADER
from bridge.contracts.model import Model
from bridge.contracts.source import load
from bridge.errors import BridgeError, InvalidContract, InvalidSetting

_SHOWN: Final = 24
_MARK: Final = HEADER.encode()


@dataclass
class Plan:
    """What a build would change.

    Attributes:
        writes: The text of each file that is missing or different.
        removals: Files that an earlier build wrote and whose contract is gone.
        unchanged: How many files are as they should be.
        errors: Why nothing can be built; all reasons that were found.
    """

    writes: dict[Path, str] = field(default_factory=dict)
    removals: list[Path] = field(default_factory=list)
    unchanged: int = 0
    errors: list[BridgeError] = field(default_factory=list)

    @property
    def changes(self) -> list[Path]:
        """Every file that differs from what the contracts say."""
        return [*self.writes, *self.removals]

    def differences(self) -> Iterator[str]:
        """Yield what differs, each file's lines cut short."""
        for path, text in self.writes.items():
            if not path.exists():
                yield f"{path}: missing"
                continue
            old = path.read_text(encoding="utf-8", errors="replace")
            names = (f"{path} as it is", f"{path} as its contract says")
            found = list(difflib.unified_diff(old.splitlines(), text.splitlines(), *names, n=1, lineterm=""))
            yield from found[:_SHOWN]
            if len(found) > _SHOWN:
                yield f"… and {len(found) - _SHOWN} lines more"
        for path in self.removals:
            yield f"{path}: its contract is gone"

    def apply(self) -> None:
        """Write and remove files; each is replaced as a whole, and the first one when all are written beside theirs.

        Raises:
            OSError: A folder or file can't be written.
        """
        staged: list[tuple[Path, Path]] = []
        try:
            for path, text in self.writes.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                staged.append((path.with_name(f".{path.name}.{os.getpid()}"), path))
                staged[-1][0].write_bytes(text.encode())
            for partial, path in staged:
                partial.replace(path)
        finally:
            for partial, _ in staged:
                partial.unlink(missing_ok=True)
        for path in self.removals:
            path.unlink(missing_ok=True)  # another build may have been faster


def plan(
    contracts: Path, *, python_folder: Path | None = None, elixir_folder: Path | None = None, namespace: str = ""
) -> Plan:
    """Compare folders of code with what their contracts say; nothing is written.

    Args:
        contracts: The folder of contract files.
        python_folder: Where Python's modules belong, or None for no Python.
        elixir_folder: Where Elixir's modules belong, or None for no Elixir.
        namespace: The Elixir module that the contracts' modules are under, such as `MyApp.Contracts`.
    """
    found = Plan()
    models = _load(contracts, found.errors)
    if found.errors:
        return found
    if python_folder:
        _check_package(python_folder, found.errors)
        files = _emitted(models, lambda model: python.emit(model, models), ".py", found.errors)
        _compare(found, python_folder, ".py", {**files, "__init__.py": python.emit_package(models)})
    if elixir_folder:
        files = _emitted(models, lambda model: elixir.emit(model, models, namespace), ".ex", found.errors)
        if "runtime" in models:
            found.errors.append(InvalidContract("runtime.json", "runtime", "a name that the build doesn't need itself"))
        _compare(found, elixir_folder, ".ex", {**files, "runtime.ex": elixir.runtime(namespace)})
    return found


def _check_package(folder: Path, errors: list[BridgeError]) -> None:
    """Refuse a folder whose modules no import statement can name."""
    name = folder.resolve().name
    if not name.isidentifier() or keyword.iskeyword(name):
        mend = (
            f"call it {re.sub(r'[^0-9A-Za-z]+', '_', name).strip('_') or 'contracts'}" if not name[:1].isdigit() else ""
        )
        expected = "a folder whose name Python can import, letters, digits and _ with no digit first"
        errors.append(InvalidSetting("contracts.python", str(folder), expected, mend))


def _load(folder: Path, errors: list[BridgeError]) -> dict[str, Model]:
    """Return the models by module; none where files are refused, for which each reason is told."""
    try:
        return {model.module: model for model in load(folder)}
    except InvalidContract as error:
        others, error.others = error.others, ()
        errors += [error, *others]
    return {}


def _emitted(
    models: Mapping[str, Model], emit: Callable[[Model], str], suffix: str, errors: list[BridgeError]
) -> dict[str, str]:
    files: dict[str, str] = {}
    for module, model in models.items():
        try:
            files[module + suffix] = emit(model)
        except InvalidContract as error:
            errors.append(error)
    return files


def _compare(found: Plan, folder: Path, suffix: str, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        old = path.read_bytes() if path.is_file() else None
        if old is not None and old.replace(b"\r\n", b"\n") == text.encode():
            found.unchanged += 1
        elif (path.exists() and old is None) or (old and not _is_ours(old)):
            found.errors.append(InvalidContract(str(path), "another's", "a file that a build wrote", "move it away"))
        else:
            found.writes[path] = text
    for path in sorted(folder.glob(f"*{suffix}")):
        if path.name not in files and path.is_file() and _is_ours(path.read_bytes()):
            found.removals.append(path)


def _is_ours(content: bytes) -> bool:
    return any(_MARK in line for line in content.splitlines()[:2])
