"""The generated classes of a contract, found by the names that its schema gives them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from bridge.errors import InvalidContract


class Classes:
    """The classes of a package of generated modules.

    Args:
        home: The full name of one of its modules, whose siblings are the others.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._package, _, self._stem = home.rpartition(".")

    def find(self, name: str, module: str) -> Any:
        """Return the class of that name in the module generated from the contract file of that name.

        Raises:
            InvalidContract: There is none: what was generated doesn't fit together.
        """
        path = self._path(module)
        try:
            return getattr(sys.modules.get(path) or importlib.import_module(path), name)
        except (ImportError, AttributeError):
            mend = "run bridge contracts build, and keep the generated modules in one package"
            raise InvalidContract(self._home, f"{path}.{name}", "a generated class of that name", mend) from None

    def _path(self, module: str) -> str:
        if module == self._stem:
            return self._home
        return f"{self._package}.{module}" if self._package else module
