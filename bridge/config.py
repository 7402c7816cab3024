"""Settings, and where each came from: arguments win over the environment, that over a file, that over defaults."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from bridge.address import check_dsn, mask_password
from bridge.errors import InvalidSetting
from bridge.frames import frameless
from bridge.jobs.checks import seconds, storable, suggest

#: Files that are looked for in the working folder, in this order.
FILES = ("bridge.toml", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting's value and its source.

    Attributes:
        name: The name in `bridge.toml`, such as `stager.interval`.
        value: The checked value.
        source: `"default"`, `"environment BRIDGE_PREFIX"`, `"bridge.toml"` or `"argument --prefix"`.
    """

    name: str
    value: Any
    source: str

    def __repr__(self) -> str:
        # A repr ends up in logs, and a DSN may hold a password.
        value = mask_password(self.value) if self.name.endswith("dsn") and isinstance(self.value, str) else self.value
        return f"Setting(name={self.name!r}, value={value!r}, source={self.source!r})"


class _Option(Struct, frozen=True):
    default: Any
    parse: Callable[[str, Any], Any]


@frameless
def load_settings(
    arguments: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    folder: Path | None = None,
) -> dict[str, Setting]:
    """Return every setting by name, with its source.

    Args:
        arguments: Values given on the command line, by the settings' names; None stands for "not given".
        environment: Default `os.environ`: `DATABASE_URL` for `dsn`, `BRIDGE_` and the name for all, as in
            `BRIDGE_STAGER_INTERVAL`.
        file: A configuration file; default `bridge.toml`, or `[tool.bridge]` of `pyproject.toml`, in `folder`.
        folder: Default the working folder.

    Raises:
        InvalidSetting: An unknown name, a value of the wrong kind, or a file that can't be read.
    """
    given = _from_environment(os.environ if environment is None else environment)
    layers = [_from_file(file, folder or Path.cwd()), given, _from_arguments(arguments or {})]
    found = {name: Setting(name, option.default, "default") for name, option in _OPTIONS.items()}
    for layer in layers:
        for name, (value, source) in layer.items():
            with _said_by(source):
                found[name] = Setting(name, _OPTIONS[name].parse(name, value), source)
    return found


@contextmanager
def _said_by(source: str) -> Iterator[None]:
    try:
        yield
    except InvalidSetting as error:
        error.source = source
        raise


def default_node() -> str:
    """Return `DYNO`, or the host's name and the process id: the name must be this process's alone."""
    return os.environ.get("DYNO") or f"{socket.gethostname()}.{os.getpid()}"


_Layer = dict[str, tuple[Any, str]]


def _from_arguments(arguments: Mapping[str, Any]) -> _Layer:
    _check_names(arguments)
    return {
        name: (value, f"argument --{name.replace('.', '-').replace('_', '-')}")
        for name, value in arguments.items()
        if value is not None
    }


def _from_environment(environment: Mapping[str, str]) -> _Layer:
    found: _Layer = {}
    if dsn := environment.get("DATABASE_URL"):
        found["dsn"] = (dsn, "environment DATABASE_URL")
    for name in _OPTIONS:
        variable = "BRIDGE_" + name.replace(".", "_").upper()
        if value := environment.get(variable):
            found[name] = (value, f"environment {variable}")
    return found


def _from_file(file: Path | None, folder: Path) -> _Layer:
    path = file or next((path for name in FILES if (path := folder / name).is_file()), None)
    if path is None:
        return {}
    import tomllib  # noqa: PLC0415 - what is set up in code reads no file

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidSetting(str(path), None, "a TOML file", "there is no such file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(str(path), str(error), "a TOML file that can be read") from None
    with _said_by(path.name):
        values = _flatten(_table(content, "tool", "bridge") if path.name == "pyproject.toml" else content)
        _check_names(values)
    return {name: (value, path.name) for name, value in values.items()}


def _table(content: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        inner = content.get(name, {})
        if not isinstance(inner, Mapping):
            raise InvalidSetting(name, inner, "a table")
        content = inner
    return content


def _flatten(table: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and name != "queues":
            found |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            found[name] = value
    return found


def _check_names(names: Mapping[str, Any]) -> None:
    for name in names:
        if name not in _OPTIONS:
            raise InvalidSetting("setting", name, "a setting's name", suggest(name, _OPTIONS))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidSetting(name, value, "text")
    return storable(name, value, InvalidSetting)


def _module(name: str, value: Any) -> str:
    if not re.fullmatch(r"[A-Z]\w*(\.[A-Z]\w*)*", _text(name, value), re.ASCII):
        raise InvalidSetting(name, value, "an Elixir module's name, such as MyApp.Contracts")
    return str(value)


def check_prefix(name: str, value: Any) -> str:
    """Return a schema's name: at most 63 bytes, because PostgreSQL would cut a longer one."""
    if len(_text(name, value).encode()) > 63:
        raise InvalidSetting(name, value, "a schema's name of at most 63 bytes")
    return str(value)


def check_node(name: str, value: Any) -> str:
    """Return a node's name; white space would make its address ambiguous."""
    if re.search(r"\s", _text(name, value)):
        raise InvalidSetting(name, value, "a name without white space")
    return str(value)


def _queues(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, str):
        raise InvalidSetting(name, value, "names and limits, such as badges:10,default:5")
    found: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        queue, _, limit = (text.strip() for text in part.rpartition(":"))
        if not queue or not re.fullmatch("[0-9]{1,10}", limit):
            raise InvalidSetting(name, part, "a name and a limit, such as badges:10")
        if queue in found or ";" in queue:
            raise InvalidSetting(name, part, "each queue once, with commas between", "odd names go into bridge.toml")
        found[queue] = int(limit)
    return found


def _names(name: str, value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise InvalidSetting(name, value, "a list of module names")
    texts = [item.strip() if isinstance(item, str) else item for item in items]
    return [_text(name, text) for text in texts if text != ""]


def _named(name: str, value: Any) -> dict[str, Any]:
    found = _from_json(value)
    if not isinstance(found, Mapping):
        raise InvalidSetting(name, value, f"a table [{name}] in the file, or a JSON object")
    return dict(found)


def _age(name: str, value: Any) -> float | str:
    return "infinity" if value == "infinity" else _number(0, 3_155_760_000)(name, value)


def _tables(name: str, value: Any) -> list[dict[str, Any]]:
    found = _from_json(value)
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise InvalidSetting(name, value, f"tables under [[{name}]] in the file, or a JSON list of objects")
    return [dict(each) for each in found]


def _from_json(value: Any) -> Any:
    """Return what a text holds that came from the environment; anything else, also a broken text, as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _number(low: float, high: float) -> Callable[[str, Any], float]:
    def parse(name: str, value: Any) -> float:
        try:
            found = seconds(name, float(value) if isinstance(value, str) else value, InvalidSetting)
        except ValueError:
            found = -1
        if not low <= found <= high:
            raise InvalidSetting(name, value, f"a number from {low:g} to {high:g}")
        return found

    return parse


def _integer(low: int, high: int) -> Callable[[str, Any], int]:
    def parse(name: str, value: Any) -> int:
        found = _number(low, high)(name, value)
        if found != int(found):
            raise InvalidSetting(name, value, "a whole number")
        return int(found)

    return parse


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    def parse(name: str, value: Any) -> str:
        if value not in choices:
            raise InvalidSetting(name, value, f"one of {', '.join(choices)}")
        return str(value)

    return parse


def _boolean(name: str, value: Any) -> bool:
    text = str(value).lower() if isinstance(value, str | bool) or value in (0, 1) else ""
    found = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text)
    if found is None:
        raise InvalidSetting(name, value, "true or false")
    return found


_OPTIONS: dict[str, _Option] = {
    "dsn": _Option(None, check_dsn),
    "name": _Option("Oban", _text),
    "prefix": _Option("public", check_prefix),
    "node": _Option(None, check_node),
    "queues": _Option({}, _queues),
    "imports": _Option([], _names),
    "services": _Option([], _names),
    "processes": _Option(1, _integer(1, 256)),
    "insert_trigger": _Option(True, _boolean),
    "shutdown_grace_period": _Option(15.0, _number(0, 86_400)),
    "log_level": _Option("info", _one_of("debug", "info", "warning", "error")),
    "pool.min_size": _Option(1, _integer(0, 1_000)),
    "pool.max_size": _Option(10, _integer(1, 1_000)),
    "pool.timeout": _Option(60.0, _number(0.1, 86_400)),
    "pool.prepared": _Option("auto", _one_of("auto", "on", "off")),
    "stager.interval": _Option(1.0, _number(0.01, 3_600)),
    "stager.mode": _Option("auto", _one_of("auto", "on", "off")),
    "leader.interval": _Option(30.0, _number(0.1, 3_600)),
    "leader.enabled": _Option(True, _boolean),
    "cron.timezone": _Option("Etc/UTC", _text),
    "cron.enabled": _Option(True, _boolean),
    "cron.entries": _Option([], _tables),
    "lifeline.enabled": _Option(True, _boolean),
    "lifeline.interval": _Option(None, _number(0.1, 28_800)),
    "lifeline.rescue_after": _Option(45.0, _number(1, 86_400)),
    "pruner.mode": _Option("auto", _one_of("auto", "on", "off")),
    "pruner.interval": _Option(30.0, _number(0.01, 86_400)),
    "pruner.limit": _Option(10_000, _integer(1, 100_000)),
    "pruner.max_age": _Option(86_400.0, _age),
    "pruner.max_len": _Option(None, _integer(0, 2_147_483_647)),
    "pruner.states": _Option({}, _named),
    "pruner.queues": _Option({}, _named),
    "pruner.workers": _Option({}, _named),
    "reindexer.enabled": _Option(False, _boolean),
    "reindexer.schedule": _Option("@midnight", _text),
    "reindexer.timezone": _Option("Etc/UTC", _text),
    "reindexer.indexes": _Option(None, _names),
    "reindexer.timeout": _Option(3_600.0, _number(1, 86_400)),
    "notifier.dsn": _Option(None, check_dsn),
    "notifier.enabled": _Option(True, _boolean),
    "contracts.path": _Option("contracts", _text),
    "contracts.python": _Option(None, _text),
    "contracts.elixir": _Option(None, _text),
    "contracts.elixir_module": _Option(None, _module),
}
