"""The names of one generated module: what it imports, and under which name where a field or class has that one."""

from __future__ import annotations

import re
from collections.abc import Collection

from bridge.contracts.emit.python import layout, literals

RUNTIME = "bridge.contracts.runtime"


class Scope:
    """Collects imports while code is written.

    A field called `date` would be taken for the type in the rest of its class, so then the type is imported as `date_`.

    Args:
        taken: Names of the module's own classes and of their fields.
        lazy: Sibling modules that import this one too; they are imported for type checkers alone.
    """

    def __init__(self, taken: Collection[str], lazy: Collection[str] = ()) -> None:
        self._names: dict[str, tuple[str, str]] = {name: ("", name) for name in taken}
        self._imports: dict[str, dict[str, str]] = {}
        self.lazy = frozenset(f".{module}" for module in lazy)

    def use(self, module: str, name: str) -> str:
        """Return the name under which the module has `name` of `module`, which is imported."""
        local = name
        while self._names.get(local, (module, name)) != (module, name):
            local += "_"
        self._names[local] = (module, name)
        if module != "builtins" or local != name:
            self._imports.setdefault(module, {})[name] = local
        return local

    def builtin(self, name: str) -> str:
        """Return the name of a built-in type or function."""
        return self.use("builtins", name)

    def runtime(self, name: str) -> str:
        """Return the name of something of the runtime's."""
        return self.use(RUNTIME, name)

    def imports(self, body: str) -> list[str]:
        """Return the import statements that the module's `body` needs, sorted as isort does."""
        words = set(re.findall(r"\w+", body))
        for names in self._imports.values():
            for name in [name for name, local in names.items() if local not in words]:
                del names[name]
        self._imports = {module: names for module, names in self._imports.items() if names}
        if self.lazy & self._imports.keys():
            self.use("typing", "TYPE_CHECKING")
        modules = sorted(self._imports)
        own = [module for module in modules if module.startswith(".")]
        standard = [module for module in modules if module not in own and module != RUNTIME]
        others = [module for module in modules if module == RUNTIME]
        eager = [module for module in own if module not in self.lazy]
        blocks = [self._block(block) for block in (standard, others, eager)]
        if lazy := self._block([module for module in own if module in self.lazy], 4):
            blocks.append([f"if {self.use('typing', 'TYPE_CHECKING')}:", *lazy])
        return [line for block in blocks if block for line in ("", *block)]

    def _block(self, modules: list[str], indent: int = 0) -> list[str]:
        return [line for module in modules for line in _statements(module, self._imports[module], indent)]


def _statements(module: str, names: dict[str, str], indent: int) -> list[str]:
    plain = sorted((name for name, local in names.items() if name == local), key=_order)
    found = [(plain[0], plain)] if plain else []
    found += [(name, [f"{name} as {local}"]) for name, local in names.items() if name != local]
    statements = [_statement(module, texts, indent) for _, texts in sorted(found, key=lambda item: _order(item[0]))]
    return [line for statement in statements for line in statement]


def _statement(module: str, names: list[str], indent: int) -> list[str]:
    one = f"{' ' * indent}from {module} import {', '.join(names)}"
    if literals.fits(one):
        return [one]
    return layout.lines(layout.Group("(", tuple(names), ")"), indent, f"from {module} import ")


def _order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2), name
