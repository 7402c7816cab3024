"""SchemaStore's schemas and instances, out of a checkout or a bare repository; nothing is written to disk."""

from __future__ import annotations

import json
import math
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

SCHEMAS = "src/schemas/json"
FOLDERS = {"src/test": True, "src/negative_test": False}


@dataclass(frozen=True)
class Instance:
    """A document that SchemaStore holds to be valid, or not, by the schema of its folder's name."""

    path: str
    value: Any
    is_valid: bool


class Store:
    """The newest version of SchemaStore in a Git directory.

    Attributes:
        version: The commit.
        schemas: The documents, by stem, such as `github-workflow`.
        unread: What could not be read, by path, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        """Read all schemas; instances are read when they are asked for."""
        self._git = ["git", "-C", str(folder)]
        self.version = self._run("rev-parse", "HEAD").strip()
        self.unread: dict[str, str] = {}
        lines = self._run("ls-tree", "-r", "HEAD", "src/").splitlines()
        entries = [line.split("\t", 1) for line in lines]
        self._blobs = {path: head.split()[2] for head, path in entries}
        wanted = {path for path in self._blobs if path.startswith(SCHEMAS) and path.endswith(".json")}
        self.schemas = {PurePosixPath(path).stem: value for path, value in self._read(sorted(wanted))}

    def instances(self) -> Iterator[tuple[str, Instance]]:
        """Yield every instance that JSON can hold, with its schema's stem."""
        folders = {path: "/".join(path.split("/")[:2]) for path in self._blobs}
        wanted = sorted(path for path, folder in folders.items() if folder in FOLDERS)
        for path, value in self._read(wanted):
            yield path.split("/")[2], Instance(path, value, FOLDERS[folders[path]])

    def _read(self, paths: list[str]) -> Iterator[tuple[str, Any]]:
        for path, content in self._contents(paths):
            try:
                yield path, _parsed(path, content)
            except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
                self.unread[path] = type(error).__name__ if isinstance(error, yaml.YAMLError) else str(error)

    def _contents(self, paths: list[str]) -> Iterator[tuple[str, bytes]]:
        asked = "".join(f"{self._blobs[path]}\n" for path in paths)
        answer = subprocess.run(
            [*self._git, "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=True
        ).stdout
        at = 0
        for path in paths:
            head, at = answer[at : answer.index(b"\n", at)].split(), answer.index(b"\n", at) + 1
            if head[1] == b"missing":
                self.unread[path] = "missing in this copy of the repository"
                continue
            yield path, answer[at : at + int(head[2])]
            at += int(head[2]) + 1

    def _run(self, *command: str) -> str:
        return subprocess.run([*self._git, *command], capture_output=True, check=True, text=True).stdout


def _parsed(path: str, content: bytes) -> Any:
    text = content.decode("utf-8-sig")
    match PurePosixPath(path).suffix:
        case ".json":
            return json.loads(text, parse_constant=_refuse)
        case ".yml" | ".yaml":
            return _plain(yaml.load(text, Loader=_Loader))
        case ".toml":
            return _plain(tomllib.loads(text))
    raise ValueError("neither JSON nor YAML nor TOML")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core: dates, `yes` and `no` are text, as everywhere but in YAML 1.1."""


_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value: keys are texts, and so are dates."""
    match value:
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case datetime() | date() | time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no number of JSON")
        case None | bool() | int() | float() | str():
            return value
    raise ValueError(f"a {type(value).__name__} is nothing that JSON has")


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
