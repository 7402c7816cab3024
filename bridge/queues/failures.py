"""Failures as entries of a job's `errors`, in the form that Elixir and Oban Web read."""

from __future__ import annotations

import traceback
from datetime import datetime

from bridge.codecs import json
from bridge.errors import message_of, printable
from bridge.jobs.unsaved import UnsavedError

#: Characters of an error's text: a traceback that quotes a huge value must not fill the table.
TEXT_LIMIT = 20_000


def unsaved_error(error: BaseException) -> UnsavedError:
    """Return the error as a job has it until it is stored."""
    return UnsavedError("error" if isinstance(error, Exception) else "exit", error, _traceback(error))


def error_entry(error: BaseException, attempt: int, at: datetime, stacktrace: str | None = None) -> str:
    """Return `{"attempt", "at", "error"}` as JSON text.

    The text begins with Elixir's banner, `** (Type) message`, because Oban Web shows the first line as headline; the
    traceback follows. `at` is naive UTC. `stacktrace` is the traceback's text, where it is known already.
    """
    text = f"** ({type_name(error)}) {_text(error, stacktrace)}"
    if len(text) > TEXT_LIMIT:
        text = f"{text[:TEXT_LIMIT]}\n… {len(text) - TEXT_LIMIT} characters more"
    entry = {"attempt": attempt, "at": at.isoformat(timespec="microseconds") + "Z", "error": printable(text)}
    return json.encode_object(entry, "error")


def type_name(error: BaseException) -> str:
    """Return the error's type as Python's tracebacks name it."""
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _text(error: BaseException, stacktrace: str | None) -> str:
    try:
        return f"{message_of(error)}\n{_traceback(error) if stacktrace is None else stacktrace}"
    except BaseException as broken:  # a `__str__` that raises SystemExit must not end the node
        return f"<no text: __str__ raised {type(broken).__name__}>"


def _traceback(error: BaseException) -> str:
    frames = error.__traceback__
    if frames is None:
        return ""
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("bridge.queues."):
        frames = frames.tb_next  # Bridge's own calls tell nobody anything.
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except BaseException as broken:  # an exception without a traceback is recorded all the same
        return f"<no traceback: {type(broken).__name__}>\n"
