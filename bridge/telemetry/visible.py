"""Texts of strangers made fit for terminals and for logs of lines: nothing in them is obeyed, or begins a line."""

from __future__ import annotations

import json
import logging
import unicodedata
from typing import Final

#: The loggers of the package; whoever adds one adds it here.
LOGGERS: Final = (
    "bridge", "bridge.cluster", "bridge.cron", "bridge.engine", "bridge.jobs", "bridge.maintenance", "bridge.pubsub",
    "bridge.queues", "bridge.telemetry",
)  # fmt: skip

#: Categories of characters that a terminal obeys or can't show: controls, formats, surrogates, line separators.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

#: These two are part of how words are written, and do nothing to what stands beside them.
_JOINERS: Final = frozenset("\u200c\u200d")

_INDENT: Final = "  "

_FORMATTER: Final = logging.Formatter()

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with what a terminal would obey written as `\x1b` or `\u202e`, but for the characters `keep`."""
    if text.isprintable():
        return text
    return "".join(char if is_safe(char) or char in keep else _escaped(char) for char in text)


def visible_json(text: str) -> str:
    r"""Return JSON, on one line or indented, with such characters as `\u202e`, which its readers take for the same."""
    if text.isprintable():
        return text
    return "".join(char if char == "\n" or is_safe(char) else json.dumps(char)[1:-1] for char in text)


def is_safe(char: str) -> bool:
    """Tell whether a character does nothing but stand there."""
    return unicodedata.category(char) not in _UNSAFE or char in _JOINERS


def _escaped(char: str) -> str:
    return _SHORT.get(char) or char.encode("unicode_escape").decode()


class OneLine(logging.Filter):
    """Lets every record through; one whose message would break its line, or steer a terminal, gets it escaped.

    Names and errors in messages come from rows, which others wrote. A traceback has lines of its own: each is escaped
    and indented, so that none can be taken for another message.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape the message and the traceback of a record where they have to be."""
        text = record.getMessage()
        if not text.isprintable():
            record.msg, record.args = visible(text), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = _traceback(record)
        if record.exc_text:
            record.exc_text = indented(record.exc_text)
        return True


def indented(text: str) -> str:
    """Return a text of several lines with each escaped and indented, also where that was done before."""
    lines = [visible(line) for line in text.split("\n")]
    if all(line.startswith(_INDENT) for line in lines):
        return "\n".join(lines)
    return "\n".join(f"{_INDENT}{line}" for line in lines)


def _traceback(record: logging.LogRecord) -> str:
    try:
        return _FORMATTER.formatException(record.exc_info)  # type: ignore[arg-type]  # it is there
    except Exception as error:  # whoever logs an odd exception has trouble enough
        return f"no traceback: it raised {type(error).__name__}"


_ONE_LINE: Final = OneLine()


def guard_loggers() -> None:
    """Let the package's loggers write one line for each message; again does nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_ONE_LINE)
