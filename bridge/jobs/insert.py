"""The options that a job may be built with, for type checkers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict

from bridge.jobs.replace import ReplaceOption
from bridge.jobs.states import JobState
from bridge.jobs.unique import UniqueOption


class InsertOptions(TypedDict, total=False):
    """What `new` and `enqueue` take beside args; `Job` says what each means."""

    queue: str
    max_attempts: int
    priority: int
    tags: Iterable[str]
    meta: Mapping[str, Any] | None
    scheduled_at: datetime | None
    schedule_in: float | timedelta | None
    state: JobState | str | None
    unique: UniqueOption
    replace: ReplaceOption
