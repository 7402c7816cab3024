"""What becomes of a new job under test: it is inserted and waits, or it runs at once and is never stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, get_args

from msgspec import Struct

from bridge.errors import InvalidSetting
from bridge.jobs.checks import suggest

Mode = Literal["disabled", "manual", "inline"]
MODES: tuple[Mode, ...] = get_args(Mode)


class _Switch(Struct, frozen=True):
    mode: Mode
    with_safety: bool


_switch: ContextVar[_Switch | None] = ContextVar("bridge_testing", default=None)


@contextmanager
def mode(name: Literal["manual", "inline"], *, with_safety: bool = False) -> Iterator[None]:
    """Switch every instance to another testing mode, for the calling code and the tasks that it starts.

    Other tasks and threads go on as their instances were made. Queues that run are not stopped: in `manual` mode of an
    instance that runs queues, they take the job.

    Args:
        name: `"manual"`: new jobs are inserted. `"inline"`: they run where they are enqueued, and are not stored.
        with_safety: What an inline job raises is recorded in the job that `enqueue` returns, as in production. Default:
            it is raised to whoever enqueued the job, so that it fails the test (Oban 2.23).

    Raises:
        InvalidSetting: Another name. An instance's own mode may also be `"disabled"`, in which its queues run; none
            can be started for the length of a block.
    """
    if name not in ("manual", "inline"):
        raise InvalidSetting("mode", name, "'manual' or 'inline'", suggest(name, ("manual", "inline")))
    token = _switch.set(_Switch(name, with_safety))
    try:
        yield
    finally:
        _switch.reset(token)


def check_mode(field: str, value: Any) -> Mode:
    """Return the mode of an instance.

    Raises:
        InvalidSetting: It is none.
    """
    if value not in MODES:
        raise InvalidSetting(field, value, f"one of {', '.join(MODES)}")
    return value  # type: ignore[no-any-return]  # it is one of the three


def is_inline(own: Mode) -> bool:
    """Tell whether a job that is enqueued here runs at once, on an instance whose own mode is `own`."""
    switch = _switch.get()
    return (own if switch is None else switch.mode) == "inline"


def is_safe() -> bool:
    """Tell whether what an inline job raises is recorded and not raised."""
    switch = _switch.get()
    return switch is not None and switch.with_safety
