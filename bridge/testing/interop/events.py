"""What a node sends by name: each term goes to whoever has waited longest, or is kept until somebody asks."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """A term, or why there is none: a term that can't be read is its reader's trouble and nobody else's."""

    term: Any
    error: Exception | None = None


class Events:
    """The events of a node; every method may be called from any thread, and none waits."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, deque[Outcome]] = defaultdict(deque)
        self._waiting: defaultdict[str, deque[Future[Any]]] = defaultdict(deque)
        self._ended: Exception | None = None
        self._lock = threading.Lock()

    def put(self, name: str, outcome: Outcome) -> None:
        """Hand it to the first who waits, or keep it."""
        with self._lock:
            self._hand_out(name, outcome, self._kept[name].append)

    def take(self, name: str) -> Future[Any]:
        """Return the first that is kept, or a promise of the next; once all have come, the reason there are no more."""
        future: Future[Any] = Future()
        with self._lock:
            if self._kept[name]:
                _settle(future, self._kept[name].popleft())
            elif self._ended is not None:
                future.set_exception(self._ended)
            else:
                self._waiting[name].append(future)
        return future

    def give_back(self, name: str, future: Future[Any]) -> None:
        """Undo `take` for somebody who waits no longer; what came meanwhile is the next one's."""
        with self._lock:
            with suppress(ValueError):
                self._waiting[name].remove(future)
            if not future.cancel() and future.exception() is not self._ended:
                error = future.exception()
                outcome = Outcome(None, error) if isinstance(error, Exception) else Outcome(future.result())
                self._hand_out(name, outcome, self._kept[name].appendleft)

    def end(self, reason: Exception) -> None:
        """Tell whoever waits that no more will come; what is kept may still be taken."""
        with self._lock:
            self._ended = self._ended or reason
            waiting = [future for each in self._waiting.values() for future in each]
            self._waiting.clear()
        for future in waiting:
            _settle(future, Outcome(None, self._ended))

    def _hand_out(self, name: str, outcome: Outcome, keep: Callable[[Outcome], None]) -> None:
        waiting = self._waiting[name]
        while waiting:
            if _settle(waiting.popleft(), outcome):
                return
        keep(outcome)


def _settle(future: Future[Any], outcome: Outcome) -> bool:
    """Return whether somebody waits for it still."""
    if not future.set_running_or_notify_cancel():
        return False
    if outcome.error is not None:
        future.set_exception(outcome.error)
    else:
        future.set_result(outcome.term)
    return True
