"""The log of a child: its records go to the parent, which logs them as its own, so that lines stay whole."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any, Final

from msgspec import Struct

from bridge.queues.processes.messages import Limit
from bridge.queues.processes.wire import frame

#: What a record has of itself; all else in it came by `extra`.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_SENT: Final = (
    "pathname", "filename", "module", "lineno", "funcName", "created", "msecs", "process", "processName", "threadName",
)  # fmt: skip


class Line(Struct, array_like=True, tag=True):
    """A record with its text made, and with those of its attributes that a formatter may show."""

    name: str
    level: int
    message: str
    trace: str | None
    attributes: dict[str, Any]


#: What comes by the second pair of sockets.
Note = Line | Limit


def levels() -> dict[str, int]:
    """Return the levels of this process's loggers; that of the root by the name of `""`."""
    loggers = logging.root.manager.loggerDict.items()
    found = {name: logger.level for name, logger in loggers if isinstance(logger, logging.Logger) and logger.level}
    return {"": logging.root.level, **found}


class PipeHandler(logging.Handler):
    """Sends records to the parent at once, from any thread, so that a crash loses none.

    A process that a worker forks writes to its stderr: its lines and those of this process could break each other.
    """

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self._formatter = logging.Formatter()
        self._pid = os.getpid()
        self._forked = logging.StreamHandler()

    def tell(self, limit: Limit) -> None:
        """Send what a run may take, before it begins."""
        with self.lock or nullcontext(), suppress(OSError):
            self._sock.sendall(frame(limit))

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        if os.getpid() != self._pid:
            self._forked.emit(record)
            return
        try:
            self._sock.sendall(frame(self._line(record)))
        except OSError:
            pass  # The parent is gone, and this process ends, too.
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> Line:
        trace = self._formatter.formatException(record.exc_info) if record.exc_info else record.exc_text
        attributes: dict[str, Any] = {name: getattr(record, name) for name in _SENT}
        attributes |= {name: _plain(value) for name, value in vars(record).items() if name not in _OWN}
        return Line(record.name, record.levelno, _text(record.getMessage()), trace and _text(trace), attributes)


def send_logs(handler: PipeHandler, wanted: Mapping[str, int]) -> None:
    """Let a handler alone have all that this process logs, from the parent's levels on."""
    logging.basicConfig(level=wanted.get("", logging.WARNING), handlers=[handler], force=True)
    for name, level in wanted.items():
        if name:
            logging.getLogger(name).setLevel(level)


def replay(line: Line) -> None:
    """Log a child's record here, where its logger takes that level."""
    logger = logging.getLogger(line.name)
    if logger.isEnabledFor(line.level):
        values = {"name": line.name, "levelno": line.level, "levelname": logging.getLevelName(line.level)}
        values |= {"msg": line.message, "args": None, "exc_text": line.trace, **line.attributes}
        logger.handle(logging.makeLogRecord(values))


def _plain(value: Any) -> Any:
    if isinstance(value, bool | float | None) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return _text(value if isinstance(value, str) else repr(value))


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
