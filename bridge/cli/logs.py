"""Logging of a node: every line on standard output is one JSON object."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec

from bridge.telemetry.log import attach_logger


def set_up_logging(level: str) -> None:
    """Log jobs' events and everything else as JSON lines, from `level` on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    attach_logger()


def log_event(event: str, **fields: Any) -> None:
    """Log a node's own event."""
    logging.getLogger("oban").info("%s", msgspec.json.encode({"event": event, **fields}).decode())


class _JsonFormatter(logging.Formatter):
    """Passes on lines that are JSON, and makes all others an object with `event`, `level`, `logger` and `message`."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.name == "oban":
            return message
        line = {"event": "bridge.log", "level": record.levelname.lower(), "logger": record.name, "message": message}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode({key: _text(value) for key, value in line.items()}).decode()


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
