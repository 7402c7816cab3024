"""Faults are asked for by name: `make faults`, `make torture`; the rest here is short, and tests the harness itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from .books import books, quiet  # noqa: F401 - fixtures, of several modules here

HERE: Final = Path(__file__).parent

#: Modules that start nodes and servers of their own, and take minutes.
_LONG: Final = ("test_defaults.py", "test_each.py", "test_torture.py")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name in _LONG and not any(HERE in (path, *path.parents) for path in _asked(config)):
        return True
    return None


def _asked(config: pytest.Config) -> list[Path]:
    return [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]
