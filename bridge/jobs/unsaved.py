"""The error of an attempt, before it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class UnsavedError:
    """Why the attempt of a job failed (Oban 2.23: `unsaved_error`).

    Attributes:
        kind: `"error"`, or `"exit"` for what is no `Exception`, such as SystemExit.
        reason: What was raised. A job that cancelled or discarded itself has a JobCancelled or a JobError.
        stacktrace: The traceback as text, without Bridge's own calls; empty where nothing was raised.
    """

    kind: Literal["error", "exit"]
    reason: BaseException
    stacktrace: str = field(repr=False)
