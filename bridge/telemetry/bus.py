"""The bus: handlers ask for events by name, and get them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

from bridge.errors import ValidationError
from bridge.telemetry.events import EVENTS, SPANS

logger = logging.getLogger("bridge.telemetry")

Handler = Callable[[str, Any], None]

_handlers: Final[dict[str, tuple[frozenset[str], Handler]]] = {}

# The same by event, replaced as a whole with each change.
_listeners: dict[str, tuple[tuple[str, Handler], ...]] = {}

# Handlers come and go from any thread, and from within other handlers. A signal's may do so while its thread holds it.
_lock: Final = threading.RLock()

# What `wanted` says yes to: the names that somebody asked for, and the spans that have one of them.
_wanted: frozenset[str] = frozenset()


def attach(handler_id: str, events: str | Iterable[str], handler: Handler) -> None:
    """Call `handler(name, event)` for each event whose name is in `events`.

    Handlers run where the event happens, mostly on the event loop, so they must be quick. Those of a job's events run
    in the job's context: `current_job()` is the job. One that raises is detached and logged, because a broken handler
    must not break jobs (as in Erlang's telemetry). Only KeyboardInterrupt and SystemExit pass, which are meant for the
    process.

    Args:
        handler_id: What `detach` takes.
        events: Names, or patterns such as `"oban.job.*"`; one alone may be given as it is.
        handler: A plain function.

    Raises:
        ValidationError: A name that no event has, or a handler id that is taken.
    """
    names = names_of(events)
    with _lock:
        if handler_id in _handlers:
            raise ValidationError("handler_id", handler_id, "an id that is not in use", "detach the other one first")
        _handlers[handler_id] = (names, handler)
        _count_wishes()


def detach(handler_id: str) -> bool:
    """Remove a handler; False where there is none of that id."""
    with _lock:
        found = _handlers.pop(handler_id, None)
        _count_wishes()
    return found is not None


def wanted(name: str) -> bool:
    """Tell whether anybody listens to an event, or to one of a span's, so that nobody builds an event in vain."""
    return name in _wanted


def emit(name: str, event: Any) -> None:
    """Send `event` to every handler that asked for `name`."""
    for handler_id, handler in _listeners.get(name, ()):
        _call(handler_id, handler, name, event)


def names_of(events: str | Iterable[str]) -> frozenset[str]:
    """Return the names that names and patterns stand for.

    Raises:
        ValidationError: One of them stands for none.
    """
    found: set[str] = set()
    for pattern in [events] if isinstance(events, str) else events:
        matching = [name for name in EVENTS if fnmatchcase(name, pattern)]
        if not matching:
            raise ValidationError("events", pattern, "the name of an event, or a pattern such as oban.job.*")
        found.update(matching)
    return frozenset(found)


def _count_wishes() -> None:
    global _wanted, _listeners  # noqa: PLW0603 - what is replaced is read without a lock, from any thread
    handlers = tuple(_handlers.items())
    names = frozenset().union(*(names for _, (names, _) in handlers))
    _listeners = {
        name: tuple((handler_id, handler) for handler_id, (asked, handler) in handlers if name in asked)
        for name in names
    }
    _wanted = names | {span for span in SPANS if any(name.startswith(f"{span}.") for name in names)}


def _call(handler_id: str, handler: Handler, name: str, event: Any) -> None:
    try:
        handler(name, event)
    except (KeyboardInterrupt, SystemExit):
        raise  # a signal's handler may have raised them while ours ran
    except BaseException:  # a CancelledError of a plain function is nobody's wish, and would end a queue in silence
        _give_up(handler_id, handler)
        logger.exception("telemetry handler %r raised on %s and was detached", handler_id, name)


def _give_up(handler_id: str, handler: Handler) -> None:
    with _lock:
        if (found := _handlers.get(handler_id)) is not None and found[
            1
        ] == handler:  # it may have made room for another
            detach(handler_id)
