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

    Names and errors in messages come from rows, which others wrote. Tracebacks are left as they are.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape the message of a record where it has to be."""
        text = record.getMessage()
        if not text.isprintable():
            record.msg, record.args = visible(text), ()
        return True


_ONE_LINE: Final = OneLine()


def guard_loggers() -> None:
    """Let the package's loggers write one line for each message; again does nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_ONE_LINE)
