"""Failures as entries of a job's `errors`, in the form that Elixir and Oban Web read."""

from __future__ import annotations

import traceback
from datetime import datetime

from bridge.codecs import json
from bridge.errors import message_of, printable

#: Characters of an error's text: a traceback that quotes a huge value must not fill the table.
TEXT_LIMIT = 20_000


def error_entry(error: BaseException, attempt: int, at: datetime) -> str:
    """Return `{"attempt", "at", "error"}` as JSON text.

    The text begins with Elixir's banner, `** (Type) message`, because Oban Web shows the first line as headline; the
    traceback follows. `at` is naive UTC.
    """
    text = f"** ({type_name(error)}) {_text(error)}"
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]}\n… {len(text) - TEXT_LIMIT} characters more"
    entry = {"attempt": attempt, "at": at.isoformat(timespec="microseconds") + "Z", "error": printable(text)}
    return json.encode_object(entry, "error")


def type_name(error: BaseException) -> str:
    """Return the error's type as Python's tracebacks name it."""
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return f"{message_of(error)}\n{_traceback(error) if error.__traceback__ else ''}"
    except BaseException as broken:  # a `__str__` that raises SystemExit must not end the node
        return f"<no text: __str__ raised {type(broken).__name__}>"


def _traceback(error: BaseException) -> str:
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("bridge.queues."):
        frames = frames.tb_next  # Bridge's own calls tell nobody anything.
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except Exception as broken:  # an exception without a traceback is recorded all the same
        return f"<no traceback: {type(broken).__name__}>\n"
