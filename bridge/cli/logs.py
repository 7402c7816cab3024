"""Logging of a node: every line on standard output is one JSON object."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from bridge.telemetry.log import attach_logger
from bridge.telemetry.visible import visible_json


def set_up_logging(level: str) -> None:
    """Log jobs' events and everything else as JSON lines, from `level` on."""
    handler = _Output(sys.stdout)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    attach_logger()


def log_event(event: str, **fields: Any) -> None:
    """Log a node's own event."""
    logging.getLogger("oban").info("%s", _encode({"event": event, "level": "info", **fields}))


def _time_of(record: logging.LogRecord) -> str:
    """Return when a line was logged: ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Output(logging.StreamHandler[TextIO]):
    """Standard output; where it can't be written to, says so once, and not at every line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        error = sys.exception()
        if not isinstance(error, OSError):  # a line that can't be made, which is a mistake in a program
            super().handleError(record)
        elif not self._told:
            self._told = True
            with suppress(OSError):
                print(f"error: the log can't be written, and lines are lost: {error.strerror}", file=sys.stderr)


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
        if record.name == "asyncpg.pool" and record.exc_info:  # in an outage, where the pool will try again
            line["message"] = f"{message}: {_reason(record.exc_info[1])}"
        elif record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        elif record.exc_text:  # from another process, which kept the exception
            line["traceback"] = record.exc_text
        return f"{time},{_encode({key: _text(value) for key, value in line.items()})[1:]}"


def _reason(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _encode(line: dict[str, Any]) -> str:
    return visible_json(msgspec.json.encode(line).decode())


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
