"""How many processes run an instance's jobs, and what they import."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.errors import InvalidSetting
from bridge.jobs import Registry
from bridge.jobs.checks import integer, suggest

#: More than any machine has use for.
MOST: Final = 256

_OPTIONS: Final = ("count", "imports")


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """The processes of an instance.

    Attributes:
        count: How many; 1 is the instance's own, in which jobs run as tasks and threads.
        imports: Modules that each of them imports first, in this order; those of the registered workers follow.
    """

    count: int = 1
    imports: tuple[str, ...] = ()


def parse_processes(value: Any) -> ProcessOptions:
    """Return the options of a number of processes, or of a mapping with `count` and `imports`.

    Raises:
        InvalidSetting: Another value, an unknown option, or more than one process where there can be none.
    """
    options = value if isinstance(value, Mapping) else {"count": value}
    for option in options:
        if option not in _OPTIONS:
            raise InvalidSetting("processes", option, "an option of it", suggest(option, _OPTIONS))
    count = integer("processes", options.get("count", 1), 1, MOST, InvalidSetting)
    if count > 1 and os.name != "posix":
        raise InvalidSetting("processes", count, f"1 on {sys.platform}", "start more nodes to use more cores")
    if count > 1 and not sys.executable:
        raise InvalidSetting("processes", count, "1 where Python's program is not known", "set sys.executable")
    return ProcessOptions(count, _imports(options.get("imports", ())))


def modules_of(options: ProcessOptions, registry: Registry) -> list[str]:
    """Return the modules that a child has to import to know the workers that this process knows.

    Raises:
        InvalidSetting: A worker is defined in the script itself, which no other process imports.
    """
    modules = dict.fromkeys(options.imports)
    for name in registry.names():
        module = registry.resolve(name).__module__
        if module == "__main__":
            expected = "workers in modules that other processes can import"
            raise InvalidSetting("processes", name, expected, "move it out of the script, into a module")
        modules[module] = None
    return list(modules)


def _imports(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(module, str) and module for module in value):
        raise InvalidSetting("processes.imports", value, "a list of modules' names")
    return tuple(value)
