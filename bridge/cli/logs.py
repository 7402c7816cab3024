"""Logging of a node: every line on standard output is one JSON object."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from bridge.telemetry.log import attach_logger
from bridge.telemetry.visible import visible_json


def set_up_logging(level: str) -> None:
    """Log jobs' events and everything else as JSON lines, from `level` on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    attach_logger()


def log_event(event: str, **fields: Any) -> None:
    """Log a node's own event."""
    logging.getLogger("oban").info("%s", _encode({"event": event, **fields}))


def _time_of(record: logging.LogRecord) -> str:
    """Return when a line was logged: ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _JsonFormatter(logging.Formatter):
    """Adds the time to lines that are JSON, and makes all others an object with `event`, `level` and `message`.

    `time` comes first, so that a reader's eye and `sort` find it; then come the keys of the line.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        time = f'{{"time":"{_time_of(record)}"'
        if record.name == "oban" and message.startswith('{"'):
            return f"{time},{message[1:]}"
        line = {"event": "bridge.log", "level": record.levelname.lower(), "logger": record.name, "message": message}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        elif record.exc_text:  # from another process, which kept the exception
            line["traceback"] = record.exc_text
        return f"{time},{_encode({key: _text(value) for key, value in line.items()})[1:]}"


def _encode(line: dict[str, Any]) -> str:
    return visible_json(msgspec.json.encode(line).decode())


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
