"""Spans: an event at the beginning of something, and one at its end with its duration."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Final, Self

from msgspec.structs import replace

from bridge.telemetry.bus import emit, wanted


class Span:
    """A context manager that emits `….start`, and `….stop` or `….exception` of what runs within it."""

    __slots__ = ("_begun", "_event", "_name")

    def __init__(self, name: str, event: Any) -> None:
        self._name = name
        self._event = event
        self._begun = 0

    def set(self, **fields: Any) -> None:
        """Tell what came of it: fields of the event at its end."""
        self._event = replace(self._event, **fields)

    def __enter__(self) -> Self:
        self.set(system_time=time.time_ns())
        emit(f"{self._name}.start", self._event)
        self._begun = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.set(duration=time.perf_counter_ns() - self._begun, error=error)
        emit(f"{self._name}.{'stop' if error is None else 'exception'}", self._event)


class NoSpan(Span):
    """A span that nobody listens to: it takes everything and does nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("", None)

    def set(self, **fields: Any) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


NO_SPAN: Final[Span] = NoSpan()


def span(name: str, event: type[Any], *values: Any) -> Span:
    """Return the context manager of a span.

    Args:
        name: What its three events' names begin with, one of `SPANS`.
        event: The class of its events.
        values: The first fields of it, what is known at the beginning.
    """
    return Span(name, event(*values)) if wanted(name) else NO_SPAN
