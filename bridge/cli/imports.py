"""Modules that register workers, imported as the settings name them."""

from __future__ import annotations

import importlib
import os
import sys

from bridge.errors import InvalidSetting


def import_workers(modules: list[str], setting: str = "imports") -> None:
    """Import the modules that register workers, or that `setting` names; the working folder is looked in first.

    Raises:
        InvalidSetting: There is no such module.
    """
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds text
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            mend = f"no module {error.name!r} from here or the environment; check the name and the working folder"
            raise InvalidSetting(setting, module, "a module that can be imported", mend) from error
