"""Values of new jobs and of changes, as they stand on the command line or in a line of a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bridge.cli.moments import parse_moment
from bridge.codecs import json
from bridge.engine.updates import check_changes
from bridge.errors import DecodeError, InvalidJob, ValidationError
from bridge.jobs import contracts

_JSON: Final = frozenset({"args", "max_attempts", "meta", "priority", "tags"})


def parse_changes(assignments: Sequence[str]) -> dict[str, Any]:
    """Return `COLUMN=VALUE` as changes for `update`.

    Raises:
        InvalidJob: Not of this form, a column that can't be changed, or a value that it can't take.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        column, equals, text = assignment.partition("=")
        if not equals or column in changes:
            raise InvalidJob("--set", assignment, "COLUMN=VALUE, each column once", "such as --set priority=3")
        changes[column] = _value(column, text)
    check_changes(changes)  # before anybody is asked about the jobs
    return changes


def _value(column: str, text: str) -> Any:
    if column == "scheduled_at":
        return parse_moment(column, text, error=InvalidJob)
    return parse_json(column, text) if column in _JSON else text


def parse_json(option: str, text: str, error: type[ValidationError] = InvalidJob) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValidationError: It is not JSON, as `error`.
    """
    try:
        return json.decode(text)
    except DecodeError as wrong:
        raise contracts.veiled_by_any(error(option, text, "JSON", f"{wrong}; mind the shell's quotes")) from None


def parse_object(option: str, text: str, error: type[ValidationError] = InvalidJob) -> dict[str, Any]:
    """Return a JSON object: the text itself, `@file` for a file's content, `-` for standard input.

    Raises:
        ValidationError: It is not JSON, or no object, as `error`.
        OSError: There is no such file.
    """
    content = read_input(text) if text == "-" or text.startswith("@") else text
    found = parse_json(option, content, error)
    if not isinstance(found, dict):
        raise contracts.veiled_by_any(error(option, found, 'a JSON object, such as {"id": 1}'))
    return found


def read_input(name: str) -> str:
    """Return the content of standard input, `-`, or of a file, `@path`.

    Raises:
        InvalidJob: It is not UTF-8.
        OSError: There is no such file.
    """
    data = sys.stdin.buffer.read() if name == "-" else Path(name.removeprefix("@")).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJob(name, f"byte {data[error.start]:#x}", "text in UTF-8", f"at byte {error.start}") from None


def with_times(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a job in which `scheduled_at` is a time, where it is a text.

    Raises:
        InvalidJob: It can't be read.
    """
    found = dict(options)
    if isinstance(found.get("scheduled_at"), str):
        found["scheduled_at"] = parse_moment("scheduled_at", found["scheduled_at"], error=InvalidJob)
    return found
