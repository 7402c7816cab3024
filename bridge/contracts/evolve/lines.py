"""The line of a contract file that a change is about, for annotations in reviews."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')


def locate(path: Path, pointer: str) -> tuple[Path, int]:
    """Return the file and the line, from 1, of a place in a contract; references are followed to other files.

    Where the place is not in the files, as what was removed, the nearest place around it is taken.
    """
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    found = _Walk(path).follow(tokens)
    return found or (path, 1)


class _Walk:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[Path, dict[tuple[str, ...], int]] = {}
        self._documents: dict[Path, Any] = {}

    def follow(self, tokens: Sequence[str]) -> tuple[Path, int] | None:
        best = self._step(self._path, (), tokens, 0)
        return None if best is None else best[1]

    def _step(
        self, path: Path, at: tuple[str, ...], tokens: Sequence[str], hops: int
    ) -> tuple[int, tuple[Path, int]] | None:
        """Return how many tokens are left, and the place that was reached."""
        node = self._node(path, at)
        line = self._lines[path].get(at)
        if line is None or hops > 50:
            return None
        best = (len(tokens), (path, line))
        if not tokens:
            return best
        ways = [(path, (*at, tokens[0]), tokens[1:])]
        if isinstance(node, dict):
            ways += self._asides(path, at, node, tokens)
        for way in ways:
            found = self._step(*way, hops + 1)
            if found is not None and found[0] < best[0]:
                best = found
        return best

    def _asides(
        self, path: Path, at: tuple[str, ...], node: dict[str, Any], tokens: Sequence[str]
    ) -> list[tuple[Path, tuple[str, ...], Sequence[str]]]:
        """Return the other schemas that speak of the same value."""
        ways: list[tuple[Path, tuple[str, ...], Sequence[str]]] = []
        if isinstance(node.get("$ref"), str):
            name, _, fragment = node["$ref"].partition("#")
            target = path.with_name(name.rsplit("/", 1)[-1]) if name else path
            if target.is_file():
                ways.append((target, tuple(part for part in fragment.split("/")[1:]), tokens))
        for keyword in ("allOf", "anyOf", "oneOf"):
            for index, branch in enumerate(node.get(keyword, ()) if isinstance(node.get(keyword), list) else ()):
                inside = (*at, keyword, str(index))
                if tokens[0] == keyword and len(tokens) > 1 and _is_tagged(branch, tokens[1]):
                    ways.append((path, inside, tokens[2:]))
                elif tokens[0] != keyword:
                    ways.append((path, inside, tokens))
        return ways

    def _node(self, path: Path, at: tuple[str, ...]) -> Any:
        if path not in self._documents:
            text = path.read_text(encoding="utf-8")
            self._documents[path] = json.loads(text)
            self._lines[path] = _lines(text)
        node = self._documents[path]
        for token in at:
            if isinstance(node, dict) and token in node:
                node = node[token]
            elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
                node = node[int(token)]
            else:
                return None
        return node


def _is_tagged(branch: Any, tag: str) -> bool:
    fields = branch.get("properties", {}) if isinstance(branch, dict) else {}
    return any(
        node.get("const") == tag or node.get("enum") == [tag] for node in fields.values() if isinstance(node, dict)
    )


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of every place of a JSON document; of a field, that of its name."""
    found: dict[tuple[str, ...], int] = {(): 1}
    stack: list[list[Any]] = []  # the containers that are open, each with its place and its latest key
    line, end = 1, 0
    key: str | None = None
    for token in _TOKEN.finditer(text):
        line += text.count("\n", end, token.start())
        end = token.start()
        mark = token[0]
        if mark in "}]":
            stack.pop()
        elif mark == ",":
            if isinstance(stack[-1][1], int):
                stack[-1][1] += 1
            else:
                key = None
        elif mark != ":":
            if (stack and stack[-1][1] is None) or (stack and isinstance(stack[-1][1], str) and key is None):
                stack[-1][1] = key = json.loads(mark)
                found[(*stack[-1][0], key)] = line
                continue
            place = (*stack[-1][0], str(stack[-1][1])) if stack else ()
            found.setdefault(place, line)
            if mark in "{[":
                stack.append([place, None if mark == "{" else 0])
                key = None
    return found
